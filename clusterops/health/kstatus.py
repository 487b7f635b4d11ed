"""Health of objects that are not Cluster API's.

**Source:** sigs.k8s.io/cli-utils pkg/kstatus/status/core.go and generic.go (v0.37): generation first, then the rules
of the kind, then the conditions Reconciling, Stalled and Ready; an object with none of these is Current.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from clusterops.capi.conditions import SETTLED, Verdict, waiting
from clusterops.model.key import ObjectKey
from clusterops.model.report import HealthWord

Body = Mapping[str, Any]


def judge_generic(key: ObjectKey, body: Body) -> Verdict:
    """The verdict on one live object of any kind."""
    rule = _RULES.get((key.group, key.kind))
    return _deleting(body) or _stale(body) or (rule(body) if rule else None) or _generic(body) or SETTLED


def failed(reason: str, message: str) -> Verdict:
    return Verdict(word=HealthWord.FAILED, reason=reason, message=" ".join(message.split()))


def _deleting(body: Body) -> Verdict | None:
    metadata = body["metadata"]
    terminating = (body.get("status") or {}).get("phase") == "Terminating" and body.get("kind") == "Namespace"
    if not metadata.get("deletionTimestamp") and not terminating:
        return None
    finalizers = ", ".join(metadata.get("finalizers") or ())
    return Verdict(
        word=HealthWord.TERMINATING, reason="Deleting", message=f"finalizers {finalizers}" * bool(finalizers)
    )


def _stale(body: Body) -> Verdict | None:
    observed = (body.get("status") or {}).get("observedGeneration")
    generation = body["metadata"].get("generation")
    if observed is None or generation is None or int(observed) == int(generation):
        return None
    return waiting("GenerationNotObserved", f"its generation {generation} is not observed yet")


def _generic(body: Body) -> Verdict | None:
    for kind, wanted, word in _GENERIC:
        condition = _conditions(body).get(kind)
        if condition is not None and (condition.get("status") == "True") is not wanted:
            reason, message = str(condition.get("reason") or kind), str(condition.get("message") or "")
            return Verdict(word=word, reason=reason, message=" ".join(message.split()))
    return None


_GENERIC: Final = (
    ("Reconciling", False, HealthWord.IN_PROGRESS),
    ("Stalled", False, HealthWord.FAILED),
    ("Ready", True, HealthWord.IN_PROGRESS),
)


def _conditions(body: Body) -> dict[str, Body]:
    return {str(one.get("type")): one for one in (body.get("status") or {}).get("conditions") or () if one}


def _is(body: Body, kind: str, status: str = "True") -> bool:
    return (_conditions(body).get(kind) or {}).get("status") == status


def _number(part: Any, name: str, default: int = 0) -> int:
    value = (part or {}).get(name)
    return default if value is None else int(value)


def _short(body: Body, wanted: int, names: tuple[str, ...]) -> Verdict | None:
    status = body.get("status")
    for name in names:
        count = _number(status, name)
        if count < wanted:
            return waiting("LessReplicas", f"{name} {count} of {wanted}")
    return None


def _deployment(body: Body) -> Verdict | None:
    wanted = _number(body.get("spec"), "replicas", 1)
    progressing = _conditions(body).get("Progressing") or {}
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed("ProgressDeadlineExceeded", str(progressing.get("message") or ""))
    surplus = _number(body.get("status"), "replicas") - wanted
    return (
        _unobserved(body)
        or _short(body, wanted, ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"))
        or (waiting("ExtraPods", f"{surplus} old replicas are still there") if surplus > 0 else None)
        or (None if _is(body, "Available") else waiting("DeploymentNotAvailable", "condition Available is not True"))
    )


def _stateful_set(body: Body) -> Verdict | None:
    spec, status = body.get("spec") or {}, body.get("status") or {}
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return None
    wanted = _number(spec, "replicas", 1)
    updated = status.get("currentRevision") == status.get("updateRevision")
    return (
        _unobserved(body)
        or _short(body, wanted, ("replicas", "readyReplicas"))
        or (None if updated else waiting("RollingOut", "not every replica is of the new revision"))
    )


def _replica_set(body: Body) -> Verdict | None:
    wanted = _number(body.get("spec"), "replicas", 1)
    if _is(body, "ReplicaFailure"):
        return waiting("ReplicaFailure", str(_conditions(body)["ReplicaFailure"].get("message") or ""))
    return _unobserved(body) or _short(body, wanted, ("availableReplicas", "readyReplicas"))


def _daemon_set(body: Body) -> Verdict | None:
    wanted = _number(body.get("status"), "desiredNumberScheduled")
    counted = ("currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady")
    return _unobserved(body) or _short(body, wanted, counted)


def _job(body: Body) -> Verdict | None:
    if _is(body, "Failed"):
        return failed("JobFailed", str(_conditions(body)["Failed"].get("message") or ""))
    started = (body.get("status") or {}).get("startTime") or _is(body, "Complete")
    return None if started else waiting("JobNotStarted", "the Job has not started")


def _pod(body: Body) -> Verdict | None:
    phase = str((body.get("status") or {}).get("phase") or "Unknown")
    if phase == "Failed":
        return failed("PodFailed", str((body.get("status") or {}).get("message") or "the Pod failed"))
    if phase == "Succeeded" or (phase == "Running" and _is(body, "Ready")):
        return SETTLED
    return waiting(f"Pod{phase}", f"phase is {phase}")


def _claim(body: Body) -> Verdict | None:
    phase = (body.get("status") or {}).get("phase")
    return None if phase == "Bound" else waiting("NotBound", f"phase is {phase or 'not set'}")


def _service(body: Body) -> Verdict | None:
    spec, status = body.get("spec") or {}, body.get("status") or {}
    ready = spec.get("type") != "LoadBalancer" or (status.get("loadBalancer") or {}).get("ingress")
    return None if ready else waiting("NoIngress", "the load balancer has no address yet")


def _disruption_budget(body: Body) -> Verdict | None:
    return _unobserved(body)


def _definition(body: Body) -> Verdict | None:
    names = _conditions(body).get("NamesAccepted") or {}
    if names.get("status") == "False":
        return failed(str(names.get("reason") or "NamesNotAccepted"), str(names.get("message") or ""))
    return None if _is(body, "Established") else waiting("NotEstablished", "the kind is not served yet")


def _unobserved(body: Body) -> Verdict | None:
    """These kinds always have a controller that reports."""
    return None if (body.get("status") or {}).get("observedGeneration") else waiting("NotObserved", "no status yet")


_RULES: Final[Mapping[tuple[str, str], Callable[[Body], Verdict | None]]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
