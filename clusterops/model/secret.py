"""Text that must never be printed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from clusterops.model.key import ObjectKey
from clusterops.model.pointer import escape

MASK: Final = "(secret)"
CHANGED_MASK: Final = "(secret, changed)"
_IN_MACHINES: Final = re.compile(
    r"/(?:files/[^/]+/content|users/[^/]+/passwd|bootstrapTokens/[^/]+/token|bootstrapToken/token"
    r"|tlsBootstrapToken|certificateKey|jsonPatches/[^/]+/value(?:/[0-9]+)?/(?:content|passwd))(?:/|$)"
)
"""What a machine is given at its first boot and is nobody else's business.

**Source:** Cluster API v1.14 api/bootstrap/kubeadm/v1beta2/kubeadmconfig_types.go (File, User) and kubeadm_types.go
(BootstrapToken, BootstrapTokenDiscovery, Discovery, InitConfiguration); a ClusterClass patches the same fields in.
"""
_GIVEN: Final = {"files": "content", "users": "passwd"}
_SHORTEST: Final = 4
"""Characters; a shorter secret is only known where it is all of a value, or ``1`` would hide every port."""
_SHORTEST_ENCODED: Final = 6


def is_sensitive(key: ObjectKey, pointer: str) -> bool:
    """Whether the value at a pointer is never to be shown.

    All of a Secret but what everybody may see of it, kubectl's copy of an object, and of what Cluster API's kinds bring
    to machines: contents of files, passwords and tokens.
    """
    if "last-applied-configuration" in pointer or pointer == "/metadata/annotations":
        return True
    if key.is_secret:
        return not pointer.startswith("/metadata/labels") and pointer not in {"/type", "/immutable"}
    return brings_secrets(key) and _IN_MACHINES.search(pointer) is not None


def brings_secrets(key: ObjectKey) -> bool:
    """Whether an object may hold what ``is_sensitive`` hides beside annotations."""
    return key.is_secret or key.group.endswith("cluster.x-k8s.io")


def shown(key: ObjectKey, pointer: str, value: Any, *, beside: Any = None) -> Any:
    """The value at a pointer as it may be shown. ``beside`` is what it was before: a secret that is new is told so.

    A list that is told as a whole keeps its form; only what ``is_sensitive`` names in it is hidden.
    """
    if is_sensitive(key, pointer):
        return MASK
    if not isinstance(value, dict | list) or not brings_secrets(key):
        return value
    known = None if beside is None else frozenset(_texts(key, pointer, beside))
    return _hidden(key, pointer, value, known)


def _hidden(key: ObjectKey, pointer: str, value: Any, known: frozenset[str] | None) -> Any:
    if is_sensitive(key, pointer):
        return MASK if known is None or _text(value) in known else CHANGED_MASK
    if isinstance(value, dict):
        return {name: _hidden(key, f"{pointer}/{escape(str(name))}", each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_hidden(key, f"{pointer}/{index}", each, known) for index, each in enumerate(value)]
    return value


def _texts(key: ObjectKey, pointer: str, value: Any) -> Iterator[str]:
    if is_sensitive(key, pointer):
        yield _text(value)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(key, f"{pointer}/{escape(str(name))}", each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(key, f"{pointer}/{index}", each)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def machine_values(values: Any) -> Iterator[Any]:
    """Scalars of a tree of values that machines are given at their first boot, whatever chart makes an object of them.

    Contents of ``files`` and passwords of ``users``; an entry that is no map counts whole, as it may be either.
    """
    if isinstance(values, list):
        for each in values:
            yield from machine_values(each)
    elif isinstance(values, Mapping):
        for name, value in values.items():
            if name in _GIVEN and isinstance(value, list):
                yield from (each.get(_GIVEN[name]) if isinstance(each, Mapping) else each for each in value)
            yield from machine_values(value)


@dataclass(frozen=True, slots=True, init=False)
class SecretValues:
    """Values that were decrypted, and the forms in which they come back: lines of them, escaped, in base64.

    Whatever contains one is hidden as a whole. Empty: nothing is.
    """

    _exact: frozenset[str] = field(repr=False)
    _parts: tuple[str, ...] = field(repr=False)
    _beginning: Mapping[str, tuple[str, ...]] = field(repr=False, compare=False)
    """The parts by their first characters, so that a text costs its length, however many secrets there are."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        """Scalars; true, false, null and numbers of few digits are no secrets."""
        texts = {_text(one) for one in values if _is_secret(one)}
        parts = tuple(sorted({part for text in texts for part in _forms(text)}))
        beginning = {start: tuple(same) for start, same in groupby(parts, key=lambda part: part[:_SHORTEST])}
        for name, value in (("_exact", frozenset(texts)), ("_parts", parts), ("_beginning", beginning)):
            object.__setattr__(self, name, value)

    def __bool__(self) -> bool:
        return bool(self._exact)

    def __or__(self, other: SecretValues) -> SecretValues:
        return SecretValues(self._exact | other._exact)

    def within(self, value: Any) -> bool:
        """Whether any of them stands in a JSON value, in keys too. O(length)."""
        if not self._exact:
            return False
        if isinstance(value, dict):
            return any(self.within(str(name)) or self.within(each) for name, each in value.items())
        if isinstance(value, list | tuple):
            return any(self.within(each) for each in value)
        if value is None or isinstance(value, bool):
            return False
        text = _text(value)
        return text in self._exact or self._is_part_of(text)

    def _is_part_of(self, text: str) -> bool:
        known = self._beginning
        starts = (at for at in range(len(text) - _SHORTEST + 1) if text[at : at + _SHORTEST] in known)
        return any(text.startswith(known[text[at : at + _SHORTEST]], at) for at in starts)

    def shown(self, value: Any) -> Any:
        """The value as it may be shown: maps and lists keep their form, whatever holds a secret is hidden."""
        if not self.within(value):
            return value
        if isinstance(value, dict):
            return {MASK if self.within(str(name)) else name: self.shown(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.shown(each) for each in value]
        return MASK

    def struck(self, text: str) -> str:
        """A sentence with each of them hidden where it stands."""
        for part in sorted(self._parts, key=len, reverse=True):
            text = text.replace(part, MASK)
        return text


NO_SECRETS: Final = SecretValues()


def _is_secret(value: Any) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return len(_text(value)) >= _SHORTEST
    return isinstance(value, str) and value != ""


def _forms(text: str) -> Iterator[str]:
    """As it is, each longer line of it, as JSON spells it, and in base64 at any offset of a longer text."""
    lines = [line.strip() for line in text.splitlines() if not line.strip().startswith("-----")]
    long = [line for line in lines if len(line) >= 2 * _SHORTEST]
    for one in dict.fromkeys([text.strip(), *(long if len(lines) > 1 else ())]):
        if len(one) < _SHORTEST:
            continue
        yield one
        yield json.dumps(one)[1:-1]
        yield json.dumps(one, ensure_ascii=False)[1:-1]
        if len(one) >= _SHORTEST_ENCODED:
            yield from _encoded(one.encode())


def _encoded(raw: bytes) -> Iterator[str]:
    """The characters of base64 that depend on these bytes alone, whatever stands before and after them."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first, spare = -(-before * 8 // 6), (before + len(raw)) * 8 % 6
        inner = text[first : len(text) - bool(spare)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


class SecretText:
    """Holds a token or password; its text and repr are a mask. ``reveal()`` is the one way out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
