"""When an object of Cluster API is settled."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.capi.conditions import judge
from clusterops.model.key import ObjectKey
from clusterops.model.report import HealthWord

CORE = "cluster.x-k8s.io"
STEADY = {"RollingOut": "False", "ScalingUp": "False", "ScalingDown": "False", "Remediating": "False"}
CLUSTER = {
    **STEADY,
    "Available": "True",
    "Deleting": "False",
    "ControlPlaneMachinesUpToDate": "True",
    "WorkerMachinesUpToDate": "True",
}
POOL = {**STEADY, "Available": "True", "MachinesReady": "True", "MachinesUpToDate": "True"}
SET = {name: POOL[name] for name in POOL if name not in {"Available", "RollingOut"}}
PLANE = {
    **POOL,
    "Initialized": "True",
    "CertificatesAvailable": "True",
    "ControlPlaneComponentsHealthy": "True",
    "EtcdClusterHealthy": "True",
}
MACHINE = dict.fromkeys(
    ("Available", "Ready", "BootstrapConfigReady", "InfrastructureReady", "NodeReady", "NodeHealthy", "UpToDate"),
    "True",
)
COUNTS = {"replicas": 3, "upToDateReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}
RULES = [("Cluster", CLUSTER), ("KubeadmControlPlane", PLANE), ("MachineDeployment", POOL), ("MachineSet", SET)]


def live(kind: str, conditions: dict[str, str], *, group: str = "", **status: Any) -> dict[str, Any]:
    labels = {"cluster.x-k8s.io/deployment-name": "p"}
    group = group or ("controlplane.cluster.x-k8s.io" if kind == "KubeadmControlPlane" else CORE)
    return {
        "apiVersion": f"{group}/v1beta2",
        "kind": kind,
        "metadata": {"name": "x", "namespace": "n", "generation": 4, "labels": labels},
        "spec": {"replicas": 3, "version": "v1.34.1"},
        "status": {
            "observedGeneration": 4,
            "conditions": [{"type": kind, "status": value, "reason": "R"} for kind, value in conditions.items()],
            **(COUNTS if kind != "Cluster" else {}),
            **status,
        },
    }


def word(body: dict[str, Any]) -> HealthWord:
    verdict = judge(ObjectKey.of(body), body)
    assert verdict is not None
    return verdict.word


@pytest.mark.parametrize(("kind", "conditions"), [*RULES, ("Machine", MACHINE)])
def test_all_conditions_as_required_are_settled(kind: str, conditions: dict[str, str]) -> None:
    assert word(live(kind, conditions)) is HealthWord.CURRENT


@pytest.mark.parametrize(
    ("kind", "conditions", "missing"),
    [
        (kind, conditions, one)
        for kind, conditions in [*RULES, ("Machine", MACHINE)]
        for one in conditions
        if one != "UpToDate"
    ],
)
def test_each_required_condition_must_be_there_and_have_its_value(
    kind: str, conditions: dict[str, str], missing: str
) -> None:
    turned = {**conditions, missing: "False" if conditions[missing] == "True" else "True"}
    absent = {name: value for name, value in conditions.items() if name != missing}
    unknown = {**conditions, missing: "Unknown"}
    assert {word(live(kind, one)) for one in (turned, absent, unknown)} == {HealthWord.IN_PROGRESS}


@pytest.mark.parametrize(("kind", "conditions"), RULES)
def test_a_status_of_an_older_generation_is_not_settled(kind: str, conditions: dict[str, str]) -> None:
    assert word(live(kind, conditions, observedGeneration=3)) is HealthWord.IN_PROGRESS


@pytest.mark.parametrize("kind", ["KubeadmControlPlane", "MachineDeployment"])
@pytest.mark.parametrize("count", COUNTS)
def test_counts_must_agree_with_the_conditions(kind: str, count: str) -> None:
    conditions = dict(RULES)[kind]
    body = live(kind, conditions)
    body["status"][count] = 2
    assert word(body) is HealthWord.IN_PROGRESS


def test_etcd_health_is_asked_of_managed_etcd_only() -> None:
    conditions = {kind: value for kind, value in PLANE.items() if kind != "EtcdClusterHealthy"}
    external = live("KubeadmControlPlane", conditions)
    external["spec"]["kubeadmConfigSpec"] = {
        "clusterConfiguration": {"etcd": {"external": {"endpoints": ["https://e"]}}}
    }
    assert word(external) is HealthWord.CURRENT
    assert word(live("KubeadmControlPlane", conditions)) is HealthWord.IN_PROGRESS


def test_a_topology_has_its_own_generation() -> None:
    body = live("Cluster", CLUSTER)
    body["spec"] = {"topology": {"version": "v1.34.1"}}
    assert word(body) is HealthWord.IN_PROGRESS
    condition = {"type": "TopologyReconciled", "status": "True", "observedGeneration": 3}
    body["status"]["conditions"].append(condition)
    assert word(body) is HealthWord.IN_PROGRESS
    condition["observedGeneration"] = 4
    assert word(body) is HealthWord.CURRENT


def test_nothing_reported_is_unknown_and_never_settled() -> None:
    for kind, _ in RULES:
        body = live(kind, {})
        del body["status"]
        assert word(body) is HealthWord.UNKNOWN


def test_paused_and_deleted_are_words_of_their_own() -> None:
    assert word(live("Cluster", {**CLUSTER, "Paused": "True"})) is HealthWord.PAUSED
    gone = live("Cluster", {**CLUSTER, "Deleting": "True"})
    gone["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
    assert word(gone) is HealthWord.TERMINATING


def test_another_control_plane_is_judged_by_the_contract() -> None:
    group = "controlplane.cluster.x-k8s.io"
    status = {"initialization": {"controlPlaneInitialized": True}, "version": "v1.34.1"}
    body = live("AWSManagedControlPlane", {"Ready": "True"}, group=group, **status)
    assert word(body) is HealthWord.CURRENT
    assert word({**body, "status": {**body["status"], "version": "v1.33.4"}}) is HealthWord.IN_PROGRESS
    assert word({**body, "status": {**body["status"], "initialization": {}}}) is HealthWord.IN_PROGRESS
    assert word({**body, "status": {**body["status"], "readyReplicas": 2}}) is HealthWord.IN_PROGRESS


def test_infrastructure_is_provisioned_and_then_ready() -> None:
    group = "infrastructure.cluster.x-k8s.io"
    body = live("AWSCluster", {"Ready": "False"}, group=group, initialization={"provisioned": True})
    assert word(body) is HealthWord.IN_PROGRESS
    old = {**live("AWSCluster", {}, group=group, ready=True), "apiVersion": f"{group}/v1beta1"}
    assert word(old) is HealthWord.CURRENT
    assert word({**old, "status": {"ready": False}}) is HealthWord.IN_PROGRESS


def test_the_old_contract_is_read_from_its_own_conditions() -> None:
    body = {**live("MachineDeployment", {"Ready": "True"}, updatedReplicas=3), "apiVersion": f"{CORE}/v1beta1"}
    assert word(body) is HealthWord.CURRENT
    assert word({**body, "status": {**body["status"], "unavailableReplicas": 1}}) is HealthWord.IN_PROGRESS
    failed = {**body, "status": {**body["status"], "failureReason": "CreateError", "failureMessage": "quota"}}
    assert word(failed) is HealthWord.FAILED


def test_a_halted_health_check_is_not_settled() -> None:
    assert word(live("MachineHealthCheck", {"RemediationAllowed": "False"})) is HealthWord.IN_PROGRESS
    assert word(live("MachineHealthCheck", {"RemediationAllowed": "True"})) is HealthWord.CURRENT
