"""Waiting for a target of which a live cache says that nothing moved."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from clusterops.health import wait_settled
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from tests.fleet_objects import cluster_bodies
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock
from tests.unit.health.test_health import key_of, keys_of, settled_status


class Watching(ModelCluster):
    """Counts its reads, and knows what moved."""

    reads = 0

    async def read(self, keys: Collection[ObjectKey], *, fresh: bool = False) -> LiveSet:
        self.reads += 1
        return await super().read(keys, fresh=fresh)

    def stamp(self, keys: Collection[ObjectKey]) -> tuple[Any, ...]:
        return tuple(self.objects[key]["metadata"]["resourceVersion"] for key in keys if key in self.objects)


async def unsettled(cluster: ModelCluster) -> None:
    for one in cluster_bodies():
        await cluster.apply(one)
        if "spec" in one and not one["kind"].endswith("Template"):
            replicas = (one["spec"] or {}).get("replicas", 0)
            late = {"Available": ("False", "not yet")} if one["kind"] == "MachineDeployment" else {}
            cluster.set_status(ObjectKey.of(one), settled_status(replicas, **late))


async def test_what_did_not_move_is_seldom_read_again() -> None:
    cluster = Watching()
    await unsettled(cluster)
    await wait_settled(cluster, keys_of(cluster_bodies()), deadline_s=600, clock=SkippingClock())
    assert cluster.reads < 40, "130 of 5 s each without knowing"


async def test_what_moves_is_read_at_the_next_look() -> None:
    cluster = Watching()
    await unsettled(cluster)
    pool = key_of("MachineDeployment")

    class Finishing(SkippingClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if self.elapsed_s > 100 and cluster.objects[pool]["status"]["conditions"][-1]["status"] == "False":
                cluster.set_status(pool, settled_status(cluster.objects[pool]["spec"]["replicas"]))

    clock = Finishing()
    report = await wait_settled(cluster, keys_of(cluster_bodies()), deadline_s=600, clock=clock)
    assert report.settled
    assert clock.elapsed_s < 110
