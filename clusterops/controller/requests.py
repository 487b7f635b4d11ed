"""What people ask of a running daemon through our objects: pause, resume, a pass now, the kill switch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from clusterops.capi.tools import FLEET_LABEL
from clusterops.controller.records import Records
from clusterops.errors import ClusterOpsError
from clusterops.model.live import LiveObject
from clusterops.ports import Cluster
from clusterops.status.conditions import parse_time
from clusterops.status.fleet_target import stored_target
from clusterops.telemetry import Logger

ASKED_ANNOTATION: Final = "clusterops.io/reconcile-at"
"""On a FleetTarget: any new value asks for a pass now."""
HEAL_ANNOTATION: Final = "clusterops.io/heal-at"
"""On a FleetTarget: a time, a blank, and the id of the plan that a person has seen. It goes once it is answered."""
CONFIRMED_ANNOTATION: Final = "clusterops.io/confirmed-revision"
"""On the Fleet: a commit that may be taken although it does not descend from the last one."""
RESUME_ANNOTATION: Final = "clusterops.io/resume-rollout"
"""On the Fleet: a time, a blank, and the revision (``main@3b9e0d1``) whose halted rollout goes on."""
GROUP: Final = "clusterops.io"
AGAIN_S: Final = 5.0


class Asked(Protocol):
    """The daemon, as people's wishes see it."""

    def asked(self, name: str) -> None: ...

    def asked_to_heal(self, name: str, plan_id: str) -> None: ...

    def suspend_fleet(self, suspended: bool) -> None: ...

    def confirm(self, commit_id: str) -> None: ...

    def resume_rollout(self, revision: str, at: datetime) -> None: ...


@dataclass(slots=True, kw_only=True)
class Requests:
    """Follows the FleetTargets and the Fleet of one fleet by watch."""

    cluster: Cluster
    records: Records
    logger: Logger
    _seen: dict[str, tuple[bool, str]] = field(default_factory=dict)
    _wishes: dict[str, str] = field(default_factory=dict)
    """Heals that were asked for, by target."""
    _resumed: str = ""
    """The last wish that a rollout goes on."""

    async def follow(self, daemon: Asked) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again("FleetTarget", self._targets, daemon), name="watch-targets")
            group.create_task(self._again_and_again("Fleet", self._fleet, daemon), name="watch-fleet")

    async def _again_and_again(self, kind: str, follow: Callable[[Asked], Awaitable[None]], daemon: Asked) -> None:
        """Our kinds may be gone for a while, or forbidden: nobody is heard then, and everything else goes on."""
        said = ""
        while True:
            try:
                await follow(daemon)
            except ClusterOpsError as error:
                if said != str(error):
                    self.logger.warning("wishes cannot be heard", kind=kind, code=error.code, error=str(error))
                said = str(error)
            await self.records.clock.sleep(AGAIN_S)

    async def _targets(self, daemon: Asked) -> None:
        async for event in self.cluster.watch(GROUP, "FleetTarget", labels=f"{FLEET_LABEL}={self.records.fleet}"):
            if event.object is None:
                continue
            if event.kind == "DELETED":
                self.records.forget(str((event.object.body.get("spec") or {}).get("target") or ""))
            else:
                self._target(daemon, event.object)

    def _target(self, daemon: Asked, live: LiveObject) -> None:
        spec: Mapping[str, Any] = live.body.get("spec") or {}
        name = str(spec.get("target") or "")
        try:
            if not self._is_known(name, live):
                self.records.learn(stored_target(live))
        except ClusterOpsError as error:
            self.logger.warning("record not understood", object=live.key.label, code=error.code, error=str(error))
            return
        now = (bool(spec.get("suspend")), live.annotations.get(ASKED_ANNOTATION, ""))
        before = self._seen.get(name)
        self._seen[name] = now
        self._heal(daemon, name, live.annotations.get(HEAL_ANNOTATION, ""))
        if before is None or before == now:
            return
        resumed = before[0] and not now[0]
        if resumed or (before[1] != now[1] and not now[0]):
            daemon.asked(name)

    def _is_known(self, name: str, live: LiveObject) -> bool:
        """Our own write, most often: nothing is to be parsed."""
        known = self.records.known.get(name)
        return known is not None and (known.uid, known.resource_version) == (live.uid, live.resource_version)

    def _heal(self, daemon: Asked, name: str, wish: str) -> None:
        """Also one that an earlier process did not come to: it stands until it is answered."""
        if self._wishes.get(name, "") == wish:
            return
        self._wishes[name] = wish
        if wish:
            daemon.asked_to_heal(name, wish.rpartition(" ")[2])

    async def _fleet(self, daemon: Asked) -> None:
        async for event in self.cluster.watch(GROUP, "Fleet", namespace=self.records.namespace):
            live = event.object
            if live is None or live.key.name != self.records.fleet or event.kind == "DELETED":
                continue
            daemon.suspend_fleet(bool((live.body.get("spec") or {}).get("suspend")))
            daemon.confirm(live.annotations.get(CONFIRMED_ANNOTATION, ""))
            self._resume(daemon, live.annotations.get(RESUME_ANNOTATION, ""))

    def _resume(self, daemon: Asked, wish: str) -> None:
        """Also one that an earlier process did not come to; what it did come to is known, and no news."""
        if wish == self._resumed:
            return
        self._resumed = wish
        at = parse_time(wish.partition(" ")[0])
        revision = wish.partition(" ")[2].strip()
        if at is None or not revision:
            self.logger.warning("wish not understood", annotation=RESUME_ANNOTATION, wish=wish)
            return
        daemon.resume_rollout(revision, at)
