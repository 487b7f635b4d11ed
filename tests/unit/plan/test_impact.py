"""What a plan says of machines, from the Machines that are there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from clusterops.apply import apply_plan
from clusterops.model.impact import Impact, ImpactClass, PoolImpact
from clusterops.model.inventory import empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.neighbours import Query
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem
from clusterops.plan import plan_to_json, plan_to_text, summarise
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan, topology_bodies
from tests.machine_objects import machine_set, machines_of, topology_objects, worker
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

Bodies = list[dict[str, Any]]


class Watched(ModelCluster):
    """Remembers what was listed; ``forbidden`` kinds may not be."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[str] = []

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        self.listed.append(kind)
        return await super().list_objects(group, kind, namespace=namespace, labels=labels)


class Situation:
    """A target that is applied as ``bodies``, with the objects that controllers made of it."""

    def __init__(self, bodies: Bodies, made: Bodies) -> None:
        self.cluster = Watched()
        self.bodies = bodies
        self.made = made
        self.store = MemoryStore(empty_inventory("north/alpha"))

    async def ready(self) -> Situation:
        plan = await self.plan()
        report = await apply_plan(
            plan, self.cluster, clock=SkippingClock(), logger=build_logger(level="critical"), store=self.store
        )
        self.store.inventory = self.store.inventory.narrowed(report, revision="c1")
        for one in self.made:
            await self.cluster.create(one)
        self.cluster.listed.clear()
        return self

    async def plan(self) -> Plan:
        return await read_and_plan(self.cluster, copy.deepcopy(self.bodies), self.store.inventory)

    def uids(self, *names: str) -> tuple[str, ...]:
        found = [
            raw["metadata"]["uid"]
            for key, raw in self.cluster.objects.items()
            if key.kind == "Machine" and key.name in names
        ]
        return tuple(sorted(found))

    def one(self, kind: str) -> dict[str, Any]:
        return next(one for one in self.bodies if one["kind"] == kind)


async def plain(**content: Any) -> Situation:
    return await Situation(cluster_bodies(**content), machines_of(workers=content.get("workers", 2))).ready()


async def topology() -> Situation:
    situation = await Situation(topology_bodies(), topology_objects()).ready()
    key = ObjectKey.of(situation.one("Cluster"))
    reference = {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KubeadmControlPlane", "name": "alpha-cp"}
    situation.cluster.edit(key, lambda raw: raw["spec"].update(controlPlaneRef=reference), manager="topology")
    return situation


def impact(plan: Plan, kind: str) -> Impact:
    found = next(change.impact for change in plan.changes if change.key.kind == kind)
    assert found is not None
    return found


def only(one: Impact) -> PoolImpact:
    assert len(one.pools) == 1
    return one.pools[0]


async def test_a_target_as_git_wants_it_lists_nothing() -> None:
    situation = await plain()
    plan = await situation.plan()
    assert not situation.cluster.listed
    assert {change.impact.kind for change in plan.changes if change.impact} == {ImpactClass.NONE}


async def test_a_first_sync_lists_nothing_and_counts_what_it_makes() -> None:
    for bodies in (cluster_bodies(), topology_bodies()):
        cluster = Watched()
        plan = await read_and_plan(cluster, bodies, empty_inventory("north/alpha"))
        assert not cluster.listed
        assert summarise(plan) == "north/alpha: creates 1 control-plane and 2 worker machines"


async def test_an_upgrade_replaces_all_machines_and_says_so_in_one_line() -> None:
    situation = await plain()
    situation.bodies = cluster_bodies(version="v1.34.1", workers=4)
    plan = await situation.plan()
    words = "upgrade v1.33.4 -> v1.34.1, replaces 1 control-plane and 2 worker machines; general scales 2 -> 4"
    assert summarise(plan) == f"north/alpha: {words}"
    workers = only(impact(plan, "MachineDeployment"))
    assert (workers.kind, workers.replaced, workers.added, workers.now, workers.then) == (
        ImpactClass.ROLLING,
        2,
        2,
        2,
        4,
    )
    assert workers.going == situation.uids("alpha-general-1-0", "alpha-general-1-1")
    assert [cause.rule for cause in workers.causes] == ["pool-version", "replicas"]
    assert only(impact(plan, "KubeadmControlPlane")).going == situation.uids("alpha-cp-0")


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda one: one["spec"]["template"]["metadata"]["labels"].update(tier="x"), "labels"),
        (lambda one: one["spec"]["template"]["spec"].update(deletion={"nodeDrainTimeoutSeconds": 5}), "deletion"),
        (lambda one: one["spec"]["template"]["spec"].update(minReadySeconds=5), "minReadySeconds"),
        (lambda one: one["spec"].update(rollout={"strategy": {"rollingUpdate": {"maxSurge": 2}}}), "strategy"),
    ],
    ids=["labels", "timeouts", "readiness", "strategy"],
)
async def test_an_edit_that_rolls_nothing_says_why(change: Callable[[dict[str, Any]], None], note: str) -> None:
    situation = await plain()
    change(situation.one("MachineDeployment"))
    found = impact(await situation.plan(), "MachineDeployment")
    assert (found.kind, found.replaced) == (ImpactClass.IN_PLACE, 0)
    assert note in found.notes[0]
    assert found.notes[0].startswith("replaces no Machine")


async def test_machines_of_an_unfinished_rollout_go_unless_they_match() -> None:
    """One new Machine is there when git goes back: it goes, and the old one stays."""
    situation = await plain()
    for one in (machine_set("alpha-general-2", replicas=1, machines="other"), worker("new", "alpha-general-2")):
        await situation.cluster.create(one)
    situation.one("MachineDeployment")["spec"]["template"]["metadata"]["labels"]["tier"] = "x"
    found = only(impact(await situation.plan(), "MachineDeployment"))
    assert found.going == situation.uids("new")


async def test_a_scale_down_leaves_the_choice_to_cluster_api() -> None:
    situation = await plain(workers=3)
    situation.one("MachineDeployment")["spec"]["replicas"] = 1
    found = only(impact(await situation.plan(), "MachineDeployment"))
    assert (found.kind, found.removed, found.replaced, found.going) == (ImpactClass.SCALING, 2, 0, ())


async def test_on_delete_replaces_nobody_now() -> None:
    situation = await plain()
    pool = situation.one("MachineDeployment")
    pool["spec"]["rollout"] = {"strategy": {"type": "OnDelete"}}
    pool["spec"]["template"]["spec"]["failureDomain"] = "a"
    found = only(impact(await situation.plan(), "MachineDeployment"))
    assert (found.kind, found.replaced, found.going) == (ImpactClass.IN_PLACE, 0, ())
    assert "2 are as somebody deletes them" in found.note


async def test_a_paused_cluster_is_blocked_and_says_what_waits() -> None:
    situation = await plain()
    situation.one("Cluster")["spec"]["paused"] = True
    situation.one("MachineDeployment")["spec"]["template"]["spec"]["failureDomain"] = "a"
    found = only(impact(await situation.plan(), "MachineDeployment"))
    assert (found.kind, found.replaced, found.going) == (ImpactClass.BLOCKED, 0, ())
    assert found.note == "Cluster north/alpha is paused: replaces 2 once that is lifted"


async def test_lifting_a_pause_lets_happen_what_waited() -> None:
    situation = await plain()
    key = ObjectKey.of(situation.one("MachineDeployment"))
    situation.one("Cluster")["spec"]["paused"] = True
    situation.one("MachineDeployment")["spec"]["template"]["spec"]["failureDomain"] = "a"
    situation.made = []
    await situation.ready()
    situation.one("Cluster")["spec"]["paused"] = False
    plan = await situation.plan()
    assert {pool.owner: pool.replaced for pool in impact(plan, "Cluster").pools if pool.replaced} == {key: 2}


async def test_what_may_not_be_listed_is_unknown_and_counts_as_rolling() -> None:
    situation = await plain()
    situation.one("MachineDeployment")["spec"]["template"]["spec"]["failureDomain"] = "a"
    plan = await _plan_without(situation, "Machine")
    found = only(impact(plan, "MachineDeployment"))
    assert (found.kind, found.replaced, found.going) == (ImpactClass.UNKNOWN, 2, ())
    assert "may replace 2 worker machines (not predictable)" in summarise(plan)


async def test_a_class_whose_clusters_may_not_be_listed_is_unknown() -> None:
    situation = await topology()
    situation.one("ClusterClass")["spec"]["workers"]["machineDeployments"][0]["failureDomain"] = "a"
    found = impact(await _plan_without(situation, "Cluster"), "ClusterClass")
    assert found.kind is ImpactClass.UNKNOWN
    assert "whom it reaches is not known" in found.notes[0]


async def _plan_without(situation: Situation, kind: str) -> Plan:
    refused = Problem(code="api-forbidden", subject=kind, message="may not be listed")
    listed = situation.cluster.list_objects

    async def refuse(group: str, asked: str, **where: Any) -> Any:
        return refused if asked == kind else await listed(group, asked, **where)

    situation.cluster.list_objects = refuse  # type: ignore[assignment, method-assign]
    return await situation.plan()


async def test_a_machine_pool_scales_and_all_else_is_its_providers() -> None:
    spec: dict[str, Any] = {
        "clusterName": "alpha",
        "replicas": 3,
        "template": {
            "spec": {
                "clusterName": "alpha",
                "version": "v1.33.4",
                "infrastructureRef": {
                    "apiGroup": "infrastructure.cluster.x-k8s.io",
                    "kind": "AWSMachinePool",
                    "name": "spot",
                },
            }
        },
    }
    pool = body("cluster.x-k8s.io/v1beta2", "MachinePool", "alpha-spot", spec=spec)
    spot = body("infrastructure.cluster.x-k8s.io/v1beta2", "AWSMachinePool", "spot", spec={})
    situation = await Situation([*cluster_bodies(), pool, spot], machines_of()).ready()
    situation.one("MachinePool")["spec"] = {**copy.deepcopy(spec), "replicas": 5}
    found = only(impact(await situation.plan(), "MachinePool"))
    assert (found.kind, found.added, found.replaced) == (ImpactClass.SCALING, 2, 0)
    situation.one("MachinePool")["spec"]["template"]["spec"]["version"] = "v1.33.5"
    found = only(impact(await situation.plan(), "MachinePool"))
    assert (found.kind, found.replaced) == (ImpactClass.UNKNOWN, 3)
    assert "AWSMachinePool" in found.note


async def test_a_cluster_that_is_dropped_tells_its_machines() -> None:
    situation = await plain()
    situation.bodies = []
    plan = await read_and_plan(situation.cluster, [], situation.store.inventory, inputs="")
    found = impact(plan, "Cluster")
    assert (found.kind, found.removed) == (ImpactClass.DELETE, 3)
    assert {pool.pool: pool.removed for pool in found.pools} == {"cp": 1, "general": 2}
    assert summarise(plan).startswith(
        "north/alpha: deletion of Cluster alpha with 1 control-plane and 2 worker machines refused"
    )


async def test_a_topology_rolls_what_its_class_generates_differently() -> None:
    situation = await topology()
    made = copy.deepcopy(
        next(
            one
            for one in situation.bodies
            if one["metadata"]["name"] == "small-worker" and one["kind"] == "DevMachineTemplate"
        )
    )
    made["metadata"]["name"] = "small-worker-2"
    made["spec"]["template"]["metadata"] = {"labels": {"a": "b"}}
    situation.bodies.append(made)
    workers = situation.one("ClusterClass")["spec"]["workers"]["machineDeployments"][0]
    workers["infrastructure"]["templateRef"]["name"] = "small-worker-2"
    plan = await situation.plan()
    found = {pool.pool: pool for pool in impact(plan, "ClusterClass").pools}
    assert (found["general"].kind, found["general"].replaced) == (ImpactClass.ROLLING, 2)
    assert found["general"].going == situation.uids("alpha-general-1-0", "alpha-general-1-1")
    assert found["control-plane"].replaced == 0
    assert [(cause.rule, cause.pointer) for cause in found["general"].causes] == [
        ("topology-template", "/spec/template/metadata")
    ]
    assert impact(plan, "Cluster").kind is ImpactClass.NONE, "each pool is told once"


async def test_the_same_content_under_another_name_of_a_class_rolls_nothing() -> None:
    situation = await topology()
    made = copy.deepcopy(next(one for one in situation.bodies if one["kind"] == "KubeadmConfigTemplate"))
    made["metadata"]["name"] = "small-worker-2"
    situation.bodies.append(made)
    workers = situation.one("ClusterClass")["spec"]["workers"]["machineDeployments"][0]
    workers["bootstrap"]["templateRef"]["name"] = "small-worker-2"
    plan = await situation.plan()
    assert sum(change.impact.replaced for change in plan.changes if change.impact) == 0


async def test_a_topology_upgrades_scales_grows_and_shrinks() -> None:
    situation = await topology()
    wanted = situation.one("Cluster")["spec"]["topology"]
    wanted["version"] = "v1.34.1"
    wanted["workers"]["machineDeployments"][0]["replicas"] = 3
    wanted["workers"]["machineDeployments"].append({"class": "worker", "name": "extra", "replicas": 2})
    plan = await situation.plan()
    words = "upgrade v1.33.4 -> v1.34.1, replaces 1 control-plane and 2 worker machines; general scales 2 -> 3"
    assert summarise(plan) == f"north/alpha: {words}; adds extra with 2 machines"
    pointers = {cause.pointer for pool in impact(plan, "Cluster").pools for cause in pool.causes}
    assert pointers == {"/spec/topology/version", "/spec/topology/workers/machineDeployments/0/replicas"}
    wanted["workers"]["machineDeployments"].pop(0)
    gone = {pool.pool: pool for pool in impact(await situation.plan(), "Cluster").pools}["general"]
    assert (gone.kind, gone.removed, len(gone.going)) == (ImpactClass.DELETE, 2, 2)


async def test_an_edit_of_a_topology_that_rolls_nothing_says_so() -> None:
    situation = await topology()
    situation.one("Cluster")["spec"]["topology"]["controlPlane"]["metadata"] = {"labels": {"a": "b"}}
    found = impact(await situation.plan(), "Cluster")
    assert (found.kind, found.replaced) == (ImpactClass.IN_PLACE, 0)
    assert found.notes == ("replaces no Machine: what its Machines are made from stays the same",)


async def test_a_runtime_extension_makes_every_machine_of_the_class_unknown() -> None:
    situation = await topology()
    situation.one("ClusterClass")["spec"]["patches"] = [{"name": "x", "external": {"generatePatchesExtension": "x"}}]
    found = impact(await situation.plan(), "ClusterClass")
    assert (found.kind, found.replaced) == (ImpactClass.UNKNOWN, 3)
    assert all("runtime extension" in pool.note for pool in found.pools)


async def test_a_deferred_pool_stays_as_it_is() -> None:
    situation = await topology()
    wanted = situation.one("Cluster")["spec"]["topology"]
    wanted["version"] = "v1.34.1"
    defer = {"annotations": {"topology.cluster.x-k8s.io/defer-upgrade": ""}}
    wanted["workers"]["machineDeployments"][0]["metadata"] = defer
    found = {pool.pool: pool for pool in impact(await situation.plan(), "Cluster").pools}
    assert (found["control-plane"].replaced, found["general"].replaced) == (1, 0)
    assert "deferred" in found["general"].note


async def test_a_class_reaches_every_cluster_that_names_it_with_few_lists() -> None:
    """Also those of other targets, and as many lists for five clusters as for fifty."""
    situation = await topology()
    reference = {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KubeadmControlPlane"}
    for number in range(5):
        name = f"other-{number}"
        other = topology_bodies(name)[-1]
        other["spec"]["controlPlaneRef"] = {**reference, "name": f"{name}-cp"}
        for one in (other, *topology_objects(name)):
            await situation.cluster.create(one)
    situation.one("ClusterClass")["spec"]["workers"]["machineDeployments"][0]["failureDomain"] = "a"
    plan = await situation.plan()
    found = impact(plan, "ClusterClass")
    assert {pool.cluster.name for pool in found.pools if pool.cluster and pool.replaced} == {
        "alpha",
        *(f"other-{number}" for number in range(5)),
    }
    assert found.replaced == 12
    assert "replaces 12 worker machines in 6 clusters" in summarise(plan)
    assert len(situation.cluster.listed) <= 16


async def test_the_json_of_a_plan_has_causes_and_totals() -> None:
    situation = await plain()
    situation.one("MachineDeployment")["spec"]["template"]["spec"]["failureDomain"] = "a"
    told = plan_to_json(await situation.plan())
    assert told["impact"]["workers"] == {"added": 0, "removed": 0, "replaced": 2}
    row = next(row for wave in told["waves"] for row in wave if row["key"].startswith("MachineDeployment"))
    assert row["impact"]["pools"][0]["causes"] == [
        {
            "object": row["key"],
            "pointer": "/spec/template/spec/failureDomain",
            "rule": "pool-failure-domain",
            "to": "a",
        }
    ]


async def test_the_text_of_a_plan_names_machines_and_notes() -> None:
    situation = await plain()
    situation.one("KubeadmControlPlane")["spec"]["kubeadmConfigSpec"]["clusterConfiguration"] = {
        "dns": {"imageTag": "v2"}
    }
    text = plan_to_text(await situation.plan())
    assert "note: replaces no Machine: DNS is updated in the running cluster" in text


def test_queries_are_ordered_with_and_without_a_namespace() -> None:
    some = [Query(group="g", kind="B", namespace="n"), Query(group="g", kind="A"), Query(group="g", kind="B")]
    assert [one.namespace for one in sorted(some)] == [None, None, "n"]
