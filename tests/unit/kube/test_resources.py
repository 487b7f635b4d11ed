"""Discovery documents, new and old."""

from __future__ import annotations

from clusterops.kube.resources import Resource, ServedKinds, parse_aggregated, parse_group_versions, parse_legacy


def test_the_first_version_is_preferred_and_any_served_one_is_found() -> None:
    document = {
        "items": [
            {
                "metadata": {"name": "cluster.x-k8s.io"},
                "versions": [
                    {"version": version, "resources": [_aggregated("clusters", "Cluster")]}
                    for version in ("v1beta2", "v1beta1")
                ],
            },
            {
                "metadata": {},
                "versions": [{"version": "v1", "resources": [_aggregated("namespaces", "Namespace", "Cluster")]}],
            },
        ]
    }
    kinds = ServedKinds.of(parse_aggregated(document))
    cluster = kinds.find("cluster.x-k8s.io", "Cluster")
    assert cluster is not None
    assert cluster.path("fra1", "a:b") == "/apis/cluster.x-k8s.io/v1beta2/namespaces/fra1/clusters/a%3Ab"
    assert kinds.versions("cluster.x-k8s.io", "Cluster") == ("v1beta2", "v1beta1")
    assert kinds.find("cluster.x-k8s.io", "Cluster", "v1alpha3") is None
    namespace = kinds.find("", "Namespace")
    assert namespace is not None
    assert namespace.path(None, "fra1") == "/api/v1/namespaces/fra1"


def _aggregated(plural: str, kind: str, scope: str = "Namespaced") -> dict[str, object]:
    return {"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": scope}


def test_old_documents_give_the_preferred_version_first_and_no_subresources() -> None:
    groups = {
        "groups": [
            {
                "name": "apps",
                "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            }
        ]
    }
    assert parse_group_versions({"versions": ["v1"]}, groups) == [("", "v1"), ("apps", "v1"), ("apps", "v1beta1")]
    resources = [
        {"name": "deployments", "kind": "Deployment", "namespaced": True},
        {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
    ]
    assert list(parse_legacy("apps", "v1", {"resources": resources})) == [
        Resource(group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True)
    ]
