"""Commit statuses of a rollout: who waits is pending, why is said, and a halt is a failure that names its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
from clusterops.model.rollout import Halt, Hold, Progress, Wait, held
from clusterops.status import apply_statuses

SEEN = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
SOAKED = SEEN + timedelta(minutes=32)
SOAK = Hold(wait=Wait.SOAK, message="waits for canaries to soak until 14:32Z", until=SOAKED)
FULL = Hold(wait=Wait.CLUSTERS, message="5 of 5 clusters on their way: eu-west-1/c01 and 4 more")
CLOSED = Hold(wait=Wait.WINDOW, message="its maintenance window is closed", until=datetime(2026, 11, 23, 7, tzinfo=UTC))
STOP = Hold(wait=Wait.HALTED, message="eu-west-1/c03 stopped the rollout of main@1 (not-settled)")
HALT = Halt(revision="main@1", target="eu-west-1/c03", code="not-settled", at=SEEN)
UNSETTLED = Problem(
    code="not-settled",
    subject="eu-west-1/c03",
    message="not settled after 90m: Machine c03-general-x7k2p InstanceProvisionFailed " + "and more of it " * 5,
)


def names(count: int, start: int = 0, region: str = "eu-west-1") -> list[str]:
    return [f"{region}/c{number:02}" for number in range(start, start + count)]


def settled(name: str) -> Outcome:
    return Outcome(target=name, revision="main@1", stage=Stage.DONE, started_at=SEEN, finished_at=SEEN)


def told(
    *, done: int = 0, moving: int = 0, holds: Mapping[str, Hold], failed: Outcome | None = None, **pace: Any
) -> tuple[CommitStatus, ...]:
    outcomes = [settled(name) for name in names(done, 50)] + ([failed] if failed else [])
    return apply_statuses(
        outcomes,
        pending=[*names(moving, 20), *holds],
        held={name: held(name, hold) for name, hold in holds.items()},
        pace=replace(Progress(revision="main@1", held=holds), **pace),
        since=SEEN,
    )


@pytest.mark.parametrize(
    ("hold", "pace", "why"),
    [
        (SOAK, {"canaries": ("a/a",), "soaked_at": SOAKED, "soaking_until": SOAKED}, "canary soaks until 14:32Z"),
        (SOAK, {"canaries": ("a", "b"), "soaked_at": SOAKED, "soaking_until": SOAKED}, "canaries soak until 14:32Z"),
        (SOAK, {"canaries": ("a/a",), "soaked_at": SEEN, "soaking_until": SOAKED}, "soaking until 14:32Z"),
        (FULL, {}, "waits for a place"),
        (CLOSED, {}, "window opens Mon 23 Nov 07:00Z"),
    ],
)
def test_who_waits_is_pending_and_why_is_said(hold: Hold, pace: Mapping[str, Any], why: str) -> None:
    status = told(done=12, moving=5, holds=dict.fromkeys(names(24, 70), hold), **pace)[0]
    assert (status.state, status.text) == ("pending", f"12 of 41 clusters settled; 5 in flight, 24 held: {why}")


def test_one_cluster_outside_of_its_window_waits_for_that() -> None:
    status = told(holds={"eu-west-1/c01": CLOSED})[0]
    assert (status.state, status.text) == (
        "pending",
        "0 of 1 clusters settled; 1 held: window opens Mon 23 Nov 07:00Z",
    )


def test_several_reasons_are_counted() -> None:
    holds = dict.fromkeys(names(3), FULL) | {"eu-west-1/late": CLOSED}
    assert told(holds=holds)[0].text == ("0 of 4 clusters settled; 4 held: waits for a place (3), window closed (1)")


def test_a_halt_is_a_failure_that_names_its_target_and_how_many_are_held() -> None:
    failed = Outcome(target="eu-west-1/c03", revision="main@1", stage=Stage.HEALTH, problem=UNSETTLED)
    status = told(done=3, holds=dict.fromkeys(names(37, 70), STOP), failed=failed, halt=HALT)[0]
    assert status.state == "failure"
    assert status.text.startswith("eu-west-1/c03: not settled after 90m: Machine c03-general-x7k2p")
    assert status.text.endswith("… (not-settled); rollout halted, 37 held")
    assert len(status.text) <= TEXT_LIMIT


def test_a_halt_that_an_earlier_process_saw_is_told_from_what_is_recorded() -> None:
    status = told(holds=dict.fromkeys([*names(2, 70), "eu-west-1/c03"], STOP), halt=HALT)[0]
    assert (status.state, status.text) == (
        "failure",
        "eu-west-1/c03 failed (not-settled); rollout halted, 3 held",
    )


def test_in_another_region_the_halt_only_holds() -> None:
    failed = Outcome(target="eu-west-1/c03", revision="main@1", stage=Stage.HEALTH, problem=UNSETTLED)
    statuses = told(holds=dict.fromkeys(names(3, region="us-east-1"), STOP), failed=failed, halt=HALT)
    assert [(one.context, one.state) for one in statuses] == [
        ("clusterops/apply", "failure"),
        ("clusterops/apply: eu-west-1", "failure"),
        ("clusterops/apply: us-east-1", "pending"),
    ]
    assert statuses[2].text == "0 of 3 clusters settled; 3 held: rollout halted"


def test_who_is_on_its_way_at_the_moment_does_not_move_the_text() -> None:
    others = Hold(wait=Wait.CLUSTERS, message="5 of 5 clusters on their way: eu-west-1/c07 and 4 more")
    texts = {told(moving=5, holds=dict.fromkeys(names(3, 70), hold))[0].text for hold in (FULL, others)}
    assert texts == {"0 of 8 clusters settled; 5 in flight, 3 held: waits for a place"}


def test_what_a_later_commit_took_over_is_not_held() -> None:
    status = apply_statuses(
        [settled("eu-west-1/c00")],
        held={"eu-west-1/c01": held("eu-west-1/c01", FULL)},
        superseded={"eu-west-1/c01": "c81e77d"},
        since=SEEN,
    )[0]
    assert (status.state, "held" in status.text) == ("success", False)
