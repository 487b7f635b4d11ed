"""Which objects of a target are ours: the set that decides what may ever be pruned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from clusterops.model.key import ObjectKey
from clusterops.model.report import ApplyReport, ApplyRow, Result
from clusterops.model.sketch import Sketch

FORMAT: Final = 1
"""Written into every stored inventory; format N reads N-1, and a newer one is never written over."""


class EntryState(StrEnum):
    PENDING = "pending"
    """About to be applied for the first time: it may or may not exist."""
    APPLIED = "applied"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Entry:
    key: ObjectKey
    api_version: str
    uid: str = ""
    state: EntryState = EntryState.PENDING
    applied: Sketch | None = field(default=None, compare=False)
    """What git said of it when it was last applied; None for an entry that an older release wrote."""
    held: Sketch | None = field(default=None, compare=False)
    """The fields that were ours then, with the values that the server made of them: what drift is measured by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The objects that we own for ``owner`` (a target's name), as of ``revision``."""

    owner: str
    revision: str = ""
    entries: Mapping[ObjectKey, Entry]
    format: int = FORMAT

    @property
    def keys(self) -> frozenset[ObjectKey]:
        return frozenset(self.entries)

    def widened(self, entries: Iterable[Entry], *, revision: str) -> Inventory:
        """With every given entry present; known ones keep uid, state and sketch. Written before the first apply."""
        merged = dict(self.entries)
        for entry in entries:
            known = merged.get(entry.key)
            merged[entry.key] = entry if known is None else replace(known, api_version=entry.api_version)
        return replace(self, entries=merged, revision=revision)

    def narrowed(self, report: ApplyReport, *, revision: str) -> Inventory:
        """``applied | (owned - pruned)``: what is known to exist gets its uid, what was pruned leaves."""
        merged = dict(self.entries)
        for row in report.rows:
            if row.result is Result.PRUNED:
                merged.pop(row.key, None)
            elif row.uid and (row.result is Result.APPLIED or row.key in merged):
                merged[row.key] = _applied(row, merged.get(row.key))
        return replace(self, entries=merged, revision=revision)

    def holding(self, held: Mapping[ObjectKey, Sketch]) -> Inventory:
        """With another measure of drift for these entries; one that is not known is left out."""
        moved = {key: replace(self.entries[key], held=one) for key, one in held.items() if key in self.entries}
        return replace(self, entries={**self.entries, **moved}) if moved else self

    def to_body(self) -> dict[str, Any]:
        """The JSON form stored in a FleetTarget; entries sorted by key."""
        return {
            "format": self.format,
            "revision": self.revision,
            "entries": [_entry_body(entry) for entry in sorted(self.entries.values())],
        }

    @classmethod
    def from_body(cls, owner: str, body: Mapping[str, Any] | None) -> Inventory:
        """Raises ValueError for a body that no release of this format wrote, and for a newer format."""
        raw = body or {"format": FORMAT, "entries": []}
        stored_format = raw.get("format")
        if not isinstance(stored_format, int) or stored_format > FORMAT:
            raise ValueError(f"inventory format {stored_format!r} is newer than {FORMAT}, which this release writes")
        entries = [
            Entry(
                key=ObjectKey.parse(item["key"]),
                api_version=str(item["version"]),
                uid=str(item.get("uid", "")),
                state=EntryState(item.get("state", "pending")),
                applied=Sketch.parse(item["applied"]) if item.get("applied") else None,
                held=Sketch.parse(item["held"]) if item.get("held") else None,
            )
            for item in raw.get("entries") or ()
        ]
        return cls(owner=owner, revision=str(raw.get("revision", "")), entries={entry.key: entry for entry in entries})


def _applied(row: ApplyRow, known: Entry | None) -> Entry:
    before = known if known is not None and known.uid == row.uid else None
    done = row.result in {Result.APPLIED, Result.SKIPPED} and row.applied is not None
    return Entry(
        key=row.key,
        api_version=row.api_version,
        uid=row.uid,
        state=EntryState.APPLIED,
        applied=row.applied if done else before.applied if before else None,
        held=row.held if done else before.held if before else None,
    )


def _entry_body(entry: Entry) -> dict[str, str]:
    sketches = {"applied": entry.applied, "held": entry.held}
    return {
        "key": str(entry.key),
        "version": entry.api_version,
        "uid": entry.uid,
        "state": str(entry.state),
        **{name: str(sketch) for name, sketch in sketches.items() if sketch is not None},
    }


def empty_inventory(owner: str) -> Inventory:
    return Inventory(owner=owner, entries={})
