"""Targets that follow another: when a class of a shared target becomes another object, its Clusters' targets are due.

They belong to the same commit, so that the verdict, budgets and pace see what the edit really does.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from clusterops.capi.kinds import CORE, is_class
from clusterops.capi.rollout.topology import class_key
from clusterops.controller.classes import classes_of
from clusterops.controller.due import Due, Memory
from clusterops.controller.records import Records
from clusterops.controller.work import Doors
from clusterops.model.fleet import Mode, Target, is_shared
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.revision import Snapshot
from clusterops.plan.classes import Classes
from clusterops.plan.lineage import are_generations, is_generation_of


async def with_dependents(
    due: Sequence[Due],
    mine: Mapping[str, Target],
    memories: Mapping[str, Memory],
    snapshot: Snapshot,
    doors: Doors,
    *,
    first: bool = False,
) -> tuple[Due, ...]:
    """``due`` with the targets that follow one of them, ordered by name; those that move say what they go after.

    ``first``: this process begins, so that whoever was forgotten on an old class is found. Nothing is read where no
    shared target with a class is due, unfinished, or left with an old one then. Raises what reading raises.
    """
    found = {each.target.name: each for each in due}
    old = frozenset(with_old_classes(doors.records)) if first else frozenset()
    shared = [name for name in sorted(mine) if name in old or _may_lead(name, found, memories, doors.records)]
    every = await asyncio.gather(*(classes_of(mine[name], snapshot, doors) for name in shared))
    leading = [(name, classes) for name, classes in zip(shared, every, strict=True) if classes.current]
    if not leading:
        return tuple(due)
    clusters = _by_target(await doors.cluster.list_objects(CORE, "Cluster"), mine, doors.records)
    for name, classes in leading:
        following = dict(_followers(clusters, classes, memories))
        forgotten = first and any(moves and memories[each].settled for each, moves in following.items())
        if name in found or following.keys() & found.keys() or forgotten:
            group = [found.get(each) or _again(mine[each], memories[each]) for each in (name, *following)]
            for member in _of_one_commit(group, snapshot.revision.text):
                applied = member.target.mode is mine[name].mode is Mode.APPLY
                after = frozenset({name}) if applied and following.get(member.target.name) else frozenset()
                found[member.target.name] = replace(member, after=member.after | after)
    return tuple(found[name] for name in sorted(found))


def with_old_classes(records: Records) -> Iterator[str]:
    """Shared targets that own more than one generation of a class: the older ones go once nobody names them."""
    for name in sorted(filter(is_shared, records.known)):
        inventory = records.inventory_of(name)
        classes = sorted(key for key in inventory.entries if is_class(key)) if inventory is not None else []
        if any(are_generations(one, other) for one, other in combinations(classes, 2)):
            yield name


def _may_lead(name: str, due: Mapping[str, Due], memories: Mapping[str, Memory], records: Records) -> bool:
    """Due, or not at its end: whoever is due meanwhile goes after it, too."""
    if not is_shared(name) or name in due:
        return is_shared(name)
    inventory = records.inventory_of(name) if name in memories and not memories[name].settled else None
    return inventory is not None and any(map(is_class, inventory.entries))


def _by_target(
    clusters: Iterable[LiveObject], mine: Mapping[str, Target], records: Records
) -> Mapping[str, list[ObjectKey]]:
    """The classes that the live Clusters of each target name, adopted or not."""
    owners, found = records.owners(), defaultdict(list)
    places = {(each.namespace, each.cluster): name for name, each in mine.items()}
    for one in clusters:
        name = owners.get(one.key) or places.get((one.key.namespace or "", one.key.name), "")
        named = class_key(one.body)
        if name in mine and not is_shared(name) and named is not None:
            found[name].append(named)
    return found


def _followers(
    clusters: Mapping[str, Iterable[ObjectKey]], classes: Classes, memories: Mapping[str, Memory]
) -> Iterator[tuple[str, bool]]:
    """Targets on another generation than the current one (True), or that may be on their way to one."""
    for name in sorted(clusters.keys() & memories.keys()):
        pairs = [(now, _current(now, classes)) for now in clusters[name]]
        moves = any(then is not None and then != now for now, then in pairs)
        if moves or (any(then is not None for _, then in pairs) and not memories[name].settled):
            yield name, moves


def _current(now: ObjectKey, classes: Classes) -> ObjectKey | None:
    return next((then for written, then in classes.current.items() if is_generation_of(written, now)), None)


def _again(target: Target, memory: Memory) -> Due:
    unfinished = not memory.settled and not memory.passed
    return Due(target=target, inputs=memory.inputs, unfinished_of=memory.revision if unfinished else "")


def _of_one_commit(group: Collection[Due], head: str) -> list[Due]:
    """Targets wait for each other only within a commit: what an earlier process left apart meets in the head."""
    if len({each.unfinished_of or head for each in group}) == 1:
        return list(group)
    return [replace(each, unfinished_of="", supersedes=each.supersedes or each.unfinished_of) for each in group]
