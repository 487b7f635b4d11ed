"""What departs, field by field, from the plan that would put everything back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from clusterops.capi.managers import Kin, kin
from clusterops.capi.tools import FLEET_LABEL, TARGET_ANNOTATION, applier
from clusterops.drift.authors import Writers, author_among, author_of, time_of, writers
from clusterops.drift.compare import Departing, Seen
from clusterops.drift.places import Places
from clusterops.model.bodies import comparable
from clusterops.model.drift import Author, Departed, DriftedField, DriftedObject, Remedy
from clusterops.model.impact import Impact, ImpactClass
from clusterops.model.inventory import Entry, Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import Path, leaves
from clusterops.model.live import LiveObject, Manager
from clusterops.model.machines import MachineCounts
from clusterops.model.plan import MISSING, Action, Change, FieldChange, Left, Plan
from clusterops.model.pointer import escape
from clusterops.model.sketch import NOTHING, Sketch, departure

_MARKS: Final = (f"/metadata/annotations/{escape(TARGET_ANNOTATION)}", f"/metadata/labels/{escape(FLEET_LABEL)}")
_UNTOLD: Final = frozenset({ImpactClass.UNKNOWN, ImpactClass.BLOCKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """``settled`` depart by their digests alone: the server says that they are as git has them."""

    objects: tuple[DriftedObject, ...] = ()
    settled: frozenset[ObjectKey] = frozenset()


def explained(
    departed: Mapping[ObjectKey, Departing],
    healing: Plan,
    live: Mapping[ObjectKey, Seen],
    *,
    inventory: Inventory,
    extras: Iterable[LiveObject] = (),
) -> Explained:
    """Ordered by key. ``healing`` is planned with ``Healing(every=True)``; objects that git dropped are no drift.

    O(leaves * managers) of the objects that depart.
    """
    rows = {change.key: change for change in healing.changes}
    told = {
        key: _object(one, rows[key], live.get(key), inventory.entries.get(key))
        for key, one in departed.items()
        if key in rows and _is_wanted(rows[key])
    }
    objects = [*(one for one in told.values() if one is not None), *map(extra, extras)]
    settled = (key for key, one in told.items() if one is None and rows[key].action is Action.UNCHANGED)
    return Explained(objects=tuple(sorted(objects, key=lambda one: one.key)), settled=frozenset(settled))


def extra(found: LiveObject) -> DriftedObject:
    """An object that belongs to a cluster, and to nobody's git."""
    maker = writers(found).oldest
    author = author_of(maker.name) if maker is not None else Author.UNKNOWN
    return DriftedObject(key=found.key, what=Departed.EXTRA, author=author)


def _is_wanted(row: Change) -> bool:
    return row.written is not None or row.desired is not None


def _object(one: Departing, row: Change, seen: Seen | None, entry: Entry | None) -> DriftedObject | None:
    """None where the plan finds nothing to put back."""
    bare = _bare(row)
    if not isinstance(seen, LiveObject) or one.what is Departed.DELETED:
        return replace(bare, what=Departed.DELETED)
    owners, held = writers(seen), entry.held if entry and entry.held else NOTHING
    if one.what in {Departed.FOREIGN, Departed.REPLACED}:
        return _whole(one, row, seen, owners, bare, held)
    return _by_fields(row, seen, owners, bare, held)


def _bare(row: Change) -> DriftedObject:
    """What healing costs, and what stands in its way: a row that is refused stays so, one on hold waits."""
    told = DriftedObject(key=row.key, what=Departed.CHANGED, cost=_cost(row.impact), unknown_cost=_is_untold(row))
    if row.action is Action.REFUSE:
        return replace(told, remedy=Remedy.LEAVE, why=row.reason.message if row.reason else "")
    if row.action is Action.HOLD:
        return replace(told, remedy=Remedy.HOLD, why=row.reason.message if row.reason else "")
    return told


def _cost(impact: Impact | None) -> MachineCounts:
    if impact is None:
        return MachineCounts()
    return MachineCounts(replaced=impact.replaced, added=impact.added, removed=impact.removed)


def _is_untold(row: Change) -> bool:
    return row.impact is not None and row.impact.kind in _UNTOLD


def _whole(  # noqa: PLR0917
    one: Departing, row: Change, seen: LiveObject, owners: Writers, bare: DriftedObject, held: Sketch
) -> DriftedObject:
    places, maker = Places.of(row, seen, held), owners.oldest
    fields = tuple(_field(change, places.paths(change), places, owners) for change in row.fields)
    if one.what is Departed.FOREIGN:
        return replace(
            bare, what=one.what, fields=fields, author=_claimant(seen, owners), why=f"{one.whose} has it too"
        )
    return replace(bare, what=one.what, fields=fields, author=author_of(maker.name if maker else ""))


def _claimant(seen: LiveObject, owners: Writers) -> Author:
    """Whoever wrote the mark of another target or fleet; where ClusterOps wrote it, that is another tool."""
    writer = next((one for mark in _MARKS if (one := owners.newest(mark)) is not None), None)
    return Author.TOOL if applier(seen) is not None or writer is None else author_of(writer.name)


def _by_fields(
    row: Change, seen: LiveObject, owners: Writers, bare: DriftedObject, held: Sketch
) -> DriftedObject | None:
    places, found = Places.of(row, seen, held), departure(held, seen)
    changed = _changed(row, _part(held, found.changed | found.lost), places, owners)
    if not changed and row.action is not Action.UNCHANGED:
        changed = _untold(_part(held, found.changed), places, owners)
    if changed:
        return replace(bare, fields=changed, author=author_among(changed))
    lost = _lost(_part(held, found.lost), seen, places, owners)
    if not lost or row.action is Action.UNCHANGED:
        return None
    return replace(bare, what=Departed.OWNERSHIP_LOST, fields=lost, author=author_among(lost))


def _part(held: Sketch, hashes: frozenset[bytes]) -> Sketch:
    return Sketch(leaves={path: value for path, value in held.leaves.items() if path in hashes})


def _changed(row: Change, departs: Sketch, places: Places, owners: Writers) -> tuple[DriftedField, ...]:
    """Of what an apply would put back, and of what others keep by right, that which departs."""
    told = (*row.fields, *(_as_change(one) for one in row.left if kin(one.manager) is not Kin.OURS))
    placed = ((change, places.paths(change)) for change in told if change.after is not MISSING)
    return tuple(
        _field(change, paths, places, owners) for change, paths in placed if any(departs.knows(path) for path in paths)
    )


def _untold(departs: Sketch, places: Places, owners: Writers) -> tuple[DriftedField, ...]:
    """What a row that is refused, or that only follows a template, does not list: git and live leaf by leaf."""
    return tuple(
        _field(change, frozenset({path}), places, owners)
        for path, change in places.differences()
        if departs.knows(path)
    )


def _as_change(one: Left) -> FieldChange:
    return FieldChange(pointer=one.pointer, before=one.live, after=one.git, manager=one.manager)


def _field(change: FieldChange, paths: frozenset[Path], places: Places, owners: Writers) -> DriftedField:
    there = places.live_pointers(paths)
    owner = next((one for pointer in there if (one := owners.newest(pointer)) is not None), None)
    if owner is None and not there:
        owner = owners.above(change.pointer)
    return _drifted(change.pointer, change.after, _lives(change, paths, places), owner)


def _lives(change: FieldChange, paths: frozenset[Path], places: Places) -> Any:
    """A plan that addresses an item by keys of which git leaves one to its default finds nothing there."""
    there = [(path, places.live[path]) for path in paths if path in places.live]
    if change.before is not MISSING or len(there) != 1 or len(paths) != 1:
        return change.before
    path, leaf = there[0]
    return places.shown(path, leaf.pointer, leaf.value)


def _lost(departs: Sketch, seen: LiveObject, places: Places, owners: Writers) -> tuple[DriftedField, ...]:
    """Fields that have git's value still, under another owner."""
    found = leaves(comparable(seen.body), {})
    mine = ((path, leaf) for path, leaf in found.items() if departs.knows(path))
    told = ((leaf.pointer, places.shown(path, leaf.pointer, leaf.value)) for path, leaf in mine)
    return tuple(_drifted(pointer, value, value, owners.newest(pointer)) for pointer, value in told)


def _drifted(pointer: str, git: Any, live: Any, owner: Manager | None) -> DriftedField:
    name = owner.name if owner is not None else ""
    return DriftedField(
        pointer=pointer,
        git=git,
        live=live,
        manager=name,
        operation=owner.operation if owner is not None else "",
        changed_at=time_of(owner),
        author=author_of(name),
    )
