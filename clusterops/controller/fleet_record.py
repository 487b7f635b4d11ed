"""What is written about a fleet as a whole: its Fleet, and Events on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.model.revision import Revision
from clusterops.model.rollout import Halt, Resumed
from clusterops.ports import Clock, Cluster
from clusterops.status import (
    FleetStatus,
    StoredFleet,
    TargetCounts,
    ensure_crds,
    event_body,
    fleet_key,
    read_fleet,
    record_event,
    write_fleet,
)
from clusterops.status.crds import API_VERSION


@dataclass(slots=True, kw_only=True)
class FleetRecord:
    """The Fleet of one fleet repository on one management cluster."""

    cluster: Cluster
    clock: Clock
    namespace: str
    identity: str
    name: str = ""
    last_revision: str = ""
    """The last commit that was taken, as the Fleet has it recorded: full id, or "" when there is none."""
    server_version: str = ""
    """Of the management cluster, as ``v1.36.3``; known once entered."""
    halted: Halt | None = None
    """Why the branch's head is not taken, or a rollout goes no further, as the Fleet has it recorded."""
    resumed: tuple[Resumed, ...] = ()
    """People's words that halted rollouts go on: the last as the Fleet has it recorded, and those of before."""
    rollouts: tuple[Mapping[str, Any], ...] = ()
    """Commits on their way through the fleet, as the Fleet tells people of them."""
    _management: str = ""
    _identity: str = ""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held to read, change and write the Fleet, so that we never meet our own 409."""

    async def enter(self, fleet: str, management: str) -> None:
        """Before anything is written: is this the cluster that it was last time?

        Raises TerminalError ``wrong-management-cluster``.
        """
        self.name, self._management = fleet, management
        stored = await read_fleet(self.cluster, fleet, namespace=self.namespace)
        server = await self.cluster.server()
        self._identity, self.server_version = server.identity, server.version
        known = stored.status.management.get(management)
        if known not in {None, self._identity}:
            raise TerminalError(
                "wrong-management-cluster",
                f"management cluster {management}",
                f"its kube-system namespace has uid {self._identity}, recorded is {known}",
                hint="nothing was written: point the kubeconfig at the right cluster, or, if this cluster "
                f"replaces it for good, remove that entry from status.management of Fleet {fleet}",
            )

    async def open(self) -> bool:
        """Once the Lease is held: installs our CRDs and reads the Fleet. Returns its kill switch.

        It writes no Fleet yet: an API server takes the first object of a new kind two seconds late, and the renders
        need not wait for that.
        """
        await ensure_crds(self.cluster, self.clock)
        return await self.recall()

    async def recall(self) -> bool:
        """What the Fleet has recorded. Returns its kill switch."""
        stored = await read_fleet(self.cluster, self.name, namespace=self.namespace)
        status = stored.status
        self.last_revision, self.halted, self.rollouts = status.commit, status.halted, status.rollouts
        if status.resumed_at is not None:
            self.resumed = (Resumed(revision=status.resumed_revision, at=status.resumed_at),)
        return stored.suspend

    async def introduce(self) -> None:
        """Notes on the Fleet which cluster this is."""
        stored = await read_fleet(self.cluster, self.name, namespace=self.namespace)
        await write_fleet(self.cluster, stored, status=replace(stored.status, management=self._introduced(stored)))

    def _introduced(self, stored: StoredFleet) -> dict[str, str]:
        return {**stored.status.management, self._management: self._identity}

    async def note(self, revision: Revision, now: datetime, counts: TargetCounts) -> None:
        """Where the fleet as a whole stands. Failing to write it stops nothing."""
        try:
            async with self._lock:
                stored = await read_fleet(self.cluster, self.name, namespace=self.namespace)
                status: FleetStatus = replace(
                    stored.status,
                    revision=revision.text,
                    commit=revision.commit,
                    fetched_at=now,
                    targets=counts,
                    message=revision.subject,
                    management=self._introduced(stored),
                )
                await write_fleet(self.cluster, stored, status=status)
            self.last_revision = revision.commit
        except ClusterOpsError:
            return

    async def note_halted(self, halted: Halt | None) -> None:
        """Why the branch's head is not taken, for `clusterops resume` and kubectl; None when it is."""
        try:
            async with self._lock:
                stored = await read_fleet(self.cluster, self.name, namespace=self.namespace)
                if stored.stored:
                    await write_fleet(self.cluster, stored, status=replace(stored.status, halted=halted))
            self.halted = halted
        except ClusterOpsError:
            return

    async def note_rollouts(self, *, halted: Halt | None, rollouts: Sequence[Mapping[str, Any]]) -> None:
        """How far commits are on their way through the fleet, and what stops them. Raises what the write raises.

        Why the head is not taken stays where it is said.
        """
        async with self._lock:
            stored = await read_fleet(self.cluster, self.name, namespace=self.namespace)
            kept = self.halted if self.halted is not None and not self.halted.target else halted
            status = replace(stored.status, halted=kept, rollouts=tuple(rollouts))
            if stored.stored:
                await write_fleet(self.cluster, stored, status=status)
                self.halted, self.rollouts = kept, tuple(rollouts)

    async def note_resumed(self, revision: str, at: datetime) -> None:
        """A person let a halted rollout go on. Raises what the write raises."""
        async with self._lock:
            stored = await read_fleet(self.cluster, self.name, namespace=self.namespace)
            left = None if self.halted is not None and _is_answered(self.halted, revision, at) else self.halted
            status = replace(stored.status, resumed_revision=revision, resumed_at=at, halted=left)
            await write_fleet(self.cluster, stored, status=status)
        others = tuple(one for one in self.resumed if one.revision != revision)
        self.resumed, self.halted = (*others, Resumed(revision=revision, at=at)), left

    async def tell(self, reason: str, note: str, *, of: str, warning: bool = False) -> None:
        """An Event on the Fleet; once for each ``reason`` and ``of``. Failing to write it stops nothing."""
        key = fleet_key(self.name, self.namespace)
        body = event_body(
            key,
            reason=reason,
            note=note,
            revision=of,
            now=self.clock.now(),
            instance=self.identity,
            api_version=API_VERSION,
            action="Rollout",
            warning=warning,
        )
        await record_event(self.cluster, body)


def _is_answered(halt: Halt, revision: str, at: datetime) -> bool:
    return halt.revision == revision and (halt.at is None or halt.at <= at)
