"""The fields that decide about rollouts, in the spellings of v1beta1 and v1beta2.

**Source:** Cluster API v1.14 api/core/v1beta1, api/core/v1beta2, api/controlplane/kubeadm/v1beta1 and v1beta2.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

from clusterops.capi.rollout.difference import Body, at
from clusterops.model.key import group_of

Named = tuple[str, str, str]
"""(group, kind, name) of a reference; the version never matters."""

MIN_SIZE: Final = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
MAX_SIZE: Final = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
PAUSED: Final = "cluster.x-k8s.io/paused"


def named(reference: Any) -> Named:
    """Of nothing, three empty strings."""
    group = at(reference, "apiGroup") or group_of(str(at(reference, "apiVersion") or ""))
    return str(group), str(at(reference, "kind") or ""), str(at(reference, "name") or "")


def shown(reference: Named) -> str:
    """``DevMachineTemplate/general-1``, "" for none."""
    return "/".join(part for part in reference[1:] if part)


def is_old(body: Body) -> bool:
    """Whether a body is spelled as v1beta1 or before."""
    return not str(body.get("apiVersion", "")).endswith("/v1beta2")


def machine_template_of(control_plane: Body) -> Any:
    """The infrastructure reference of a control plane, wherever its version keeps it."""
    template = at(control_plane, "spec", "machineTemplate")
    return at(template, "spec", "infrastructureRef") or at(template, "infrastructureRef")


def rollout_after(owner: Body) -> datetime | None:
    """Machines made before it are replaced once it has passed."""
    return moment(at(owner, "spec", "rollout", "after") or at(owner, "spec", "rolloutAfter"))


def strategy_of(owner: Body) -> Any:
    """``{type, rollingUpdate: {maxSurge, maxUnavailable}}``"""
    spec = owner.get("spec")
    return at(spec, "rollout", "strategy") or at(spec, "strategy") or at(spec, "rolloutStrategy") or {}


def is_on_delete(owner: Body) -> bool:
    return bool(at(strategy_of(owner), "type") == "OnDelete")


def surge_of(owner: Body, replicas: int) -> int:
    """Machines above ``replicas`` during a rollout; 1 where nothing is said, a percentage rounds up."""
    raw = at(strategy_of(owner), "rollingUpdate", "maxSurge")
    return 1 if raw is None else math.ceil(_scaled(raw, replicas))


def unavailable_of(owner: Body, replicas: int) -> int:
    """Machines below ``replicas`` during a rollout; 0 where nothing is said, a percentage rounds down.

    1 where surge and this would both be 0, and never more than there are.
    **Source:** Cluster API v1.14.0 core/reconcilers/machinedeployment/mdutil/util.go ResolveFenceposts, MaxUnavailable.
    """
    raw = at(strategy_of(owner), "rollingUpdate", "maxUnavailable")
    found = 0 if raw is None else math.floor(_scaled(raw, replicas))
    return min(found or int(surge_of(owner, replicas) == 0), replicas)


def _scaled(raw: Any, replicas: int) -> float:
    if isinstance(raw, str) and raw.endswith("%"):
        return int(raw[:-1]) * replicas / 100
    return int(raw)


def replicas_of(owner: Body) -> int:
    """As the API server defaults it: the autoscaler's least size where that is annotated, else 1."""
    raw = at(owner, "spec", "replicas")
    if isinstance(raw, int):
        return raw
    annotations = at(owner, "metadata", "annotations") or {}
    least = str(annotations.get(MIN_SIZE, ""))
    return int(least) if least.isdigit() and MAX_SIZE in annotations else 1


def is_paused(body: Body) -> bool:
    return bool(at(body, "spec", "paused")) or PAUSED in (at(body, "metadata", "annotations") or {})


def created_at(body: Body) -> datetime | None:
    return moment(at(body, "metadata", "creationTimestamp"))


def moment(text: Any) -> datetime | None:
    """RFC 3339; None for anything else."""
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
