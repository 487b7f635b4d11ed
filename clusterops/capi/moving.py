"""Machines of a Cluster that are on their way, from its own status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clusterops.capi.conditions import conditions_of

_MOVES: Final = ("RollingOut", "ScalingUp", "ScalingDown", "Remediating")


def machines_moving(cluster: Mapping[str, Any]) -> int:
    """How many are missing, not ready, or too many, at least 1 where a condition says that something moves.

    **Source:** Cluster API v1.14 api/core/v1beta2/cluster_types.go (ClusterControlPlaneStatus, WorkersStatus): counts
    of a Cluster sum up those of its control plane and of all its pools.
    """
    status, conditions = cluster.get("status") or {}, conditions_of(cluster)
    counted = sum(_moving(status.get(part) or {}) for part in ("controlPlane", "workers"))
    said = any(str((conditions.get(one) or {}).get("status")) == "True" for one in _MOVES)
    return max(counted, int(said))


def _moving(counts: Mapping[str, Any]) -> int:
    """During a surge one is too many or one is not ready, never both for the same machine."""
    desired, there, ready = (int(counts.get(name) or 0) for name in ("desiredReplicas", "replicas", "readyReplicas"))
    return max(desired - there, 0) + there - min(ready, desired)
