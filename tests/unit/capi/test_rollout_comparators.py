"""Cluster API's comparators, case by case as upstream's source has them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from clusterops.capi.rollout.control_planes import expiring, machine_differences
from clusterops.capi.rollout.kubeadm import config_differences
from clusterops.capi.rollout.pools import outdated, template_differences, used_set
from clusterops.capi.rollout.spelling import moment, replicas_of, surge_of
from clusterops.model.live import LiveObject
from tests.fleet_objects import cluster_bodies
from tests.machine_objects import machine_set, plane_machine, worker

VERSION = "v1.33.4"


def live(body: dict[str, Any]) -> LiveObject:
    copied = copy.deepcopy(body)
    copied["metadata"].setdefault("uid", f"uid-{copied['metadata']['name']}")
    return LiveObject.of(copied)


def pool() -> dict[str, Any]:
    return copy.deepcopy(next(one for one in cluster_bodies() if one["kind"] == "MachineDeployment"))


def control_plane() -> dict[str, Any]:
    return copy.deepcopy(next(one for one in cluster_bodies() if one["kind"] == "KubeadmControlPlane"))


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (("version",), "v1.34.1", "pool-version"),
        (("bootstrap", "configRef", "name"), "other", "pool-bootstrap-template"),
        (("bootstrap", "dataSecretName"), "secret", "pool-bootstrap-secret"),
        (("infrastructureRef", "name"), "other", "pool-infrastructure-template"),
        (("infrastructureRef", "kind"), "AWSMachineTemplate", "pool-infrastructure-template"),
        (("failureDomain",), "a", "pool-failure-domain"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pool_rolls_for_these_fields(path: tuple[str, ...], value: str, rule: str) -> None:
    before = pool()["spec"]["template"]["spec"]
    after = copy.deepcopy(before)
    there = after
    for step in path[:-1]:
        there = there[step]
    there[path[-1]] = value
    assert [one.rule for one in template_differences(before, after)] == [rule]


def test_a_pool_rolls_for_nothing_else() -> None:
    before = pool()["spec"]["template"]["spec"]
    after = {
        **before,
        "failureDomain": "",
        "minReadySeconds": 5,
        "readinessGates": [{"conditionType": "X"}],
        "taints": [{"key": "a", "effect": "NoSchedule"}],
        "deletion": {"nodeDrainTimeoutSeconds": 5},
    }
    assert template_differences(before, after) == ()


def test_the_version_of_a_reference_never_matters() -> None:
    after = pool()["spec"]["template"]["spec"]
    old = copy.deepcopy(after)
    old["infrastructureRef"] = {
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
        "kind": "DevMachineTemplate",
        "name": "alpha-general",
    }
    assert template_differences(old, after) == ()


def test_of_several_matching_sets_the_largest_is_used_and_the_others_go() -> None:
    small, large = live(machine_set("small", replicas=1)), live(machine_set("large", replicas=2))
    assert used_set(pool(), [small, large]) is large
    machines = [("small", live(worker("one", "small"))), ("large", live(worker("two", "large")))]
    gone = outdated(pool(), {"small": small, "large": large}, machines)
    assert {uid: [one.rule for one in why] for uid, why in gone.items()} == {"uid-one": ["pool-other-machine-set"]}


def test_an_old_set_that_matches_again_is_reused() -> None:
    """A rollout that is taken back half-way: the new Machines go, the old ones stay."""
    old, new = live(machine_set("old", replicas=2)), live(machine_set("new", replicas=1, machines="other"))
    machines = [("old", live(worker("one", "old"))), ("new", live(worker("two", "new")))]
    assert set(outdated(pool(), {"old": old, "new": new}, machines)) == {"uid-two"}


def test_rollout_after_takes_what_was_made_before_it() -> None:
    wanted = pool()
    wanted["spec"]["rollout"] = {"after": "2026-11-20T12:00:00Z"}
    before = live(machine_set("before", created="2026-11-20T11:59:59Z"))
    after = live(machine_set("after", created="2026-11-20T12:00:00Z", replicas=1))
    assert used_set(wanted, [before]) is None
    assert used_set(wanted, [before, after]) is after
    gone = outdated(wanted, {"before": before}, [("before", live(worker("one", "before")))])
    assert [one.rule for one in gone["uid-one"]] == ["rollout-after"]


def plane_differences(wanted: dict[str, Any], *, version: str = VERSION) -> list[tuple[str, str]]:
    machine, config, infrastructure = (live(one) for one in plane_machine("alpha-cp-0", version=version))
    found = machine_differences(wanted, machine.body, config=config, infrastructure=infrastructure)
    return [(one.rule, one.pointer) for one in found]


def test_a_control_plane_as_it_was_made_keeps_its_machines() -> None:
    assert plane_differences(control_plane()) == []


def test_a_control_plane_rolls_for_version_and_template() -> None:
    wanted = control_plane()
    wanted["spec"]["version"] = "v1.33.5"
    wanted["spec"]["machineTemplate"]["spec"]["infrastructureRef"]["name"] = "other"
    assert plane_differences(wanted) == [
        ("control-plane-version", "/spec/version"),
        ("control-plane-infrastructure-template", "/spec/machineTemplate/spec/infrastructureRef"),
    ]


def test_what_cannot_be_found_counts_as_matching() -> None:
    """As upstream has it: a failed read must not roll a control plane."""
    machine = live(plane_machine("alpha-cp-0")[0])
    wanted = control_plane()
    wanted["spec"]["kubeadmConfigSpec"]["preKubeadmCommands"] = ["true"]
    assert machine_differences(wanted, machine.body, config=None, infrastructure=None) == ()


NODE = {"nodeRegistration": {"criSocket": "unix:///c.sock"}}
GATE = {"featureGates": {"ControlPlaneKubeletLocalMode": True}}
JOINED: dict[str, Any] = {
    "clusterConfiguration": GATE,
    "joinConfiguration": {**NODE, "controlPlane": {}},
    "format": "cloud-config",
}
FIRST: dict[str, Any] = {"clusterConfiguration": GATE, "initConfiguration": NODE, "format": "cloud-config"}
SPEC: dict[str, Any] = {"initConfiguration": NODE, "joinConfiguration": NODE}


@pytest.mark.parametrize("machine", [JOINED, FIRST], ids=["joined", "first"])
@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        {**SPEC, "format": "cloud-config"},
        {**SPEC, "clusterConfiguration": {"dns": {"imageTag": "v1.12.1"}}},
        {**SPEC, "clusterConfiguration": {"controlPlaneEndpoint": "one:6443"}},
        {**SPEC, "clusterConfiguration": {"apiServer": {"extraArgs": [], "extraEnvs": []}, "etcd": {"local": {}}}},
        {**SPEC, "files": [], "preKubeadmCommands": [], "users": [], "ntp": {"servers": []}, "mounts": []},
        {**SPEC, "joinConfiguration": {**NODE, "discovery": {"bootstrapToken": {"token": "a"}}}},
        {**SPEC, "joinConfiguration": {**NODE, "timeouts": {"controlPlaneComponentHealthCheckSeconds": 300}}},
        {
            **SPEC,
            "joinConfiguration": {"nodeRegistration": {**NODE["nodeRegistration"], "imagePullPolicy": "IfNotPresent"}},
        },
    ],
    ids=[
        "same",
        "format",
        "dns",
        "endpoint",
        "empty-structs",
        "empty-lists",
        "discovery",
        "health-check",
        "pull-policy",
    ],
)
def test_this_never_rolls_a_control_plane(spec: dict[str, Any], machine: dict[str, Any]) -> None:
    assert config_differences(spec, VERSION, machine) == ()


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        ({**SPEC, "files": [{"path": "/a", "content": "b"}]}, "/files"),
        ({**SPEC, "preKubeadmCommands": ["true"]}, "/preKubeadmCommands"),
        ({**SPEC, "users": [{"name": "a"}]}, "/users"),
        ({**SPEC, "clusterConfiguration": {"apiServer": {"certSANs": ["a"]}}}, "/clusterConfiguration/apiServer"),
        ({**SPEC, "clusterConfiguration": {"featureGates": {"X": False}}}, "/clusterConfiguration/featureGates/X"),
        ({**SPEC, "format": "ignition"}, "/format"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("machine", [JOINED, FIRST], ids=["joined", "first"])
def test_this_rolls_a_control_plane(spec: dict[str, Any], pointer: str, machine: dict[str, Any]) -> None:
    assert [where for where, _, _ in config_differences(spec, VERSION, machine)] == [pointer]


def test_no_taints_and_none_said_are_not_the_same() -> None:
    node = {"nodeRegistration": {**NODE["nodeRegistration"], "taints": []}}
    found = config_differences({"initConfiguration": node, "joinConfiguration": node}, VERSION, JOINED)
    assert [where for where, _, _ in found] == ["/joinConfiguration/nodeRegistration/taints"]


def test_the_first_machine_matches_by_either_reading() -> None:
    """``kubeadm init`` made it: its own configuration may differ from that of those that join."""
    other = {"nodeRegistration": {"criSocket": "unix:///other.sock"}}
    spec = {"initConfiguration": NODE, "joinConfiguration": other}
    assert config_differences(spec, VERSION, FIRST) == ()
    assert config_differences(spec, VERSION, JOINED) != ()


@pytest.mark.parametrize(
    ("version", "gate"), [("v1.30.9", False), ("v1.31.0", True), ("v1.35.2", True), ("v1.36.0", False)]
)
def test_the_gate_of_local_kubelets_is_as_kcp_sets_it(version: str, gate: bool) -> None:
    there = JOINED if gate else {**JOINED, "clusterConfiguration": {}}
    assert config_differences(SPEC, version, there) == ()


def test_certificates_that_expire_soon_roll_when_it_is_late_enough() -> None:
    wanted = control_plane()
    wanted["spec"]["rollout"] = {"before": {"certificatesExpiryDays": 30}}
    machine = {"status": {"certificatesExpiryDate": "2026-12-31T00:00:00Z"}}
    assert [one.rule for one in expiring(wanted, machine, moment("2026-12-02T00:00:00Z"))] == ["rollout-before"]
    assert expiring(wanted, machine, moment("2026-12-01T00:00:00Z")) == ()
    assert expiring(wanted, machine, None) == ()


def test_counts_are_defaulted_as_the_server_does() -> None:
    sizes = {
        "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size": "3",
        "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size": "9",
    }
    assert replicas_of({"spec": {}}) == 1
    assert replicas_of({"metadata": {"annotations": sizes}, "spec": {}}) == 3
    assert replicas_of({"spec": {"replicas": 0}}) == 0
    rolling = {"rollout": {"strategy": {"rollingUpdate": {"maxSurge": "25%"}}}}
    assert surge_of({"spec": rolling}, 5) == 2
    assert surge_of({"spec": {}}, 5) == 1


def test_a_control_plane_in_v1beta1_compares_with_machines_in_v1beta2() -> None:
    """Arguments are maps there and lists here, sorted by name."""
    wanted = control_plane()
    wanted["apiVersion"] = "controlplane.cluster.x-k8s.io/v1beta1"
    wanted["spec"]["machineTemplate"] = {
        "infrastructureRef": wanted["spec"]["machineTemplate"]["spec"]["infrastructureRef"]
    }
    kubeadm = wanted["spec"]["kubeadmConfigSpec"]
    kubeadm["clusterConfiguration"] = {"apiServer": {"timeoutForControlPlane": "20m"}, "networking": {}, "kind": "X"}
    kubeadm["useExperimentalRetryJoin"] = True
    assert plane_differences(wanted) == []
    kubeadm["clusterConfiguration"]["apiServer"]["extraArgs"] = {"v": "2", "a": "1"}
    machine, config, infrastructure = (live(one) for one in plane_machine("alpha-cp-0"))
    found = machine_differences(wanted, machine.body, config=config, infrastructure=infrastructure)
    expected = {"extraArgs": [{"name": "a", "value": "1"}, {"name": "v", "value": "2"}]}
    assert [one.after for one in found] == [expected]
    there = config.body["spec"]["clusterConfiguration"]
    there["apiServer"] = expected
    assert machine_differences(wanted, machine.body, config=config, infrastructure=infrastructure) == ()
