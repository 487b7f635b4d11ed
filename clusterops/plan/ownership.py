"""Whose field is it: what an apply takes, what it leaves to others, and what it hands over first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from clusterops.capi.managers import Kin, kin
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Left, Taken
from clusterops.model.secret import MASK
from clusterops.plan.adoption import armed, predecessors
from clusterops.plan.bodies import without
from clusterops.plan.contested import Contested, contested
from clusterops.plan.decide import is_ours
from clusterops.plan.fields import is_sensitive
from clusterops.plan.wanted import Wanted


def settle_owners(wanted: Wanted, found: LiveObject | None, inventory: Inventory) -> Wanted:
    """The object without the fields that are not ours to send, and with those that are ours to take."""
    if found is None or found.deleting:
        return wanted
    if not is_ours(found, inventory):
        return wanted if armed(found) else _adopted(wanted, found)
    return wanted


def _adopted(wanted: Wanted, found: LiveObject) -> Wanted:
    """From people and their tools every field is taken; a controller keeps what it set."""
    names = predecessors(found)
    rows = contested(wanted.manifest, found)
    kept = [row for row in rows if set(row.owners) - set(names)]
    takes = _taken(row for row in rows if row not in kept)
    return replace(
        wanted,
        manifest=_without(wanted.manifest, kept),
        takes=takes,
        left=tuple(_left(row, wanted.manifest.key) for row in kept),
        adopts=names,
    )


def _taken(rows: Iterable[Contested]) -> tuple[Taken, ...]:
    return tuple(Taken(pointer=row.pointer, manager=name) for row in rows for name in row.owners)


def _without(manifest: Manifest, rows: Sequence[Contested]) -> Manifest:
    return Manifest.of(without(manifest.body, [row.pointer for row in rows])) if rows else manifest


def _left(row: Contested, key: ObjectKey) -> Left:
    """A Secret's values are never shown."""
    git, live = (MASK, MASK) if is_sensitive(key, row.pointer) else (row.git, row.live)
    owner = min(row.owners, key=lambda name: (_RANK.index(kin(name)), name))
    return Left(pointer=row.pointer, manager=owner, git=git, live=live, why=_WHY[kin(owner)])


_RANK: Final = (Kin.AUTOSCALER, Kin.CONTROLLER, Kin.TOOL, Kin.UNKNOWN, Kin.PERSON, Kin.OURS)
_WHY: Final = {
    Kin.AUTOSCALER: "the autoscaler owns it",
    Kin.CONTROLLER: "a controller owns it",
    Kin.TOOL: "another tool applies it",
    Kin.UNKNOWN: "a field manager owns it that ClusterOps does not know",
    Kin.PERSON: "drift: a person changed it",
    Kin.OURS: "",
}
