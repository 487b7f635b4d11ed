"""Clusters that fare worse than before a rollout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clusterops.capi.degraded import degradation
from clusterops.model.live import LiveObject

BEGUN = datetime(2026, 11, 21, 12, tzinfo=UTC)
COUNTED = "the number of not started or unhealthy machines exceeds maxUnhealthy"


def check(message: str) -> LiveObject:
    condition = {
        "type": "RemediationAllowed",
        "status": "False",
        "reason": "TooManyUnhealthy",
        "message": message,
        "lastTransitionTime": (BEGUN + timedelta(seconds=10)).isoformat(),
    }
    return LiveObject.of(
        {
            "apiVersion": "cluster.x-k8s.io/v1beta2",
            "kind": "MachineHealthCheck",
            "metadata": {"name": "alpha-general", "namespace": "north", "uid": "1", "resourceVersion": "1"},
            "status": {"conditions": [condition]},
        }
    )


@pytest.mark.parametrize(("unhealthy", "told"), [(0, False), (1, True), (10, True)])
def test_a_rollout_degrades_no_pool_whose_new_machines_have_only_not_started(unhealthy: int, told: bool) -> None:
    """A pool of one that surges by one has half of its machines not started: a health check counts them, too."""
    message = f"Remediation is not allowed, {COUNTED} (total: 2, unhealthy: {unhealthy}, maxUnhealthy: 40%)"
    found = degradation([check(message)], begun_at=BEGUN, now=BEGUN + timedelta(minutes=5))
    assert (found is not None) is told
