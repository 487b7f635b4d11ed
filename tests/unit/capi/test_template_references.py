"""Where owners name templates, in both spellings."""

from __future__ import annotations

from typing import Any

from clusterops.capi.template_references import follows_templates, template_references, with_templates
from clusterops.model.key import ObjectKey
from tests.fleet_objects import body, cluster_bodies, topology_bodies

INFRA = "infrastructure.cluster.x-k8s.io"
OLD: dict[str, Any] = {"apiVersion": f"{INFRA}/v1beta1", "kind": "DevMachineTemplate", "name": "t"}
NEW: dict[str, Any] = {"apiGroup": INFRA, "kind": "DevMachineTemplate", "name": "t"}


def places(kind: str, spec: dict[str, Any]) -> list[str]:
    return [one.place for one in template_references(body("cluster.x-k8s.io/v1", kind, "a", spec=spec))]


def test_a_place_is_the_same_in_every_version() -> None:
    old: dict[str, Any] = {"machineTemplate": {"infrastructureRef": OLD}}
    new: dict[str, Any] = {"machineTemplate": {"spec": {"infrastructureRef": NEW}}}
    assert places("KubeadmControlPlane", old) == places("KubeadmControlPlane", new) == ["infrastructureRef"]
    old = {"workers": {"machineDeployments": [{"class": "w", "template": {"infrastructure": {"ref": OLD}}}]}}
    new = {"workers": {"machineDeployments": [{"class": "w", "infrastructure": {"templateRef": OLD}}]}}
    assert places("ClusterClass", old) == places("ClusterClass", new) == ["workers/machineDeployments/w/infrastructure"]


def test_a_class_names_all_its_templates_wherever_they_stand_in_a_list() -> None:
    spec = next(one for one in topology_bodies() if one["kind"] == "ClusterClass")["spec"]
    assert places("ClusterClass", spec) == [
        "infrastructure",
        "controlPlane",
        "controlPlane/machineInfrastructure",
        "workers/machineDeployments/worker/bootstrap",
        "workers/machineDeployments/worker/infrastructure",
    ]
    spec["workers"]["machineDeployments"].insert(0, {"class": "first", "infrastructure": {"templateRef": OLD}})
    assert places("ClusterClass", spec)[-2:] == [
        "workers/machineDeployments/worker/bootstrap",
        "workers/machineDeployments/worker/infrastructure",
    ]


def test_a_selector_of_a_patch_and_a_live_object_are_no_templates() -> None:
    selector = {"selector": {"apiVersion": f"{INFRA}/v1beta2", "kind": "DevMachineTemplate", "matchResources": {}}}
    live = {"infrastructureRef": {"apiGroup": INFRA, "kind": "DevCluster", "name": "alpha"}}
    assert places("ClusterClass", {"patches": [{"definitions": [selector]}], **live}) == []


def test_who_follows() -> None:
    followed = {one["kind"] for one in (*cluster_bodies(), *topology_bodies()) if follows_templates(ObjectKey.of(one))}
    assert followed == {"Cluster", "ClusterClass", "KubeadmControlPlane", "MachineDeployment"}
    assert not follows_templates(ObjectKey.of(body("cluster.x-k8s.io/v1beta2", "MachinePool", "a")))


def test_only_the_names_change_and_the_body_given_stays() -> None:
    pool = next(one for one in cluster_bodies() if one["kind"] == "MachineDeployment")
    found = {one.place: one for one in template_references(pool)}
    sent = with_templates(pool, {found["infrastructureRef"].path: "other"})
    assert sent["spec"]["template"]["spec"]["infrastructureRef"]["name"] == "other"
    assert pool["spec"]["template"]["spec"]["infrastructureRef"]["name"] == "alpha-general"
    assert with_templates(sent, {found["infrastructureRef"].path: "alpha-general"}) == pool
