"""Clusters that fare worse than before, by what Cluster API says of them. Pure.

**Source:** Cluster API v1.14 api/core/v1beta2/cluster_types.go (ClusterAvailableCondition sums up the control plane,
the workers and the infrastructure; ClusterControlPlaneAvailableCondition mirrors the control plane's own) and
machinehealthcheck_types.go (RemediationAllowed is False while more machines are unhealthy than may be remediated);
core/reconcilers/machinehealthcheck/machinehealthcheck_controller.go (machines that have not started count as well, so
it is False whenever a pool of one rolls; the message has how many of them are unhealthy).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clusterops.capi.conditions import conditions_of, legacy_conditions_of
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject

LASTS_S: Final = 180.0
"""A control plane of one that rolls has two etcd members for a while, and no quorum until the second is healthy: 47 s
and more than 60 s were seen on a busy machine. Others lose a leader, or a probe its connection, for some seconds."""
_NONE_UNHEALTHY: Final = re.compile(r"\bunhealthy: 0\b")
_DECIDES: Final[Mapping[str, tuple[str, ...]]] = {
    "Cluster": ("ControlPlaneAvailable",),
    "MachineHealthCheck": ("RemediationAllowed",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """``since`` is when it had lasted long enough to count; ``message`` is one line for people."""

    object: ObjectKey
    message: str
    since: datetime


def degradation(
    objects: Iterable[LiveObject], *, begun_at: datetime, until: datetime | None = None, now: datetime
) -> Degraded | None:
    """The first Cluster or health check that began to say no after ``begun_at``, and has said so for LASTS_S.

    What was bad before the rollout began on the cluster is not its doing: perhaps it is there to mend that. Nor is
    what came after ``until``.
    """
    found = (
        each
        for one in objects
        for each in (_said(one, kind, begun_at, until) for kind in _DECIDES.get(one.key.kind, ()))
        if each is not None and each.since <= now
    )
    return min(found, key=lambda each: each.since, default=None)


def _said(one: LiveObject, kind: str, begun_at: datetime, until: datetime | None) -> Degraded | None:
    condition = conditions_of(one.body).get(kind) or legacy_conditions_of(one.body).get(kind) or {}
    changed_at = _time(condition.get("lastTransitionTime"))
    if condition.get("status") != "False" or changed_at is None or changed_at < begun_at:
        return None
    if until is not None and changed_at > until:
        return None
    said = " ".join(str(condition.get("message") or condition.get("reason") or f"{kind} is False").split())
    if kind == "RemediationAllowed" and _NONE_UNHEALTHY.search(said):
        return None
    return Degraded(
        object=one.key,
        message=f"{one.key.label}: {kind} is False: {said.removeprefix('* ')}",
        since=changed_at + timedelta(seconds=LASTS_S),
    )


def _time(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
