"""Which clusters of which commits may begin now, and what every other one waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clusterops.model.fleet import Pace, RolloutPolicy
from clusterops.model.rollout import Decision, Halt, Member, Moving, Reach, Resumed, Standing, Wait
from clusterops.model.windows import Window, Windows, parse_spans
from clusterops.plan.rollout import decide, steps

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
"""A Saturday."""
A, B = "main@aaaaaaa", "main@bbbbbbb"
SETTLED, BEGUN, FAILED, OUT = Standing.SETTLED, Standing.BEGUN, Standing.FAILED, Standing.OUT
CLOSED = Windows((Window(targets="*", allow=parse_spans("Mon 08:00-09:00")),))


def member(name: str, standing: Standing = Standing.WAITS, **facts: Any) -> Member:
    """Of commit A in region north, which rolls two machines at a time; ``ago`` is in minutes."""
    ago = facts.pop("ago", None)
    given: dict[str, Any] = {"revision": A, "reach": Reach.ROLLS, "at_once": 2, "region": "north"}
    since = NOW - timedelta(minutes=ago) if ago is not None else None
    return Member(target=name, standing=standing, since=since, **(given | facts))


def fleet(count: int, first: int = 1, **facts: Any) -> list[Member]:
    """n01, n02, …"""
    return [member(f"n{number:02}", **facts) for number in range(first, first + count)]


def decided(members: Sequence[Member], *, policy: RolloutPolicy | None = None, **facts: Any) -> Decision:
    order = facts.pop("order", tuple(dict.fromkeys(one.revision for one in members)))
    for name in {"halted", "resumed"} & facts.keys():
        facts[name] = facts[name] if isinstance(facts[name], list) else [facts[name]]
    return decide(members, policy or RolloutPolicy(), NOW, order=order, **facts)


def paced(**pace: Any) -> RolloutPolicy:
    rest = {name: pace.pop(name) for name in ("rings", "halt_after_failures", "regions", "clouds") if name in pace}
    return RolloutPolicy(pace=Pace(**pace), **rest)


def waits(decision: Decision) -> Mapping[str, Wait]:
    return {name: hold.wait for name, hold in decision.held.items()}


def moves(name: str, machines: int, region: str = "north") -> dict[str, Moving]:
    return {name: Moving(target=name, machines=machines, region=region)}


def test_rollout_of_one_cluster_goes_at_once_whatever_else_is_on_its_way() -> None:
    busy = [*fleet(5, standing=BEGUN), member("alone", revision=B, at_once=99)]
    assert decided(busy).go == ("alone",)


def test_rollout_of_a_commit_whose_other_clusters_a_newer_one_took_is_not_alone() -> None:
    left = [*fleet(5, standing=BEGUN), member("left", revision=B)]
    assert waits(decided(left, touched={B: 300})) == {"left": Wait.CLUSTERS}


def test_rollout_begins_with_one_canary_of_each_region() -> None:
    members = [*fleet(3), member("s1", region="south"), member("s2", region="south")]
    assert decided(members).go == ("n01", "s1")
    assert set(waits(decided(members)).values()) == {Wait.CANARY}


def test_rollout_canaries_by_label_go_first_and_alone() -> None:
    members = [*fleet(3), member("z", labels={"ring": "canary"})]
    assert decided(members, policy=paced(canaries={"ring": "canary"})).go == ("z",)


def test_rollout_canaries_are_those_of_the_regions_where_no_cluster_has_the_labels() -> None:
    assert decided(fleet(3), policy=paced(canaries={"ring": "canary"})).go == ("n01",)


def test_rollout_canary_labels_of_a_cluster_that_is_out_choose_nobody() -> None:
    members = [*fleet(3), member("z", OUT, labels={"ring": "canary"})]
    assert decided(members, policy=paced(canaries={"ring": "canary"})).go == ("n01",)


def test_rollout_canary_stays_the_canary_when_an_earlier_name_joins() -> None:
    members = [member("n00"), member("n01", SETTLED, ago=40), *fleet(2, first=2)]
    assert decided(members).go == ("n00", "n02", "n03")


def test_rollout_goes_on_after_the_canary_has_soaked() -> None:
    soaking = [member("n01", SETTLED, ago=29), *fleet(8, first=2)]
    decision = decided(soaking)
    assert decision.go == ()
    assert set(waits(decision).values()) == {Wait.SOAK}
    assert decision.again_at == NOW + timedelta(minutes=1) == decision.rollouts[0].soaking_until
    soaked = [member("n01", SETTLED, ago=30), *fleet(8, first=2)]
    decision = decided(soaked)
    assert decision.go == ("n02", "n03", "n04", "n05", "n06")
    assert waits(decision) == dict.fromkeys(("n07", "n08", "n09"), Wait.CLUSTERS)
    assert decision.again_at is None


def test_rollout_soaks_only_where_machines_moved() -> None:
    members = [member("n01", SETTLED, ago=1, reach=Reach.IN_PLACE, at_once=0), *fleet(2, first=2)]
    assert decided(members).go == ("n02", "n03")


def test_rollout_goes_ring_by_ring_and_other_rings_where_the_star_stands() -> None:
    policy = paced(rings=("early", "*", "late"), soak_s=0)
    canary = member("a", SETTLED, ago=1)
    early, late = member("e", labels={"ring": "early"}), member("b", labels={"ring": "late"})
    other = member("c")
    assert decided([canary, early, late, other], policy=policy).go == ("e",)
    early = replace(early, standing=SETTLED, since=NOW)
    assert decided([canary, early, late, other], policy=policy).go == ("c",)
    begun = replace(other, standing=BEGUN)
    assert waits(decided([canary, early, late, begun], policy=policy)) == {"b": Wait.RING}


def test_rollout_window_slides_as_clusters_settle() -> None:
    members = [member("n01", SETTLED, ago=60), member("n02", SETTLED, ago=0), *fleet(4, first=3, standing=BEGUN)]
    assert decided([*members, *fleet(3, first=7)]).go == ("n07",)


def test_rollout_keeps_to_machines_and_nobody_overtakes_who_does_not_fit() -> None:
    members = [
        member("n01", SETTLED, ago=60),
        member("n02", BEGUN, at_once=8),
        member("n03", at_once=2),
        member("n04", at_once=3),
        member("n05", at_once=1),
    ]
    decision = decided(members, policy=paced(max_machines_in_flight=12))
    assert decision.go == ("n03",)
    assert waits(decision) == dict.fromkeys(("n04", "n05"), Wait.MACHINES)
    assert decision.held["n04"].message == "10 of 12 machines on their way (n02 and 1 more), n04 moves 3"


def test_rollout_too_large_lets_its_stage_go_and_holds_what_comes_after() -> None:
    policy = paced(max_machines_in_flight=10, rings=("early",))
    early = {"ring": "early"}
    members = [
        member("n01", SETTLED, ago=60),
        member("n02", at_once=11, labels=early),
        member("n03", labels=early),
        member("n4"),
    ]
    decision = decided(members, policy=policy)
    assert decision.go == ("n03",)
    assert waits(decision) == {"n02": Wait.TOO_LARGE, "n4": Wait.RING}
    assert "n02 moves 11 machines at a time, maxMachinesInFlight is 10" in decision.held["n02"].message


def test_rollout_counts_machines_that_others_move_in_their_lane_only() -> None:
    policy = paced(max_machines_in_flight=3)
    assert waits(decided(fleet(2), policy=policy, moving=moves("elsewhere", 2)))["n01"] is Wait.MACHINES
    own = replace(policy, regions={"south": Pace()})
    assert decided(fleet(2), policy=own, moving=moves("elsewhere", 2, "south")).go == ("n01",)


def test_rollout_counts_a_cluster_that_moves_already_once() -> None:
    policy = paced(max_machines_in_flight=3)
    assert decided(fleet(2), policy=policy, moving=moves("n01", 3)).go == ("n01",)
    assert decided(fleet(2), policy=policy, moving=moves("n01", 2) | moves("x", 1)).go == ("n01",)
    assert decided(fleet(2), policy=policy, moving=moves("n01", 2) | moves("x", 2)).go == ()


def test_rollout_lanes_have_canaries_and_limits_of_their_own() -> None:
    policy = paced(max_concurrent_clusters=1, regions={"south": Pace(max_concurrent_clusters=2, soak_s=0)})
    south = [member("s1", SETTLED, ago=0), *(member(f"s{number}") for number in (2, 3, 4))]
    members = [*fleet(2), *(replace(one, region="south") for one in south)]
    decision = decided(members, policy=policy)
    assert decision.go == ("n01", "s2", "s3")
    assert decision.held["s4"].message == "2 of 2 clusters of region south on their way: s2 and 1 more"


def test_rollout_older_commit_goes_first_in_a_shared_lane() -> None:
    older = [member("n01", SETTLED, ago=60), *fleet(4, first=2)]
    newer = [member("m01", SETTLED, ago=60, revision=B), *(member(f"m{n}", revision=B) for n in range(2, 5))]
    decision = decided([*newer, *older], order=(A, B), policy=paced(max_concurrent_clusters=5))
    assert decision.go == ("n02", "n03", "n04", "n05", "m2")


def test_rollout_newer_commit_does_not_overtake_a_large_cluster_of_an_older_one() -> None:
    older = [member("n01", BEGUN, at_once=2), member("n02", at_once=9)]
    members = [replace(older[0], standing=SETTLED, since=NOW - timedelta(hours=1)), older[1]]
    newer = [member("m1", revision=B, at_once=1), member("m2", revision=B)]
    decision = decided([*members, *newer], policy=paced(max_machines_in_flight=10), moving=moves("x", 2))
    assert waits(decision) == {"n02": Wait.MACHINES, "m1": Wait.MACHINES, "m2": Wait.CANARY}


@pytest.mark.parametrize("reach", [Reach.CREATES, Reach.NOTHING])
def test_rollout_new_clusters_and_what_writes_nothing_wait_for_nobody(reach: Reach) -> None:
    full = [*fleet(5, standing=BEGUN), *fleet(2, first=6), member("x", reach=reach, at_once=0)]
    assert decided(full).go == ("x",)


def test_rollout_closed_window_holds_one_and_blocks_the_stages_behind() -> None:
    members = [
        member("n01", SETTLED, ago=60),
        member("n02", windows=CLOSED, labels={"ring": "e"}),
        member("n03", labels={"ring": "e"}),
        member("n04"),
    ]
    decision = decided(members, policy=paced(rings=("e",)))
    assert decision.go == ("n03",)
    assert waits(decision) == {"n02": Wait.WINDOW, "n04": Wait.RING}
    assert decision.again_at == decision.held["n02"].until == datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.mark.parametrize("reach", [Reach.ROLLS, Reach.CREATES])
def test_rollout_closed_window_holds_what_goes_at_once_too(reach: Reach) -> None:
    assert waits(decided([member("n01", reach=reach, windows=CLOSED)])) == {"n01": Wait.WINDOW}


def test_rollout_halts_at_the_first_failure_in_every_lane() -> None:
    policy = paced(regions={"south": Pace()})
    failed = member("n01", FAILED, ago=5, code="not-settled")
    members = [failed, member("n02"), member("s1", region="south"), member("new", reach=Reach.CREATES)]
    decision = decided([*members, member("other", revision=B)], policy=policy)
    assert decision.go == ("other",)
    assert waits(decision) == dict.fromkeys(("n02", "s1", "new"), Wait.HALTED)
    assert decision.halts == (Halt(revision=A, target="n01", code="not-settled", at=failed.since),)
    assert decision.held["n02"].message == f"n01 stopped the rollout of {A} (not-settled)"


def test_rollout_below_the_limit_a_failed_cluster_is_over_and_soaks() -> None:
    policy = paced(halt_after_failures=2)
    failed = member("n01", FAILED, ago=5)
    assert waits(decided([failed, *fleet(2, first=2)], policy=policy))["n02"] is Wait.SOAK
    failed = member("n01", FAILED, ago=31)
    assert decided([failed, *fleet(2, first=2)], policy=policy).go == ("n02", "n03")
    both = [failed, member("n02", FAILED, ago=1), member("n03")]
    assert waits(decided(both, policy=policy)) == {"n03": Wait.HALTED}


def test_rollout_resumed_goes_on_without_the_failures_of_before() -> None:
    members = [member("n01", FAILED, ago=5), member("n02", SETTLED, ago=60), member("n03")]
    said = Resumed(revision=A, at=NOW - timedelta(minutes=1))
    halt = Halt(revision=A, target="n01", code="not-settled", at=NOW - timedelta(minutes=5))
    assert decided(members, halted=halt, resumed=said).go == ("n03",)
    early = replace(said, at=NOW - timedelta(minutes=6))
    assert decided(members, halted=halt, resumed=early).go == ()
    assert decided(members, resumed=early).go == ()
    assert decided(members, resumed=replace(said, revision=B)).go == ()


def test_rollout_recorded_halt_stands_when_a_newer_commit_took_the_failed_cluster() -> None:
    halt = Halt(revision=A, target="n01", code="not-settled", at=NOW - timedelta(minutes=5))
    fix = member("n01", BEGUN, revision=B, ago=1)
    assert decided([fix, member("n02", SETTLED, ago=60), member("n03")], halted=halt, touched={A: 3}).go == ()


def test_rollout_failure_counts_against_its_commit_until_the_next_one_begins() -> None:
    left = Halt(revision=A, target="n01", code="not-settled", at=NOW)
    taken = member("n01", revision=B, disturbed=True, left=left, windows=CLOSED)
    decision = decided([taken, member("n02", revision=B), member("n03"), member("n04")], order=(A, B))
    assert decision.halts == (left,)
    assert decision.go == ()
    assert waits(decision) == {"n01": Wait.WINDOW, "n02": Wait.CANARY, "n03": Wait.HALTED, "n04": Wait.HALTED}


def test_rollout_goes_on_once_the_fix_has_settled() -> None:
    halt = Halt(revision=A, target="n01", code="not-settled", at=NOW - timedelta(minutes=5))
    rest = [member("n02", SETTLED, ago=60), member("n03")]
    fixed = member("n01", SETTLED, revision=B, ago=1)
    assert decided([fixed, *rest], halted=halt).go == ("n03",)
    assert decided(rest, halted=halt, settled={"n01": NOW}).go == ("n03",)
    assert decided(rest, halted=halt, settled={"n01": NOW - timedelta(minutes=9)}).go == ()
    earlier = member("n01", SETTLED, revision="main@earlier", ago=99)
    assert decided([fixed, earlier, *rest], halted=halt).go == ("n03",)
    assert decided(rest, halted=[replace(halt, revision=B), halt]).go == ()


def test_rollout_disturbed_clusters_go_with_the_canaries_and_first() -> None:
    members = [*fleet(3), member("n09", disturbed=True)]
    assert decided(members, policy=paced(max_concurrent_clusters=1)).go == ("n09",)


def test_rollout_disturbed_cluster_that_moves_holds_its_place_and_may_use_it() -> None:
    """Its fix needs no place that it does not have, so nothing that waits before it keeps it out."""
    policy = paced(max_concurrent_clusters=1)
    older = [member("n01", SETTLED, ago=60), *fleet(2, first=2)]
    newer = [member("n05", revision=B, disturbed=True), member("n06", revision=B)]
    decision = decided([*older, *newer], policy=policy, moving=moves("n05", 2))
    assert decision.go == ("n05",)
    assert waits(decision)["n02"] is Wait.CLUSTERS


def test_rollout_fix_of_what_failed_needs_a_place_and_passes_those_that_wait_for_its_machines() -> None:
    policy = paced(max_concurrent_clusters=1, max_machines_in_flight=3, halt_after_failures=2)
    older = [member("n01", SETTLED, ago=60), *fleet(2, first=2)]
    left = Halt(revision=A, target="n05", code="not-settled", at=NOW)
    newer = [member("n05", revision=B, disturbed=True, left=left), member("n06", revision=B)]
    decision = decided([*older, *newer], policy=policy, moving=moves("n05", 2))
    assert decision.go == ("n05",)
    assert waits(decision) == {"n02": Wait.MACHINES, "n03": Wait.MACHINES, "n06": Wait.CANARY}
    decision = decided([*older, member("n09", BEGUN, at_once=1), *newer], policy=policy, moving=moves("n05", 2))
    assert waits(decision)["n05"] is Wait.CLUSTERS


def test_rollout_of_others_machines_takes_no_place_of_a_cluster() -> None:
    assert decided(fleet(3), policy=paced(max_concurrent_clusters=1), moving=moves("n03", 1)).go == ("n01",)


def test_rollout_failed_cluster_counts_its_machines_and_no_place() -> None:
    policy = paced(halt_after_failures=9, max_concurrent_clusters=1, max_machines_in_flight=3)
    members = [member("n01", FAILED, ago=60), member("n02")]
    assert decided(members, policy=policy).go == ("n02",)
    assert waits(decided(members, policy=policy, moving=moves("n01", 2))) == {"n02": Wait.MACHINES}


def test_rollout_stage_waits_for_what_has_begun_behind_it() -> None:
    """A cluster whose ring changed, say."""
    policy = paced(rings=("early",))
    members = [member("n01", SETTLED, ago=60), member("n02", labels={"ring": "early"}), member("n03", BEGUN)]
    assert waits(decided(members, policy=policy)) == {"n02": Wait.RING}
    settled = [*members[:2], member("n03", SETTLED, ago=1)]
    assert waits(decided(settled, policy=policy)) == {"n02": Wait.SOAK}


def test_rollout_progress_lists_targets_in_going_order() -> None:
    labels = {"ring": "canary"}
    members = [
        member("n01"),
        member("n09", SETTLED, ago=60, labels=labels),
        member("n02", BEGUN),
        member("n03", OUT),
        member("n08", FAILED, ago=60, labels=labels),
        member("n04", windows=CLOSED),
        member("x1", SETTLED, reach=Reach.CREATES),
    ]
    policy = paced(canaries=labels, halt_after_failures=2)
    (told,) = decided(members, policy=policy).rollouts
    assert told.done == ("x1", "n09")
    assert told.failed == ("n08",)
    assert told.in_flight == ("n01", "n02")
    assert told.out == ("n03",)
    assert list(told.held) == ["n04"]
    assert (told.steps, told.over) == (1, False)


def test_rollout_of_a_commit_that_no_order_names_is_the_newest() -> None:
    assert decided(fleet(2), order=()).go == ("n01",)


def test_rollout_is_over_when_nothing_is_left() -> None:
    (told,) = decided([member("n01", SETTLED, ago=1), member("n02", OUT)]).rollouts
    assert (told.over, told.steps) == (True, 0)


def test_rollout_steps_are_canaries_then_batches() -> None:
    """JOURNEY section 2: one canary and 40 in fives."""
    members = [*fleet(40), member("sandbox", labels={"ring": "canary"})]
    assert steps(members, paced(canaries={"ring": "canary"})) == 9


def test_rollout_steps_keep_to_machines_and_go_lane_beside_lane() -> None:
    north = [member(f"n{number}", at_once=4) for number in range(7)]
    south = [member(f"s{number}", region="south") for number in range(4)]
    policy = paced(max_machines_in_flight=10, regions={"south": Pace(max_concurrent_clusters=1)})
    assert steps(north, policy) == 4
    assert steps([*north, *south], policy) == 4
    assert steps(south, policy) == 4


@pytest.mark.parametrize(
    ("members", "count"),
    [
        ([], 0),
        ([member("a")], 1),
        ([member("a", at_once=99)], 1),
        ([member("a", reach=Reach.NOTHING)], 0),
        ([member("a", reach=Reach.CREATES), member("b", reach=Reach.CREATES)], 1),
        ([member("a"), member("b", OUT)], 1),
    ],
)
def test_rollout_steps_of_what_is_not_paced(members: list[Member], count: int) -> None:
    assert steps(members, RolloutPolicy()) == count
