"""A pool goes managed -> autoscaled -> managed while it has 7 machines: its live count at every resourceVersion.

usage: python -m tests.shows.show_11_pool [KUBECONFIG]      (about a minute; from the project's root)

Against Cluster API's own controllers, one pool of a plain cluster and one of a topology, with a scale by the autoscaler
in between; without KUBECONFIG in a sandbox of its own. Exit 1 if a count is ever one that nobody asked for. The last
part drops the count as a naive apply does, to show that the watch would have seen it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterops.apply import apply_plan, needs_replan
from clusterops.controller.clock import SystemClock
from clusterops.kube import KubeCluster
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.live import LiveObject
from clusterops.model.plan import Plan
from clusterops.plan import plan_to_text
from clusterops.plan.pools import MAX_SIZE, MIN_SIZE
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan, topology_bodies
from tests.shows.place import place

CORE = "cluster.x-k8s.io"
CLOCK, LOGGER = SystemClock(), build_logger(level="error")
REPLANS = 4
QUIET_S = 4.0
"""Without a new resourceVersion, a step is over."""
BOUNDS = {MIN_SIZE: "3", MAX_SIZE: "20"}
Bodies = list[dict[str, Any]]


@dataclass(slots=True)
class Scene:
    """One pool, its passes, and every state of it that the watch has shown."""

    cluster: KubeCluster
    namespace: str
    inventory: Inventory = field(default_factory=lambda: empty_inventory("north/alpha"))
    seen: list[LiveObject] = field(default_factory=list)

    async def follow(self) -> None:
        async for event in self.cluster.watch(CORE, "MachineDeployment", namespace=self.namespace):
            if event.object is not None:
                self.seen.append(event.object)

    async def step(self, title: str, bodies: Bodies, expected: Collection[int]) -> bool:
        """Plans and applies, waits until nothing moves, and tells each count; whether all were expected."""
        at = len(self.seen)
        print(f"\n== {title}")
        failed = ["not tried"]
        for _ in range(REPLANS):
            failed, again = await self._pass(bodies)
            if not again:
                break
        print("".join(f"   FAILED {text}\n" for text in failed), end="")
        return await self.tell(at, expected) and not failed

    async def _pass(self, bodies: Bodies) -> tuple[list[str], bool]:
        """What failed, and whether an object moved under the plan, as controllers write all the time."""
        plan = await self._plan(bodies)
        print("".join(f"   {line}\n" for line in plan_to_text(plan).splitlines() if "unchanged" not in line), end="")
        store = MemoryStore(self.inventory)
        report = await apply_plan(plan, self.cluster, clock=CLOCK, logger=LOGGER, store=store)
        self.inventory = store.inventory.narrowed(report, revision="c1")
        return [problem.text for problem in (*plan.refusals, *report.problems)], needs_replan(report)

    async def tell(self, at: int, expected: Collection[int]) -> bool:
        await self._quiet()
        whole, before = True, None
        for live in self.seen[at:]:
            count = live.body["spec"].get("replicas")
            known = count in expected
            whole = whole and known
            line = f"replicas {count}  owned by {', '.join(owners(live)) or 'nobody'}"
            wrong = "" if known else f"  WRONG: not in {sorted(expected)}"
            same = "  (as before)" if line == before else ""
            print(f"   resourceVersion {live.resource_version:>6}  {line}{same}{wrong}")
            before = line
        return whole

    async def _plan(self, bodies: Bodies) -> Plan:
        for one in bodies:
            one["metadata"]["namespace"] = self.namespace
        return await read_and_plan(
            self.cluster, [body("v1", "Namespace", self.namespace, None), *bodies], self.inventory
        )

    async def _quiet(self) -> None:
        count, since = -1, CLOCK.boottime_s()
        while CLOCK.boottime_s() - since < QUIET_S or not self.seen:
            if len(self.seen) != count:
                count, since = len(self.seen), CLOCK.boottime_s()
            await asyncio.sleep(0.1)

    async def scaled_by(self, manager: str, count: int) -> None:
        """As the autoscaler does, by its own name and at no time of ours."""
        await self.cluster.apply(self._bare(count), force=True, field_manager=manager)

    async def naive(self) -> None:
        """The count alone, then nothing at all, as one and the same manager."""
        await self.cluster.apply(self._bare(7), force=True, field_manager="naive")
        await self.cluster.apply(self._bare(None), force=True, field_manager="naive")

    def _bare(self, count: int | None) -> dict[str, Any]:
        live = self.seen[-1]
        metadata = {"name": live.key.name, "namespace": live.key.namespace}
        spec = {} if count is None else {"spec": {"replicas": count}}
        return {"apiVersion": live.body["apiVersion"], "kind": live.key.kind, "metadata": metadata, **spec}


def owners(live: LiveObject) -> list[str]:
    return sorted({one.name for one in live.managers if "f:replicas" in one.fields.get("f:spec", {})})


def plain(count: int | None, bounds: dict[str, str]) -> Bodies:
    found = cluster_bodies(workers=7)
    for one in found:
        if one["kind"] == "MachineDeployment":
            one["metadata"]["annotations"].update(bounds)
            one["spec"] = _counted(one["spec"], count)
    return found


def topology(count: int | None, bounds: dict[str, str]) -> Bodies:
    found = topology_bodies(workers=7)
    for one in found:
        if one["kind"] == "Cluster":
            workers = one["spec"]["topology"]["workers"]
            pools = [_counted(pool, count) for pool in workers["machineDeployments"]]
            added = {"metadata": {"annotations": bounds}} if bounds else {}
            workers["machineDeployments"] = [{**pool, **added} for pool in pools]
    return found


def _counted(of: dict[str, Any], count: int | None) -> dict[str, Any]:
    rest = {name: value for name, value in of.items() if name != "replicas"}
    return rest if count is None else {**rest, "replicas": count}


async def play(cluster: KubeCluster) -> bool:
    run = uuid.uuid4().hex[:5]
    whole = True
    for kind, bodies in (("plain", plain), ("topology", topology)):
        scene = Scene(cluster, f"pool-{kind}-{run}")
        async with _following(scene):
            print(f"\n#### a {kind} pool")
            steps = [
                await scene.step("managed: 7", bodies(7, {}), {7}),
                await scene.step("autoscaled 3..20", bodies(None, BOUNDS), {7}),
                await _autoscaler(scene),
                await scene.step("autoscaled 3..20, nothing new", bodies(None, BOUNDS), {7}),
                await scene.step("managed again: 7", bodies(7, {}), {7}),
                await scene.step("managed: 5", bodies(5, {}), {7, 5}),
            ]
            whole = whole and all(steps)
            if kind == "plain":
                whole = await _control(scene) and whole
        await _delete(scene)
    return whole


async def _autoscaler(scene: Scene) -> bool:
    print("\n== the autoscaler scales 7 -> 8 -> 7")
    at = len(scene.seen)
    await scene.scaled_by("cluster-autoscaler", 8)
    await scene.scaled_by("cluster-autoscaler", 7)
    return await scene.tell(at, {7, 8})


async def _control(scene: Scene) -> bool:
    print("\n== for comparison: another manager takes the count and drops it (expected: falls to 1)")
    at = len(scene.seen)
    await scene.naive()
    await scene.tell(at, {7, 1})
    return any(live.body["spec"].get("replicas") == 1 for live in scene.seen[at:])


@contextlib.asynccontextmanager
async def _following(scene: Scene) -> AsyncIterator[None]:
    task = asyncio.create_task(scene.follow(), name="watch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _delete(scene: Scene) -> None:
    for live in await scene.cluster.list_objects(CORE, "Cluster", namespace=scene.namespace):
        now = (await scene.cluster.read([live.key])).found(live.key) or live
        with contextlib.suppress(Exception):
            await scene.cluster.delete(now.key, uid=now.uid, resource_version=now.resource_version)


async def main(kubeconfig: Path) -> bool:
    settings = ClusterSettings(kubeconfig=kubeconfig)
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
    ) as cluster:
        whole = await play(cluster)
    print("\nall as it has to be" if whole else "\nNOT as it has to be")
    return whole


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(0 if asyncio.run(main(Path(sys.argv[1]))) else 1)
    with place("full") as (_, sandbox, _tools):
        whole = asyncio.run(main(sandbox.kubeconfig))
    sys.exit(0 if whole else 1)
