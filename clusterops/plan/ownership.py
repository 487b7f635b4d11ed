"""Whose field is it: what an apply takes, what it leaves to others, and what it hands over first.

An edit by hand stays until git speaks of the object again, or it is to be healed: then the whole object is sent, and a
person's fields are taken. Controllers, the autoscaler, live tools and unknown managers keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from clusterops.capi.managers import Kin, kin
from clusterops.model.bodies import comparable, without
from clusterops.model.drift import Healing
from clusterops.model.inventory import Entry, Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import leaves, merged_tree
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, Left, Reclaimed, Taken
from clusterops.model.secret import NO_SECRETS, SecretValues, shown
from clusterops.model.sketch import NOTHING, Sketch, addressed, said_of
from clusterops.plan.adoption import armed, predecessors
from clusterops.plan.contested import Contested, contested, holdings
from clusterops.plan.decide import is_ours
from clusterops.plan.pools import comes_back, handed_over, is_count, misplaced, uncounted
from clusterops.plan.standing import departs, stands
from clusterops.plan.twins import as_git_calls, twins
from clusterops.plan.wanted import Wanted


def settle_owners(
    wanted: Wanted,
    found: LiveObject | None,
    inventory: Inventory,
    healing: Healing,
    secrets: SecretValues = NO_SECRETS,
) -> Wanted:
    """The object without the fields that are not ours to send, and with those that are ours to take.

    One that stands as git has it since it was last applied is not sent at all, unless it is to be healed.
    """
    said, entry = uncounted(wanted.manifest), inventory.entries.get(wanted.manifest.key)
    applied = said_of(said, secrets)
    still = not healing.covers(said.key) and stands(said, applied, found, entry)
    counted = replace(wanted, manifest=said, applied=applied, stands=still)
    if found is None or found.deleting or (still and not departs(found, entry) and not _has_left(entry)):
        return counted
    if not is_ours(found, inventory):
        return counted if still or armed(found) else _adopted(counted, found)
    return _settled(counted, found, entry.applied if entry is not None else None, healing)


def _has_left(entry: Entry | None) -> bool:
    """Whether fields were left to others when it was last applied: a plan tells of them each time."""
    return entry is None or entry.applied is None or entry.held is None or bool(entry.applied.beyond(entry.held))


def _adopted(wanted: Wanted, found: LiveObject) -> Wanted:
    """From people and their tools every field is taken; a controller keeps what it set."""
    names = predecessors(wanted.manifest, found)
    hands_over = handed_over(wanted.manifest, found, adopts=names)
    rows = contested(wanted.manifest, found)
    kept = [row for row in rows if set(row.owners) - set(names)]
    taken = [row for row in rows if row not in kept]
    return replace(
        wanted,
        manifest=_without(wanted.manifest, kept),
        takes=_taken(taken),
        reclaims=_reclaimed(taken),
        asks=_while_twins_stand(wanted.manifest, kept, taken),
        left=tuple(_left(row, wanted.manifest.key) for row in kept),
        adopts=names,
        hands_over=hands_over,
        refused=misplaced(wanted.manifest, found, hands_over),
    )


def _settled(wanted: Wanted, found: LiveObject, sketch: Sketch | None, healing: Healing) -> Wanted:
    said = wanted.manifest
    rows = contested(said, found)
    if wanted.stands:
        return replace(wanted, left=tuple(_left(row, said.key) for row in rows))
    kept = _whole(rows, [row for row in rows if not _is_taken(row, wanted, found, sketch, healing)])
    taken = [row for row in rows if row not in kept]
    left = [_left(row, said.key) for row in kept]
    hands_over = handed_over(said, found)
    return replace(
        wanted,
        manifest=_without(said, kept),
        takes=_taken(taken),
        reclaims=_reclaimed(taken),
        asks=_while_twins_stand(said, kept, taken),
        left=(*left, *(_not_removed(said, found, sketch) if sketch and _drops(wanted, sketch) else ())),
        owed=_owed(kept, said, wanted.applied),
        hands_over=hands_over,
        refused=misplaced(said, found, hands_over),
    )


def _whole(rows: Sequence[Contested], kept: Sequence[Contested]) -> list[Contested]:
    """An item that has another key is taken as a whole, or not at all."""
    items = {row.twin for row in kept if row.twin}
    return [row for row in rows if row in kept or row.twin in items]


def _while_twins_stand(said: Manifest, kept: Sequence[Contested], taken: Sequence[Contested]) -> Manifest | None:
    """None where no item has a twin that is to go first."""
    waiting = [row for row in taken if row.twin]
    return _without(said, [*kept, *waiting]) if waiting else None


def _is_taken(row: Contested, wanted: Wanted, found: LiveObject, sketch: Sketch | None, healing: Healing) -> bool:
    said = wanted.manifest
    if comes_back(row.pointer, row.owners, said, found, known=sketch is None or _knows(sketch, row.pointer, said)):
        return True
    takes = {Kin.PERSON, Kin.OURS, Kin.UNKNOWN} if healing.every else {Kin.PERSON, Kin.OURS}
    if sketch is None or not all(kin(name) in takes for name in row.owners):
        return False
    if healing.ignores(said.key, row.pointer, row.owners):
        return False
    return healing.covers(said.key) or _heals_by_the_way(wanted, sketch, healing) or _git_changed(row, said, sketch)


def _heals_by_the_way(wanted: Wanted, sketch: Sketch, healing: Healing) -> bool:
    """An object that git changed is sent as a whole. Of a Secret nobody remembers what git said."""
    key = wanted.manifest.key
    return not key.is_secret and key not in healing.withheld and wanted.applied != sketch


def _git_changed(row: Contested, said: Manifest, sketch: Sketch) -> bool:
    """Since it was last applied."""
    return any(not sketch.says(path, value) for path, value in addressed(row.pointer, said))


def _knows(sketch: Sketch, pointer: str, said: Manifest) -> bool:
    return any(sketch.knows(path) for path, _ in addressed(pointer, said))


def _owed(kept: Sequence[Contested], said: Manifest, applied: Sketch | None) -> Sketch:
    """What git says of the fields that people, or somebody unknown, changed: that stays drift while they do."""
    drift = [row for row in kept if {kin(name) for name in row.owners} <= {Kin.PERSON, Kin.UNKNOWN, Kin.OURS}]
    if applied is None or not drift:
        return NOTHING
    return applied.only(path for row in drift for path, _ in addressed(row.pointer, said))


def _drops(wanted: Wanted, before: Sketch) -> bool:
    return wanted.applied is not None and wanted.applied.drops(before)


def _not_removed(said: Manifest, found: LiveObject, sketch: Sketch) -> Iterator[Left]:
    """Fields that git set once and drops now, and that stay because somebody else owns them meanwhile."""
    body = comparable(found.body)
    sent = leaves(comparable(said.body), merged_tree(found.managers))
    theirs = holdings(found)
    pairs = twins(sent, theirs)
    still = {path[:length] for path in sent for length in range(len(path) + 1)}
    addressed = {leaf.pointer: path for path, leaf in leaves(body, {}).items()}
    for path, holding in as_git_calls(theirs, pairs).items():
        known = addressed.get(holding.leaf.pointer)
        if known is None or path in still or not sketch.knows(known) or is_count(said.key, holding.leaf.pointer):
            continue
        row = Contested(
            path=path, pointer=holding.leaf.pointer, git=MISSING, live=holding.leaf.value, owners=holding.owners
        )
        yield replace(_left(row, said.key), why="git no longer sets it, and it stays: somebody else owns it too")


def _taken(rows: Iterable[Contested]) -> tuple[Taken, ...]:
    return tuple(Taken(pointer=row.pointer, manager=name) for row in rows if not row.twin for name in row.owners)


def _reclaimed(rows: Iterable[Contested]) -> tuple[Reclaimed, ...]:
    return tuple(
        Reclaimed(path=row.twin, pointer=row.pointer, manager=name, item=row.item_value)
        for row in rows
        if row.twin
        for name in row.owners
    )


def _without(manifest: Manifest, rows: Sequence[Contested]) -> Manifest:
    """An item goes as a whole: half of it would be one more of that name."""
    pointers = dict.fromkeys(row.item or row.pointer for row in rows)
    return Manifest.of(without(manifest.body, pointers)) if rows else manifest


def _left(row: Contested, key: ObjectKey) -> Left:
    """A Secret's values are never shown."""
    git, live = (one if one is MISSING else shown(key, row.pointer, one) for one in (row.git, row.live))
    owner = min(row.owners, key=lambda name: (_RANK.index(kin(name)), name))
    return Left(pointer=row.pointer, manager=owner, git=git, live=live, why=_WHY[kin(owner)])


_RANK: Final = (Kin.AUTOSCALER, Kin.CONTROLLER, Kin.TOOL, Kin.UNKNOWN, Kin.PERSON, Kin.OURS)
_WHY: Final = {
    Kin.AUTOSCALER: "the autoscaler owns it",
    Kin.CONTROLLER: "a controller owns it",
    Kin.TOOL: "another tool applies it",
    Kin.UNKNOWN: "a field manager owns it that ClusterOps does not know",
    Kin.PERSON: "drift: a person changed it",
    Kin.OURS: "it is being handed over",
}
