"""The texts of commit statuses, by the table of JOURNEY.md section 2."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.model.commit_status import TEXT_LIMIT, State
from clusterops.model.fleet import region_of
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import ApplyReport, ApplyRow, Outcome, Result, Stage
from clusterops.status import Contexts, apply_statuses, plan_pending, plan_status
from clusterops.status.verdict_texts import duration_text, problem_text

START = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
TYPO = Problem(
    code="value-format",
    subject="network.pods[0]",
    message='"10.244.0.0/61" is not an address range',
    path="clusters/south/beta/values.yaml",
    line=9,
    column=10,
)
OUTAGE = Problem(code="api-unreachable", subject="API server", message="unreachable since 14:01Z", retry=Retry.BACKOFF)


def plan(target: str, **counts: int) -> Plan:
    changes = [
        Change(key=ObjectKey(group="", kind="ConfigMap", namespace="n", name=f"{name}-{number}"), action=Action(name))
        for name, count in counts.items()
        for number in range(count)
    ]
    return Plan(target=target, revision="main@1", waves=(tuple(changes),), id="p")


def planned(target: str, problem: Problem | None = None, **counts: int) -> Outcome:
    if problem is not None:
        return Outcome(target=target, revision="main@1", stage=Stage.RENDER, problem=problem)
    return Outcome(target=target, revision="main@1", stage=Stage.PLAN, plan=plan(target, **counts))


def applied(target: str, count: int, *, pruned: int = 0, took_s: float = 43) -> Outcome:
    rows = [
        ApplyRow(
            key=ObjectKey(group="", kind="ConfigMap", namespace="n", name=f"c{number}"),
            action=Action.CREATE,
            result=Result.APPLIED if number < count else Result.PRUNED,
        )
        for number in range(count + pruned)
    ]
    return Outcome(
        target=target,
        revision="main@1",
        stage=Stage.DONE,
        report=ApplyReport(rows=tuple(rows)),
        started_at=START,
        finished_at=START + timedelta(seconds=took_s),
    )


def failed(target: str, problem: Problem, stage: Stage = Stage.HEALTH) -> Outcome:
    return Outcome(target=target, revision="main@1", stage=stage, problem=problem)


def not_settled(target: str) -> Problem:
    return Problem(
        code="not-settled",
        subject=target,
        message="not settled after 90m: Machine payments-batch-x7k2p InstanceProvisionFailed",
    )


@pytest.mark.parametrize(
    ("outcomes", "rendered", "state", "text"),
    [
        (
            [planned("north/alpha", create=9), planned("south/beta", create=9)],
            2,
            "success",
            "2 clusters: creates 18 objects",
        ),
        ([planned("north/alpha", update=1, unchanged=6)], 1, "success", "1 cluster: updates 1 object"),
        (
            [planned("north/alpha", create=1, update=2, prune=1)],
            1,
            "success",
            "1 cluster: creates 1, updates 2, prunes 1 objects",
        ),
        (
            [planned("north/_shared", create=1), planned("north/a", create=1)],
            2,
            "success",
            "2 targets: creates 2 objects",
        ),
        ([], 0, "success", "no change: 0 of 300 targets rendered"),
        ([planned("north/alpha", unchanged=7)], 3, "success", "no change: 3 targets rendered, 0 objects differ"),
        ([planned("north/alpha", unchanged=7)], 1, "success", "no change: 1 target rendered, 0 objects differ"),
        (
            [planned("south/beta", TYPO), planned("north/alpha", create=1)],
            2,
            "failure",
            "clusters/south/beta/values.yaml:9:10: network.pods[0]: "
            '"10.244.0.0/61" is not an address range (value-format)',
        ),
        (
            [planned("north/alpha", OUTAGE)],
            1,
            "error",
            "north/alpha: API server: unreachable since 14:01Z (api-unreachable)",
        ),
    ],
)
def test_the_plan_says_what_would_happen_or_why_not(
    outcomes: list[Outcome], rendered: int, state: str, text: str
) -> None:
    status = plan_status(outcomes, rendered=rendered, total_targets=300)
    assert (status.context, status.state, status.text) == ("clusterops/plan", state, text)


def test_a_verdict_comes_before_an_outage_and_others_are_counted() -> None:
    outcomes = [planned("a/a", OUTAGE), planned("south/beta", TYPO), planned("c/c", OUTAGE)]
    status = plan_status(outcomes, rendered=3, total_targets=3)
    assert status.state is State.FAILURE
    assert "south/beta" in status.text
    assert status.text.endswith("(value-format) (+2 more)")


def test_a_refusal_in_a_plan_and_a_problem_of_the_fleet_are_failures() -> None:
    refusal = Problem(code="cluster-prune", subject="Cluster a/a", message="refused", retry=Retry.HUMAN)
    draft = planned("a/a", create=1)
    assert draft.plan is not None
    outcome = replace(draft, plan=replace(draft.plan, refusals=(refusal,)))
    assert plan_status([outcome], rendered=1, total_targets=1).state is State.FAILURE
    whole = plan_status([], rendered=0, total_targets=0, problems=[replace(TYPO, path="fleet.yaml")])
    assert (whole.state, whole.text[:11]) == (State.FAILURE, "fleet.yaml:")


def test_what_failed_later_is_not_the_plans_fault() -> None:
    outcome = replace(planned("a/a", create=1), stage=Stage.HEALTH, problem=not_settled("a/a"))
    assert plan_status([outcome], rendered=1, total_targets=1).state is State.SUCCESS


def test_a_plan_under_way_is_pending() -> None:
    status = plan_pending(1, 300)
    assert (status.state, status.text) == ("pending", "planning 1 of 300 clusters")


def test_nothing_settled_yet_is_pending_for_all_and_for_each_region() -> None:
    statuses = apply_statuses([], pending=["north/alpha", "south/beta"])
    assert [(status.context, status.state, status.text) for status in statuses] == [
        ("clusterops/apply", "pending", "0 of 2 clusters settled"),
        ("clusterops/apply: north", "pending", "0 of 1 clusters settled"),
        ("clusterops/apply: south", "pending", "0 of 1 clusters settled"),
    ]


def test_all_settled_is_success_with_time_and_objects() -> None:
    statuses = apply_statuses([applied("north/alpha", 9, took_s=39), applied("south/beta", 9, pruned=1)], since=START)
    assert [(status.state, status.text) for status in statuses] == [
        ("success", "2 of 2 clusters settled in 43s: 18 objects applied, 1 pruned"),
        ("success", "1 of 1 clusters settled in 39s"),
        ("success", "1 of 1 clusters settled in 43s"),
    ]


def test_machines_are_counted_while_they_change_and_at_the_end() -> None:
    rolling = MachineTally(predicted=MachineCounts(replaced=3, added=2), before=frozenset("abc"))
    waiting = replace(applied("north/alpha", 2), stage=Stage.HEALTH, machines=rolling.seen("bcdx"))
    assert apply_statuses([waiting], pending=["north/alpha"])[0].text == (
        "0 of 1 clusters settled; 1 of 3 machines replaced, 1 of 2 added"
    )
    done = replace(applied("north/alpha", 2), machines=rolling.seen("defgh"))
    quiet = applied("south/beta", 1)
    assert apply_statuses([done, quiet], since=START)[0].text == (
        "2 of 2 clusters settled in 43s: 3 machines replaced, 2 added"
    )


def test_a_target_that_waits_for_health_is_not_settled_though_it_has_an_outcome() -> None:
    waiting = replace(applied("north/alpha", 9), stage=Stage.HEALTH)
    assert apply_statuses([waiting])[0].state is State.PENDING
    assert apply_statuses([applied("north/alpha", 9)], pending=["north/alpha"])[0].state is State.PENDING


def test_a_cluster_that_did_not_settle_is_a_failure_at_once_and_only_in_its_region() -> None:
    name = "eu-west-1/payments"
    statuses = apply_statuses([failed(name, not_settled(name))], pending=["fra1/search"])
    assert [(status.context, status.state) for status in statuses] == [
        ("clusterops/apply", "failure"),
        ("clusterops/apply: eu-west-1", "failure"),
        ("clusterops/apply: fra1", "pending"),
    ]
    assert statuses[0].text.startswith(
        "eu-west-1/payments: not settled after 90m: Machine payments-batch-x7k2p InstanceProvisionFailed"
    )


def test_what_is_tried_again_is_an_error() -> None:
    status = apply_statuses([failed("a/a", OUTAGE, Stage.APPLY)])[0]
    assert (status.state, status.text) == (
        "error",
        "a/a: API server: unreachable since 14:01Z (api-unreachable); 0 of 1 clusters settled",
    )


def test_a_later_commit_takes_over() -> None:
    alone = apply_statuses([], superseded={"a/a": "c81e77d" + "0" * 33})
    assert (alone[0].state, alone[0].text) == ("success", "superseded by c81e77d for 1 cluster")
    both = apply_statuses([applied("b/b", 1)], superseded={"a/a": "c81e77d"})
    assert both[0].text == "1 of 1 clusters settled in 43s: 1 object applied; superseded by c81e77d for 1 cluster"


def test_a_suspended_target_is_waited_for_and_named() -> None:
    paused = Problem(code="target-suspended", subject="a/a", message="paused", retry=Retry.HUMAN)
    status = apply_statuses([failed("a/a", paused, Stage.READ), applied("b/b", 1)])[0]
    assert (status.state, status.text) == ("pending", "1 of 2 clusters settled; 1 suspended")


def test_a_commit_that_touches_nothing_is_a_success() -> None:
    assert [(status.state, status.text) for status in apply_statuses([])] == [
        ("success", "no change: nothing to apply")
    ]


def test_what_is_shared_by_all_regions_has_no_region_of_its_own() -> None:
    statuses = apply_statuses([applied("shared/classes", 1)])
    assert [status.context for status in statuses] == ["clusterops/apply"]
    assert statuses[0].text.startswith("1 of 1 targets settled")
    assert (region_of("shared/classes"), region_of("north/_shared")) == ("", "north")


def test_a_named_management_cluster_has_contexts_of_its_own() -> None:
    contexts = Contexts(management="emea")
    statuses = apply_statuses([applied("north/alpha", 1)], contexts=contexts)
    assert [status.context for status in statuses] == ["clusterops-emea/apply", "clusterops-emea/apply: north"]
    assert (contexts.plan, contexts.policy) == ("clusterops-emea/plan", "clusterops-emea/policy")
    assert Contexts().plan == "clusterops/plan"


@given(st.text(max_size=400), st.text("abc-", min_size=1, max_size=30), st.integers(1, 5))
def test_a_text_fits_and_its_code_stays_readable(message: str, code: str, others: int) -> None:
    problem = Problem(code=code, subject="s", message=message)
    assert len(problem_text("a/a", problem)) <= TEXT_LIMIT
    assert problem_text("a/a", problem).endswith(f"({code})")
    outcomes = [planned(f"r/{number}", problem) for number in range(others)]
    text = plan_status(outcomes, rendered=others, total_targets=others).text
    assert len(text) <= TEXT_LIMIT
    assert f"({code})" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (0.4, "0s"), (43.9, "43s"), (60, "1m"), (41 * 60, "41m"), (3600, "1h"), (5400, "1h30m")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_several_clusters_go_in_steps_and_that_stays_readable() -> None:
    outcomes = [planned(f"north/c{number}", update=3) for number in range(41)]
    assert plan_status(outcomes, rendered=41, total_targets=300, steps="in 9 steps").text == (
        "41 clusters: updates 123 objects, in 9 steps"
    )
    long = [planned("a/" + "b" * 63, create=1), planned("a/" + "c" * 63, create=1)]
    text = plan_status(long, rendered=2, total_targets=2, steps="in " + "9" * 120 + " steps").text
    assert (len(text) <= TEXT_LIMIT, text.endswith(" steps")) == (True, True)
