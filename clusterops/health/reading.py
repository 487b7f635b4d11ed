"""One reading of a target's health: its objects, and what decides about them beyond these."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from clusterops.capi.kinds import CORE, is_cluster, is_control_plane, is_pool, of_cluster
from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.health.assess import assess
from clusterops.health.copies import class_key, template_keys
from clusterops.health.members import MEMBER_KINDS, is_member
from clusterops.health.topology import control_plane_key, infrastructure_key
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet, Unreadable
from clusterops.model.problem import Problem
from clusterops.model.report import HealthReport
from clusterops.ports import Cluster

Found = LiveObject | Absent | Unreadable


async def read_health(
    cluster: Cluster,
    keys: Collection[ObjectKey],
    *,
    machines: bool = True,
    few: AbstractAsyncContextManager[Any] | None = None,
) -> HealthReport:
    """One reading: the given objects, and what decides about a Cluster beyond them.

    That is its control plane and infrastructure, the pools of a topology, and, with ``machines`` and only while
    something is not settled, rows of the Machines that are not. Where all seems settled, everything that belongs to
    the Cluster is looked at before it is said, as conditions are made of other objects' conditions and come late.
    ``few`` is entered for that last look: it holds all of a Cluster at once, and a fleet may settle together.
    Up to three requests a Cluster beyond ``keys``, four lists and a topology's class and templates once at the end.
    """
    live = await cluster.read(keys)
    clusters = [found for key in sorted(live) if is_cluster(key) and (found := live.found(key)) is not None]
    beyond = _beyond(clusters) - set(keys)
    objects = dict(live.objects)
    if beyond:
        objects.update((await cluster.read(sorted(beyond))).objects)
    for one in clusters:
        if (one.body.get("spec") or {}).get("topology"):
            pools = await _list_pools(cluster, one)
            objects.update({pool.key: pool for pool in pools})
            beyond |= {pool.key for pool in pools}
    report = assess(LiveSet(objects), {*keys, *beyond})
    if report.settled and clusters:
        del live, objects, report  # a thousand may wait here
        async with few or nullcontext():
            return await _confirmed(cluster, clusters, {*keys, *beyond})
    if not machines or not any(is_pool(row.key) or is_control_plane(row.key) for row in report.unsettled):
        return report
    return await _with_machines(cluster, clusters, report)


def _beyond(clusters: Iterable[LiveObject]) -> set[ObjectKey]:
    found = [key for one in clusters for key in (control_plane_key(one), infrastructure_key(one))]
    return {key for key in found if key is not None}


async def _list_pools(cluster: Cluster, one: LiveObject) -> list[LiveObject]:
    found: list[LiveObject] = []
    topology = (one.body.get("spec") or {}).get("topology") or {}
    workers = topology.get("workers") or {}
    for kind, field in (("MachineDeployment", "machineDeployments"), ("MachinePool", "machinePools")):
        if workers.get(field):
            found += await cluster.list_objects(
                CORE, kind, namespace=one.key.namespace, labels=of_cluster(one.key.name)
            )
    return found


async def _confirmed(cluster: Cluster, clusters: Iterable[LiveObject], keys: set[ObjectKey]) -> HealthReport:
    """The report as of now, with all members of the Clusters at hand; those not settled get rows of their own.

    Where they may not be listed nobody knows, so the Cluster is Unknown.
    """
    objects = dict((await cluster.read(sorted(keys), fresh=True)).objects)
    members: set[ObjectKey] = set()
    for one in clusters:
        try:
            found = await _list_members(cluster, one)
        except TerminalError as error:
            objects[one.key] = Unreadable(key=one.key, problem=Problem.of(error))
            continue
        members |= {member.key for member in found if is_member(member)}
        objects.update({member.key: member for member in found})
        await _add(cluster, objects, {key for key in (class_key(one),) if key is not None})
        await _add(cluster, objects, template_keys(one, LiveSet(objects)))
    report = assess(LiveSet(objects), keys)
    return HealthReport(
        rows=(*report.rows, *assess(LiveSet(objects), members - keys).unsettled),
        machines=frozenset(one.uid for one in objects.values() if isinstance(one, LiveObject) and _is_machine(one.key)),
    )


async def _add(cluster: Cluster, objects: dict[ObjectKey, Found], keys: set[ObjectKey]) -> None:
    missing = keys - objects.keys()
    if missing:
        objects.update((await cluster.read(sorted(missing), fresh=True)).objects)


async def _list_members(cluster: Cluster, one: LiveObject) -> list[LiveObject]:
    found: list[LiveObject] = []
    for kind in MEMBER_KINDS:
        found += await cluster.list_objects(
            CORE, kind, namespace=one.key.namespace, labels=of_cluster(one.key.name), fresh=True
        )
    return found


async def _with_machines(cluster: Cluster, clusters: Iterable[LiveObject], report: HealthReport) -> HealthReport:
    """Only details: where they may not be listed, the rows of their owners stand for them."""
    machines: dict[ObjectKey, LiveObject] = {}
    for one in clusters:
        try:
            found = await cluster.list_objects(
                CORE, "Machine", namespace=one.key.namespace, labels=of_cluster(one.key.name)
            )
        except ClusterOpsError:
            return report
        machines.update({machine.key: machine for machine in found})
    unsettled = assess(LiveSet(machines), machines.keys()).unsettled
    return HealthReport(rows=(*report.rows, *unsettled), machines=frozenset(one.uid for one in machines.values()))


def _is_machine(key: ObjectKey) -> bool:
    return key.group == CORE and key.kind == "Machine"
