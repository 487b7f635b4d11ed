"""Whose name stands in managedFields, and what that says about taking a field from them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from clusterops.model.managers import OURS

KEEPS_REPLICAS: Final = "clusterops-replicas"
"""Holds the live count of a pool while nobody else has claimed it yet: a count without any owner falls to 1."""


class Kin(StrEnum):
    """Who a field manager is to us."""

    OURS = "ClusterOps"
    AUTOSCALER = "the autoscaler"
    CONTROLLER = "a controller"
    TOOL = "another tool that is live"
    PERSON = "a person"
    UNKNOWN = "unknown"


_TOOLS: Final[Mapping[str, str]] = {
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "gotk-kustomize-controller": "Flux",
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "argocd-server": "Argo CD",
    "fleetagent": "Rancher Fleet",
    "fleet-agent": "Rancher Fleet",
    "fleet-controller": "Rancher Fleet",
    "configsync": "Config Sync",
    "reconciler": "Config Sync",
}
_CLUSTER_API: Final = frozenset({"manager", "core", "bootstrap", "control-plane", "dev"})
"""A controller that names itself nowhere is called like its binary: ``manager`` in upstream's images, the others where
the toolchain builds them. Those that do name themselves begin with ``capi-`` or their provider's name.

**Source:** Cluster API v1.14 core/reconcilers/*/..._controller.go and structuredmerge/serversidepatchhelper.go
(``capi-topology``), and what they write in a sandbox.
"""
CLUSTER_API_MANAGERS: Final = (*sorted(_CLUSTER_API), "capi-*", "cluster-api*")
"""Globs of the names that Cluster API's controllers write under."""
_CONTROLLERS: Final = ("controller", "operator", "manager", "kube-apiserver", "scheduler")


def kin(name: str) -> Kin:
    """By name alone. A name that nobody knows is UNKNOWN, unless it says itself that it is a controller's."""
    if name in {OURS, KEEPS_REPLICAS}:
        return Kin.OURS
    if "autoscaler" in name:
        return Kin.AUTOSCALER
    if name in _TOOLS:
        return Kin.TOOL
    if name == "kubectl" or name.startswith("kubectl-"):
        return Kin.PERSON
    if name in _CLUSTER_API or name.startswith(("capi-", "cluster-api")):
        return Kin.CONTROLLER
    return Kin.CONTROLLER if any(word in name for word in _CONTROLLERS) else Kin.UNKNOWN


def tool(name: str) -> str:
    """The product behind a manager's name, "" where it is no tool that applies manifests."""
    return _TOOLS.get(name, "")
