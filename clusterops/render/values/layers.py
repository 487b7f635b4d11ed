"""Layers of values: chart < cloud < region < cluster. Maps merge, lists replace, null removes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.document import Document, Pointer, load_document
from clusterops.model.secret import SecretValues, machine_values

RESERVED: Final = "clusterops"
"""The block that we read ourselves and do not pass on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One values file without the reserved block. ``secrets`` are the pointers of what was decrypted in it."""

    document: Document = field(repr=False)
    secrets: frozenset[Pointer] = frozenset()

    @property
    def path(self) -> str:
        return self.document.path

    @property
    def values(self) -> Mapping[str, Any]:
        return {key: value for key, value in self.document.value.items() if key != RESERVED}

    @property
    def secret_values(self) -> tuple[Any, ...]:
        return tuple(value_at(self.document.value, pointer) for pointer in self.secrets)

    def holds(self, pointer: Pointer) -> bool:
        """Whether it says anything at ``pointer``, a null or the reserved block included."""
        return pointer in self.document.marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """``files`` lowest first; ``chart`` is the chart's own values.yaml, below all of them."""

    files: tuple[Layer, ...]
    chart: Layer | None = None

    @property
    def merged(self) -> dict[str, Any]:
        """As helm does it: the files among themselves, then over the chart, so a null of theirs can be taken back."""
        merged: dict[str, Any] = {}
        for layer in self.files:
            merged = merge(merged, layer.values)
        return without_nulls(merge(self.chart.values, merged) if self.chart else merged)

    @property
    def secrets(self) -> SecretValues:
        """What was decrypted in any of them."""
        return SecretValues(value for layer in self.files for value in layer.secret_values)

    @property
    def private(self) -> SecretValues:
        """What nobody may quote who complains of values: what was decrypted, and what machines are given."""
        return self.secrets | SecretValues(value for layer in self.files for value in machine_values(layer.values))

    def is_secret(self, pointer: Pointer) -> bool:
        """Whether a layer that sets the value at ``pointer`` decrypted it."""
        return any(pointer in layer.secrets for layer in self.files)

    def setting(self, pointer: Pointer) -> tuple[Layer, ...]:
        """The layers that set the value at ``pointer``, the one that counts first."""
        lowest_last = (*reversed(self.files), *((self.chart,) if self.chart else ()))
        return tuple(layer for layer in lowest_last if layer.holds(pointer))


def read_layer(text: bytes, path: str, *, subject: str) -> Layer:
    """Raises TerminalError ``yaml-syntax``, ``yaml-duplicate-key``, ``yaml-documents`` or ``value-type``."""
    return layer_of(load_document(text, path), subject=subject)


def layer_of(document: Document, secrets: frozenset[Pointer] = frozenset(), *, subject: str) -> Layer:
    """Raises TerminalError ``value-type``."""
    if not isinstance(document.value, Mapping):
        raise TerminalError(
            "value-type", subject, "is not a map of values", hint="write `key: value` lines", path=document.path
        )
    return Layer(document=document, secrets=secrets)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """**Source:** helm.sh/helm/v4 pkg/chart/common/util/coalesce.go: maps merge, everything else replaces."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    """A null takes away what a lower layer said; in a list it stays."""
    kept = {key: value for key, value in values.items() if value is not None}
    return {key: without_nulls(value) if isinstance(value, Mapping) else value for key, value in kept.items()}


def value_at(values: Any, pointer: Pointer) -> Any:
    """Raises KeyError when there is none."""
    for part in pointer:
        values = _child(values, part)
    return values


def _child(value: Any, part: str | int) -> Any:
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    if isinstance(value, Mapping):
        return value[part]
    raise KeyError(part)


def path_text(pointer: Pointer) -> str:
    """``network.pods[0]``"""
    text = ""
    for part in pointer:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse_path(text: str) -> Pointer:
    """The inverse of ``path_text``; a key with a dot in it cannot be said."""
    pointer: list[str | int] = []
    for part in text.replace("[", ".[").split("."):
        if part.startswith("[") and part.endswith("]") and part[1:-1].isdigit():
            pointer.append(int(part[1:-1]))
        elif part:
            pointer.append(part)
    return tuple(pointer)
