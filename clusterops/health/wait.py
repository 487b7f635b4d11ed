"""Waiting for a target to settle: re-read, often while it moves, seldom while it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, runtime_checkable

from clusterops.capi.kinds import CORE
from clusterops.errors import ClusterOpsError, TransientError
from clusterops.health.reading import read_health
from clusterops.model.key import ObjectKey
from clusterops.model.report import HealthReport, HealthRow, HealthWord
from clusterops.ports import Clock, Cluster

FIRST_INTERVAL_S: Final = 0.5
"""Right after an apply and while something moves, so that a settled target is seen at once."""
LAST_INTERVAL_S: Final = 5.0
"""Machines take minutes; more often would only load the API server."""
UNCHANGED_S: Final = 30.0
"""Where a live cache says that nothing of a target moved, it is looked at that seldom: for the words of Machines."""
_NOT_FOLLOWED: Final = frozenset({(CORE, "Machine"), (CORE, "MachineSet")})
"""Where they move, the conditions of their owners do."""
_GROWTH: Final = 1.3
MACHINES_FROM_S: Final = 2.0
"""Interval from which Machines are listed too: they only say why something stands still, one list a Cluster."""


@runtime_checkable
class Stamps(Protocol):
    """A Cluster that knows what moved."""

    def stamp(self, keys: Collection[ObjectKey]) -> Hashable | None:
        """Equal while none of these objects moved; None where that has to be asked for."""


async def wait_settled(
    cluster: Cluster,
    keys: Collection[ObjectKey],
    *,
    deadline_s: float,
    clock: Clock,
    on_change: Callable[[HealthReport], None] = lambda report: None,
    few: AbstractAsyncContextManager[Any] | None = None,
) -> HealthReport:
    """Reads until all is settled, or ``deadline_s`` seconds from now are over; returns the last report either way.

    ``on_change`` gets the first report and each that differs from the one before. An API server that cannot be
    reached is waited for too. ``few`` is as in read_health. Cancelling leaves nothing behind. Raises what
    ``cluster.read`` raises terminally.
    """
    ends_s = clock.boottime_s() + deadline_s
    interval_s, last = FIRST_INTERVAL_S, None
    before: tuple[Hashable | None, bool] = None, False
    read_s = 0.0
    while True:
        now_s, now = clock.boottime_s(), (_stamp(cluster, keys, last), interval_s >= MACHINES_FROM_S)
        if last is None or now[0] is None or now != before or now_s - read_s >= UNCHANGED_S:
            report = await _read_again(cluster, keys, last, machines=now[1], few=few)
            read_s, before = now_s, now
            if report != last:
                on_change(report)
                interval_s = FIRST_INTERVAL_S
            last = report
        left_s = ends_s - clock.boottime_s()
        if last.settled or left_s <= 0:
            return last
        await clock.sleep(min(interval_s, left_s))
        interval_s = min(interval_s * _GROWTH, LAST_INTERVAL_S)


def _stamp(cluster: Cluster, keys: Collection[ObjectKey], last: HealthReport | None) -> Hashable | None:
    """Of what the last report was about, Machines left out; None where only these are not settled, or not all known."""
    if last is None or not isinstance(cluster, Stamps):
        return None
    rows = [row for row in last.rows if (row.key.group, row.key.kind) not in _NOT_FOLLOWED]
    if all(row.word is HealthWord.CURRENT for row in rows) or any(map(_was_not_read, rows)):
        return None
    return cluster.stamp([*keys, *(row.key for row in rows if row.key not in keys)])


def _was_not_read(row: HealthRow) -> bool:
    return row.word is HealthWord.UNKNOWN and row.reason != "NotObserved"


async def _read_again(
    cluster: Cluster,
    keys: Collection[ObjectKey],
    last: HealthReport | None,
    *,
    machines: bool,
    few: AbstractAsyncContextManager[Any] | None,
) -> HealthReport:
    try:
        return await read_health(cluster, keys, machines=machines, few=few)
    except TransientError as error:
        known = [row.key for row in last.rows] if last else keys
        return HealthReport(rows=tuple(_unknown(key, error) for key in sorted(set(known))))


def _unknown(key: ObjectKey, error: ClusterOpsError) -> HealthRow:
    return HealthRow(key=key, word=HealthWord.UNKNOWN, reason="ApiUnreachable", message=error.message)
