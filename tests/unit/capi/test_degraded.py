"""What makes a cluster fare worse than before, and what only looks like it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clusterops.capi.degraded import LASTS_S, Degraded, degradation
from clusterops.model.live import LiveObject
from tests.recorded_cluster import patched, recorded_state

GOLDEN = Path(__file__).parents[2] / "golden" / "health"
BEGUN = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
AFTER = BEGUN + timedelta(seconds=LASTS_S)


def said(kind: str, condition: str, status: str, *, after_s: float = 0.0, message: str = "") -> LiveObject:
    since = BEGUN + timedelta(seconds=after_s)
    one = {"type": condition, "status": status, "message": message, "lastTransitionTime": since.isoformat()}
    return LiveObject.of(
        {
            "apiVersion": "cluster.x-k8s.io/v1beta2",
            "kind": kind,
            "metadata": {"name": "a", "namespace": "north", "uid": "u", "resourceVersion": "1"},
            "status": {"conditions": [one]},
        }
    )


def found(*objects: LiveObject, now: datetime = AFTER, until: datetime | None = None) -> Degraded | None:
    return degradation(objects, begun_at=BEGUN, until=until, now=now)


def test_a_control_plane_that_is_lost_tells_so_in_its_own_words() -> None:
    degraded = found(said("Cluster", "ControlPlaneAvailable", "False", message="* etcd has\nlost its quorum"))
    assert degraded is not None
    assert degraded.message == "Cluster north/a: ControlPlaneAvailable is False: etcd has lost its quorum"
    assert degraded.since == AFTER


def test_a_health_check_that_gives_up_counts() -> None:
    assert found(said("MachineHealthCheck", "RemediationAllowed", "False")) is not None


def test_what_lasts_less_than_a_minute_does_not_count() -> None:
    assert found(said("Cluster", "ControlPlaneAvailable", "False"), now=AFTER - timedelta(seconds=1)) is None


def test_what_was_so_before_the_rollout_began_does_not_count() -> None:
    assert found(said("Cluster", "ControlPlaneAvailable", "False", after_s=-1)) is None


def test_what_came_after_the_soak_does_not_count() -> None:
    lost = said("Cluster", "ControlPlaneAvailable", "False", after_s=30)
    later = AFTER + timedelta(hours=1)
    assert found(lost, now=later, until=BEGUN + timedelta(seconds=29)) is None
    assert found(lost, now=later, until=BEGUN + timedelta(seconds=30)) is not None


@pytest.mark.parametrize("recording", ["class-v1beta2", "plain-v1beta1", "plain-v1beta2"])
def test_nothing_that_the_real_controllers_do_to_a_living_cluster_looks_like_it_however_long_it_takes(
    recording: str,
) -> None:
    """Upgrades, scales, new templates, new pools, remediations, pauses: all states of them that were recorded."""
    long_ago, far = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    looks = {
        phase for phase, objects in states(recording) if degradation(objects, begun_at=long_ago, now=far) is not None
    }
    assert looks == {"create", "delete"}


def states(recording: str) -> Iterator[tuple[str, list[LiveObject]]]:
    folded: dict[str, Any] = {}
    for phase in json.loads((GOLDEN / f"{recording}.json").read_text(encoding="utf-8")):
        for step in phase["steps"]:
            folded = patched(folded, step["patch"])
            yield phase["name"], [stamped(one) for one in recorded_state(folded).values()]


def stamped(one: LiveObject) -> LiveObject:
    """Recordings leave the times of conditions out."""
    status = dict(one.body.get("status") or {})
    for place in (status, status.get("v1beta2", {})):
        if "conditions" in place:
            place["conditions"] = [{**each, "lastTransitionTime": BEGUN.isoformat()} for each in place["conditions"]]
    return LiveObject.of({**one.body, "status": status})
