"""How far the deletion of a Cluster is, and who has to remove a finalizer.

**Source:** Cluster API v1.14 core/reconcilers/cluster/cluster_controller.go (reconcileDelete: hook, workers, control
plane, infrastructure, in this order) and api/*/v1beta2 (names of the finalizers).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from clusterops.capi.conditions import conditions_of
from clusterops.model.deletion import Step
from clusterops.model.key import ObjectKey

CONTROL_PLANE_LABEL: Final = "cluster.x-k8s.io/control-plane"
_STEPS: Final = {
    "WaitingForBeforeDeleteHook": Step.HOOK,
    "WaitingForWorkersDeletion": Step.WORKERS,
    "WaitingForControlPlaneDeletion": Step.CONTROL_PLANE,
    "WaitingForInfrastructureDeletion": Step.INFRASTRUCTURE,
}
_CORE_FINALIZERS: Final = frozenset(
    {
        "cluster.cluster.x-k8s.io",
        "machine.cluster.x-k8s.io",
        "machinepool.cluster.x-k8s.io",
        "cluster.x-k8s.io/machinedeployment",
        "cluster.x-k8s.io/machineset",
        "machinedeployment.topology.cluster.x-k8s.io",
        "machineset.topology.cluster.x-k8s.io",
        "cluster.x-k8s.io/deletecluster",
    }
)
_OF_KUBERNETES: Final = {
    "foregroundDeletion": "Kubernetes' garbage collector, which waits for what the object owns",
    "orphan": "Kubernetes' garbage collector",
}
_GROUPS: Final = (
    (".controlplane.cluster.x-k8s.io", "control-plane provider"),
    (".bootstrap.cluster.x-k8s.io", "bootstrap provider"),
    ("addons.cluster.x-k8s.io", "Cluster API's core controller (addons)"),
    (".ipam.cluster.x-k8s.io", "IPAM provider"),
)
_PROVIDER_KIND: Final = re.compile(
    r"(.+?)(ManagedCluster|ManagedControlPlane|ManagedMachinePool|MachinePool|MachineTemplate|Machine|Cluster)$"
)


def step_of(cluster: Mapping[str, Any]) -> tuple[Step, str]:
    """Of a Cluster in deletion: the step and the reason of its Deleting condition, "" before there is one."""
    reason = str((conditions_of(cluster).get("Deleting") or {}).get("reason") or "")
    return _STEPS.get(reason, Step.BEGUN), reason if reason not in {"", "NotDeleting"} else ""


def is_control_plane_machine(labels: Mapping[str, str]) -> bool:
    return CONTROL_PLANE_LABEL in labels


def finalizer_owner(finalizer: str, key: ObjectKey) -> str:
    """Whose finalizer it is, in words: ``the OpenStack provider`` for one of its group on an OpenStackCluster."""
    if finalizer in _OF_KUBERNETES:
        return _OF_KUBERNETES[finalizer]
    if finalizer in _CORE_FINALIZERS:
        return "Cluster API's core controller"
    if finalizer.endswith(".infrastructure.cluster.x-k8s.io") or finalizer.startswith("infrastructure."):
        found = _PROVIDER_KIND.match(key.kind)
        return f"the {found.group(1)} infrastructure provider" if found else "the infrastructure provider"
    for suffix, owner in _GROUPS:
        if finalizer.endswith(suffix):
            name = finalizer.removesuffix(suffix)
            return f"the {name} {owner}" if name and suffix.startswith(".") else owner
    return _somebody(finalizer)


def is_known(finalizer: str, key: ObjectKey) -> bool:
    """Whether it belongs to Cluster API, one of its providers or Kubernetes."""
    return finalizer_owner(finalizer, key) != _somebody(finalizer)


def _somebody(finalizer: str) -> str:
    domain, slash, _ = finalizer.partition("/")
    return f"whoever serves {domain}" if slash or "." in domain else f"the controller that set {finalizer}"
