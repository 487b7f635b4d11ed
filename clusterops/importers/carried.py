"""What an import gives: our rules, and what has no counterpart here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clusterops.model.ignore import IgnoreRule


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCarried:
    """``source`` is the object (``Application argocd/web``), ``what`` as it stands there, ``why`` for people."""

    source: str
    what: str
    why: str

    @property
    def text(self) -> str:
        return f"{self.source}: {self.what}: {self.why}"


Carried = IgnoreRule | NotCarried


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """``source`` of a rule is the object that it comes from. There it was for that object's own resources alone."""

    rules: tuple[IgnoreRule, ...] = ()
    not_carried: tuple[NotCarried, ...] = ()


def source_of(document: Mapping[str, Any]) -> str:
    """``Application argocd/web``"""
    metadata = mapping_at(document, "metadata")
    place = "/".join(str(metadata[part]) for part in ("namespace", "name") if metadata.get(part))
    return f"{document.get('kind')} {place}"


def mapping_at(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Empty where there is none."""
    found: Any = document
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def entries_of(parent: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The mappings of a list; nothing where it is none."""
    found = parent.get(name)
    yield from (one for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()


def texts_of(parent: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of a list; nothing where it is none."""
    found = parent.get(name)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def pointer_fault(pointer: str) -> str:
    """Why a pointer is none of ours, "" where it is one."""
    if pointer in {"", "/"}:
        return "the whole object; annotate it with `clusterops.io/reconcile: disabled` instead"
    if not pointer.startswith("/"):
        return "is no JSON pointer"
    return "status is never compared" if pointer == "/status" or pointer.startswith("/status/") else ""
