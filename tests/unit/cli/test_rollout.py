"""`clusterops rollout status`: what is said first, what each row says, and what the command ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clusterops.cli.rollout import exit_of
from clusterops.cli.rollout_screen import View, why_held
from clusterops.cli.screen import Exit
from clusterops.model.fleet import RolloutPolicy
from clusterops.model.inventory import empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.rollout import Decision, Halt, Hold, Progress, Wait
from clusterops.status import FleetStatus, Phase, StoredFleet, StoredTarget, TargetCounts, TargetStatus, fleet_key
from clusterops.status.rollout_body import rollout_bodies

NOW = datetime(2026, 11, 21, 14, 40, tzinfo=UTC)
HEAD = "main@c81e77d"
FULL = Hold(wait=Wait.CLUSTERS, message="2 of 2 clusters on their way: eu-west-1/c02 and 1 more")
STOP = Hold(wait=Wait.HALTED, message=f"eu-west-1/c03 stopped the rollout of {HEAD} (not-settled)")
HALT = Halt(revision=HEAD, target="eu-west-1/c03", code="not-settled", at=NOW)
LINE = "eu-west-1/c03: not settled after 90m: Machine c03-x7k2p InstanceProvisionFailed (not-settled)"


def name(number: int) -> str:
    return f"eu-west-1/c{number:02}"


def target(number: int, phase: Phase, **facts: object) -> StoredTarget:
    known: dict[str, object] = {"observed_revision": HEAD, "begun_revision": HEAD, "begun_at": NOW}
    status = TargetStatus(phase=phase, **{**known, **facts})  # type: ignore[arg-type]
    key = ObjectKey(group="clusterops.io", kind="FleetTarget", namespace="eu-west-1", name=f"c{number:02}")
    return StoredTarget(
        key=key, fleet="platform", target=name(number), inventory=empty_inventory(name(number)), status=status
    )


def fleet(*rollouts: Progress, halted: Halt | None = None) -> StoredFleet:
    status = FleetStatus(
        revision=HEAD,
        targets=TargetCounts(total=41, settled=41),
        halted=halted,
        rollouts=tuple(rollout_bodies(Decision(rollouts=rollouts), RolloutPolicy(), moving={name(2): 3})),
    )
    return StoredFleet(key=fleet_key("platform"), status=status)


def lines(view: View, *, every: bool = False) -> list[str]:
    said: list[str] = []

    def say_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        said.extend(" | ".join(row) for row in [columns, *rows])

    view.say(said.append, say_table, every=every)
    return said


MOVING = Progress(
    revision=HEAD,
    done=(name(1),),
    in_flight=(name(2), name(3)),
    held=dict.fromkeys([name(number) for number in range(4, 42)], FULL),
    canaries=(name(1),),
    soaked_at=NOW - timedelta(minutes=3),
)
TALLY = MachineTally(predicted=MachineCounts(replaced=3), at_once=1)
TARGETS = [
    target(1, Phase.SETTLED, settled_revision=HEAD, settled_at=NOW - timedelta(minutes=33)),
    target(2, Phase.APPLIED, message="waits for Machine c02-x: Running", machines=TALLY),
    target(3, Phase.APPLYING, message="applying"),
    *(target(number, Phase.HELD, begun_revision="main@older00", message="generic") for number in range(4, 42)),
]


def test_a_line_a_rollout_then_who_is_on_its_way_and_who_waits_for_what() -> None:
    assert lines(View(stored=fleet(MOVING), targets=TARGETS, now=NOW))[:6] == [
        f"{HEAD}  1 of 41 clusters done, 2 in flight (3 of 30 machines), 38 held: waits for a place (38)"
        " · canary eu-west-1/c01 settled 14:07Z, soaked 14:37Z",
        "TARGET | STATE | SINCE | WHY",
        "eu-west-1/c02 | in flight | 14:40Z | waits for Machine c02-x: Running",
        "eu-west-1/c03 | in flight | 14:40Z | applying",
        "eu-west-1/c04 | held | - | waits for a place: 2 of 2 clusters on their way: eu-west-1/c02 and 1 more",
        "eu-west-1/c05 | held | - | waits for a place: 2 of 2 clusters on their way: eu-west-1/c02 and 1 more",
    ]


def test_names_are_cut_unless_all_are_asked_for() -> None:
    view = View(stored=fleet(MOVING), targets=TARGETS, now=NOW)
    assert lines(view)[-1] == "… and 28 more | held |  | --all shows every one"
    assert len(lines(view, every=True)) == 2 + 2 + 38


def test_chosen_targets_limit_the_rows_and_not_the_counts() -> None:
    found = lines(View(stored=fleet(MOVING), targets=TARGETS, now=NOW, chosen=frozenset({name(40)})))
    assert "1 of 41 clusters done" in found[0]
    assert [line.partition(" ")[0] for line in found[2:]] == ["eu-west-1/c40"]


def test_a_halt_is_said_first_with_what_to_do_about_it() -> None:
    stopped = replace(MOVING, in_flight=(name(2),), failed=(name(3),), held=dict.fromkeys([name(4)], STOP), halt=HALT)
    failed = target(3, Phase.FAILED, message=LINE, code="not-settled", failed_at=NOW)
    found = lines(View(stored=fleet(stopped, halted=HALT), targets=[failed, *TARGETS[3:4]], now=NOW))
    assert found[:2] == [
        f"HALTED {HEAD} since 14:40Z: {LINE}; 1 held",
        "  `clusterops status eu-west-1/c03` says more; a commit that mends it goes on by itself, "
        "`clusterops resume` goes on without it",
    ]
    assert found[4] == f"eu-west-1/c03 | failed | 14:40Z | {LINE}"
    assert found[5].startswith("eu-west-1/c04 | held | - | rollout halted: eu-west-1/c03 stopped the rollout")


def test_who_halts_a_rollout_has_failed_though_its_own_status_does_not_say_so() -> None:
    degraded = replace(HALT, code="cluster-degraded")
    stopped = replace(MOVING, in_flight=(), failed=(name(3),), held={name(4): STOP}, halt=degraded)
    view = View(stored=fleet(stopped), targets=[target(3, Phase.SETTLED)], now=NOW)
    (row,) = view.rows(view.rollouts[0])
    assert (row.target, str(row.state), row.code) == ("eu-west-1/c03", "failed", "cluster-degraded")


def test_a_paused_and_a_refused_target_take_no_part_and_one_that_is_tried_again_is_on_its_way() -> None:
    paused = replace(target(4, Phase.HELD), suspend=True)
    refused = target(5, Phase.REFUSED, begun_revision="", code="cluster-prune")
    again = target(6, Phase.FAILED, retrying=True, code="api-unreachable")
    view = View(stored=fleet(MOVING), targets=[paused, refused, again], now=NOW)
    assert [(row.target, str(row.state)) for row in view.rows(view.rollouts[0])] == [
        (name(6), "in flight"),
        (name(4), "out"),
        (name(5), "out"),
    ]


def test_a_target_that_was_let_go_and_has_not_recorded_that_is_on_its_way() -> None:
    view = View(stored=fleet(MOVING), targets=[target(2, Phase.HELD, begun_revision="")], now=NOW)
    (row,) = view.rows(view.rollouts[0])
    assert (str(row.state), row.why) == ("in flight", "its turn has come")


def test_nothing_under_way_is_one_line_and_names_who_goes_alone() -> None:
    assert lines(View(stored=fleet(), targets=TARGETS[:1], now=NOW)) == [
        f"platform: no rollout is under way: {HEAD}, 41 of 41 targets settled"
    ]
    assert lines(View(stored=fleet(), targets=TARGETS[:2], now=NOW)) == [
        f"platform: no rollout is under way: {HEAD}, 41 of 41 targets settled; 1 on its way: eu-west-1/c02"
    ]


def test_a_rewritten_history_is_halted_too() -> None:
    rewritten = Halt(revision="f" * 40, target="", code="history-rewritten")
    view = View(stored=fleet(halted=rewritten), targets=[], now=NOW)
    assert lines(view)[0] == "HALTED platform: fffffff is not taken, it does not descend from what was applied"
    assert (view.halts, view.halted) == ((), True)


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        (fleet(), Exit.DONE),
        (fleet(MOVING), Exit.CHANGES),
        (fleet(replace(MOVING, halt=HALT)), Exit.REFUSED),
        (fleet(halted=HALT), Exit.REFUSED),
    ],
)
def test_scripts_tell_over_from_under_way_from_halted(stored: StoredFleet, code: Exit) -> None:
    assert exit_of([View(stored=stored, targets=[], now=NOW)]) is code


def test_the_status_of_a_held_target_says_what_it_waits_for_and_others_say_what_they_said() -> None:
    known = [fleet(MOVING)]
    assert why_held(TARGETS[3], known) == (
        "held: waits for a place: 2 of 2 clusters on their way: eu-west-1/c02 and 1 more"
    )
    assert [why_held(one, known) for one in (TARGETS[0], target(7, Phase.HELD, observed_revision="main@other00"))] == [
        "",
        "",
    ]
