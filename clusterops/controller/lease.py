"""One writer per fleet and management cluster: a Lease, and the gate that every write passes.

Kubernetes checks no fencing token, so a holder stops itself: no request starts later than ``renew_deadline_s`` after
the last renewal that the server confirmed, on the boot-time clock. Rivals wait ``lease_duration_s`` after the last
change *that they saw*, so nobody compares clocks of two machines. **Source:** client-go tools/leaderelection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from clusterops.errors import ClusterOpsError, RefusedError, TransientError
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject
from clusterops.ports import Clock, Cluster
from clusterops.settings import DaemonSettings

LEASE_GROUP: Final = "coordination.k8s.io"


@dataclass(slots=True)
class Gate:
    """ports.WriteGate: open while the Lease is held and the fleet is not suspended."""

    clock: Clock
    open_until_s: float = 0.0
    suspended: bool = False
    """The kill switch, ``spec.suspend`` of the Fleet."""
    namespace: str = "clusterops-system"
    """Where the Lease itself lives: made before anybody can hold it."""

    def check(self, key: ObjectKey) -> None:
        """Raises RefusedError ``fleet-suspended`` or TransientError ``lease-lost``."""
        if key.group in {LEASE_GROUP, "events.k8s.io"} or (key.kind, key.name) == ("Namespace", self.namespace):
            return
        if self.suspended:
            raise RefusedError(
                "fleet-suspended",
                key.label,
                "nothing is written while the Fleet has spec.suspend: true",
                hint=f"`kubectl -n {self.namespace} edit fleet` and set spec.suspend to false to go on",
            )
        if self.clock.boottime_s() >= self.open_until_s:
            raise TransientError("lease-lost", key.label, "not written: this process no longer holds the fleet's Lease")


@dataclass(slots=True)
class FleetLease:
    """The Lease ``clusterops-<fleet>`` in our namespace, held by ``settings.identity``."""

    fleet: str
    cluster: Cluster
    gate: Gate
    clock: Clock
    settings: DaemonSettings
    _seen: tuple[str, float] = ("", 0.0)
    _held: LiveObject | None = field(default=None)

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(
            group=LEASE_GROUP, kind="Lease", namespace=self.settings.namespace, name=f"clusterops-{self.fleet}"
        )

    @property
    def held(self) -> bool:
        return self.clock.boottime_s() < self.gate.open_until_s

    async def try_acquire(self) -> str:
        """Takes or renews the Lease. Returns "" when it is ours, else who holds it."""
        asked_at_s = self.clock.boottime_s()
        live = (await self.cluster.read([self.key]))[self.key]
        if isinstance(live, Absent):
            taken = await self.cluster.create(self._body(None))
        elif not isinstance(live, LiveObject):
            raise TransientError("lease-unreadable", self.key.label, live.problem.message)
        elif not self._free(live):
            return str(live.body["spec"].get("holderIdentity", ""))
        else:
            taken = await self.cluster.replace(self._body(live))
        self._held = taken
        self.gate.open_until_s = asked_at_s + self.settings.renew_deadline_s
        return ""

    async def keep(self) -> None:
        """Renews until cancelled. Raises TransientError ``lease-lost`` when the deadline passes or a rival has it."""
        while True:
            await self.clock.sleep(self.settings.renew_every_s)
            try:
                rival = await self.try_acquire()
            except ClusterOpsError as error:
                if not self.held:
                    raise TransientError(
                        "lease-lost", self.key.label, f"not renewed in time: {error.message}"
                    ) from error
                continue
            if rival:
                self.gate.open_until_s = 0.0
                raise TransientError("lease-lost", self.key.label, f"taken over by {rival}")

    async def acquire(self, on_wait: Callable[[str, TransientError | None], None]) -> None:
        """Waits until the Lease is ours; ``on_wait`` hears of each new holder, or why nobody knows who it is."""
        told = ""
        while True:
            why: TransientError | None = None
            try:
                rival = await self.try_acquire()
            except TransientError as error:
                rival, why = "", error
            if not rival and why is None:
                return
            if (reason := f"{rival}{why or ''}") != told:
                on_wait(rival, why)
                told = reason
            await self.clock.sleep(self.settings.renew_every_s)

    async def release(self) -> None:
        """Gives it back, so that the next holder need not wait; failing to is no error."""
        held, self._held = self._held, None
        self.gate.open_until_s = 0.0
        if held is None:
            return
        try:
            async with asyncio.timeout(5.0):
                while not await self._given_back():
                    pass
        except (ClusterOpsError, TimeoutError):
            return

    async def _given_back(self) -> bool:
        """As it is now: a renewal that was cancelled on its way may still reach the server. False: it just did."""
        live = (await self.cluster.read([self.key]))[self.key]
        if isinstance(live, LiveObject) and live.body["spec"].get("holderIdentity") == self.settings.identity:
            body = self._body(live)
            body["spec"]["holderIdentity"] = ""
            try:
                await self.cluster.replace(body)
            except TransientError as error:
                if error.code != "object-changed":
                    raise
                return False
        return True

    def _free(self, live: LiveObject) -> bool:
        spec: Mapping[str, Any] = live.body.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder in {"", self.settings.identity}:
            return True
        now_s = self.clock.boottime_s()
        if self._seen[0] != live.resource_version:
            self._seen = (live.resource_version, now_s)
        duration_s = float(spec.get("leaseDurationSeconds") or self.settings.lease_duration_s)
        return now_s - self._seen[1] > duration_s

    def _body(self, live: LiveObject | None) -> dict[str, Any]:
        now = _micro_time(self.clock.now())
        spec: dict[str, Any] = dict(live.body.get("spec") or {}) if live else {}
        if spec.get("holderIdentity") != self.settings.identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + (1 if live else 0)
        spec |= {
            "holderIdentity": self.settings.identity,
            "leaseDurationSeconds": int(self.settings.lease_duration_s),
            "renewTime": now,
        }
        metadata: dict[str, Any] = {"name": self.key.name, "namespace": self.key.namespace}
        if live is not None:
            metadata |= {"resourceVersion": live.resource_version, "uid": live.uid}
        return {"apiVersion": f"{LEASE_GROUP}/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _micro_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
