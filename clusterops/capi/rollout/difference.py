"""Why a Machine does not match its owner any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clusterops.model.plan import MISSING
from clusterops.model.pointer import escape

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of the owner; ``before`` is what the Machine was made with. ``rule`` names the comparator."""

    pointer: str
    before: Any
    after: Any
    rule: str


class IncomputableError(ValueError):
    """The outcome depends on something that is not ours to compute; its text says on what, for people."""


def at(body: Any, *path: str) -> Any:
    """The value below a path of fields; None where any of them is missing."""
    for step in path:
        body = body.get(step) if isinstance(body, Mapping) else None
    return body


def or_missing(value: Any) -> Any:
    """API servers drop empty strings, so those are as good as none."""
    return MISSING if value in (None, "") else value


def differing(before: Any, after: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(pointer, before, after) of every leaf that differs between two JSON values; lists are leaves."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for field in sorted({*before, *after}):
            below = f"{pointer}/{escape(str(field))}"
            yield from differing(before.get(field, MISSING), after.get(field, MISSING), below)
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield pointer, before, after
