"""When an object of Cluster API is settled, from its own status.

**Source:** Cluster API v1.14 api/core/v1beta2 and api/controlplane/kubeadm/v1beta2 (condition types), its contract
documents for control-plane and infrastructure providers, and what the real controllers did right after a scale and
an upgrade: ``Available`` alone never suffices, a required condition must be present, and the status must be of
this generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clusterops.capi.kinds import (
    CONTROL_PLANE,
    CORE,
    is_control_plane,
    is_infrastructure,
)
from clusterops.capi.kinds import (
    is_cluster as is_cluster_key,
)
from clusterops.model.key import ObjectKey, version_of
from clusterops.model.report import HealthWord

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One object's health. ``reason`` is CamelCase as in conditions; ``message`` for people, one line."""

    word: HealthWord
    reason: str = ""
    message: str = ""


SETTLED: Final = Verdict(word=HealthWord.CURRENT)

_STEADY: Final = {"RollingOut": "False", "ScalingUp": "False", "ScalingDown": "False", "Remediating": "False"}
_CLUSTER: Final = {
    **_STEADY,
    "Deleting": "False",
    "ControlPlaneMachinesUpToDate": "True",
    "WorkerMachinesUpToDate": "True",
    "Available": "True",
}
_MACHINES: Final = {"MachinesUpToDate": "True", "MachinesReady": "True"}
_KUBEADM: Final = {
    **_STEADY,
    **_MACHINES,
    "CertificatesAvailable": "True",
    "Initialized": "True",
    "ControlPlaneComponentsHealthy": "True",
    "EtcdClusterHealthy": "True",
    "Available": "True",
}
_POOL: Final = {**_STEADY, **_MACHINES, "Available": "True"}
_MACHINE_SET: Final = {**_MACHINES, "ScalingUp": "False", "ScalingDown": "False", "Remediating": "False"}
"""It says neither Available nor RollingOut. **Source:** Cluster API api/core/v1beta2/machineset_types.go, and seen."""
_MACHINE: Final = {
    "InfrastructureReady": "True",
    "BootstrapConfigReady": "True",
    "NodeReady": "True",
    "NodeHealthy": "True",
    "Ready": "True",
    "Available": "True",
}
_MEMBER_LABELS: Final = frozenset({"cluster.x-k8s.io/control-plane", "cluster.x-k8s.io/deployment-name"})
"""Only a control plane and a MachineDeployment say whether their Machines are up to date."""
_REMEDIATE: Final = "cluster.x-k8s.io/remediate-machine"
"""A health check sees the mark a moment later. **Source:** Cluster API api/core/v1beta2/machine_types.go."""
_HEALTH_CHECK: Final = {"RemediationAllowed": "True"}
_CLASS: Final = {"VariablesReady": "True", "RefVersionsUpToDate": "True"}
REQUIRED: Final[Mapping[str, Mapping[str, str]]] = {
    "Cluster": {**_CLUSTER, "TopologyReconciled": "True"},
    "KubeadmControlPlane": _KUBEADM,
    "MachineDeployment": _POOL,
    "MachineSet": _MACHINE_SET,
    "Machine": {**_MACHINE, "UpToDate": "True"},
    "MachineHealthCheck": _HEALTH_CHECK,
    "ClusterClass": _CLASS,
}
"""Status of each condition that a settled object has, by kind, where the condition applies to it."""
_COUNTS: Final = ("replicas", "upToDateReplicas", "availableReplicas", "readyReplicas")
_LEGACY_COUNTS: Final = ("replicas", "updatedReplicas", "readyReplicas")
_LEGACY_SET_COUNTS: Final = ("replicas", "availableReplicas", "readyReplicas")


def conditions_of(body: Body) -> dict[str, Body]:
    """Conditions by type in the words of v1beta2, wherever this version keeps them; v1beta1's own are not among them.

    **Source:** v1beta2 objects: status.conditions; v1beta1 objects since v1.9: status.v1beta2.conditions.
    """
    status = body.get("status") or {}
    modern = (status.get("v1beta2") or {}).get("conditions")
    if modern is None and not is_legacy(body):
        modern = status.get("conditions")
    return {str(one.get("type")): one for one in modern or ()}


def legacy_conditions_of(body: Body) -> dict[str, Body]:
    """Conditions by type in the words of v1beta1, which go with Cluster API v1.16."""
    status = body.get("status") or {}
    old = ((status.get("deprecated") or {}).get("v1beta1") or {}).get("conditions")
    if old is None and is_legacy(body):
        old = status.get("conditions")
    return {str(one.get("type")): one for one in old or ()}


def is_legacy(body: Body) -> bool:
    """Whether the body is served in a version before v1beta2."""
    return version_of(str(body.get("apiVersion", ""))) in {"v1alpha3", "v1alpha4", "v1beta1"}


def judge(key: ObjectKey, body: Body) -> Verdict | None:
    """The verdict on one live object; None for a kind whose existence suffices or that is not Cluster API's.

    Deletion comes before everything, then a pause, then failure, generation, conditions and counts.
    """
    rule = _rule_of(key)
    if rule is None:
        return None
    return _deleting(body) or _paused(body) or _failed(body) or rule(body) or SETTLED


def waiting(reason: str, message: str) -> Verdict:
    return Verdict(word=HealthWord.IN_PROGRESS, reason=reason, message=" ".join(message.split()).removeprefix("* "))


def _rule_of(key: ObjectKey) -> Callable[[Body], Verdict | None] | None:
    if is_cluster_key(key):
        return _cluster
    if is_control_plane(key):
        return _kubeadm if key.kind == "KubeadmControlPlane" and key.group == CONTROL_PLANE else _control_plane
    if key.group == CORE:
        return _CORE_RULES.get(key.kind)
    return _infrastructure if is_infrastructure(key) else None


def _deleting(body: Body) -> Verdict | None:
    if not body["metadata"].get("deletionTimestamp"):
        return None
    deleting = conditions_of(body).get("Deleting") or {}
    if deleting.get("status") != "True":
        deleting = {}  # it is of the time before
    finalizers = ", ".join(body["metadata"].get("finalizers") or ())
    message = str(deleting.get("message") or "") or (f"finalizers {finalizers}" if finalizers else "")
    reason = str(deleting.get("reason") or "Deleting")
    return Verdict(word=HealthWord.TERMINATING, reason=reason, message=" ".join(message.split()))


def _paused(body: Body) -> Verdict | None:
    condition = conditions_of(body).get("Paused") or {}
    annotated = "cluster.x-k8s.io/paused" in (body["metadata"].get("annotations") or {})
    if condition.get("status") == "True" or annotated or (body.get("spec") or {}).get("paused") is True:
        return Verdict(word=HealthWord.PAUSED, reason="Paused", message=str(condition.get("message") or "is paused"))
    return None


def _failed(body: Body) -> Verdict | None:
    """Only the old contract has terminal failures; v1beta2 tries for ever."""
    status = body.get("status") or {}
    old = (status.get("deprecated") or {}).get("v1beta1") or {}
    reason = status.get("failureReason") or old.get("failureReason")
    message = status.get("failureMessage") or old.get("failureMessage")
    if not (reason or message):
        return None
    return Verdict(word=HealthWord.FAILED, reason=str(reason or "Failed"), message=" ".join(str(message or "").split()))


def _cluster(body: Body) -> Verdict | None:
    if is_legacy(body) and not conditions_of(body):
        return _stale(body) or _legacy_ready(body)
    return _stale(body) or _unmet(body, _CLUSTER) or _topology(body)


def _topology(body: Body) -> Verdict | None:
    """TopologyReconciled comes from another controller than the rest: its own generation counts."""
    if not (body.get("spec") or {}).get("topology"):
        return None
    condition = conditions_of(body).get("TopologyReconciled")
    if condition is None:
        return waiting("NotObserved", "condition TopologyReconciled is not reported yet")
    if int(condition.get("observedGeneration") or 0) < _generation(body):
        return waiting("TopologyNotObserved", "the topology controller has not seen this generation yet")
    return _unmet(body, {"TopologyReconciled": "True"})


def _kubeadm(body: Body) -> Verdict | None:
    if is_legacy(body) and not conditions_of(body):
        return _stale(body) or _legacy_counts(body) or _legacy_ready(body)
    required = dict(_KUBEADM)
    if _external_etcd(body):
        del required["EtcdClusterHealthy"]
    return _stale(body) or _unmet(body, required) or _counts(body)


def _external_etcd(body: Body) -> bool:
    configuration = ((body.get("spec") or {}).get("kubeadmConfigSpec") or {}).get("clusterConfiguration") or {}
    return bool((configuration.get("etcd") or {}).get("external"))


def _control_plane(body: Body) -> Verdict | None:
    """Any other control plane, by the contract's fields: initialized, versions and counts where it has them."""
    status = body.get("status") or {}
    initialized = (status.get("initialization") or {}).get("controlPlaneInitialized") or status.get("initialized")
    if _stale(body, needed=False):
        return _stale(body)
    if not initialized:
        return _unobserved(body) or waiting("NotInitialized", "the control plane is not initialized yet")
    reported = tuple(name for name in (*_COUNTS, "updatedReplicas") if name in status)
    return _version_reached(body) or _reported(body, ("Available", "Ready")) or _short(body, reported)


def _version_reached(body: Body) -> Verdict | None:
    wanted = (body.get("spec") or {}).get("version")
    status = body.get("status") or {}
    versions = [one.get("version") for one in status.get("versions") or ()] or [status.get("version")]
    behind = [str(version) for version in versions if version and wanted and version != wanted]
    return waiting("RollingOut", f"runs {', '.join(behind)}, {wanted} is wanted") if behind else None


def _pool(body: Body) -> Verdict | None:
    if is_legacy(body) and not conditions_of(body):
        return _stale(body) or _legacy_counts(body) or _legacy_ready(body, ("Ready", "Available"))
    return _stale(body) or _unmet(body, _POOL) or _counts(body)


def _machine_set(body: Body) -> Verdict | None:
    if is_legacy(body) and not conditions_of(body):
        return _stale(body) or _short(body, _LEGACY_SET_COUNTS) or _legacy_ready(body)
    return _stale(body) or _unmet(body, _MACHINE_SET) or _counts(body)


def _machine_pool(body: Body) -> Verdict | None:
    """Core sets no v1beta2 condition on it yet (v1.14): phase and counts decide."""
    counts = ("replicas", "readyReplicas")
    phase = (body.get("status") or {}).get("phase")
    running = None if phase == "Running" else waiting(str(phase or "NotObserved"), f"phase is {phase or 'not set'}")
    return _stale(body) or _short(body, counts) or running


def _machine(body: Body) -> Verdict | None:
    if _REMEDIATE in (body["metadata"].get("annotations") or {}):
        return waiting("Remediating", "is marked to be remediated")
    if is_legacy(body) and not conditions_of(body):
        return _stale(body) or _legacy_ready(body)
    required = dict(_MACHINE)
    if _MEMBER_LABELS & (body["metadata"].get("labels") or {}).keys():
        required["UpToDate"] = "True"
    # What it waits for says more than that its status lags, which a young Machine's always does.
    return _unobserved(body) or _unmet(body, required) or _stale(body)


def _health_check(body: Body) -> Verdict | None:
    legacy = is_legacy(body) and not conditions_of(body)
    return _stale(body) or (None if legacy else _unmet(body, _HEALTH_CHECK))


def _class(body: Body) -> Verdict | None:
    legacy = is_legacy(body) and not conditions_of(body)
    return _stale(body) or (None if legacy else _unmet(body, _CLASS))


def _infrastructure(body: Body) -> Verdict | None:
    """Provisioned as the contract has it, then Ready where the provider reports it."""
    status = body.get("status") or {}
    provisioned = (status.get("initialization") or {}).get("provisioned") or status.get("ready")
    if _stale(body, needed=False):
        return _stale(body)
    if not provisioned:
        return (
            _unobserved(body)
            or _reported(body, ("Ready",))
            or waiting("NotProvisioned", "the infrastructure is not provisioned yet")
        )
    return _reported(body, ("Ready",))


_CORE_RULES: Final[Mapping[str, Callable[[Body], Verdict | None]]] = {
    "MachineDeployment": _pool,
    "MachineSet": _machine_set,
    "MachinePool": _machine_pool,
    "Machine": _machine,
    "MachineHealthCheck": _health_check,
    "ClusterClass": _class,
}


def _generation(body: Body) -> int:
    return int(body["metadata"].get("generation") or 0)


def _unobserved(body: Body) -> Verdict | None:
    if body.get("status"):
        return None
    return Verdict(word=HealthWord.UNKNOWN, reason="NotObserved", message="no controller has reported on it yet")


def _stale(body: Body, *, needed: bool = True) -> Verdict | None:
    """Status of an older generation; with ``needed`` also none at all."""
    observed = int((body.get("status") or {}).get("observedGeneration") or 0)
    if not observed:
        return _unobserved(body) or (waiting("NotObserved", "status is not reported yet") if needed else None)
    if observed < _generation(body):
        return waiting("GenerationNotObserved", f"its generation {_generation(body)} is not observed yet")
    return None


def _unmet(body: Body, required: Mapping[str, str]) -> Verdict | None:
    reported = conditions_of(body)
    for kind, wanted in required.items():
        condition = reported.get(kind)
        if condition is None:
            return waiting("NotObserved", f"condition {kind} is not reported yet")
        if condition.get("status") != wanted:
            return _said(kind, condition)
    return None


def _said(kind: str, condition: Body) -> Verdict:
    reason = str(condition.get("reason") or kind)
    message = str(condition.get("message") or f"{kind} is {condition.get('status')}")
    return waiting(kind if reason in {"NotReady", "NotAvailable", "NotUpToDate"} else reason, message)


def _reported(body: Body, kinds: tuple[str, ...]) -> Verdict | None:
    """The first of these conditions that is reported, in either generation of words, decides; none is no objection."""
    for reported in (conditions_of(body), legacy_conditions_of(body)):
        for kind in kinds:
            if kind in reported:
                return None if reported[kind].get("status") == "True" else _said(kind, reported[kind])
    return None


def _legacy_ready(body: Body, kinds: tuple[str, ...] = ("Ready",)) -> Verdict | None:
    reported = legacy_conditions_of(body)
    if not any(kind in reported for kind in kinds):
        return waiting("NotObserved", f"condition {kinds[0]} is not reported yet")
    return _reported(body, kinds)


def _counts(body: Body) -> Verdict | None:
    """Conditions may lag a second behind the counts that they are made of, so both must agree."""
    return _short(body, _COUNTS)


def _legacy_counts(body: Body) -> Verdict | None:
    unavailable = int((body.get("status") or {}).get("unavailableReplicas") or 0)
    if unavailable:
        return waiting("MachinesNotReady", f"{unavailable} machines are not available")
    return _short(body, _LEGACY_COUNTS)


def _short(body: Body, names: tuple[str, ...]) -> Verdict | None:
    wanted = (body.get("spec") or {}).get("replicas")
    if wanted is None:
        return None
    off = [f"{name} {count}" for name in names if (count := _reported_count(body, name)) != int(wanted)]
    return waiting("ReplicasNotReached", f"{', '.join(off)} of {wanted}") if off else None


def _reported_count(body: Body, name: str) -> int:
    """v1beta1 keeps the counts of v1beta2 apart, under the same names; one that is not reported is zero."""
    status = body.get("status") or {}
    modern = status.get("v1beta2") or {}
    return int((modern[name] if name in modern else status.get(name)) or 0)
