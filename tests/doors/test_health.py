"""Health against the real controllers of Cluster API with the in-memory provider, and against none at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from clusterops.apply import apply_plan
from clusterops.controller.clock import SystemClock
from clusterops.health import read_health, wait_settled, waits_for
from clusterops.kube import KubeCluster
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.plan import Plan
from clusterops.model.report import HealthReport, HealthWord
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan, topology_bodies

LOGGER = build_logger(level="error")
CLOCK = SystemClock()


@pytest.fixture
async def management(request: pytest.FixtureRequest) -> AsyncIterator[KubeCluster]:
    settings = ClusterSettings(kubeconfig=request.getfixturevalue("capi_sandbox").kubeconfig)
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
    ) as cluster:
        yield cluster


class Fleet:
    """One target on real controllers; ``history`` is what was reported while waiting."""

    def __init__(self, cluster: KubeCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.inventory: Inventory = empty_inventory("north/alpha")
        self.keys: tuple[ObjectKey, ...] = ()
        self.history: list[HealthReport] = []

    async def apply(self, bodies: list[dict[str, Any]]) -> None:
        plan = await self.plan(bodies)
        stopped = [change.reason.text for change in plan.changes if change.reason is not None]
        assert not stopped
        store = MemoryStore(self.inventory)
        report = await apply_plan(plan, self.cluster, clock=CLOCK, logger=LOGGER, store=store)
        assert report.complete, [problem.text for problem in report.problems]
        self.inventory = store.inventory.narrowed(report, revision="c1")
        self.keys = tuple(change.key for change in plan.changes)

    async def plan(self, bodies: list[dict[str, Any]]) -> Plan:
        for one in bodies:
            one["metadata"]["namespace"] = self.namespace
        wanted = [body("v1", "Namespace", self.namespace, None), *bodies]
        return await read_and_plan(self.cluster, wanted, self.inventory)

    async def settle(self, deadline_s: float = 400.0) -> None:
        self.history = []
        report = await wait_settled(
            self.cluster, self.keys, deadline_s=deadline_s, clock=CLOCK, on_change=self._changed
        )
        assert report.settled, waits_for(report)

    def _changed(self, report: HealthReport) -> None:
        """Shown by ``pytest -s``."""
        self.history.append(report)
        print(f"{CLOCK.now():%T}  {waits_for(report) or 'settled'}")

    async def machines(self) -> tuple[LiveObject, ...]:
        return await self.cluster.list_objects("cluster.x-k8s.io", "Machine", namespace=self.namespace)

    async def delete(self, name: str = "alpha") -> None:
        key = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace=self.namespace, name=name)
        live = (await self.cluster.read([key])).found(key)
        if live is not None:
            await self.cluster.delete(key, uid=live.uid, resource_version=live.resource_version)


def ready(machine: LiveObject) -> bool:
    conditions = {one["type"]: one["status"] for one in machine.body["status"].get("conditions") or ()}
    return conditions.get("Available") == "True" and conditions.get("UpToDate", "True") == "True"


def versions(machines: tuple[LiveObject, ...]) -> list[str]:
    return sorted(machine.body["spec"]["version"] for machine in machines)


@pytest.mark.capi
async def test_settled_means_that_every_machine_is_there_and_of_the_new_kind(management: KubeCluster) -> None:
    """Right after a creation, a scale and an upgrade: nothing is settled before the machines are."""
    fleet = Fleet(management, "health-plain")
    try:
        await fleet.apply(cluster_bodies(workers=1))
        await fleet.settle()
        assert versions(await fleet.machines()) == ["v1.33.4"] * 2
        assert not (await fleet.plan(cluster_bodies(workers=1))).writes, "defaults and owners are no difference"
        assert any(row.key.kind == "Machine" for report in fleet.history for row in report.rows)

        await fleet.apply(cluster_bodies(workers=3))
        await fleet.settle()
        scaled = await fleet.machines()
        assert len(scaled) == 4
        assert all(ready(machine) for machine in scaled)

        await fleet.apply(cluster_bodies(workers=3, version="v1.34.1"))
        await fleet.settle()
        upgraded = await fleet.machines()
        assert versions(upgraded) == ["v1.34.1"] * 4
        assert all(ready(machine) for machine in upgraded)

        await fleet.apply(cluster_bodies(workers=1, version="v1.34.1"))
        await fleet.settle()
        assert len(await fleet.machines()) == 2
    finally:
        await fleet.delete()


@pytest.mark.capi
async def test_a_topology_is_settled_when_its_control_plane_and_pools_are(management: KubeCluster) -> None:
    fleet = Fleet(management, "health-topology")
    try:
        await fleet.apply(topology_bodies(workers=1))
        await fleet.settle()
        assert versions(await fleet.machines()) == ["v1.33.4"] * 2
        assert not (await fleet.plan(topology_bodies(workers=1))).writes, "defaults and owners are no difference"

        await fleet.apply(topology_bodies(workers=2))
        await fleet.settle()
        assert len(await fleet.machines()) == 3

        await fleet.apply(topology_bodies(workers=2, version="v1.34.1"))
        await fleet.settle()
        upgraded = await fleet.machines()
        assert versions(upgraded) == ["v1.34.1"] * 3
        assert all(ready(machine) for machine in upgraded)
    finally:
        await fleet.delete()


@pytest.mark.apiserver
async def test_without_controllers_a_cluster_is_unknown_and_templates_are_current(
    request: pytest.FixtureRequest,
) -> None:
    settings = ClusterSettings(kubeconfig=request.getfixturevalue("apiserver").kubeconfig)
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
    ) as cluster:
        fleet = Fleet(cluster, "health-none")
        await fleet.apply(cluster_bodies())
        report = await read_health(cluster, fleet.keys)
    words = {row.key.kind: (row.word, row.reason) for row in report.rows}
    for kind in ("Cluster", "KubeadmControlPlane", "MachineDeployment", "DevCluster"):
        assert words[kind] == (HealthWord.UNKNOWN, "NotObserved")
    for kind in ("Secret", "ConfigMap", "DevMachineTemplate", "KubeadmConfigTemplate", "Namespace"):
        assert words[kind][0] is HealthWord.CURRENT
