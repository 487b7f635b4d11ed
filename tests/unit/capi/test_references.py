"""Which objects a body names, and which belong together."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.capi.kinds import Tier, tier_of
from clusterops.capi.references import closed_group, cluster_of, names, references
from clusterops.model.key import ObjectKey, group_of
from tests.fleet_objects import body, cluster_bodies

INFRA, CORE, BOOT = "infrastructure.cluster.x-k8s.io", "cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"


def key(group: str, kind: str, name: str, namespace: str | None = "north") -> ObjectKey:
    return ObjectKey(group=group, kind=kind, namespace=namespace, name=name)


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "named"),
    [
        (
            f"{CORE}/v1beta2",
            "Cluster",
            {"infrastructureRef": {"apiGroup": INFRA, "kind": "AWSCluster", "name": "a"}},
            key(INFRA, "AWSCluster", "a"),
        ),
        (
            f"{CORE}/v1beta1",
            "Cluster",
            {"controlPlaneRef": {"apiVersion": f"controlplane.{CORE}/v1beta1", "kind": "KCP", "name": "a"}},
            key(f"controlplane.{CORE}", "KCP", "a"),
        ),
        (
            f"{CORE}/v1beta1",
            "Cluster",
            {"infrastructureRef": {"apiVersion": f"{INFRA}/v1beta1", "kind": "X", "name": "a", "namespace": "other"}},
            key(INFRA, "X", "a", "other"),
        ),
        (f"{CORE}/v1beta2", "Cluster", {"topology": {"classRef": {"name": "c"}}}, key(CORE, "ClusterClass", "c")),
        (
            f"{CORE}/v1beta2",
            "Cluster",
            {"topology": {"classRef": {"name": "c", "namespace": "classes"}}},
            key(CORE, "ClusterClass", "c", "classes"),
        ),
        (
            f"{CORE}/v1beta1",
            "Cluster",
            {"topology": {"class": "c", "classNamespace": "classes"}},
            key(CORE, "ClusterClass", "c", "classes"),
        ),
        (f"{CORE}/v1beta2", "Cluster", {}, key("", "Secret", "it-ca")),
        (
            f"{CORE}/v1beta2",
            "ClusterClass",
            {"infrastructure": {"templateRef": {"apiVersion": f"{INFRA}/v1beta2", "kind": "XTemplate", "name": "t"}}},
            key(INFRA, "XTemplate", "t"),
        ),
        (
            f"{CORE}/v1beta1",
            "ClusterClass",
            {"infrastructure": {"ref": {"apiVersion": f"{INFRA}/v1beta1", "kind": "XTemplate", "name": "t"}}},
            key(INFRA, "XTemplate", "t"),
        ),
        (
            f"{INFRA}/v1beta1",
            "OpenStackCluster",
            {"identityRef": {"name": "s", "cloudName": "o"}},
            key("", "Secret", "s"),
        ),
        (
            f"{INFRA}/v1beta1",
            "OpenStackCluster",
            {"identityRef": {"type": "ClusterIdentity", "name": "s"}},
            key(INFRA, "ClusterIdentity", "s"),
        ),
        (
            f"{INFRA}/v1beta2",
            "AWSCluster",
            {"identityRef": {"kind": "AWSClusterRoleIdentity", "name": "r"}},
            key(INFRA, "AWSClusterRoleIdentity", "r"),
        ),
        (
            f"{INFRA}/v1beta1",
            "VSphereCluster",
            {"identityRef": {"kind": "Secret", "name": "s"}},
            key("", "Secret", "s"),
        ),
        (
            f"{INFRA}/v1beta1",
            "GCPCluster",
            {"credentialsRef": {"name": "s", "namespace": "other"}},
            key("", "Secret", "s", "other"),
        ),
        (
            f"{BOOT}/v1beta2",
            "KubeadmConfigTemplate",
            {"template": {"spec": {"files": [{"path": "/x", "contentFrom": {"secret": {"name": "s", "key": "k"}}}]}}},
            key("", "Secret", "s"),
        ),
        (
            f"addons.{CORE}/v1beta2",
            "ClusterResourceSet",
            {"resources": [{"kind": "ConfigMap", "name": "cni"}]},
            key("", "ConfigMap", "cni"),
        ),
    ],
)
def test_a_body_names(api_version: str, kind: str, spec: dict[str, Any], named: ObjectKey) -> None:
    assert named in references(body(api_version, kind, "it", spec=spec))


def test_an_object_belongs_to_a_cluster_by_its_spec_or_its_label() -> None:
    by_label = body("v1", "ConfigMap", "x", metadata={"labels": {"cluster.x-k8s.io/cluster-name": "alpha"}})
    assert cluster_of(by_label) == key(CORE, "Cluster", "alpha")
    assert cluster_of(cluster_bodies()[-1]) == key(CORE, "Cluster", "alpha")
    assert cluster_of(body("v1", "ConfigMap", "x")) is None


def test_a_reference_means_a_cluster_scoped_object_too() -> None:
    assert names(key(INFRA, "AWSClusterRoleIdentity", "r"), key(INFRA, "AWSClusterRoleIdentity", "r", None))
    assert not names(key("", "Secret", "s"), key("", "Secret", "s", "south"))


def test_a_closed_group_is_all_that_names_the_cluster_or_is_reached_from_it() -> None:
    bodies = cluster_bodies(infrastructure="OpenStackCluster")
    bodies[6]["spec"] = {"identityRef": {"name": "alpha-cloud"}}
    stranger = cluster_bodies("beta")
    owner = key(CORE, "Cluster", "alpha")
    group = closed_group([owner], [(ObjectKey.of(one), one) for one in [*bodies, *stranger]])
    assert group == {ObjectKey.of(one) for one in bodies} - {key("", "ConfigMap", "alpha-notes")}


def test_tiers_follow_what_needs_what() -> None:
    tiers = [tier_of(ObjectKey.of(one)) for one in cluster_bodies()]
    assert tiers == [Tier.CONFIGURATION] * 2 + [Tier.TEMPLATE] * 3 + [Tier.WORKLOAD] * 4 + [Tier.CHECK]
    assert tier_of(key("", "Namespace", "n", None)) is Tier.NAMESPACE
    assert tier_of(key("apiextensions.k8s.io", "CustomResourceDefinition", "n", None)) is Tier.NAMESPACE
    assert tier_of(key(CORE, "ClusterClass", "c")) is Tier.CLASS
    assert tier_of(key(INFRA, "AWSClusterRoleIdentity", "c", None)) is Tier.CONFIGURATION
    assert group_of("v1") == ""
