"""What is done about drift, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.drift import after, healed, judged
from clusterops.drift.remedy import Remedied
from clusterops.model.drift import (
    HISTORY,
    Author,
    Departed,
    DriftedField,
    DriftedObject,
    DriftRecord,
    Remedy,
    TargetDrift,
)
from clusterops.model.fleet import DriftPolicy
from clusterops.model.ignore import IgnoreRule
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts
from clusterops.model.windows import Window, Windows, parse_spans

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
POOL = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="north", name="general")
CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="north", name="alpha")
IN_SYNC = TargetDrift(target="north/alpha", in_sync_since=NOW - timedelta(days=1))
MONDAYS = Windows((Window(targets="*", allow=parse_spans("Mon 08:00-10:00")),))


def edited(pointer: str = "/spec/paused", manager: str = "kubectl-edit", **changes: Any) -> DriftedObject:
    author = changes.pop("author", Author.PERSON)
    field = DriftedField(pointer=pointer, git=1, live=2, manager=manager, author=author, changed_at=NOW)
    return DriftedObject(key=POOL, what=Departed.CHANGED, fields=(field,), author=author, **changes)


def healing(*objects: DriftedObject, before: TargetDrift = IN_SYNC, at: datetime = NOW, **given: Any) -> Remedied:
    found = TargetDrift(target="north/alpha", objects=9)
    return judged(found, objects, before=before, now=at, **({"policy": DriftPolicy.HEAL} | given))


def remedy(one: DriftedObject, **given: Any) -> tuple[Remedy, str]:
    (found,) = healing(one, **given).drift.drifted
    return found.remedy, found.why


def test_the_policy_reports_or_heals() -> None:
    assert remedy(edited(), policy=DriftPolicy.REPORT) == (Remedy.REPORT, "")
    assert remedy(edited()) == (Remedy.HEAL, "")
    assert remedy(DriftedObject(key=POOL, what=Departed.DELETED))[0] is Remedy.HEAL


@pytest.mark.parametrize(
    "priced",
    [edited(cost=MachineCounts(replaced=3)), edited(cost=MachineCounts(removed=1)), edited(unknown_cost=True)],
)
def test_what_replaces_or_removes_machines_is_asked_for(priced: DriftedObject) -> None:
    assert remedy(priced)[0] is Remedy.ASK


def test_machines_that_are_added_need_no_question() -> None:
    assert remedy(edited(cost=MachineCounts(added=2)))[0] is Remedy.HEAL


def test_a_manager_that_nobody_knows_is_asked_for_by_name() -> None:
    stranger = edited(manager="my-tool", author=Author.UNKNOWN)
    assert remedy(stranger) == (Remedy.ASK, "my-tool is no field manager that ClusterOps knows")
    assert remedy(replace(stranger, what=Departed.OWNERSHIP_LOST))[0] is Remedy.HEAL


@pytest.mark.parametrize(
    "one",
    [
        DriftedObject(key=POOL, what=Departed.EXTRA),
        DriftedObject(key=POOL, what=Departed.FOREIGN, why="Flux Kustomization a/b has it too"),
        DriftedObject(key=CLUSTER, what=Departed.DELETED),
        DriftedObject(key=CLUSTER, what=Departed.REPLACED),
        edited(manager="keda-operator", author=Author.CONTROLLER),
        edited(manager="kustomize-controller", author=Author.TOOL),
        edited(remedy=Remedy.LEAVE, why="the plan refuses it"),
    ],
)
def test_what_only_a_person_can_decide_is_left_with_a_reason(one: DriftedObject) -> None:
    found, why = remedy(one)
    assert found is Remedy.LEAVE
    assert why


def test_what_the_plan_holds_waits() -> None:
    held = edited(remedy=Remedy.HOLD, why="is being deleted", unknown_cost=True)
    assert remedy(held) == (Remedy.HOLD, "is being deleted")
    assert remedy(held, policy=DriftPolicy.REPORT) == (Remedy.REPORT, "is being deleted")
    assert healing(held).again_at is None


def test_outside_of_its_window_drift_is_held_until_that_opens() -> None:
    found = healing(edited(), windows=MONDAYS)
    (one,) = found.drift.drifted
    assert (one.remedy, one.why) == (Remedy.HOLD, "until its window opens, Mon 08:00 UTC")
    assert found.again_at == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert remedy(edited(), windows=MONDAYS, at=datetime(2026, 11, 23, 9, tzinfo=UTC))[0] is Remedy.HEAL


def test_an_object_is_not_healed_over_a_field_that_a_rule_ignores() -> None:
    two = edited()
    two = replace(two, fields=(*two.fields, *edited("/spec/replicas").fields))
    rules = [IgnoreRule(source="fleet.yaml:25", pointers=("/spec/replicas",))]
    assert remedy(two, rules=rules) == (
        Remedy.REPORT,
        "to heal would put back /spec/replicas as well, which fleet.yaml:25 ignores",
    )


def rounds(count: int, every: timedelta, one: DriftedObject | None = None) -> TargetDrift:
    """Healed that often, the last time just now."""
    known = TargetDrift(target="north/alpha", drifted=(one or edited(),))
    history: tuple[DriftRecord, ...] = ()
    for back in reversed(range(count)):
        history = healed(history, known, {POOL}, NOW - back * every)
    return replace(IN_SYNC, history=history)


def test_a_field_that_is_changed_back_three_times_in_ten_minutes_is_a_fight_with_its_manager() -> None:
    assert remedy(edited(), before=rounds(2, timedelta(minutes=2)))[0] is Remedy.HEAL
    found, why = remedy(edited(), before=rounds(3, timedelta(minutes=2)))
    assert found is Remedy.FIGHT
    assert why.startswith("kubectl-edit undid 3 heals within 10 minutes: ")
    assert remedy(edited("/spec/other"), before=rounds(3, timedelta(minutes=2)))[0] is Remedy.HEAL
    assert remedy(edited(), before=rounds(3, timedelta(minutes=6)))[0] is Remedy.HEAL


def test_the_third_heal_that_is_undone_is_the_last() -> None:
    """As the daemon lives it: drift is seen, put back, and there again half a minute later."""
    known, at, told = IN_SYNC, NOW, []
    for _ in range(5):
        at += timedelta(seconds=30)
        known = healing(edited(), before=known, at=at).drift
        told.append(known.drifted[0].remedy)
        if told[-1] is Remedy.HEAL:
            known = replace(known, history=healed(known.history, known, {POOL}, at))
            known = judged(TargetDrift(target="north/alpha"), [], before=known, now=at).drift
    assert told == [Remedy.HEAL, Remedy.HEAL, Remedy.HEAL, Remedy.FIGHT, Remedy.FIGHT]


def test_a_fight_stays_given_up_until_the_drift_is_gone() -> None:
    given_up = healing(edited(), before=rounds(3, timedelta(minutes=2))).drift
    later = NOW + timedelta(hours=1)
    assert remedy(edited(), before=given_up, at=later)[0] is Remedy.FIGHT
    over = judged(TargetDrift(target="north/alpha"), [], before=given_up, now=later).drift
    assert remedy(edited(), before=over, at=later)[0] is Remedy.HEAL


def test_an_object_that_is_deleted_again_and_again_is_a_fight_too() -> None:
    gone = DriftedObject(key=POOL, what=Departed.DELETED)
    found, why = remedy(gone, before=rounds(3, timedelta(minutes=2), gone))
    assert (found, why.partition(" ")[0]) == (Remedy.FIGHT, "somebody")


def test_five_heals_in_five_minutes_are_enough() -> None:
    others = [edited(f"/spec/{name}") for name in "abcde"]
    history: tuple[DriftRecord, ...] = ()
    for place, one in enumerate(others):
        known = TargetDrift(target="north/alpha", drifted=(one,))
        history = healed(history, known, {POOL}, NOW - timedelta(minutes=4 - place / 2))
    found = healing(edited(), before=replace(IN_SYNC, history=history))
    assert found.drift.drifted[0].remedy is Remedy.HOLD
    assert found.again_at == NOW + timedelta(minutes=1)
    assert remedy(edited(), before=replace(IN_SYNC, history=history), at=NOW + timedelta(minutes=2))[0] is Remedy.HEAL


def test_history_tells_what_came_what_was_healed_and_when_all_was_well() -> None:
    came = healing(edited()).drift
    put_back = healed(came.history, came, {POOL}, NOW)
    well = judged(TargetDrift(target="north/alpha"), [], before=replace(came, history=put_back), now=NOW).drift
    assert [(record.what, record.pointer, record.remedy) for record in well.history] == [
        ("changed", "/spec/paused", ""),
        ("changed", "/spec/paused", "heal"),
        ("in-sync", "", ""),
    ]
    assert (well.in_sync_since, came.in_sync_since) == (NOW, None)


def test_nothing_new_is_the_same_history() -> None:
    first = healing(edited()).drift
    again = healing(edited(), before=first, at=NOW + timedelta(hours=1)).drift
    assert again.history is first.history
    assert again.drifted[0].seen_at == NOW


OBJECTS = st.builds(edited, st.sampled_from(["/spec/a", "/spec/b"]), st.sampled_from(["x", "kubectl"]))


@given(st.lists(st.lists(OBJECTS, max_size=1), max_size=60))
def test_history_never_grows_beyond_its_limit_and_its_newest_is_last(steps: list[list[DriftedObject]]) -> None:
    before, at = IN_SYNC, NOW
    for objects in steps:
        at += timedelta(minutes=1)
        now = replace(IN_SYNC, drifted=tuple(objects))
        history = after(before.history, before, now, at)
        assert len(history) <= HISTORY
        assert [record.at for record in history] == sorted(record.at for record in history)
        before = replace(now, history=history)
