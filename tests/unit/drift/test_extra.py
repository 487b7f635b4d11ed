"""Objects of a cluster that nobody accounts for."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.drift import extras
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject

CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="north", name="alpha")


def found(kind: str = "MachineDeployment", *, api: str = "cluster.x-k8s.io/v1beta2", **metadata: Any) -> LiveObject:
    labels = {"cluster.x-k8s.io/cluster-name": "alpha", **metadata.pop("labels", {})}
    whole = {"name": "stray", "namespace": "north", "uid": "u", "labels": labels, **metadata}
    return LiveObject.of({"apiVersion": api, "kind": kind, "metadata": whole})


def owner(kind: str, name: str, *, controller: bool = False) -> dict[str, Any]:
    return {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": kind, "name": name, "uid": "u", "controller": controller}


def test_what_was_put_beside_a_cluster_by_hand_is_extra_though_the_cluster_owns_it() -> None:
    for stray in (found(), found(ownerReferences=[owner("Cluster", "alpha")])):
        assert extras([stray], {CLUSTER}) == [stray]


@pytest.mark.parametrize(
    "accounted",
    [
        found(ownerReferences=[owner("MachineSet", "general-x", controller=True)]),
        found(ownerReferences=[owner("Cluster", "alpha"), owner("Machine", "m")]),
        found(labels={"topology.cluster.x-k8s.io/owned": ""}),
        found("Secret", api="v1", name="alpha-kubeconfig"),
        found(deletionTimestamp="2026-11-21T10:00:00Z"),
        found(namespace="south"),
        found(labels={"cluster.x-k8s.io/cluster-name": "beta"}),
        found("Cluster", name="alpha"),
    ],
)
def test_what_a_controller_made_or_other_clusters_have_is_not(accounted: LiveObject) -> None:
    assert extras([accounted], {CLUSTER}) == []


def test_what_stands_in_an_inventory_is_not() -> None:
    assert extras([found()], {CLUSTER, found().key}) == []
