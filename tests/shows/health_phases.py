"""What happens to the two clusters, one thing after another, while every version of their objects is recorded."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from clusterops.controller.clock import SystemClock
from clusterops.health import wait_settled, waits_for
from clusterops.kube import KubeCluster
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.report import HealthReport, HealthWord
from tests.fleet_objects import body
from tests.shows.health_fleets import Style, Wish
from tests.shows.health_truth import lacking, machines_in, pool_of
from tests.shows.health_watch import CORE, Recorder, State

CLOCK = SystemClock()
WITHIN_S = 300.0
LINGER_S = 2.0
"""After the end of a phase, so that what still moves then is in the recording."""
REMEDIATE = "cluster.x-k8s.io/remediate-machine"
Ends = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """``edited`` to ``ended``: revisions between which the wish is what git says, all of it written."""

    name: str
    ends: Ends
    wish: Wish
    keys: tuple[ObjectKey, ...]
    gone: frozenset[str]
    edited: int
    ended: int

    def lacking(self, state: State) -> str:
        """The ground truth: why this state may not be called settled."""
        if self.ends == "paused":
            return "it is paused"
        return "it is being deleted" if self.ends == "gone" else lacking(self.wish, state, gone=self.gone)


@dataclass(slots=True)
class Play:
    """One cluster through all phases."""

    style: Style
    cluster: KubeCluster
    recorder: Recorder
    wish: Wish
    phases: list[Phase] = field(default_factory=list)
    _edited: int = 0
    _live: tuple[ObjectKey, ...] = ()

    async def all(self) -> None:
        wish = self.wish
        await self.phase("create", lambda: None)
        await self.phase("pool 2 to 4", lambda: wish.pools.update(general=4))
        await self.phase("pool 4 to 2", lambda: wish.pools.update(general=2))
        await self.phase("pool template", lambda: setattr(wish, "pool_template", 2))
        await self.phase("pool template renamed", lambda: setattr(wish, "pool_template_word", "node"))
        await self.phase("control plane 1 to 3", lambda: setattr(wish, "control_plane", 3))
        await self.phase("control plane template", lambda: setattr(wish, "control_plane_template", 2))
        await self.phase("upgrade", lambda: setattr(wish, "version", "v1.34.1"))
        await self.remediation("remediation of a worker", "general")
        await self.remediation("remediation in the control plane", "")
        await self.phase("pause", lambda: setattr(wish, "paused", True), ends="paused")
        await self.phase("pool 2 to 3 while paused", lambda: wish.pools.update(general=3), ends="paused")
        await self.phase("unpause", lambda: setattr(wish, "paused", False))
        await self.phase("pool added", lambda: wish.pools.update(batch=1))
        await self.phase("pool removed", lambda: wish.pools.pop("batch"))
        await self.phase("control plane 3 to 1", lambda: setattr(wish, "control_plane", 1))
        await self.deletion()

    async def phase(self, name: str, edit: Callable[[], Any], *, ends: Ends = "settled") -> None:
        edit()
        bodies = self.style(self.wish)
        keys = tuple(ObjectKey.of(one) for one in bodies)
        written = [await self.cluster.apply(one, force=True) for one in bodies]
        # A template of an older generation stays until nothing uses it; only a pool is pruned at once.
        removed = [key for key in self._live if key not in keys and not key.kind.endswith("Template")]
        self._live = keys
        edited = max([self._edited, *(int(one.resource_version) for one in written)])
        edited = max([edited, *[await self.removal(key) for key in removed]])
        await self.end(name, ends, keys, edited, frozenset())

    async def remediation(self, name: str, pool: str) -> None:
        marked = next(one for one in machines_in(self.recorder.state) if pool_of(one) == pool)
        told = body(marked.body["apiVersion"], "Machine", marked.key.name, marked.key.namespace)
        told["metadata"] = {
            "name": marked.key.name,
            "namespace": marked.key.namespace,
            "annotations": {REMEDIATE: ""},
        }
        written = await self.cluster.apply(told, field_manager="a-person")
        await self.end(name, "settled", self._live, int(written.resource_version), frozenset({marked.uid}))

    async def deletion(self) -> None:
        key = next(key for key in self._live if key.kind == "Cluster")
        edited = await self.removal(key)
        await self.end("delete", "gone", self._live, edited, frozenset())

    async def removal(self, key: ObjectKey) -> int:
        """The revision at which the object says that it is being deleted, or is gone."""
        live = (await self.cluster.read([key])).found(key)
        assert live is not None
        await self.cluster.delete(key, uid=live.uid, resource_version=live.resource_version)

        def seen() -> int:
            found = (e.revision for e in self.recorder.events if e.live.uid == live.uid and (e.gone or e.live.deleting))
            return min(found, default=0)

        await self.until(f"the deletion of {key.label}", lambda: bool(seen()))
        return seen()

    async def end(self, name: str, ends: Ends, keys: tuple[ObjectKey, ...], edited: int, gone: Collection[str]) -> None:
        wish = copy.deepcopy(self.wish)
        if ends == "settled":
            report = await wait_settled(self.cluster, keys, deadline_s=WITHIN_S, clock=CLOCK)
            assert report.settled, f"{self.wish.namespace}, {name}: {waits_for(report)}"
        await self.until(f"{self.wish.namespace}, {name}", lambda: self._ended(ends, keys, gone))
        await asyncio.sleep(LINGER_S)
        self._edited = self.recorder.revision
        self.phases.append(
            Phase(name=name, ends=ends, wish=wish, keys=keys, gone=frozenset(gone), edited=edited, ended=self._edited)
        )
        print(f"{CLOCK.now():%T}  {self.wish.namespace}: {name}", flush=True)

    def _ended(self, ends: Ends, keys: tuple[ObjectKey, ...], gone: Collection[str]) -> bool:
        state = self.recorder.state
        if ends == "settled":
            return not lacking(self.wish, state, gone=gone)
        cluster = next(key for key in keys if key.kind == "Cluster")
        if ends == "gone":
            return cluster not in state and not machines_in(state)
        return all(says_paused(state[key]) for key in state if key.kind in {"Cluster", "KubeadmControlPlane"})

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self.recorder.broken()
                await asyncio.sleep(0.2)


def says_paused(live: LiveObject) -> bool:
    conditions = (live.body.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Paused" and one["status"] == "True" for one in conditions)


def namespaced(name: str) -> dict[str, Any]:
    return body("v1", "Namespace", name, None)


def paused_word(report: HealthReport) -> bool:
    return any(row.key.kind == "Cluster" and row.word is HealthWord.PAUSED for row in report.rows)


__all__ = ["CORE", "Phase", "Play", "namespaced", "paused_word"]
