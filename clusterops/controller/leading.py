"""Becoming the one writer of a fleet on a management cluster: its Lease, and a look at the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from clusterops.controller.lease import FleetLease, Gate
from clusterops.controller.work import Doors
from clusterops.errors import TransientError
from clusterops.model.fleet import Fleet
from clusterops.model.problem import Problem
from clusterops.settings import DaemonSettings


@dataclass(slots=True, kw_only=True)
class Leading:
    """``on_wait`` is told why the Lease cannot be had at the moment, None when nothing is wrong with that."""

    doors: Doors
    gate: Gate
    settings: DaemonSettings
    on_wait: Callable[[Problem | None], None]
    standing_by: str = ""
    """Who holds the Lease that this process waits for."""
    _lease: FleetLease | None = None

    @property
    def held(self) -> bool:
        return self._lease is not None and self._lease.held

    async def lead(self, fleet: Fleet, group: asyncio.TaskGroup) -> None:
        """Returns when the Lease is ours; ``group`` owns what keeps it, and ends when it is lost."""
        if self._lease is None:
            self._lease = await self._acquire(fleet, group)
        self._warn_of_version(fleet)
        self.gate.suspended = await self.doors.records.of_fleet.open()

    async def release(self) -> None:
        if self._lease is not None:
            await self._lease.release()

    async def _acquire(self, fleet: Fleet, group: asyncio.TaskGroup) -> FleetLease:
        doors = self.doors
        await doors.records.enter(fleet.file.name, self.settings.management)
        lease = FleetLease(
            fleet=fleet.file.name, cluster=doors.cluster, gate=self.gate, clock=doors.clock, settings=self.settings
        )
        await lease.acquire(self._stand_by)
        self._stand_by("", None)
        group.create_task(lease.keep(), name="lease")
        doors.metrics.leader.set(1)
        return lease

    def _stand_by(self, holder: str, why: TransientError | None) -> None:
        self.standing_by = holder
        self.on_wait(Problem.of(why) if why else None)
        if holder:
            self.doors.logger.info("standing by", holder=holder)

    def _warn_of_version(self, fleet: Fleet) -> None:
        """Charts that ask for .Capabilities are rendered for a constant, never for the live server."""
        rendered_for, live = fleet.file.render.kube_version, self.doors.records.of_fleet.server_version
        if rendered_for.split(".")[:2] != live.split(".")[:2]:
            self.doors.logger.warning(
                "server differs from render.kubeVersion",
                server=live,
                rendered_for=rendered_for,
                code="kube-version-differs",
            )
