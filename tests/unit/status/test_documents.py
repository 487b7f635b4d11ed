"""FleetTarget, Fleet, Events and our CRDs as documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.errors import RefusedError, TerminalError
from clusterops.model.fleet import Mode, PlainRecipe, Target
from clusterops.model.inventory import Entry
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import (
    ApplyReport,
    ApplyRow,
    HealthReport,
    HealthRow,
    HealthWord,
    Outcome,
    Result,
    Stage,
)
from clusterops.model.rollout import Halt
from clusterops.status import (
    Condition,
    FleetStatus,
    TargetCounts,
    TargetStatus,
    crd_bodies,
    event_body,
    fleet_target_key,
    status_after,
)
from clusterops.status.conditions import merged, reason_of
from clusterops.status.fleet import StoredFleet, fleet_body, fleet_key, stored_fleet
from clusterops.status.fleet_target import fleet_target_body, stored_target, unstored_target

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
KEY = ObjectKey(group="", kind="ConfigMap", namespace="north", name="a")


def target(name: str = "north/alpha", cluster: str = "alpha", namespace: str = "north") -> Target:
    return Target(
        name=name,
        fleet="platform",
        region=None,
        cluster=cluster,
        namespace=namespace,
        mode=Mode.APPLY,
        recipe=PlainRecipe(files=()),
    )


def as_live(body: dict[str, object], version: str = "7") -> LiveObject:
    metadata = {**body["metadata"], "uid": "u", "resourceVersion": version}  # type: ignore[dict-item]
    return LiveObject.of({**body, "metadata": metadata})


def outcome(stage: Stage, problem: Problem | None = None, *, settled: bool = True) -> Outcome:
    change = Change(key=KEY, action=Action.CREATE)
    row = ApplyRow(key=KEY, action=Action.CREATE, result=Result.APPLIED, uid="u")
    word = HealthWord.CURRENT if settled else HealthWord.IN_PROGRESS
    health = HealthReport(rows=(HealthRow(key=KEY, word=word, reason="ScalingUp"),))
    return Outcome(
        target="north/alpha",
        revision="main@3b9e0d1",
        stage=stage,
        problem=problem,
        plan=Plan(target="north/alpha", revision="main@3b9e0d1", waves=((change,),), id="7c1f9e"),
        report=ApplyReport(rows=(row,)) if stage in {Stage.HEALTH, Stage.DONE} else None,
        health=health if stage in {Stage.HEALTH, Stage.DONE} else None,
    )


@pytest.mark.parametrize(
    ("name", "cluster", "namespace", "key"),
    [
        ("north/alpha", "alpha", "north", "FleetTarget.clusterops.io/north/alpha"),
        ("north/_shared", "_shared", "north", "FleetTarget.clusterops.io/north/shared.region"),
        ("shared/classes", "classes", "", "FleetTarget.clusterops.io/clusterops-system/shared.classes"),
    ],
)
def test_the_key_is_a_dns_name_that_no_cluster_can_have_twice(
    name: str, cluster: str, namespace: str, key: str
) -> None:
    assert str(fleet_target_key(target(name, cluster, namespace))) == key


def test_a_document_reads_back_as_it_was_written() -> None:
    entry = Entry(key=KEY, api_version="v1")
    stored = unstored_target(target())
    stored = replace(
        stored,
        inventory=stored.inventory.widened([entry], revision="main@1"),
        status=status_after(stored.status, outcome(Stage.DONE), inputs="i", now=NOW),
    )
    again = stored_target(as_live(fleet_target_body(stored)))
    assert (again.inventory, again.status, again.fleet, again.target) == (
        stored.inventory,
        stored.status,
        "platform",
        "north/alpha",
    )


def test_what_people_and_newer_releases_wrote_is_kept() -> None:
    body = fleet_target_body(unstored_target(target()))
    body["spec"] |= {"suspend": True, "newer": 1}
    body["status"] |= {"newer": {"x": 1}, "code": "old-code", "message": "old"}
    body["metadata"]["labels"]["team"] = "a"
    stored = stored_target(as_live(body))
    stored = replace(stored, status=status_after(stored.status, outcome(Stage.DONE), inputs="i", now=NOW))
    written = fleet_target_body(stored)
    assert written["spec"] == {"suspend": True, "newer": 1, "fleet": "platform", "target": "north/alpha"}
    assert written["status"]["newer"] == {"x": 1}
    assert "code" not in written["status"]
    assert written["metadata"]["labels"] == {"team": "a", "clusterops.io/fleet": "platform"}
    assert (written["metadata"]["uid"], written["metadata"]["resourceVersion"]) == ("u", "7")


def test_machines_go_on_being_counted_from_what_the_commit_began_with() -> None:
    tally = MachineTally(predicted=MachineCounts(replaced=1), before=frozenset("ab"))
    begun = status_after(TargetStatus(), replace(outcome(Stage.HEALTH), machines=tally.seen("bc")), inputs="i", now=NOW)
    assert begun.machines == tally
    again = status_after(begun, outcome(Stage.DONE), inputs="i", now=NOW)
    assert again.machines == tally
    later = status_after(again, replace(outcome(Stage.DONE), revision="main@2"), inputs="i", now=NOW)
    assert later.machines is None


def test_a_newer_inventory_is_refused_and_a_broken_one_is_no_empty_one() -> None:
    body = fleet_target_body(unstored_target(target()))
    with pytest.raises(RefusedError, match="inventory-too-new"):
        stored_target(as_live({**body, "inventory": {"format": 2, "entries": []}}))
    bodies: tuple[dict[str, object], ...] = (
        {"format": "x"},
        {"entries": []},
        {"format": 1, "entries": [{"key": "nonsense", "version": "v1"}]},
    )
    for broken in bodies:
        with pytest.raises(TerminalError, match="inventory-unreadable"):
            stored_target(as_live({**body, "inventory": broken}))


STAGES = [
    (Stage.APPLY, None, True, "Applying", ("Unknown", "Unknown", "Unknown")),
    (Stage.HEALTH, None, False, "Applied", ("Unknown", "True", "Unknown")),
    (Stage.DONE, None, True, "Settled", ("True", "True", "True")),
]


@pytest.mark.parametrize(("stage", "problem", "settled", "phase", "conditions"), STAGES)
def test_phase_and_conditions_follow_the_stage(
    stage: Stage, problem: Problem | None, settled: bool, phase: str, conditions: tuple[str, ...]
) -> None:
    status = status_after(TargetStatus(), outcome(stage, problem, settled=settled), inputs="i", now=NOW)
    assert status.phase == phase
    assert [condition.type for condition in status.conditions] == ["Ready", "Applied", "Healthy"]
    assert tuple(condition.status for condition in status.conditions) == conditions


@pytest.mark.parametrize(
    ("code", "retry", "phase", "ready"),
    [
        ("value-format", Retry.NEW_REVISION, "Failed", "False"),
        ("api-unreachable", Retry.BACKOFF, "Failed", "False"),
        ("foreign-owner", Retry.HUMAN, "Refused", "False"),
        ("target-suspended", Retry.HUMAN, "Suspended", "False"),
        ("superseded", Retry.NEW_REVISION, "Applied", "Unknown"),
    ],
)
def test_a_problem_shows_with_its_code_and_its_line(code: str, retry: Retry, phase: str, ready: str) -> None:
    problem = Problem(code=code, subject="north/alpha", message="why", retry=retry)
    status = status_after(TargetStatus(), outcome(Stage.HEALTH, problem), inputs="i", now=NOW)
    assert (status.phase, status.code, status.message) == (phase, code, f"north/alpha: why ({code})")
    assert status.conditions[0].status == ready
    if ready == "False":
        assert status.conditions[0].reason == reason_of(code)


def test_a_failure_before_the_apply_keeps_what_is_known_of_the_last_one() -> None:
    before = status_after(TargetStatus(), outcome(Stage.DONE), inputs="i", now=NOW)
    problem = Problem(code="value-format", subject="x", message="y")
    broken = replace(outcome(Stage.RENDER, problem), revision="main@2", plan=None)
    after = status_after(before, broken, inputs="j", now=NOW + timedelta(hours=1))
    assert (after.inputs, after.applied_revision, after.settled_at) == ("j", "main@3b9e0d1", NOW)
    assert after.observed_revision == "main@2"
    assert after.conditions[0].since == NOW + timedelta(hours=1)


@given(st.sampled_from(STAGES), st.integers(1, 10**6))
def test_the_same_facts_later_are_the_same_status(case: tuple[Stage, None, bool, str, object], seconds: int) -> None:
    """So that a resync of a settled fleet writes nothing."""
    once = status_after(TargetStatus(), outcome(case[0], settled=case[2]), inputs="i", now=NOW)
    later = NOW + timedelta(seconds=seconds)
    assert status_after(once, outcome(case[0], settled=case[2]), inputs="i", now=later) == once


def test_a_condition_keeps_its_time_until_its_status_changes_and_others_are_left() -> None:
    before = (
        Condition(type="Ready", status="True", reason="A", since=NOW),
        Condition(type="Theirs", status="True", reason="X", since=NOW),
    )
    later = NOW + timedelta(hours=1)
    kept = merged(before, [Condition(type="Ready", status="True", reason="B")], later)
    assert [(each.type, each.reason, each.since) for each in kept] == [("Ready", "B", NOW), ("Theirs", "X", NOW)]
    assert merged(before, [Condition(type="Ready", status="False", reason="B")], later)[0].since == later


def test_a_fleet_reads_back_as_it_was_written_and_keeps_the_kill_switch() -> None:
    status = FleetStatus(
        revision="main@1",
        commit="1" * 40,
        fetched_at=NOW,
        message="m",
        targets=TargetCounts(total=3, settled=2, failed=1),
        halted=Halt(revision="main@1", target="a/a", code="not-settled"),
        management={"emea": "u2", "default": "u1"},
        conditions=(Condition(type="Ready", status="False", reason="NotSettled", since=NOW),),
    )
    body = fleet_body(StoredFleet(key=fleet_key("platform"), status=status))
    body["spec"]["suspend"] = True
    again = stored_fleet(as_live(body))
    assert again.status == status
    assert again.suspend
    resumed = fleet_body(replace(again, status=replace(status, halted=None)))
    assert "halted" not in resumed["status"]
    assert resumed["spec"] == {"suspend": True}


def test_an_event_has_one_name_per_object_reason_and_revision() -> None:
    def event(reason: str, revision: str, uid: str = "u") -> dict[str, object]:
        return event_body(KEY, reason=reason, note="n", revision=revision, now=NOW, instance="i", uid=uid)

    names = {
        str(event(*case)["metadata"]) for case in (("A", "1"), ("A", "1"), ("B", "1"), ("A", "2"), ("A", "1", "v"))
    }
    assert len(names) == 4


def test_an_event_of_something_long_still_fits() -> None:
    key = ObjectKey(group="", kind="ConfigMap", namespace=None, name="n" * 253)
    body = event_body(key, reason="A", note="ü" * 3000, revision="1", now=NOW, instance="i" * 500)
    assert len(body["metadata"]["name"]) <= 253
    assert len(body["note"].encode()) < 1024
    assert len(body["reportingInstance"]) <= 128
    assert body["metadata"]["namespace"] == "default"


def test_our_kinds_have_no_status_subresource_and_every_field_of_ours_in_their_schema() -> None:
    """A field that is missing there would be refused by the server."""
    schemas = {}
    for body in crd_bodies():
        (version,) = body["spec"]["versions"]
        assert "subresources" not in version
        schemas[body["spec"]["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    problem = Problem(code="c", subject="s", message="m")
    full = replace(
        status_after(TargetStatus(), outcome(Stage.DONE), inputs="i", now=NOW), code=problem.code, message=problem.text
    )
    tally = MachineTally(predicted=MachineCounts(replaced=1), before=frozenset("ab"))
    stored = replace(unstored_target(target()), status=replace(full, machines=tally))
    _assert_in_schema(fleet_target_body(stored), schemas["FleetTarget"])
    fleet = FleetStatus(
        revision="r",
        commit="c",
        fetched_at=NOW,
        resumed_revision="r",
        message="m",
        halted=Halt(revision="r", target="t", code="c"),
    )
    _assert_in_schema(fleet_body(StoredFleet(key=fleet_key("f"), status=fleet)), schemas["Fleet"])


def _assert_in_schema(value: object, schema: dict[str, object], path: str = "") -> None:
    if isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        assert isinstance(properties, dict)
        for name, item in value.items():
            assert name in properties, f"{path}.{name}"
            _assert_in_schema(item, properties[name], f"{path}.{name}")
    if isinstance(value, list):
        for item in value:
            _assert_in_schema(item, schema["items"], f"{path}[]")  # type: ignore[arg-type]
