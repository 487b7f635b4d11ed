"""Waiting for a target to settle: re-read, often while it moves, seldom while it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from clusterops.errors import ClusterOpsError, TransientError
from clusterops.health.reading import read_health
from clusterops.model.key import ObjectKey
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
