"""Health reports, the one line for people, and waiting, against a model API server."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from clusterops.errors import TerminalError, TransientError
from clusterops.health import assess, read_health, wait_settled, waits_for
from clusterops.health.kstatus import judge_generic
from clusterops.health.wait import LAST_INTERVAL_S
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet, Unreadable
from clusterops.model.problem import Problem
from clusterops.model.report import HealthReport, HealthRow, HealthWord
from tests.fleet_objects import body, cluster_bodies, topology_bodies
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

CORE = "cluster.x-k8s.io"
NO_MOTION = dict.fromkeys(("RollingOut", "ScalingUp", "ScalingDown", "Remediating", "Deleting"), "False")
GOOD = dict.fromkeys(
    (
        "Available",
        "CertificatesAvailable",
        "ControlPlaneComponentsHealthy",
        "ControlPlaneMachinesUpToDate",
        "EtcdClusterHealthy",
        "Initialized",
        "MachinesReady",
        "MachinesUpToDate",
        "Ready",
        "RemediationAllowed",
        "RefVersionsUpToDate",
        "TopologyReconciled",
        "VariablesReady",
        "WorkerMachinesUpToDate",
    ),
    "True",
)


def settled_status(count: int, **changed: tuple[str, str]) -> dict[str, Any]:
    """Every condition as it should be, of generation 1; ``changed`` gives (status, message)."""
    conditions = [
        {"type": kind, "status": status, "observedGeneration": 1, "reason": kind, "message": ""}
        for kind, status in {**NO_MOTION, **GOOD}.items()
        if kind not in changed
    ]
    conditions += [
        {"type": kind, "status": status, "reason": "NotReady", "message": message}
        for kind, (status, message) in changed.items()
    ]
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "upToDateReplicas"), count)
    provisioned = {"provisioned": True, "controlPlaneInitialized": True}
    return {"observedGeneration": 1, "conditions": conditions, "initialization": provisioned, **counts}


async def managed(bodies: list[dict[str, Any]]) -> ModelCluster:
    """A model cluster as controllers would have left it."""
    cluster = ModelCluster()
    for one in bodies:
        await cluster.apply(one)
        if "spec" in one and not one["kind"].endswith("Template"):
            cluster.set_status(ObjectKey.of(one), settled_status((one["spec"] or {}).get("replicas", 0)))
    return cluster


def keys_of(bodies: list[dict[str, Any]]) -> tuple[ObjectKey, ...]:
    return tuple(ObjectKey.of(one) for one in bodies)


def key_of(kind: str) -> ObjectKey:
    return next(key for key in keys_of(cluster_bodies()) if key.kind == kind)


async def test_a_cluster_is_settled_when_all_of_it_is() -> None:
    cluster = await managed(cluster_bodies())
    assert (await read_health(cluster, keys_of(cluster_bodies()))).settled


async def test_a_control_plane_that_was_not_asked_for_counts_too() -> None:
    cluster = await managed(cluster_bodies())
    cluster.set_status(key_of("KubeadmControlPlane"), settled_status(1, RollingOut=("True", "1 of 3")))
    report = await read_health(cluster, [key_of("Cluster")])
    assert [row.key.kind for row in report.unsettled] == ["KubeadmControlPlane"]


async def test_absent_and_unreadable_objects_are_never_settled() -> None:
    gone, unread = key_of("ConfigMap"), key_of("Secret")
    problem = Problem(code="api-forbidden", subject="Secret", message="get is forbidden")
    live = LiveSet({gone: Absent(key=gone), unread: Unreadable(key=unread, problem=problem)})
    words = {row.key: (row.word, row.reason) for row in assess(live, [gone, unread, key_of("Cluster")]).rows}
    assert words == {
        gone: (HealthWord.NOT_FOUND, "NotFound"),
        unread: (HealthWord.UNKNOWN, "ApiForbidden"),
        key_of("Cluster"): (HealthWord.UNKNOWN, "NotRead"),
    }


async def test_only_the_machines_that_are_not_settled_are_told() -> None:
    cluster = await managed(cluster_bodies())
    labels = {"labels": {"cluster.x-k8s.io/cluster-name": "alpha"}}
    for name in ("good", "bad"):
        await cluster.apply(body(f"{CORE}/v1beta2", "Machine", name, spec={"x": 1}, metadata=labels))
        status = {**NO_MOTION, **dict.fromkeys(("BootstrapConfigReady", "InfrastructureReady", "NodeHealthy"), "True")}
        status |= {"Ready": "True", "Available": "True", "NodeReady": "True" if name == "good" else "Unknown"}
        conditions = [{"type": kind, "status": value, "reason": "Waiting"} for kind, value in status.items()]
        machine = ObjectKey(group=CORE, kind="Machine", namespace="north", name=name)
        cluster.set_status(machine, {"observedGeneration": 1, "conditions": conditions})
    for pool_says in ("True", "False"):
        cluster.set_status(key_of("MachineDeployment"), settled_status(2, MachinesReady=(pool_says, "")))
        report = await read_health(cluster, keys_of(cluster_bodies()))
        assert [row.key.name for row in report.rows if row.key.kind == "Machine"] == ["bad"]
        assert waits_for(report) == "Machine bad: NodeReady is Unknown"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            ("KubeadmControlPlane", "* Machine cp-x: * NodeHealthy: silent"),
            "Machine cp-x: NodeHealthy: silent",
        ),
        (("MachineDeployment", "* Machines alpha-a, alpha-b: waiting"), "Machine alpha-a: waiting"),
        (("DevCluster", "no load balancer yet"), "DevCluster alpha: no load balancer yet"),
    ],
)
def test_the_deepest_cause_is_named(row: tuple[str, str], text: str) -> None:
    kind, message = row
    rows = [
        HealthRow(key=key_of("Cluster"), word=HealthWord.IN_PROGRESS, message="something below"),
        HealthRow(key=key_of(kind), word=HealthWord.IN_PROGRESS, message=message),
    ]
    assert waits_for(HealthReport(rows=tuple(rows))) == text


def test_nothing_is_waited_for_when_all_is_settled() -> None:
    assert waits_for(HealthReport(rows=(HealthRow(key=key_of("Cluster"), word=HealthWord.CURRENT),))) == ""


async def topology_world(**pool: Any) -> ModelCluster:
    """A Cluster with a topology, its control plane and its pool, all reported settled."""
    bodies = topology_bodies(workers=2)
    cluster = bodies[-1]
    reference = {"apiGroup": f"controlplane.{CORE}", "kind": "KubeadmControlPlane", "name": "alpha-cp"}
    cluster["spec"]["controlPlaneRef"] = reference
    told = {"replicas": 1, "version": "v1.33.4"}
    plane = body(f"controlplane.{CORE}/v1beta2", "KubeadmControlPlane", "alpha-cp", spec=told)
    labels = {
        "cluster.x-k8s.io/cluster-name": "alpha",
        "topology.cluster.x-k8s.io/deployment-name": "general",
        "topology.cluster.x-k8s.io/owned": "",
    }
    spec = {"replicas": 2, "template": {"spec": {"version": "v1.33.4"}}} | pool
    deployment = body(f"{CORE}/v1beta2", "MachineDeployment", "alpha-general-x", spec=spec, metadata={"labels": labels})
    return await managed([*bodies, plane, deployment])


async def test_a_topology_is_settled_when_its_objects_carry_it() -> None:
    report = await read_health(await topology_world(), keys_of(topology_bodies()))
    assert report.settled, waits_for(report)
    assert {"KubeadmControlPlane", "MachineDeployment"} <= {row.key.kind for row in report.rows}


@pytest.mark.parametrize(
    "pool", [{"replicas": 1}, {"template": {"spec": {"version": "v1.32.0"}}}], ids=["count", "version"]
)
async def test_a_pool_that_does_not_carry_the_topology_yet_is_waited_for(pool: dict[str, Any]) -> None:
    report = await read_health(await topology_world(**pool), keys_of(topology_bodies()))
    assert [(row.key.kind, row.reason) for row in report.unsettled] == [("Cluster", "TopologyNotCarried")]


async def test_waiting_ends_with_the_change_that_settles() -> None:
    class Finishing(ModelCluster):
        reads = 0

        async def read(self, keys: Any, *, fresh: bool = False) -> LiveSet:
            self.reads += 1
            if self.reads == 20:
                self.set_status(key_of("MachineDeployment"), settled_status(2))
            return await super().read(keys)

    cluster, clock, seen = Finishing(), SkippingClock(), list[HealthReport]()
    cluster.objects = (await managed(cluster_bodies())).objects
    cluster.set_status(key_of("MachineDeployment"), settled_status(2, RollingOut=("True", "1 of 2")))
    report = await wait_settled(cluster, keys_of(cluster_bodies()), deadline_s=600, clock=clock, on_change=seen.append)
    assert report.settled
    assert [one.settled for one in seen] == [False, True]
    assert clock.slept[0] == 0.5
    assert max(clock.slept) == LAST_INTERVAL_S
    assert clock.slept == sorted(clock.slept)


async def test_at_the_deadline_the_last_report_comes_back() -> None:
    cluster, clock = await managed(cluster_bodies()), SkippingClock()
    cluster.set_status(key_of("MachineDeployment"), settled_status(2, RollingOut=("True", "1 of 2")))
    report = await wait_settled(cluster, keys_of(cluster_bodies()), deadline_s=33, clock=clock)
    assert not report.settled
    assert clock.elapsed_s == pytest.approx(33)


async def test_an_api_server_that_is_away_is_waited_for() -> None:
    class Away(ModelCluster):
        left = 3

        async def read(self, keys: Any, *, fresh: bool = False) -> LiveSet:
            self.left -= 1
            if self.left > 0:
                raise TransientError("api-unreachable", "management cluster", "connection refused")
            return await super().read(keys)

    cluster = Away()
    cluster.objects = (await managed(cluster_bodies())).objects
    seen: list[HealthReport] = []
    report = await wait_settled(
        cluster, keys_of(cluster_bodies()), deadline_s=60, clock=SkippingClock(), on_change=seen.append
    )
    assert report.settled
    assert {row.word for row in seen[0].rows} == {HealthWord.UNKNOWN}


def said(kind: str, status: str, reason: str = "R") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": status, "reason": reason}]}}


@pytest.mark.parametrize(
    ("api_version", "kind", "content", "word"),
    [
        ("v1", "ConfigMap", {}, HealthWord.CURRENT),
        ("v1", "Namespace", {"status": {"phase": "Active"}}, HealthWord.CURRENT),
        ("v1", "Namespace", {"status": {"phase": "Terminating"}}, HealthWord.TERMINATING),
        ("v1", "PersistentVolumeClaim", {"status": {"phase": "Pending"}}, HealthWord.IN_PROGRESS),
        ("v1", "Service", {"spec": {"type": "LoadBalancer"}}, HealthWord.IN_PROGRESS),
        ("v1", "Service", {"spec": {"type": "ClusterIP"}}, HealthWord.CURRENT),
        ("x.io/v1", "Thing", {"status": {"observedGeneration": 1}}, HealthWord.IN_PROGRESS),
        (
            "x.io/v1",
            "Thing",
            said("Ready", "False"),
            HealthWord.IN_PROGRESS,
        ),
        ("x.io/v1", "Thing", said("Stalled", "True"), HealthWord.FAILED),
        (
            "x.io/v1",
            "Thing",
            said("Reconciling", "True"),
            HealthWord.IN_PROGRESS,
        ),
        ("x.io/v1", "Thing", said("Ready", "True"), HealthWord.CURRENT),
        ("apps/v1", "Deployment", {"spec": {"replicas": 1}}, HealthWord.IN_PROGRESS),
        (
            "apps/v1",
            "Deployment",
            {
                "status": {
                    "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
                }
            },
            HealthWord.FAILED,
        ),
        ("batch/v1", "Job", said("Failed", "True"), HealthWord.FAILED),
        ("batch/v1", "Job", {"status": {"startTime": "2026-11-21T00:00:00Z"}}, HealthWord.CURRENT),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, HealthWord.IN_PROGRESS),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            said("Established", "True"),
            HealthWord.CURRENT,
        ),
    ],
)
def test_other_kinds_follow_kstatus(api_version: str, kind: str, content: dict[str, Any], word: HealthWord) -> None:
    metadata = {"name": "x", "namespace": "n", "generation": 2}
    found = LiveObject.of({"apiVersion": api_version, "kind": kind, "metadata": metadata, **content})
    assert judge_generic(found.key, found.body).word is word


def test_a_deployment_is_current_when_no_old_pod_is_left() -> None:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), 2)
    available = [{"type": "Available", "status": "True"}]
    metadata = {"name": "x", "namespace": "n", "generation": 2}
    raw = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 2}}
    status = {**counts, "observedGeneration": 2, "conditions": available}
    done = LiveObject.of({**raw, "status": status})
    assert judge_generic(done.key, done.body).word is HealthWord.CURRENT
    surplus = LiveObject.of({**raw, "status": {**status, "replicas": 3}})
    assert judge_generic(surplus.key, surplus.body).word is HealthWord.IN_PROGRESS


async def test_members_that_may_not_be_listed_leave_the_cluster_unknown() -> None:
    """Nobody knows then whether a pool of an earlier commit is still on its way out."""

    class Forbidding(ModelCluster):
        async def list_objects(self, group: str, kind: str, **query: Any) -> tuple[LiveObject, ...]:
            raise TerminalError("api-forbidden", kind, "list is forbidden")

    cluster = Forbidding()
    cluster.objects = (await managed(cluster_bodies())).objects
    report = await read_health(cluster, keys_of(cluster_bodies()))
    assert [(row.key.kind, row.word, row.reason) for row in report.unsettled] == [
        ("Cluster", HealthWord.UNKNOWN, "ApiForbidden")
    ]


async def test_machines_of_an_older_template_are_waited_for_whatever_the_conditions_say() -> None:
    cluster = await managed(cluster_bodies())
    pool = key_of("MachineDeployment")
    older = copy.deepcopy(cluster.objects[pool]["spec"]["template"])
    older["spec"]["infrastructureRef"]["name"] = "before"
    labels = {"cluster.x-k8s.io/cluster-name": "alpha"}
    machine_set = body(
        f"{CORE}/v1beta2",
        "MachineSet",
        "alpha-general-x",
        spec={"replicas": 2, "template": older},
        metadata={"labels": labels},
    )
    await cluster.apply(machine_set)
    stored = cluster.objects[ObjectKey.of(machine_set)]
    stored["metadata"]["ownerReferences"] = [{"uid": cluster.objects[pool]["metadata"]["uid"]}]
    cluster.set_status(ObjectKey.of(machine_set), settled_status(2))
    report = await read_health(cluster, keys_of(cluster_bodies()))
    assert [(row.key, row.reason) for row in report.unsettled] == [(pool, "RollingOut")]
    assert waits_for(report) == "MachineDeployment alpha-general: 2 machines are of an older template"
    stored["spec"]["replicas"], stored["status"]["replicas"] = 0, 0
    assert (await read_health(cluster, keys_of(cluster_bodies()))).settled


async def test_a_copy_of_a_template_that_the_class_no_longer_names_is_waited_for() -> None:
    """An edit of a class raises no generation of its Clusters."""
    infrastructure = {"apiGroup": f"infrastructure.{CORE}", "kind": "DevMachineTemplate", "name": "alpha-general-copy"}
    spec = {"version": "v1.33.4", "infrastructureRef": infrastructure}
    cluster = await topology_world(template={"spec": spec})
    made = body(f"infrastructure.{CORE}/v1beta2", "DevMachineTemplate", "alpha-general-copy", spec={})
    made["metadata"]["annotations"]["cluster.x-k8s.io/cloned-from-name"] = "small-before"
    await cluster.apply(made)
    report = await read_health(cluster, keys_of(topology_bodies()))
    assert waits_for(report) == (
        "Cluster alpha: pool general still uses a copy of small-before, its class names small-worker"
    )
    cluster.objects[ObjectKey.of(made)]["metadata"]["annotations"]["cluster.x-k8s.io/cloned-from-name"] = "small-worker"
    assert (await read_health(cluster, keys_of(topology_bodies()))).settled
