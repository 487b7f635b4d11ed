"""One target on a real API server or the model of one, pass by pass."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from clusterops.apply import apply_plan
from clusterops.controller.clock import SystemClock
from clusterops.kube import KubeCluster
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.plan import Plan
from clusterops.model.report import ApplyReport
from clusterops.ports import Cluster
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan

Bodies = list[dict[str, Any]]
LOGGER = build_logger(level="error")


def connected(kubeconfig: Path) -> AbstractAsyncContextManager[KubeCluster]:
    settings = ClusterSettings(kubeconfig=kubeconfig)
    return KubeCluster.connect(settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=SystemClock())


def small_cluster(namespace: str) -> Bodies:
    """A Namespace and the objects of a small cluster in it."""
    found = [{**one, "metadata": {**one["metadata"], "namespace": namespace}} for one in cluster_bodies()]
    return [body("v1", "Namespace", namespace, None), *found]


class Target:
    """One target's passes: read, plan, apply, remember."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.inventory: Inventory = empty_inventory("north/alpha")

    async def plan(self, bodies: Bodies, *, inputs: str = "tree", healing: Healing = NO_HEALING) -> Plan:
        return await read_and_plan(self.cluster, bodies, self.inventory, inputs=inputs, healing=healing)

    async def apply(self, plan: Plan) -> ApplyReport:
        store = MemoryStore(self.inventory)
        report = await apply_plan(plan, self.cluster, clock=SystemClock(), logger=LOGGER, store=store)
        self.inventory = store.inventory.narrowed(report, revision=plan.revision)
        return report

    async def live(self, key: ObjectKey) -> LiveObject:
        found = (await self.cluster.read([key])).found(key)
        assert found is not None, f"{key} is not there"
        return found
