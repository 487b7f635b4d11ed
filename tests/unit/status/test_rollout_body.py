"""A rollout as the Fleet's status has it: bounded in size, the same when read back, and one line for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from clusterops.model.fleet import Pace, RolloutPolicy
from clusterops.model.rollout import Decision, Halt, Hold, Progress, Wait
from clusterops.status.rollout_body import NAMES_TOLD, rollout_bodies, rollouts_of, told
from clusterops.status.rollout_texts import held_text, rollout_text

NOW = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
SOAKED = NOW + timedelta(minutes=30)
POLICY = RolloutPolicy(pace=Pace(max_machines_in_flight=30))
FULL = Hold(wait=Wait.CLUSTERS, message="5 of 5 clusters on their way: eu-west-1/c01 and 4 more")
CLOSED = Hold(wait=Wait.WINDOW, message="its maintenance window is closed, opens Mon 23 Nov 08:00Z", until=SOAKED)
SOAK = Hold(wait=Wait.SOAK, message="waits for canaries to soak until 14:32Z", until=SOAKED)
HALT = Halt(revision="main@c81e77d", target="eu-west-1/c03", code="not-settled", at=NOW)


def names(count: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"eu-west-1/c{place:02}" for place in range(start, start + count))


def progress(**facts: object) -> Progress:
    return Progress(revision="main@c81e77d", **facts)  # type: ignore[arg-type]


def test_what_is_stored_reads_back_as_what_was_told() -> None:
    one = progress(
        done=names(12),
        in_flight=names(5, 12),
        failed=names(1, 17),
        out=names(1, 18),
        held=dict.fromkeys(names(24, 20), FULL) | {"eu-west-1/late": CLOSED},
        soaking_until=SOAKED,
        soaked_at=SOAKED,
        canaries=("eu-west-1/c00",),
        halt=HALT,
        steps=9,
    )
    (body,) = rollout_bodies(Decision(rollouts=(one,)), POLICY, moving={"eu-west-1/c12": 23, "other/one": 4})
    assert rollouts_of(json.loads(json.dumps([body]))) == (
        told(one, POLICY, moving={"eu-west-1/c12": 23, "other/one": 4}),
    )
    assert body["halted"] == {
        "revision": "main@c81e77d",
        "target": "eu-west-1/c03",
        "code": "not-settled",
        "at": "2026-11-21T14:02:00Z",
    }
    assert [(each["wait"], each["count"]) for each in body["held"]] == [("clusters", 24), ("window", 1)]


def test_a_line_says_done_in_flight_held_and_why() -> None:
    one = progress(
        done=names(12),
        in_flight=names(5, 12),
        held=dict.fromkeys(names(24, 17), FULL),
        canaries=("eu-west-1/c00",),
        soaked_at=SOAKED,
    )
    assert rollout_text(told(one, POLICY, moving={"eu-west-1/c12": 23}), now=NOW, settled_at=NOW) == (
        "12 of 41 clusters done, 5 in flight (23 of 30 machines), 24 held: waits for a place (24)"
        " · canary eu-west-1/c00 settled 14:02Z, soaked 14:32Z"
    )


def test_a_line_of_a_soaking_canary_says_until_when() -> None:
    one = progress(
        done=names(1),
        held=dict.fromkeys(names(40, 1), SOAK),
        canaries=names(1),
        soaked_at=SOAKED,
        soaking_until=SOAKED,
    )
    assert rollout_text(told(one)) == (
        "1 of 41 clusters done, 40 held: soaking (40) · canary eu-west-1/c00 soaking until Sat 21 Nov 14:32Z"
    )


def test_one_target_that_is_no_cluster_makes_them_targets() -> None:
    assert rollout_text(told(progress(done=("shared/classes",), in_flight=names(1)))) == (
        "1 of 2 targets done, 1 in flight"
    )


def test_limits_of_their_own_are_no_limit_of_the_fleet() -> None:
    lanes = RolloutPolicy(regions={"eu-west-1": Pace()})
    assert rollout_text(told(progress(in_flight=names(1)), lanes, moving={"eu-west-1/c00": 1})) == (
        "0 of 1 cluster done, 1 in flight (1 machine)"
    )


def test_a_rollout_that_is_over_is_not_told() -> None:
    assert rollout_bodies(Decision(rollouts=(progress(done=names(3), failed=names(1, 3)),))) == []


def test_halted_ones_come_first() -> None:
    first = Progress(revision="main@1111111", in_flight=names(1))
    second = Progress(revision="main@2222222", held={"eu-west-1/c09": FULL}, halt=HALT)
    found = [body["revision"] for body in rollout_bodies(Decision(rollouts=(first, second)))]
    assert found == ["main@2222222", "main@1111111"]


def test_a_named_target_is_told_its_own_reason_and_the_largest_group_stands_for_the_rest() -> None:
    one = told(progress(held=dict.fromkeys(names(90), FULL) | {"eu-west-1/late": CLOSED}))
    late, last, other = (one.hold_of(name) for name in ("eu-west-1/late", "eu-west-1/c89", "eu-west-1/c00"))
    assert (late and late.wait, last and last.wait, other and other.wait) == ("window", "clusters", "clusters")


def test_what_a_target_waits_for_is_said_once() -> None:
    machines = Hold(wait=Wait.MACHINES, message="29 of 30 machines on their way (a/a), a/c moves 3")
    ring = Hold(wait=Wait.RING, message="waits for ring early: a/b and 2 more")
    one = told(progress(held={"a/c": machines, "a/d": ring, "a/e": CLOSED, "a/f": FULL}))
    assert [held_text(one, name) for name in ("a/c", "a/d", "a/e", "a/f")] == [
        "held: waits for machines: 29 of 30 machines on their way (a/a), a/c moves 3",
        "held: waits for ring early: a/b and 2 more",
        "held: its maintenance window is closed, opens Mon 23 Nov 08:00Z",
        "held: waits for a place: 5 of 5 clusters on their way: eu-west-1/c01 and 4 more",
    ]


def test_where_two_groups_are_cut_nobody_guesses() -> None:
    held = dict.fromkeys(names(90), FULL) | dict.fromkeys(names(90, 100), CLOSED)
    one = told(progress(held=held))
    assert one.hold_of("eu-west-1/c89") is None
    assert one.hold_of("eu-west-1/c00") is not None


def test_however_large_the_fleet_its_status_fits_an_object() -> None:
    """Names as long as Kubernetes has them, everybody waiting for something else, twenty commits at once."""

    def long(place: int) -> str:
        return f"{'r' * 63}/{place:05}{'c' * 58}"

    each = {long(place): Hold(wait=Wait.TOO_LARGE, message=f"{long(place)} moves 40 machines") for place in range(2000)}
    each |= {long(place): Hold(wait=Wait.RING, message=f"waits for {long(place)}") for place in range(2000, 4000)}
    one = progress(in_flight=tuple(long(place) for place in range(4000, 6000)), held=each, done=names(100))
    bodies = rollout_bodies(Decision(rollouts=(one,) * 20))
    assert len(json.dumps(bodies)) < 400_000
    assert [body["inFlight"]["count"] for body in bodies][:1] == [2000]
    assert sum(group["count"] for group in bodies[0]["held"]) == 4000
    assert all(len(group["names"]) <= NAMES_TOLD for group in bodies[0]["held"])


def test_what_somebody_broke_there_reads_as_empty() -> None:
    (one,) = rollouts_of(
        [{"held": [None, {"until": 3, "names": 4}], "inFlight": 7, "halted": "no", "soakingUntil": "soon"}, 5]
    )
    assert (one.revision, one.total, one.halted, one.soaking_until) == ("", 0, None, None)
