"""Which kinds have no namespace, for rendered objects that do not name one.

**Source:** Kubernetes v1.36 (`kubectl api-resources --namespaced=false`), and `spec.scope: Cluster` in the CRDs of
Cluster API v1.14.0 and its providers AWS v2.13.0, OpenStack v0.14.2, vSphere v1.14.0, Azure v1.21.0, GCP v1.13.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"Namespace", "Node", "PersistentVolume", "ComponentStatus"}),
    "admissionregistration.k8s.io": frozenset(
        {
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        }
    ),
    "apiextensions.k8s.io": frozenset({"CustomResourceDefinition"}),
    "apiregistration.k8s.io": frozenset({"APIService"}),
    "certificates.k8s.io": frozenset({"CertificateSigningRequest", "ClusterTrustBundle"}),
    "flowcontrol.apiserver.k8s.io": frozenset({"FlowSchema", "PriorityLevelConfiguration"}),
    "networking.k8s.io": frozenset({"IngressClass", "IPAddress", "ServiceCIDR"}),
    "node.k8s.io": frozenset({"RuntimeClass"}),
    "policy": frozenset({"PodSecurityPolicy"}),
    "rbac.authorization.k8s.io": frozenset({"ClusterRole", "ClusterRoleBinding"}),
    "resource.k8s.io": frozenset({"DeviceClass", "DeviceTaintRule", "ResourceSlice"}),
    "scheduling.k8s.io": frozenset({"PriorityClass"}),
    "storage.k8s.io": frozenset({"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"}),
    "runtime.cluster.x-k8s.io": frozenset({"ExtensionConfig"}),
    "infrastructure.cluster.x-k8s.io": frozenset(
        {
            "AWSClusterControllerIdentity",
            "AWSClusterRoleIdentity",
            "AWSClusterStaticIdentity",
            "OpenStackClusterIdentity",
            "VSphereClusterIdentity",
            "VSphereDeploymentZone",
            "VSphereFailureDomain",
        }
    ),
    "ipam.cluster.x-k8s.io": frozenset({"GlobalInClusterIPPool"}),
    "cert-manager.io": frozenset({"ClusterIssuer"}),
}


class Scopes:
    """The table, and what CustomResourceDefinitions rendered together with the objects say of their own kinds."""

    def __init__(self, bodies: Iterable[Mapping[str, Any]] = ()) -> None:
        self._declared: dict[tuple[str, str], bool] = {}
        for body in bodies:
            if body.get("kind") == "CustomResourceDefinition":
                self._declare(body.get("spec"))

    def is_cluster_scoped(self, group: str, kind: str) -> bool:
        declared = self._declared.get((group, kind))
        return kind in _KINDS.get(group, ()) if declared is None else declared

    def _declare(self, spec: Any) -> None:
        if isinstance(spec, Mapping) and isinstance(spec.get("names"), Mapping):
            key = (str(spec.get("group")), str(spec["names"].get("kind")))
            self._declared[key] = spec.get("scope") == "Cluster"
