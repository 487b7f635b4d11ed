"""Which targets a commit wakes, what a restart remembers, and how the fleet is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from clusterops.controller.due import GONE, Due, Memory, counts_of, find_due, gone_target, inputs_of
from clusterops.controller.work import Work
from clusterops.model.deletion import DeletionKey
from clusterops.model.fleet import Target
from clusterops.model.inventory import empty_inventory
from clusterops.model.manifest import RenderedSet
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
from clusterops.model.revision import Snapshot
from clusterops.status import Phase, StoredTarget, TargetStatus, fleet_target_key, status_after
from tests.unit.controller.works import NOW, draft, fleet, revision, target, work

A, B = target("north/a"), target("north/b")


class Fingerprints:
    """A renderer whose fingerprints are given by target name."""

    def __init__(self, **known: str) -> None:
        self.known = known

    def fingerprint(self, snapshot: Snapshot, target: Target) -> str:
        return self.known.get(target.cluster, "tree")

    async def render(self, snapshot: Snapshot, target: Target) -> RenderedSet:
        raise AssertionError("nothing is rendered to find out what is due")


def due(memories: dict[str, Memory], renderer: Fingerprints, *targets: Target, **how: Any) -> dict[str, Due]:
    snapshot = work(A, revision("2")).snapshot
    found = find_due(
        fleet(*targets), {each.name: each for each in targets}, memories, snapshot, renderer, gone=how.get("gone", ())
    )
    return {each.target.name: each for each in found}


def passed(each: Target, **how: Any) -> Memory:
    snapshot = work(each, revision("1")).snapshot
    inputs = inputs_of(each, snapshot, Fingerprints())
    return Memory(**{"inputs": inputs, "revision": "main@1111111", "settled": True, "passed": True, **how})


def test_only_what_changed_is_due() -> None:
    found = due({"north/a": passed(A), "north/b": passed(B)}, Fingerprints(b="other"), A, B)
    assert set(found) == {"north/b"}
    assert (found["north/b"].unfinished_of, found["north/b"].supersedes) == ("", "")


def test_what_this_process_works_on_is_the_schedules_to_repeat() -> None:
    assert due({"north/a": passed(A, settled=False)}, Fingerprints(), A) == {}


def test_what_a_restart_left_unsettled_belongs_to_its_old_commit() -> None:
    found = due({"north/a": passed(A, settled=False, passed=False)}, Fingerprints(), A)
    assert found["north/a"].unfinished_of == "main@1111111"


def test_what_changed_while_nobody_looked_supersedes_its_old_commit() -> None:
    found = due({"north/a": passed(A, settled=False, passed=False)}, Fingerprints(a="other"), A)
    assert (found["north/a"].unfinished_of, found["north/a"].supersedes) == ("", "main@1111111")


def test_a_settled_target_that_changes_supersedes_nothing() -> None:
    found = due({"north/a": passed(A, passed=False)}, Fingerprints(a="other"), A)
    assert found["north/a"].supersedes == ""


def test_a_broken_fleet_file_makes_nothing_due() -> None:
    broken = replace(fleet(A), problems=(Problem(code="x-y", subject="fleet.yaml", message="broken"),))
    snapshot = work(A, revision("2")).snapshot
    assert find_due(broken, {"north/a": A}, {}, snapshot, Fingerprints(), gone=()) == ()


def stored(status: TargetStatus) -> StoredTarget:
    return StoredTarget(
        key=fleet_target_key(A), fleet="platform", target=A.name, inventory=empty_inventory(A.name), status=status
    )


def recorded(*outcomes: Outcome, inputs: str = "tree", gone: bool = False) -> Memory:
    """What a next process remembers after these were recorded in turn."""
    status = TargetStatus()
    for outcome in outcomes:
        status = status_after(status, outcome, inputs=inputs, now=NOW, gone=gone)
    return Memory.of(stored(status))


def test_a_pass_that_ended_well_is_settled_after_a_restart() -> None:
    assert recorded(draft(A.name, stage=Stage.DONE)).settled
    assert recorded(draft(A.name, stage=Stage.DONE), inputs=GONE, gone=True).settled


def test_a_pass_cut_short_is_unfinished_with_the_inputs_that_it_had() -> None:
    """Also where the same revision had settled before, as after an upgrade of a renderer."""
    memory = recorded(draft(A.name, stage=Stage.DONE), draft(A.name, stage=Stage.APPLY), inputs="new")
    assert (memory.settled, memory.inputs, memory.revision) == (False, "new", "main@1111111")


def test_a_pass_that_failed_at_a_settled_revision_is_not_settled() -> None:
    problem = Problem(code="api-forbidden", subject="x", message="y")
    assert not recorded(draft(A.name, stage=Stage.DONE), draft(A.name, problem=problem)).settled


def test_a_target_gone_from_git_keeps_its_place() -> None:
    found = gone_target(stored(TargetStatus(phase=Phase.SETTLED)), fleet(B))
    assert (found.name, found.namespace, found.cluster) == ("north/a", "north", "a")
    gone = due({"north/a": passed(A)}, Fingerprints(), gone=[found])
    assert (gone["north/a"].gone, gone["north/a"].inputs) == (True, GONE)
    assert due({"north/a": passed(A, inputs=GONE)}, Fingerprints(), gone=[found]) == {}


def test_every_target_is_counted_once() -> None:
    names = [f"north/{name}" for name in ("settled", "busy", "failed", "paused", "waits")]
    memories = {
        names[0]: Memory(settled=True),
        names[2]: Memory(code="value-format"),
        names[3]: Memory(code="target-suspended"),
        names[4]: Memory(code="superseded"),
        "north/gone": Memory(settled=True),
    }
    counts = counts_of(memories, {name: target(name) for name in names})
    assert (counts.total, counts.settled, counts.failed, counts.suspended) == (5, 1, 1, 1)
    assert (counts.progressing, counts.orphaned) == (2, 1)


def test_a_pass_begun_is_no_settled_one() -> None:
    one: Work = work(A, revision("2"), inputs="new")
    memory = passed(A).before(one)
    assert (memory.settled, memory.inputs, memory.revision) == (False, "new", "main@2222222")
    assert memory.after(one, draft(A.name, revision="main@2222222", stage=Stage.DONE)).settled


def test_a_second_key_makes_its_target_due_in_git_or_gone() -> None:
    key = DeletionKey(path="deletions/b.yaml", target="north/b", uid="u", reason="r", expires=date(2026, 11, 28))
    snapshot = work(A, revision("2")).snapshot
    for gone in ((), (B,)):
        mine = {each.name: each for each in (A, B) if each not in gone}
        inputs = GONE if gone else passed(B).inputs
        memories = {"north/a": passed(A), "north/b": passed(B, inputs=inputs, code="deletion-needs-second-key")}
        plain = find_due(fleet(*mine.values()), mine, memories, snapshot, Fingerprints(), gone=gone)
        keyed = replace(fleet(*mine.values()), deletions=(key,))
        found = find_due(keyed, mine, memories, snapshot, Fingerprints(), gone=gone)
        assert ([each.target.name for each in plain], [each.target.name for each in found]) == ([], ["north/b"])


def test_what_is_deleted_is_due_only_when_git_has_it_again() -> None:
    deleted = passed(B, inputs="deleted with its key", deleted=True)
    assert due({"north/a": passed(A), "north/b": deleted}, Fingerprints(), A, gone=(B,)) == {}
    assert set(due({"north/a": passed(A), "north/b": deleted}, Fingerprints(), A, B)) == {"north/b"}
    assert counts_of({"north/a": passed(A), "north/b": deleted}, {"north/a": A}).orphaned == 0


def test_what_a_budget_stopped_is_due_when_the_policy_moves() -> None:
    stopped = passed(B, settled=False, code="budget-machines-replaced")
    memories = {"north/a": passed(A), "north/b": stopped}
    snapshot, mine = work(A, revision("2")).snapshot, {"north/a": A, "north/b": B}
    for moved, expected in ((False, []), (True, ["north/b"])):
        found = find_due(fleet(A, B), mine, memories, snapshot, Fingerprints(), gone=(), policy_moved=moved)
        assert [each.target.name for each in found] == expected
