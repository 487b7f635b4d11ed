"""References to what exists nowhere, what the plan reads to know, and what a topology asks of its class."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from clusterops.model.inventory import empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Plan
from clusterops.plan import also_read, build_plan, prepare
from tests.fleet_objects import body, cluster_bodies, rendered, target, topology_bodies
from tests.unit.plan.test_build import World, without
from tests.unit.plan.test_rules_versions import PLANE, POOL, Bodies, codes, edited, row

MISSING, LATER = "reference-missing", "reference-not-yet"
INFRA = "infrastructure.cluster.x-k8s.io"
IDENTITY = "AWSClusterRoleIdentity"


def identified(kind: str = IDENTITY, name: str = "fleet-eu") -> Bodies:
    """A cluster whose infrastructure names credentials."""
    bodies = cluster_bodies(infrastructure="AWSCluster")
    return edited(bodies, "AWSCluster", "spec", "identityRef", value={"kind": kind, "name": name})


def credentials(kind: str = IDENTITY, name: str = "fleet-eu") -> dict[str, Any]:
    return body(f"{INFRA}/v1beta2", kind, name, namespace=None)


def asked(world: World, bodies: Bodies) -> set[str]:
    """``Kind name`` of what a plan reads beyond the target."""
    wanted = rendered(bodies)
    live = asyncio.run(world.cluster.read({*wanted.keys, *world.inventory.keys}))
    found: set[ObjectKey] = set()
    while more := also_read(wanted, live, world.inventory):
        found |= more
        live = LiveSet({**live.objects, **asyncio.run(world.cluster.read(more)).objects})
    return {f"{key.kind} {key.name}" for key in found}


def planned_after(bodies: Bodies, coming: Iterable[dict[str, Any]]) -> Plan:
    """A first sync beside shared targets of the same commit."""
    world = World([])
    wanted = rendered(bodies)
    live = asyncio.run(world.cluster.read({*wanted.keys}))
    while more := also_read(wanted, live, world.inventory):
        live = LiveSet({**live.objects, **asyncio.run(world.cluster.read(more)).objects})
    manifests = [Manifest.of(one) for one in coming]
    return build_plan(
        target=target(),
        revision="c1",
        prepared=prepare(wanted, live, world.inventory),
        live=live,
        inventory=world.inventory,
        predictions={},
        coming={one.key: one for one in manifests},
    )


@pytest.mark.parametrize("dropped", ["KubeadmConfigTemplate", "AWSCluster", PLANE])
def test_a_new_cluster_names_only_what_exists(dropped: str) -> None:
    plan = World([]).plan(without(cluster_bodies(infrastructure="AWSCluster"), dropped))
    refused = {row.reason.text for row in plan.changes if row.action is Action.REFUSE and row.reason}
    assert any(dropped in text and f"({MISSING})" in text for text in refused)


def test_what_is_in_the_target_or_live_is_not_missing() -> None:
    assert codes(World([]).plan(cluster_bodies())) == {}
    assert codes(World([]).plan(topology_bodies())) == {}
    world = World([])
    world.cluster.edit(
        ObjectKey(group="", kind="Secret", namespace="north", name="cloud"),
        lambda raw: raw.update(body("v1", "Secret", "cloud")),
        manager="person",
    )
    plan = world.plan(identified("Secret", "cloud"))
    assert row(plan, "AWSCluster").action is Action.CREATE


def test_a_secret_that_is_not_there_yet_is_waited_for() -> None:
    """People and other controllers make Secrets, so this ends by itself."""
    plan = World([]).plan(identified("Secret", "cloud"))
    found = row(plan, "AWSCluster")
    assert (found.action, found.reason.code if found.reason else "") == (Action.HOLD, LATER)


@pytest.mark.parametrize("suffix", ["kubeconfig", "ca"])
def test_secrets_that_cluster_api_makes_are_not_missing(suffix: str) -> None:
    files = [{"path": "/etc/x", "contentFrom": {"secret": {"name": f"alpha-{suffix}", "key": "value"}}}]
    bodies = edited(cluster_bodies(), PLANE, "spec", "kubeadmConfigSpec", "files", value=files)
    assert row(World([]).plan(bodies), PLANE).action is Action.CREATE
    assert not any(name.startswith("Secret") for name in asked(World([]), bodies))


def test_an_identity_without_a_namespace_is_missing_and_with_a_shared_target_that_brings_it_is_not() -> None:
    assert codes(planned_after(identified(), []))["AWSCluster"] == MISSING
    assert codes(planned_after(identified(), [credentials()])) == {}


def test_an_identity_that_its_controller_makes_is_not_missing() -> None:
    assert codes(World([]).plan(identified("AWSClusterControllerIdentity", "default"))) == {}


def test_secrets_of_templates_and_what_a_class_patches_in_are_looked_for_elsewhere() -> None:
    bodies = topology_bodies()
    edited(bodies, "DevClusterTemplate", "spec", "template", "spec", "identityRef", value={"name": "of-each-cluster"})
    value = {"apiVersion": f"{INFRA}/v1beta2", "kind": "DevMachineTemplate", "name": "written-later"}
    change = {"definitions": [{"jsonPatches": [{"op": "add", "path": "/spec/ref", "value": value}]}]}
    edited(bodies, "ClusterClass", "spec", "patches", value=[change])
    assert not [found for found in World([]).plan(bodies).changes if found.action is not Action.CREATE]


def test_a_kind_that_is_not_served_or_cannot_be_read_is_doubt() -> None:
    world = World([])
    world.cluster.unserved.add((INFRA, IDENTITY))
    assert codes(world.plan(identified())) == {}
    other = World([])
    for namespace in (None, "north"):
        other.cluster.unreadable.add(ObjectKey(group=INFRA, kind=IDENTITY, namespace=namespace, name="fleet-eu"))
    assert codes(other.plan(identified())) == {}


def test_an_unchanged_target_and_one_that_names_nothing_outside_read_nothing_more() -> None:
    assert asked(World([]), cluster_bodies()) == set()
    assert asked(World([]), topology_bodies()) == set()
    outside = without(topology_bodies(), "ClusterClass")
    world = World(topology_bodies())
    assert asked(world, outside) == set()
    assert "ClusterClass small" in asked(World([]), outside)


def test_a_pool_alone_in_its_target_is_measured_by_the_live_control_plane() -> None:
    world = World(without(cluster_bodies(version="v1.34.1"), POOL))
    world.inventory = empty_inventory("north/alpha")
    pool = [one for one in cluster_bodies(version="v1.35.0") if one["kind"] in {POOL, "DevMachineTemplate"}]
    pool.append(next(one for one in cluster_bodies() if one["kind"] == "KubeadmConfigTemplate"))
    assert asked(world, pool) >= {"Cluster alpha", "KubeadmControlPlane alpha-cp"}
    assert codes(world.plan(pool)).get(POOL) == "pool-above-control-plane"


def varied(name: str, *, defined: tuple[str, ...] = ("imageId", "zone"), override: bool = False) -> Bodies:
    bodies = topology_bodies()
    schema = {"openAPIV3Schema": {"type": "string"}}
    variables = [{"name": one, "required": False, "schema": schema} for one in defined]
    edited(bodies, "ClusterClass", "spec", "variables", value=variables)
    value = [{"name": name, "value": "x"}]
    if override:
        topology = next(one for one in bodies if one["kind"] == "Cluster")["spec"]["topology"]
        topology["workers"]["machineDeployments"][0]["variables"] = {"overrides": value}
        return bodies
    return edited(bodies, "Cluster", "spec", "topology", "variables", value=value)


@pytest.mark.parametrize("override", [False, True])
def test_a_variable_is_one_that_the_class_defines(override: bool) -> None:
    assert codes(World([]).plan(varied("imageId", override=override))) == {}
    plan = World([]).plan(varied("imageID", override=override))
    assert codes(plan) == {"Cluster": "topology-variable-undefined"}
    reason = row(plan, "Cluster").reason
    assert reason is not None
    assert reason.hint == "did you mean imageId?"


def test_variables_that_only_an_extension_knows_are_doubt() -> None:
    bodies = varied("imageID")
    external = [{"name": "ext", "external": {"discoverVariablesExtension": "discover.ext"}}]
    assert codes(World([]).plan(edited(bodies, "ClusterClass", "spec", "patches", value=external))) == {}


def test_a_shared_class_of_the_same_commit_counts_with_its_new_variables() -> None:
    cluster = [one for one in varied("added") if one["kind"] == "Cluster"]
    shared = without(varied("added", defined=("added",)), "Cluster")
    assert codes(planned_after(cluster, shared)) == {}
    assert codes(planned_after(cluster, without(varied("added"), "Cluster"))) == {
        "Cluster": "topology-variable-undefined"
    }


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("spec", "kubernetesVersions"), ["v1.33.4", "v1.34.1"], ""),
        (("spec", "kubernetesVersions"), ["v1.34.1"], "topology-version-undefined"),
        (("spec", "workers"), {"machineDeployments": []}, "topology-class-undefined"),
    ],
)
def test_a_topology_takes_worker_classes_and_versions_of_its_class(
    path: tuple[str, ...], value: Any, code: str
) -> None:
    bodies = edited(topology_bodies(), "ClusterClass", *path, value=value)
    assert codes(World([]).plan(bodies)) == ({"Cluster": code} if code else {})


def test_a_reference_changes_with_its_api_version_only_in_spelling() -> None:
    """v1beta1 names a version where v1beta2 names a group."""
    spelled = {"apiVersion": f"{INFRA}/v1beta1", "kind": "DevCluster", "name": "alpha", "namespace": "north"}
    bodies = edited(cluster_bodies(), "Cluster", "spec", "infrastructureRef", value=spelled)
    assert codes(World(cluster_bodies()).plan(bodies)) == {}
