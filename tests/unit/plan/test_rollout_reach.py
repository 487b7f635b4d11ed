"""How many machines a change moves at the same instant, at the most."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.capi.rollout.spelling import surge_of, unavailable_of
from clusterops.model.impact import Impact, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.plan.rollout import at_once

ROLLING = ImpactClass.ROLLING


def pool(role: Role = Role.WORKER, kind: ImpactClass = ROLLING, **counts: Any) -> PoolImpact:
    owner = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="north", name="a")
    return PoolImpact(cluster=None, owner=owner, role=role, pool="a", kind=kind, **counts)


@pytest.mark.parametrize(
    ("counts", "machines"),
    [
        ({"replaced": 6, "surge": 1}, 1),
        ({"replaced": 6, "unavailable": 1}, 1),
        ({"replaced": 6, "surge": 3, "unavailable": 1}, 4),
        ({"replaced": 2, "surge": 10}, 4),
        ({"replaced": 6, "surge": 1, "added": 3}, 4),
        ({"replaced": 2, "surge": 1, "removed": 4}, 5),
        ({"added": 3}, 3),
        ({"removed": 2}, 2),
        ({}, 0),
    ],
)
def test_rollout_moves_surge_and_unavailable_of_a_pool_at_once(counts: dict[str, Any], machines: int) -> None:
    assert pool(**counts).at_once == machines


def test_rollout_moves_two_machines_of_a_control_plane_at_once() -> None:
    """One that is not Ready yet, though its Node is there, and the one that it replaces."""
    assert pool(Role.CONTROL_PLANE, replaced=3, surge=1).at_once == 2
    assert pool(Role.CONTROL_PLANE, replaced=3, unavailable=1, added=2).at_once == 4


def test_rollout_that_cannot_be_predicted_may_move_all_machines_at_once() -> None:
    assert pool(kind=ImpactClass.UNKNOWN, replaced=7, added=1).at_once == 8
    assert pool(Role.CONTROL_PLANE, ImpactClass.UNKNOWN, replaced=3).at_once == 3


def test_rollout_of_on_delete_moves_nothing_at_once() -> None:
    assert pool(kind=ImpactClass.IN_PLACE).at_once == 0


def test_rollout_moves_control_plane_and_pools_together() -> None:
    """Cluster API holds pools back for a rise of the version alone."""
    pools = [pool(Role.CONTROL_PLANE, replaced=3, surge=1), pool(replaced=3, surge=1), pool(replaced=9, surge=2)]
    assert at_once(Impact.of(pools)) == 5


@pytest.mark.parametrize(
    ("strategy", "replicas", "surge", "unavailable"),
    [
        ({}, 5, 1, 0),
        ({"maxSurge": 0, "maxUnavailable": 2}, 5, 0, 2),
        ({"maxSurge": 0, "maxUnavailable": 0}, 5, 0, 1),
        ({"maxSurge": 0, "maxUnavailable": "10%"}, 5, 0, 1),
        ({"maxSurge": "25%", "maxUnavailable": "25%"}, 5, 2, 1),
        ({"maxSurge": "1%", "maxUnavailable": "25%"}, 2, 1, 0),
        ({"maxSurge": "0%", "maxUnavailable": "1%"}, 1, 0, 1),
        ({"maxSurge": 1, "maxUnavailable": 10}, 6, 1, 6),
    ],
)
def test_rollout_resolves_percentages_as_upstream_does(
    strategy: dict[str, Any], replicas: int, surge: int, unavailable: int
) -> None:
    """The table of mdutil.ResolveFenceposts: surge rounds up, unavailable down, and both are never 0."""
    body = {"spec": {"rollout": {"strategy": {"rollingUpdate": strategy}}}}
    assert (surge_of(body, replicas), unavailable_of(body, replicas)) == (surge, unavailable)
