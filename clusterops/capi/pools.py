"""Pools of machines and who counts them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clusterops.capi.rollout.spelling import MAX_SIZE, MIN_SIZE

_MANAGED: Final = "cluster.x-k8s.io/replicas-managed-by"
_POOL_LABELS: Final = ("cluster.x-k8s.io/deployment-name", "cluster.x-k8s.io/pool-name")


def counts_itself(pool: Mapping[str, Any]) -> bool:
    """Whether an autoscaler, or something outside, sets the number of its machines.

    **Source:** Cluster API v1.14 api/core/v1beta2/common_types.go (autoscaler annotations,
    ReplicasManagedByAnnotation).
    """
    annotations = (pool.get("metadata") or {}).get("annotations") or {}
    return bool({MIN_SIZE, MAX_SIZE} & annotations.keys()) or str(annotations.get(_MANAGED, "false")) != "false"


def pool_of(labels: Mapping[str, str]) -> str:
    """The pool of a Machine by its labels; "" for a control plane's."""
    return next((labels[name] for name in _POOL_LABELS if name in labels), "")
