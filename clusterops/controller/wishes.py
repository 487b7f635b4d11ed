"""What a person tells a running daemon, written where it watches: its own objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from clusterops.controller.lease import LEASE_GROUP
from clusterops.controller.requests import (
    ASKED_ANNOTATION,
    CONFIRMED_ANNOTATION,
    HEAL_ANNOTATION,
    RESUME_ANNOTATION,
)
from clusterops.errors import TerminalError
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject
from clusterops.model.rollout import Halt
from clusterops.ports import Clock, Cluster
from clusterops.status import StoredFleet, StoredTarget, fleet_key
from clusterops.status.fleet import stored_fleet
from clusterops.status.fleet_target import readable_target

GROUP = "clusterops.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """``namespace`` is where Fleets and Leases live."""

    cluster: Cluster
    clock: Clock
    namespace: str

    async def recorded(self) -> dict[str, StoredTarget]:
        """All targets that this management cluster has a FleetTarget of, by name, of every fleet."""
        lives = await self.cluster.list_objects(GROUP, "FleetTarget")
        found = [stored for live in lives if (stored := readable_target(live)) is not None]
        return {stored.target: stored for stored in sorted(found, key=lambda stored: stored.target)}

    async def ask_for_pass(self, stored: StoredTarget) -> str:
        """Raises TerminalError ``no-daemon`` when nobody would answer."""
        holder = await self._daemon(stored, f"apply by hand: `clusterops apply {stored.target}`")
        await self._annotate(stored.key, ASKED_ANNOTATION, self.clock.now().isoformat())
        return f"{stored.target}: asked {holder} for a pass; `clusterops status {stored.target} -w` follows it"

    async def ask_for_heal(self, stored: StoredTarget, plan_id: str) -> str:
        """Puts git back, machines or not, if the plan with ``Healing(every=True)`` is still that one.

        Raises TerminalError ``no-daemon`` when nobody would answer.
        """
        holder = await self._daemon(stored, "say it again: then it is done by hand")
        await self._annotate(stored.key, HEAL_ANNOTATION, f"{self.clock.now().isoformat()} {plan_id}")
        return f"{stored.target}: asked {holder} to put git back; `clusterops status {stored.target} -w` follows it"

    async def _daemon(self, stored: StoredTarget, otherwise: str) -> str:
        holder = await self._holder(stored.fleet)
        if not holder:
            raise TerminalError(
                "no-daemon",
                stored.target,
                f"no daemon holds the Lease of fleet {stored.fleet}, so nobody would answer",
                hint=f"start one with `clusterops run`, or {otherwise}",
            )
        return holder

    async def suspend(self, stored: StoredTarget, *, suspended: bool) -> str:
        live = await self._get(stored.key)
        spec = {**(live.body.get("spec") or {}), "suspend": suspended}
        await self.cluster.replace({**live.body, "spec": spec})
        if suspended:
            return f"{stored.target}: paused; Cluster API goes on. `clusterops resume {stored.target}` ends it"
        return f"{stored.target}: resumed"

    async def confirm_history(self, fleet: str, commit: str) -> str:
        """Lets the daemon take a head that does not descend from the last one."""
        await self._annotate(fleet_key(fleet, self.namespace), CONFIRMED_ANNOTATION, commit)
        return f"{fleet}: {commit[:7]} may be taken although it does not descend from what was applied before"

    async def resume_rollout(self, fleet: str, halt: Halt) -> str:
        """Lets the rest of a halted rollout go on, in spite of what has failed by now."""
        wish = f"{self.clock.now().isoformat()} {halt.revision}"
        await self._annotate(fleet_key(fleet, self.namespace), RESUME_ANNOTATION, wish)
        return (
            f"{fleet}: the rollout of {halt.revision} goes on although {halt.target} failed ({halt.code}); "
            "`clusterops rollout status -w` follows it"
        )

    async def fleets(self) -> list[StoredFleet]:
        """Every fleet that this management cluster knows, by name."""
        found = await self.cluster.list_objects(GROUP, "Fleet", namespace=self.namespace)
        return sorted(map(stored_fleet, found), key=lambda stored: stored.key.name)

    async def fleets_moved(self) -> AsyncIterator[None]:
        """Once at first, and again whenever a Fleet was written. For ever."""
        async for event in self.cluster.watch(GROUP, "Fleet", namespace=self.namespace):
            if event.object is not None:
                yield

    async def _annotate(self, key: ObjectKey, name: str, value: str) -> None:
        live = await self._get(key)
        metadata: Mapping[str, Any] = live.body["metadata"]
        annotations = {**(metadata.get("annotations") or {}), name: value}
        await self.cluster.replace({**live.body, "metadata": {**metadata, "annotations": annotations}})

    async def _get(self, key: ObjectKey) -> LiveObject:
        found = (await self.cluster.read([key]))[key]
        if isinstance(found, LiveObject):
            return found
        if isinstance(found, Absent):
            raise TerminalError("not-recorded", key.label, "is not on this management cluster")
        problem = found.problem
        raise TerminalError("not-readable", key.label, problem.text, hint=problem.hint)

    async def _holder(self, fleet: str) -> str:
        key = ObjectKey(group=LEASE_GROUP, kind="Lease", namespace=self.namespace, name=f"clusterops-{fleet}")
        found = (await self.cluster.read([key]))[key]
        return str(found.body["spec"].get("holderIdentity") or "") if isinstance(found, LiveObject) else ""
