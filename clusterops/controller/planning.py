"""From a rendered target to its plan: what is read, what is dry-run, and what lives around it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from clusterops.apply import predict, predict_removals
from clusterops.controller.classes import shared_classes
from clusterops.controller.records import Record
from clusterops.controller.work import Doors, Work
from clusterops.errors import ClusterOpsError
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.neighbours import NOBODY, Neighbours, Query
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem
from clusterops.plan import (
    Prepared,
    also_read,
    bereft,
    build_plan,
    healed_with_machines,
    may_differ,
    neighbourhood,
    prepare,
    price_of,
    replaced,
    versions_to_read,
)
from clusterops.plan.classes import Classes
from clusterops.ports import Cluster

ROUNDS: Final = 6
"""Of reading what the last reading has shown to be of interest; each rule follows at most two references."""


async def plan_target(
    work: Work, doors: Doors, rendered: RenderedSet, record: Record, coming: Mapping[ObjectKey, Manifest]
) -> Plan:
    """Reads what the target has and had, dry-runs what may differ, looks around it where that matters, and plans."""
    classes = await shared_classes(work, doors, rendered, coming)
    live = await _read(doors, rendered, record, classes)
    record.refuse_suspended()
    sight = _Sight(live=live, rendered=rendered, record=record, coming=coming, classes=classes)
    plan = await _plan(work, doors, sight)
    dear = frozenset() if work.healing.every else healed_with_machines(plan, work.healing)
    if not dear:
        return plan
    spared = await _plan(_withholding(work, dear), doors, sight)
    needless = frozenset(key for key in dear if price_of(spared, key) >= price_of(plan, key))
    if not needless:
        return spared
    return await _plan(_withholding(work, dear - needless), doors, sight)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """All that was read for a plan, and what it is for."""

    live: LiveSet
    rendered: RenderedSet
    record: Record
    coming: Mapping[ObjectKey, Manifest]
    classes: Classes


def _withholding(work: Work, keys: frozenset[ObjectKey]) -> Work:
    """Healing never replaces or removes machines unasked: these objects are planned without what a person changed."""
    return replace(work, healing=replace(work.healing, withheld=keys))


async def _plan(work: Work, doors: Doors, sight: _Sight) -> Plan:
    live, rendered, inventory = sight.live, sight.rendered, sight.record.inventory
    healing = work.healing if work.healing.every else replace(work.healing, ignored=work.ignore)
    prepared = prepare(rendered, live, inventory, healing, sight.classes)
    predictions = await predict(
        doors.cluster,
        may_differ(prepared, live),
        live,
        forced=[key for key, one in prepared.wanted.items() if one.takes],
        concurrency=doors.concurrency,
    )
    swaps = replaced(prepared, live, predictions)
    predictions |= await predict_removals(doors.cluster, swaps, live, concurrency=doors.concurrency)
    remainders = await predict_removals(doors.cluster, bereft(prepared, live), live, concurrency=doors.concurrency)
    plan = build_plan(
        target=work.target,
        revision=work.revision,
        prepared=prepared,
        live=live,
        inventory=inventory,
        predictions=predictions,
        remainders=remainders,
        neighbours=await _look_around(doors.cluster, prepared, live, inventory),
        permits=work.permits(doors.clock.now()),
        coming=sight.coming,
    )
    return replace(plan, warnings=(*_of_render(rendered), *plan.warnings))


async def _read(doors: Doors, rendered: RenderedSet, record: Record, classes: Classes) -> LiveSet:
    """What git wants, what the inventory holds, and whatever these lead to; and the FleetTarget once more."""
    cluster, inventory = doors.cluster, record.inventory
    live = await cluster.read_as(versions_to_read(rendered, inventory))
    if record.keys:
        live = LiveSet({**live.objects, **(await cluster.read(record.keys)).objects})
    await doors.planners.passed()
    record.refreshed(live)
    for _ in range(ROUNDS):
        more = also_read(rendered, live, inventory, classes)
        if not more:
            break
        found = await cluster.read(sorted(more))
        live = LiveSet({**live.objects, **found.objects})
    return live


async def _look_around(cluster: Cluster, prepared: Prepared, live: LiveSet, inventory: Inventory) -> Neighbours:
    """Lists, in rounds, until the plan asks for nothing more. Raises TransientError when nobody can be asked."""
    neighbours = NOBODY
    for _ in range(ROUNDS):
        more = sorted(neighbourhood(prepared, live, inventory, neighbours))
        if not more:
            break
        found = await asyncio.gather(*(_list(cluster, query) for query in more))
        neighbours = Neighbours({**neighbours.answers, **dict(zip(more, found, strict=True))})
    return neighbours


async def _list(cluster: Cluster, query: Query) -> tuple[LiveObject, ...] | Problem:
    try:
        return await cluster.list_objects(query.group, query.kind, namespace=query.namespace, labels=query.labels)
    except ClusterOpsError as error:
        if error.code != "api-forbidden":
            raise
        return Problem.of(error)


def _of_render(rendered: RenderedSet) -> Iterable[Problem]:
    """What a render leaves out or doubts, for whoever reads the plan."""
    hooks = (Problem(code="object-skipped", subject=each.key.label, message=each.reason) for each in rendered.skipped)
    return (*rendered.warnings, *hooks)
