"""How many machines a change was to replace, add and remove, and how many it has by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCounts:
    """A machine that went and was followed by another one is replaced, and neither removed nor added."""

    replaced: int = 0
    added: int = 0
    removed: int = 0

    @classmethod
    def between(cls, before: frozenset[str], now: frozenset[str]) -> MachineCounts:
        """From the uids of the Machines then and now."""
        gone, new = len(before - now), len(now - before)
        replaced = min(gone, new)
        return cls(replaced=replaced, added=new - replaced, removed=gone - replaced)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> MachineCounts:
        return cls(**{name: int(body.get(name) or 0) for name in ("replaced", "added", "removed")})

    def to_body(self) -> dict[str, int]:
        return {"replaced": self.replaced, "added": self.added, "removed": self.removed}

    def __add__(self, other: MachineCounts) -> MachineCounts:
        return MachineCounts(
            replaced=self.replaced + other.replaced,
            added=self.added + other.added,
            removed=self.removed + other.removed,
        )

    def __bool__(self) -> bool:
        return bool(self.replaced or self.added or self.removed)

    @property
    def text(self) -> str:
        """``12 machines replaced, 2 added``; "" when nothing changes."""
        counted = (("replaced", self.replaced), ("added", self.added), ("removed", self.removed))
        (first, *rest) = [(word, count) for word, count in counted if count] or [("", 0)]
        if not first[1]:
            return ""
        head = f"{first[1]} machine{'s' * (first[1] != 1)} {first[0]}"
        return ", ".join([head, *(f"{count} {word}" for word, count in rest)])

    def progress_text(self, so_far: MachineCounts) -> str:
        """``4 of 12 machines replaced, 0 of 2 added``; "" when nothing was predicted."""
        pairs = (
            ("replaced", self.replaced, so_far.replaced),
            ("added", self.added, so_far.added),
            ("removed", self.removed, so_far.removed),
        )
        known = [(word, count, min(done, count)) for word, count, done in pairs if count]
        parts = [
            f"{done} of {count}{' machines' if place == 0 else ''} {word}"
            for place, (word, count, done) in enumerate(known)
        ]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTally:
    """Of one target and commit. ``before`` and ``now`` are uids of its Machines; ``now`` is None until looked at.

    ``at_once`` counts the Machines that are to change at the same time at the most. ``expected`` is what has to have
    happened in the end, in pools whose machines no autoscaler counts: those that it did are ``apart``. None where that
    cannot be said.
    """

    predicted: MachineCounts
    at_once: int = 0
    before: frozenset[str] = frozenset()
    now: frozenset[str] | None = None
    expected: MachineCounts | None = None
    apart: frozenset[str] = frozenset()

    @property
    def so_far(self) -> MachineCounts:
        return MachineCounts() if self.now is None else MachineCounts.between(self.before, self.now)

    def seen(self, uids: Iterable[str]) -> MachineTally:
        return replace(self, now=frozenset(uids))

    def to_body(self) -> dict[str, Any]:
        """The JSON form kept in a FleetTarget's status, so that another process can go on counting."""
        return {
            "predicted": self.predicted.to_body(),
            "before": sorted(self.before),
            **({"atOnce": self.at_once} if self.at_once else {}),
            **({"expected": self.expected.to_body()} if self.expected is not None else {}),
            **({"apart": sorted(self.apart)} if self.apart else {}),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> MachineTally:
        """Lenient: it decides nothing."""
        expected = body.get("expected")
        return cls(
            predicted=MachineCounts.of(body.get("predicted") or {}),
            at_once=int(body.get("atOnce") or 0),
            before=frozenset(map(str, body.get("before") or ())),
            expected=MachineCounts.of(expected) if expected is not None else None,
            apart=frozenset(map(str, body.get("apart") or ())),
        )
