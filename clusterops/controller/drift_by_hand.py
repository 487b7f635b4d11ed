"""Drift as a person asks for it: all targets of a snapshot compared by lists, and explained where something departs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from clusterops.capi.kinds import CLUSTER_NAME_LABEL, is_capi
from clusterops.controller.by_hand import Asked
from clusterops.controller.drift_index import Index
from clusterops.controller.drift_look import Rules, look, read_entries
from clusterops.controller.work import Doors, Work
from clusterops.drift.body import drift_of
from clusterops.drift.extra import extras
from clusterops.errors import ClusterOpsError
from clusterops.model.drift import DriftReport, TargetDrift
from clusterops.model.fleet import Mode
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.ports import Cluster
from clusterops.status import StoredTarget

LOOKS: Final = 8
"""Targets that are planned at once."""


async def drift_by_hand(asked: Asked, doors: Doors) -> DriftReport:
    """Of all asked targets, in sync or not; reads only. Raises what listing FleetTargets raises."""
    records = doors.records
    records.fleet = asked.fleet.file.name
    await records.every()
    works = asked.works()
    inventories = {name: records.inventory_of(name) or empty_inventory(name) for name in works}
    live = await read_entries(inventories.values(), doors.cluster)
    strays = await _strays(records.known, inventories, doors, fleet=records.fleet)
    few = asyncio.Semaphore(LOOKS)

    async def one(name: str, work: Work) -> TargetDrift:
        async with few:
            looked = await look(
                work,
                doors,
                inventory=inventories[name],
                live={key: live[key] for key in inventories[name].entries},
                before=_before(name, records.known.get(name)),
                extras=strays.get(name, ()),
                rules=Rules.of(asked.fleet.file, work.target),
                may_heal=work.target.mode is Mode.APPLY,
            )
        return looked.drift

    found = await asyncio.gather(*(one(name, work) for name, work in sorted(works.items())))
    return DriftReport(
        fleet=asked.fleet.file.name,
        revision=asked.snapshot.revision.text,
        taken_at=doors.clock.now(),
        targets=tuple(found),
    )


def _before(name: str, stored: StoredTarget | None) -> TargetDrift:
    return drift_of(name, stored.status.drift) if stored is not None else TargetDrift(target=name)


async def _strays(
    known: Mapping[str, StoredTarget], inventories: Mapping[str, Inventory], doors: Doors, *, fleet: str
) -> dict[str, list[LiveObject]]:
    """Objects of the asked targets' clusters that stand in no inventory of the fleet, by target."""
    index = Index()
    for name, stored in known.items():
        index.take(name, stored.inventory, fleet=fleet)
    found: dict[str, list[LiveObject]] = defaultdict(list)
    for one in extras(await _labelled(inventories.values(), doors), index.owners):
        found[index.around(one)].append(one)
    return found


async def _labelled(inventories: Iterable[Inventory], doors: Doors) -> list[LiveObject]:
    """Of the kinds in use, whatever carries the label of a cluster."""
    keys: set[ObjectKey] = {key for inventory in inventories for key in inventory.entries if is_capi(key)}
    kinds = sorted({(key.group, key.kind) for key in keys})
    lists = await asyncio.gather(*(_list(doors.cluster, group, kind) for group, kind in kinds))
    return [live for each in lists for live in each]


async def _list(cluster: Cluster, group: str, kind: str) -> tuple[LiveObject, ...]:
    """What may not be listed is told for the objects that we own; strays of it nobody can know."""
    try:
        return await cluster.list_objects(group, kind, labels=CLUSTER_NAME_LABEL)
    except ClusterOpsError as error:
        if error.code != "api-forbidden":
            raise
        return ()
