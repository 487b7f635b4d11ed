"""Fields that stay as they were created."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fleet_objects import body, cluster_bodies, reference, topology_bodies
from tests.unit.plan.test_build import World
from tests.unit.plan.test_rules_versions import PLANE, POOL, Bodies, codes, edited, row

FIXED = "field-immutable"
INFRA, CONTROL = "infrastructure.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io"
KUBEADM = ("spec", "kubeadmConfigSpec")
CHECK = "MachineHealthCheck"


def with_set(strategy: str = "ApplyOnce", team: str = "a") -> Bodies:
    spec = {"strategy": strategy, "clusterSelector": {"matchLabels": {"team": team}}}
    return [*cluster_bodies(), body("addons.cluster.x-k8s.io/v1beta2", "ClusterResourceSet", "cni", spec=spec)]


@pytest.mark.parametrize(
    ("kind", "path", "value", "refused"),
    [
        (POOL, ("spec", "clusterName"), "beta", True),
        (POOL, ("spec", "selector"), {"matchLabels": {"pool": "other"}}, True),
        (POOL, ("spec", "replicas"), 7, False),
        (CHECK, ("spec", "clusterName"), "beta", True),
        ("Cluster", ("spec", "infrastructureRef"), reference(INFRA, "AWSCluster", "alpha"), True),
        ("Cluster", ("spec", "infrastructureRef", "name"), "other", True),
        ("Cluster", ("spec", "controlPlaneRef"), reference(CONTROL, "TalosControlPlane", "alpha-cp"), True),
        ("Cluster", ("spec", "topology"), {"classRef": {"name": "small"}, "version": "v1.33.4"}, True),
        ("Cluster", ("spec", "paused"), True, False),
        (PLANE, (*KUBEADM, "clusterConfiguration", "certificatesDir"), "/etc/pki", True),
        (PLANE, (*KUBEADM, "clusterConfiguration", "etcd"), {"external": {"endpoints": ["https://e"]}}, True),
        (PLANE, (*KUBEADM, "clusterConfiguration", "etcd"), {"local": {"dataDir": "/data"}}, False),
        (PLANE, (*KUBEADM, "clusterConfiguration", "apiServer"), {"extraArgs": [{"name": "v", "value": "2"}]}, False),
        (PLANE, (*KUBEADM, "initConfiguration", "nodeRegistration", "criSocket"), "unix:///other", False),
        (PLANE, (*KUBEADM, "initConfiguration", "certificateKey"), "abc", True),
        (PLANE, (*KUBEADM, "files"), [{"path": "/etc/a", "content": "x"}], False),
        (PLANE, ("spec", "rollout"), {"strategy": {"type": "RollingUpdate"}}, False),
    ],
)
def test_a_change_of_one_field(kind: str, path: tuple[str, ...], value: Any, refused: bool) -> None:
    plan = World(cluster_bodies()).plan(edited(cluster_bodies(), kind, *path, value=value))
    reason = row(plan, kind).reason
    assert (reason is not None and reason.code == FIXED) is refused, reason
    if refused and reason is not None:
        assert f"/{path[0]}/{path[1]}" in reason.message
        assert reason.hint


@pytest.mark.parametrize("after", [with_set(strategy="Reconcile"), with_set(team="b")])
def test_a_resource_set_keeps_strategy_and_selector(after: Bodies) -> None:
    assert codes(World(with_set()).plan(after)) == {"ClusterResourceSet": FIXED}


def test_labels_that_webhooks_add_to_a_selector_are_no_change() -> None:
    world = World(cluster_bodies())
    key = world.key(POOL)
    labels = world.cluster.objects[key]["spec"]["selector"]["matchLabels"]
    labels |= {"cluster.x-k8s.io/cluster-name": "alpha", "cluster.x-k8s.io/deployment-name": "alpha-general"}
    assert codes(world.plan(edited(cluster_bodies(), POOL, "spec", "replicas", value=3))) == {}


def test_a_topology_is_not_given_up() -> None:
    bodies = topology_bodies()
    cluster = next(one for one in bodies if one["kind"] == "Cluster")
    cluster["spec"] = {"clusterNetwork": {"serviceDomain": "cluster.local"}}
    assert codes(World(topology_bodies()).plan(bodies)) == {"Cluster": FIXED}


def two_classes(named: str, kind: str = "DevMachineTemplate") -> Bodies:
    """A Cluster under ``named``, with the classes small and large in its target."""
    small = topology_bodies(class_name="small")
    large = topology_bodies(class_name="large")
    worker = next(one for one in large if one["kind"] == "ClusterClass")["spec"]["workers"]["machineDeployments"][0]
    worker["infrastructure"]["templateRef"]["kind"] = kind
    if kind != "DevMachineTemplate":
        name = worker["infrastructure"]["templateRef"]["name"]
        large.append(body(f"{INFRA}/v1beta2", kind, name, spec={"template": {"spec": {}}}))
    cluster = next(one for one in small if one["kind"] == "Cluster")
    cluster["spec"]["topology"]["classRef"] = {"name": named}
    return [*small, *(one for one in large if one["kind"] != "Cluster")]


def test_a_cluster_moves_to_a_class_of_the_same_kinds_alone() -> None:
    assert codes(World(two_classes("small")).plan(two_classes("large"))) == {}
    other = "AWSMachineTemplate"
    assert codes(World(two_classes("small", other)).plan(two_classes("large", other))) == {"Cluster": FIXED}


def test_a_class_keeps_the_kinds_of_its_templates() -> None:
    assert codes(World(two_classes("small")).plan(two_classes("small", "AWSMachineTemplate"))) == {
        "ClusterClass": FIXED
    }
