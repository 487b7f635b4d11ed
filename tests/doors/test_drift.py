"""What departs and how it is explained, on a real API server and on the real controllers of Cluster API."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from clusterops.apply import apply_plan
from clusterops.controller.clock import SystemClock
from clusterops.drift import departed, explained, extras, left
from clusterops.health import wait_settled
from clusterops.kube import KubeCluster
from clusterops.model.drift import NO_HEALING, Author, Departed, DriftedObject, Healing
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.plan import MISSING, Plan
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.fleet_objects import NORTH_ALPHA, MemoryStore, body, cluster_bodies, read_and_plan, topology_bodies
from tests.stage import Api

LOGGER = build_logger(level="error")
CLOCK = SystemClock()
CORE = "/apis/cluster.x-k8s.io/v1beta2"
MERGE = "application/merge-patch+json"
PORTS = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]
SERVICE = body("v1", "Service", "alpha-front", spec={"type": "ClusterIP", "clusterIP": "None", "ports": PORTS})
"""Its ports are a list whose items are told apart by two keys."""
_NUMBER = itertools.count(1)


class Target:
    """One target, applied by us, and what others do to it."""

    def __init__(self, cluster: KubeCluster, sandbox: Sandbox, bodies: list[dict[str, Any]]) -> None:
        self.cluster, self.api = cluster, Api(sandbox)
        self.namespace = f"departs-{next(_NUMBER)}"
        named = [{**one, "metadata": {**one["metadata"], "namespace": self.namespace}} for one in bodies]
        self.bodies = [body("v1", "Namespace", self.namespace, None), *named]
        self.inventory: Inventory = empty_inventory(NORTH_ALPHA)

    async def plan(self, healing: Healing = NO_HEALING) -> Plan:
        return await read_and_plan(self.cluster, self.bodies, self.inventory, healing=healing)

    async def apply(self, healing: Healing = NO_HEALING) -> None:
        store, plan = MemoryStore(self.inventory), await self.plan(healing)
        report = await apply_plan(plan, self.cluster, clock=CLOCK, logger=LOGGER, store=store)
        assert report.complete, [problem.text for problem in report.problems]
        self.inventory = store.inventory.narrowed(report, revision=plan.revision)

    async def live(self) -> Mapping[ObjectKey, LiveObject | Absent | Unreadable]:
        return (await self.cluster.read(self.inventory.keys)).objects

    async def drifted(self) -> dict[str, DriftedObject]:
        """By kind."""
        live = await self.live()
        found = departed(self.inventory, live, target=NORTH_ALPHA, fleet="demo")
        plan = await self.plan(Healing(every=True))
        told = explained(found, plan, live, inventory=self.inventory)
        assert told.settled == frozenset()
        return {one.key.kind: one for one in told.objects}

    async def patch(self, path: str, content: Any, manager: str = "kubectl-edit", kind: str = MERGE) -> None:
        """As a client without server-side apply writes: an Update of its manager."""
        await asyncio.to_thread(self.api.send, "PATCH", f"{path}?fieldManager={manager}", content, content_type=kind)

    def place(self, resource: str, name: str, base: str = CORE) -> str:
        return f"{base}/namespaces/{self.namespace}/{resource}/{name}"


async def connected(sandbox: Sandbox) -> AsyncIterator[KubeCluster]:
    settings = ClusterSettings(kubeconfig=sandbox.kubeconfig)
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
    ) as cluster:
        yield cluster


@pytest.fixture
async def plain(apiserver: Sandbox) -> AsyncIterator[Target]:
    async for cluster in connected(apiserver):
        target = Target(cluster, apiserver, [*cluster_bodies(), SERVICE])
        await target.apply()
        yield target


@pytest.mark.apiserver
async def test_real_field_managers_are_the_authors_of_what_departs(plain: Target) -> None:
    """Nothing right after the apply; then a scale, edits of lists, a lost owner, a removed field, a secret."""
    assert await plain.drifted() == {}
    pool = plain.place("machinedeployments", "alpha-general")
    check = plain.place("machinehealthchecks", "alpha-general")
    notes = plain.place("configmaps", "alpha-notes", "/api/v1")
    await plain.patch(pool, {"spec": {"replicas": 5}}, "kubectl-scale")
    conditions = [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 77}]
    ports = [{"name": "more", "port": 70, "targetPort": 70}, PORTS[0], {**PORTS[1], "targetPort": 9443}]
    await plain.patch(check, {"spec": {"checks": {"unhealthyNodeConditions": conditions}}})
    await plain.patch(plain.place("services", "alpha-front", "/api/v1"), {"spec": {"ports": ports}})
    await plain.patch(notes, {"data": {"text": "by hand"}}, "kubectl-patch")
    await plain.patch(notes, {"data": {"text": "hello"}}, "kubectl-patch")
    cluster = plain.place("clusters", "alpha")
    await plain.patch(cluster, {"spec": {"clusterNetwork": None}})
    await plain.patch(plain.place("secrets", "alpha-cloud", "/api/v1"), {"data": {"token": "b3RoZXI="}})

    found = await plain.drifted()
    (count,) = found["MachineDeployment"].fields
    assert (count.pointer, count.git, count.live, count.manager) == ("/spec/replicas", 2, 5, "kubectl-scale")
    assert (count.operation, count.author) == ("Update", Author.PERSON)
    assert count.changed_at is not None
    assert abs((CLOCK.now() - count.changed_at).total_seconds()) < 60
    assert found["MachineDeployment"].cost.removed == 3
    (atomic,) = found["MachineHealthCheck"].fields
    assert (atomic.pointer, atomic.live, atomic.manager) == (
        "/spec/checks/unhealthyNodeConditions",
        conditions,
        "kubectl-edit",
    )
    (port,) = found["Service"].fields
    assert (port.git, port.live, port.manager) == (8443, 9443, "kubectl-edit")
    assert (found["ConfigMap"].what, found["ConfigMap"].fields[0].manager) == (
        Departed.OWNERSHIP_LOST,
        "kubectl-patch",
    )
    (gone,) = found["Cluster"].fields
    assert (gone.live, gone.manager, gone.author) == (MISSING, "", Author.UNKNOWN)
    (secret,) = found["Secret"].fields
    assert (secret.git, secret.live, secret.author) == ("(secret, changed)", "(secret)", Author.PERSON)

    await plain.apply(Healing(every=True))
    assert await plain.drifted() == {}


@pytest.mark.apiserver
async def test_a_controllers_field_is_left_by_right_once_git_was_applied_over_it(plain: Target) -> None:
    await plain.patch(plain.place("configmaps", "alpha-notes", "/api/v1"), {"data": {"text": "x"}}, "some-controller")
    assert (await plain.drifted())["ConfigMap"].author is Author.CONTROLLER
    next(one for one in plain.bodies if one["kind"] == "ConfigMap")["data"]["more"] = "of git"
    await plain.apply()
    assert await plain.drifted() == {}
    assert left(plain.inventory, await plain.live()) == {Author.CONTROLLER: 1}


@pytest.mark.capi
async def test_nothing_that_real_controllers_make_is_extra_or_drift(capi_sandbox: Sandbox) -> None:
    """Clusters of plain objects and of a topology, settled; then something put beside one by hand."""
    async for cluster in connected(capi_sandbox):
        targets = [Target(cluster, capi_sandbox, bodies) for bodies in (cluster_bodies(workers=1), topology_bodies())]
        try:
            for target in targets:
                await target.apply()
            for target in targets:
                keys = tuple(target.inventory.entries)
                report = await wait_settled(cluster, keys, deadline_s=400.0, clock=CLOCK, on_change=lambda _: None)
                assert report.settled
            owned = {key for target in targets for key in target.inventory.entries}
            for target in targets:
                assert await target.drifted() == {}
                assert [one.key.label for one in extras(await every_object(target), owned)] == []
                await put_beside(target)
                found = extras(await every_object(target), owned)
                assert [(one.key.kind, one.key.name) for one in found] == [("MachineHealthCheck", "by-hand")]
        finally:
            for target in targets:
                await asyncio.to_thread(target.api.send, "DELETE", target.place("clusters", "alpha"))


async def every_object(target: Target) -> list[LiveObject]:
    """Of all kinds of Cluster API, and the Secrets and ConfigMaps, in the target's namespace."""
    groups = await asyncio.to_thread(target.api.get, "/apis")
    kinds = [("", "Secret"), ("", "ConfigMap")]
    for group in groups["groups"]:
        if group["name"].endswith("cluster.x-k8s.io"):
            listed = await asyncio.to_thread(target.api.get, f"/apis/{group['preferredVersion']['groupVersion']}")
            kinds += [(group["name"], one["kind"]) for one in listed["resources"] if "/" not in one["name"]]
    found = [await target.cluster.list_objects(*kind, namespace=target.namespace) for kind in kinds]
    return [one for each in found for one in each]


async def put_beside(target: Target) -> None:
    made = body(
        "cluster.x-k8s.io/v1beta2",
        "MachineHealthCheck",
        "by-hand",
        target.namespace,
        metadata={"labels": {"cluster.x-k8s.io/cluster-name": "alpha"}},
        spec={"clusterName": "alpha", "selector": {"matchLabels": {"pool": "none"}}},
    )
    path = target.place("machinehealthchecks", "").rstrip("/")
    await asyncio.to_thread(target.api.send, "POST", f"{path}?fieldManager=kubectl-create", made)
