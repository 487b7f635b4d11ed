"""Which objects of an inventory depart from what was applied, told by digests: no plan, no render, no write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from clusterops.capi.tools import FLEET_LABEL, TARGET_ANNOTATION, applier, made_once, never_touched
from clusterops.drift.authors import author_of, writers
from clusterops.drift.ignore import IGNORE_ANNOTATION
from clusterops.model.bodies import comparable
from clusterops.model.drift import Author, Departed
from clusterops.model.inventory import Entry, EntryState, Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import leaves
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.managers import OURS
from clusterops.model.problem import Problem, Retry
from clusterops.model.sketch import Departure, Sketch, departure

Seen = LiveObject | Absent | Unreadable
BEING_DELETED: Final = "deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departing:
    """One object. Equal values: nothing new departs; ``signature`` is small, hashable and tells no content."""

    what: Departed
    signature: frozenset[tuple[bytes, bytes]] = frozenset()
    """(hash of the path, hash of the live value) of each leaf, both empty where the object as a whole departs."""
    whose: str = ""
    """Of a foreign one who applies it, of one that is being deleted ``BEING_DELETED``, of a new one its uid."""


def departed(
    inventory: Inventory, live: Mapping[ObjectKey, Seen], *, target: str, fleet: str = ""
) -> dict[ObjectKey, Departing]:
    """Of the objects in ``live`` that the inventory knows as applied; ordered by key. O(leaves).

    Objects that could not be read are in ``unknown``; those that annotations tell us to leave alone are no drift.
    An object that is being deleted counts as deleted: what it says is of no consequence any more.
    """
    found = ((key, entry) for key, entry in sorted(inventory.entries.items()) if key in live and _is_measured(entry))
    judged = ((key, _departing(entry, live[key], target=target, fleet=fleet)) for key, entry in found)
    return {key: one for key, one in judged if one is not None}


def unknown(inventory: Inventory, live: Mapping[ObjectKey, Seen]) -> tuple[Problem, ...]:
    """Why objects of the inventory could not be compared, in order of their keys, each reason once."""
    seen = (live.get(key) for key in sorted(inventory.entries))
    return tuple(dict.fromkeys(problem for one in seen if (problem := _unreadable(one)) is not None))


def left(inventory: Inventory, live: Mapping[ObjectKey, Seen]) -> dict[Author, int]:
    """How many fields that git sets are others' by right, by author: they were left when git was applied last."""
    counted: Counter[Author] = Counter()
    for key, entry in inventory.entries.items():
        found = live.get(key)
        if entry.applied is not None and entry.held is not None and isinstance(found, LiveObject):
            counted.update(_left(entry.applied.beyond(entry.held), found))
    return {author: counted[author] for author in Author if counted[author]}


def _is_measured(entry: Entry) -> bool:
    return entry.state is EntryState.APPLIED and entry.held is not None


def _departing(entry: Entry, seen: Seen, *, target: str, fleet: str) -> Departing | None:
    if isinstance(seen, LiveObject):
        return None if _is_left_alone(seen) else _of_live(entry, seen, target=target, fleet=fleet)
    gone = isinstance(seen, Absent) and seen.kind_served
    return Departing(what=Departed.DELETED) if gone else None


def _is_left_alone(seen: LiveObject) -> bool:
    return bool(never_touched(seen.annotations) or made_once(seen.annotations))


def _of_live(entry: Entry, seen: LiveObject, *, target: str, fleet: str) -> Departing | None:
    if seen.deleting:
        return Departing(what=Departed.DELETED, whose=BEING_DELETED)
    owner = foreign_owner(seen, target=target, fleet=fleet)
    if owner:
        return Departing(what=Departed.FOREIGN, whose=owner)
    if entry.uid not in {"", seen.uid}:
        return Departing(what=Departed.REPLACED, whose=seen.uid)
    if entry.held is None or seen.body.get("apiVersion") != entry.api_version:
        return None
    return _changed(entry.held, seen)


def foreign_owner(seen: LiveObject, *, target: str, fleet: str) -> str:
    """Who else applies or has claimed an object: another tool, target or fleet; "" for nobody."""
    tool = applier(seen)
    if tool is not None:
        return tool.text
    named = seen.annotations.get(TARGET_ANNOTATION, target)
    if named != target:
        return f"target {named}"
    owner = seen.labels.get(FLEET_LABEL, fleet)
    return f"fleet {owner}" if fleet and owner != fleet else ""


def _changed(held: Sketch, seen: LiveObject) -> Departing | None:
    found = departure(held, seen)
    if not found:
        return None
    what = Departed.CHANGED if found.changed else Departed.OWNERSHIP_LOST
    return Departing(
        what=what, signature=_signature(found, seen, held), whose=seen.annotations.get(IGNORE_ANNOTATION, "")
    )


def _signature(found: Departure, seen: LiveObject, held: Sketch) -> frozenset[tuple[bytes, bytes]]:
    body = comparable(seen.body)
    found_now = ((path, leaf.value) for path, leaf in leaves(body, {}).items())
    values = Sketch.of(found_now, secret=seen.key.is_secret, withheld=held.withheld).leaves
    return frozenset((path, values.get(path, b"")) for path in found.changed | found.lost)


def _unreadable(seen: Seen | None) -> Problem | None:
    if isinstance(seen, Unreadable):
        return seen.problem
    if isinstance(seen, Absent) and not seen.kind_served:
        return Problem(
            code="kind-not-served",
            subject=seen.key.kind,
            message=f"the API server does not serve {seen.key.kind}.{seen.key.group}: nobody can say what is there",
            hint="see whether its CustomResourceDefinition was removed",
            retry=Retry.BACKOFF,
        )
    return None


def _left(others: Sketch, seen: LiveObject) -> Iterable[Author]:
    if not others:
        return []
    owners = writers(seen)
    pointers = [leaf.pointer for path, leaf in leaves(comparable(seen.body), {}).items() if others.knows(path)]
    newest = (owners.newest(pointer) for pointer in pointers)
    return [author_of(one.name) for one in newest if one is not None and one.name != OURS]
