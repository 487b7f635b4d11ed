"""What the clusters show while commits are on their way: whose machines move, whoever moves them, and who fares worse.

It reads what is followed anyway; nothing is read while no rollout is under way.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from clusterops.capi.degraded import Degraded, degradation
from clusterops.capi.kinds import CORE
from clusterops.capi.moving import machines_moving
from clusterops.capi.tools import FLEET_LABEL, TARGET_ANNOTATION
from clusterops.controller.pace_members import Span
from clusterops.controller.work import Doors
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Fleet, region_of
from clusterops.model.live import LiveObject
from clusterops.model.rollout import Moving

CHECKS_S: Final = 10.0
"""Between two looks at health checks: what they say counts after a minute only."""
BATCH: Final = 100
"""Clusters after which others may run."""


@dataclass(slots=True, kw_only=True)
class Sight:
    """As of the last look; what cannot be read is as it was."""

    doors: Doors
    moving: Mapping[str, Moving] = field(default_factory=dict)
    degraded: Mapping[str, Degraded] = field(default_factory=dict)
    looked_s: float | None = None
    """By the clock of this boot; None before the first look."""
    _known_checks: tuple[LiveObject, ...] = ()
    _checked_s: float | None = None
    _said: str = ""
    """Why the last look failed."""

    def is_older_than(self, seconds: float) -> bool:
        return self.looked_s is None or self.doors.clock.boottime_s() - self.looked_s > seconds

    async def look(self, fleet: Fleet, watched: Mapping[str, Span]) -> None:
        """``watched`` are targets whose fate tells of a rollout, and when. Two lists of what is followed."""
        try:
            clusters = await self._of_fleet("Cluster", fleet)
            self.moving = await _moving(clusters, fleet)
            if watched:
                self._judge(watched, clusters, await self._checks())
            else:
                self.degraded, self._known_checks, self._checked_s = {}, (), None
            self._said = ""
        except ClusterOpsError as error:
            if self._said != str(error):
                self.doors.logger.warning("machines on their way not counted", code=error.code, error=str(error))
            self._said = str(error)
        self.looked_s = self.doors.clock.boottime_s()

    async def _of_fleet(self, kind: str, fleet: Fleet) -> tuple[LiveObject, ...]:
        return await self.doors.cluster.list_objects(CORE, kind, labels=f"{FLEET_LABEL}={fleet.file.name}")

    async def _checks(self) -> tuple[LiveObject, ...]:
        """Those of a topology's Cluster are not ours, have no label of our fleet, and may not be followed."""
        now_s = self.doors.clock.boottime_s()
        if self._checked_s is None or now_s - self._checked_s >= CHECKS_S:
            self._known_checks = await self.doors.cluster.list_objects(CORE, "MachineHealthCheck")
            self._checked_s = now_s
        return self._known_checks

    def _judge(self, watched: Mapping[str, Span], clusters: Iterable[LiveObject], checks: Iterable[LiveObject]) -> None:
        now = self.doors.clock.now()
        of: defaultdict[tuple[str, str], list[LiveObject]] = defaultdict(list)
        for check in checks:
            name = str((check.body.get("spec") or {}).get("clusterName") or "")
            of[check.key.namespace or "", name].append(check)
        found: dict[str, Degraded] = {}
        for cluster in clusters:
            span = watched.get(cluster.annotations.get(TARGET_ANNOTATION, ""))
            if span is None:
                continue
            objects = [cluster, *of[cluster.key.namespace or "", cluster.key.name]]
            degraded = degradation(objects, begun_at=span[0], until=span[1], now=now)
            if degraded is not None:
                found[cluster.annotations[TARGET_ANNOTATION]] = degraded
        self.degraded = found


async def _moving(clusters: Iterable[LiveObject], fleet: Fleet) -> dict[str, Moving]:
    found: dict[str, int] = {}
    for number, cluster in enumerate(clusters):
        name = cluster.annotations.get(TARGET_ANNOTATION, "")
        if name in fleet.targets and (count := machines_moving(cluster.body)):
            found[name] = found.get(name, 0) + count
        if number % BATCH == 0:
            await asyncio.sleep(0)
    return {
        name: Moving(target=name, machines=count, region=region_of(name), cloud=fleet.targets[name].cloud)
        for name, count in found.items()
    }
