"""What was said of drift over the whole time, and which of it was false."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.capi.managers import kin
from tests.shows.drift_controls import Control
from tests.shows.drift_told import Told, told
from tests.shows.drift_watch import Seen

BY_RIGHT: Final = frozenset({"autoscaler", "controller"})
LABEL: Final = "clusterops.io/fleet"
Field = tuple[str, str, str, str, str, str]
"""Kind, manager, kin, operation, subresource, field: of what others own in objects of a fleet."""


@dataclass(slots=True)
class Judge:
    """Told of every version of every FleetTarget, Event and object of ours, in the order of arrival."""

    fleet: str
    controls: list[Control]
    false: Counter[str] = field(default_factory=Counter)
    by_right: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    writers: Counter[Field] = field(default_factory=Counter)
    machines: set[str] = field(default_factory=set)
    versions: Counter[str] = field(default_factory=Counter)
    _standing: dict[str, set[Told]] = field(default_factory=dict)

    def see(self, seen: Seen) -> None:
        kind = seen.body["kind"]
        self.versions[kind] += 1
        if kind == "FleetTarget" and not seen.gone:
            self._target(seen)
        elif kind == "Event":
            self._event(seen)
        elif kind == "Machine":
            self.machines.add(seen.body["metadata"]["uid"])
        elif LABEL in (seen.body["metadata"].get("labels") or {}):
            self._writers(seen.body)

    def standing(self, target: str) -> set[Told]:
        """What is said of a target now."""
        return self._standing.get(target, set())

    def _target(self, seen: Seen) -> None:
        target, rows = seen.body["spec"]["target"], told(seen)
        before, self._standing[target] = self.standing(target), set(rows)
        for one in rows:
            if one not in before:
                self._row(target, one, seen.at)
        drift = (seen.body.get("status") or {}).get("drift") or {}
        for each in drift.get("unknown") or ():
            self.unknown[f"{target}: {each}"] += 1
        for each in drift.get("ignored") or ():
            self.ignored[f"{each}"[:200]] += 1
        for author, count in (drift.get("left") or {}).items():
            self.left[f"{target} {author}"] = max(self.left[f"{target} {author}"], count)

    def _row(self, target: str, one: Told, at: float) -> None:
        control = next((each for each in self.controls if each.target == target and each.explains(one)), None)
        if control is not None:
            control.heard(one, at)
        elif one.author in BY_RIGHT and one.remedy == "leave":
            self.by_right[f"{one.place.kind}{one.pointer} {one.manager}"] += 1
        else:
            stamp = time.strftime("%T", time.gmtime(at))
            print(f"{stamp} FALSE {target}: {one}", flush=True)
            self.false[f"{target}: {one}"] += 1

    def _event(self, seen: Seen) -> None:
        about = seen.body.get("involvedObject") or {}
        if about.get("kind") == "FleetTarget":
            self.events[str(seen.body.get("reason"))] += 1

    def _writers(self, body: dict[str, Any]) -> None:
        for one in body["metadata"].get("managedFields") or ():
            name, part = one["manager"], one.get("subresource", "")
            if name == "clusterops" or part == "status":
                continue
            for path in set(_paths(one.get("fieldsV1") or {})):
                self.writers[body["kind"], name, str(kin(name)), one["operation"], part, path] += 1


def _paths(tree: dict[str, Any], above: str = "", depth: int = 4) -> Iterator[str]:
    """Pointers of what a manager owns, no deeper than that; items of lists as ``*``."""
    for name, below in tree.items():
        if name == ".":
            continue
        here = f"{above}/{name[2:] if name.startswith('f:') else '*'}"
        if below and depth > 1 and set(below) != {"."}:
            yield from _paths(below, here, depth - 1)
        else:
            yield here


def tell_writers(writers: Iterable[Field]) -> None:
    """A table: kind, who, what kind of writer that is taken for, and the fields."""
    found: dict[tuple[str, str, str, str, str], set[str]] = {}
    for kind, name, who, operation, part, path in writers:
        found.setdefault((kind, name, who, operation, part), set()).add(path)
    for (kind, name, who, operation, part), paths in sorted(found.items()):
        shown = ", ".join(sorted(paths)[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")
        print(f"  {kind:<22} {name} ({who}) {operation}{f' of {part}' if part else ''}: {shown}")
