"""Kinds and groups of Cluster API, and the order in which objects depend on each other."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from clusterops.model.key import ObjectKey

CORE: Final = "cluster.x-k8s.io"
BOOTSTRAP: Final = "bootstrap.cluster.x-k8s.io"
CONTROL_PLANE: Final = "controlplane.cluster.x-k8s.io"
INFRASTRUCTURE: Final = "infrastructure.cluster.x-k8s.io"
ADDONS: Final = "addons.cluster.x-k8s.io"

CLUSTER_NAME_LABEL: Final = "cluster.x-k8s.io/cluster-name"
TOPOLOGY_OWNED_LABEL: Final = "topology.cluster.x-k8s.io/owned"
"""Set by the topology controller on what it generates. Source: Cluster API api/core/v1beta2/common_types.go."""

_IDENTITY_SUFFIXES: Final = ("Identity", "StaticIdentity", "RoleIdentity")
_RBAC: Final = "rbac.authorization.k8s.io"
_CONFIGURATION: Final = frozenset({"Secret", "ConfigMap", "ServiceAccount", "LimitRange", "ResourceQuota"})


class Tier(IntEnum):
    """Objects of a tier need only objects of lower tiers to be there first."""

    NAMESPACE = 0
    CONFIGURATION = 1
    TEMPLATE = 2
    CLASS = 3
    WORKLOAD = 4
    CHECK = 5


def is_capi(key: ObjectKey) -> bool:
    """Core, bootstrap, control plane, infrastructure, addons, ipam and runtime groups."""
    return key.group == CORE or key.group.endswith("." + CORE)


def is_cluster(key: ObjectKey) -> bool:
    return key.group == CORE and key.kind == "Cluster"


def is_class(key: ObjectKey) -> bool:
    return key.group == CORE and key.kind == "ClusterClass"


def is_control_plane(key: ObjectKey) -> bool:
    return key.group == CONTROL_PLANE and not key.kind.endswith("Template")


def is_pool(key: ObjectKey) -> bool:
    return key.group == CORE and key.kind in {"MachineDeployment", "MachinePool", "MachineSet"}


def is_template(key: ObjectKey) -> bool:
    """``AWSMachineTemplate``, ``KubeadmConfigTemplate``: read when machines are made, otherwise inert."""
    return is_capi(key) and key.kind.endswith("Template")


def is_infrastructure(key: ObjectKey) -> bool:
    return key.group == INFRASTRUCTURE and not is_template(key) and not is_identity(key)


def is_identity(key: ObjectKey) -> bool:
    """Credentials of a provider (``AWSClusterRoleIdentity``, ``AzureClusterIdentity``): they hold nothing else."""
    return key.group == INFRASTRUCTURE and key.kind.endswith(_IDENTITY_SUFFIXES)


def is_definition(key: ObjectKey) -> bool:
    return key.group == "apiextensions.k8s.io" and key.kind == "CustomResourceDefinition"


def is_namespace(key: ObjectKey) -> bool:
    return key.group == "" and key.kind == "Namespace"


def of_cluster(name: str) -> str:
    """The label selector of what belongs to a Cluster of that name, within its namespace."""
    return f"{CLUSTER_NAME_LABEL}={name}"


def tier_of(key: ObjectKey) -> Tier:
    """Namespaces and CRDs, then credentials and RBAC, templates, ClusterClasses, the rest, health checks."""
    if is_namespace(key) or is_definition(key):
        return Tier.NAMESPACE
    if (key.group == "" and key.kind in _CONFIGURATION) or key.group == _RBAC or is_identity(key):
        return Tier.CONFIGURATION
    if is_template(key):
        return Tier.TEMPLATE
    if is_class(key):
        return Tier.CLASS
    if key.group == CORE and key.kind == "MachineHealthCheck":
        return Tier.CHECK
    return Tier.WORKLOAD
