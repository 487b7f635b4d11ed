"""Waiting for a target to settle: re-read, often while it moves, seldom while it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from clusterops.capi.kinds import CLUSTER_NAME_LABEL, CORE, is_cluster, is_control_plane, is_pool
from clusterops.errors import ClusterOpsError, TransientError
from clusterops.health.assess import assess
from clusterops.health.topology import control_plane_key, infrastructure_key
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.report import HealthReport, HealthRow, HealthWord
from clusterops.ports import Clock, Cluster

FIRST_INTERVAL_S: Final = 0.5
"""Right after an apply and while something moves, so that a settled target is seen at once."""
LAST_INTERVAL_S: Final = 5.0
"""Machines take minutes; more often would only load the API server."""
_GROWTH: Final = 1.3
MACHINES_FROM_S: Final = 2.0
"""Interval from which Machines are listed too: they only say why something stands still, one list a Cluster."""


async def wait_settled(
    cluster: Cluster,
    keys: Collection[ObjectKey],
    *,
    deadline_s: float,
    clock: Clock,
    on_change: Callable[[HealthReport], None] = lambda report: None,
) -> HealthReport:
    """Reads until all is settled, or ``deadline_s`` seconds from now are over; returns the last report either way.

    ``on_change`` gets the first report and each that differs from the one before. An API server that cannot be
    reached is waited for too. Cancelling leaves nothing behind. Raises what ``cluster.read`` raises terminally.
    """
    ends_s = clock.boottime_s() + deadline_s
    interval_s, last = FIRST_INTERVAL_S, None
    while True:
        report = await _read_again(cluster, keys, last, machines=interval_s >= MACHINES_FROM_S)
        if report != last:
            on_change(report)
            interval_s = FIRST_INTERVAL_S
        last = report
        left_s = ends_s - clock.boottime_s()
        if report.settled or left_s <= 0:
            return report
        await clock.sleep(min(interval_s, left_s))
        interval_s = min(interval_s * _GROWTH, LAST_INTERVAL_S)


async def read_health(cluster: Cluster, keys: Collection[ObjectKey], *, machines: bool = True) -> HealthReport:
    """One reading: the given objects, and what decides about a Cluster beyond them.

    That is its control plane and infrastructure, the pools of a topology, and, with ``machines`` and only while
    something is not settled, rows of the Machines that are not. Up to three requests a Cluster beyond ``keys``.
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
    unsettled = await _unsettled_machines(cluster, clusters, report) if machines else ()
    return HealthReport(rows=(*report.rows, *unsettled)) if unsettled else report


async def _read_again(
    cluster: Cluster, keys: Collection[ObjectKey], last: HealthReport | None, *, machines: bool
) -> HealthReport:
    try:
        return await read_health(cluster, keys, machines=machines)
    except TransientError as error:
        known = [row.key for row in last.rows] if last else keys
        return HealthReport(rows=tuple(_unknown(key, error) for key in sorted(set(known))))


def _unknown(key: ObjectKey, error: ClusterOpsError) -> HealthRow:
    return HealthRow(key=key, word=HealthWord.UNKNOWN, reason="ApiUnreachable", message=error.message)


def _beyond(clusters: Iterable[LiveObject]) -> set[ObjectKey]:
    found = [key for one in clusters for key in (control_plane_key(one), infrastructure_key(one))]
    return {key for key in found if key is not None}


async def _list_pools(cluster: Cluster, one: LiveObject) -> list[LiveObject]:
    found: list[LiveObject] = []
    topology = (one.body.get("spec") or {}).get("topology") or {}
    workers = topology.get("workers") or {}
    for kind, field in (("MachineDeployment", "machineDeployments"), ("MachinePool", "machinePools")):
        if workers.get(field):
            found += await cluster.list_objects(CORE, kind, namespace=one.key.namespace, labels=_labels(one))
    return found


def _labels(one: LiveObject) -> str:
    return f"{CLUSTER_NAME_LABEL}={one.key.name}"


async def _unsettled_machines(
    cluster: Cluster, clusters: Iterable[LiveObject], report: HealthReport
) -> tuple[HealthRow, ...]:
    """Only details: where they may not be listed, the rows of their owners stand for them."""
    if not any(is_pool(row.key) or is_control_plane(row.key) for row in report.unsettled):
        return ()
    rows: list[HealthRow] = []
    for one in clusters:
        try:
            machines = await cluster.list_objects(CORE, "Machine", namespace=one.key.namespace, labels=_labels(one))
        except ClusterOpsError:
            continue
        found = LiveSet({machine.key: machine for machine in machines})
        rows.extend(assess(found, found).unsettled)
    return tuple(rows)
