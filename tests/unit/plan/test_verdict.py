"""The verdict on a whole commit: who is stopped, and by which rule."""

from __future__ import annotations

from dataclasses import replace

from clusterops.model.fleet import Fleet, FleetFile, Mode, PlainRecipe, Target
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Stage
from clusterops.plan.verdict import judge

CONFIG = ObjectKey(group="", kind="ConfigMap", namespace="north", name="one")
CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="north", name="web")
BROKEN = Problem(code="value-format", subject="x", message="y")
A, B = "north/a", "south/b"


def fleet(*names: str) -> Fleet:
    targets = {
        name: Target(
            name=name,
            fleet="platform",
            region=None,
            cluster=name.partition("/")[2],
            namespace="north",
            mode=Mode.APPLY,
            recipe=PlainRecipe(files=()),
        )
        for name in names
    }
    return Fleet(file=FleetFile(name="platform"), targets=targets)


def draft(name: str, *wanted: ObjectKey, dropped: tuple[ObjectKey, ...] = ()) -> Outcome:
    changes = [Change(key=key, action=Action.CREATE, desired=_manifest(key)) for key in wanted]
    changes += [Change(key=key, action=Action.PRUNE) for key in dropped]
    plan = Plan(target=name, revision="main@1", waves=(tuple(changes),))
    return Outcome(target=name, revision="main@1", stage=Stage.PLAN, plan=plan)


def _manifest(key: ObjectKey) -> Manifest:
    version = f"{key.group}/v1beta2" if key.group else "v1"
    metadata = {"name": key.name, "namespace": key.namespace}
    return Manifest.of({"apiVersion": version, "kind": key.kind, "metadata": metadata})


def test_everybody_goes_when_nothing_is_wrong() -> None:
    drafts = {A: draft(A, CONFIG), B: draft(B, CLUSTER)}
    assert judge(fleet(A, B), drafts, {CONFIG: A, CLUSTER: B}) == {}


def test_a_broken_fleet_file_stops_everybody() -> None:
    broken = replace(fleet(A, B), problems=(BROKEN,))
    assert judge(broken, {A: draft(A), B: draft(B)}, {}) == {A: BROKEN, B: BROKEN}


def test_a_broken_target_stops_itself() -> None:
    drafts = {A: replace(draft(A), problem=BROKEN), B: draft(B, CONFIG)}
    assert judge(fleet(A, B), drafts, {}) == {A: BROKEN}


def test_two_targets_of_one_commit_that_render_one_object_are_both_stopped() -> None:
    stopped = judge(fleet(A, B), {A: draft(A, CONFIG), B: draft(B, CONFIG)}, {})
    assert {name: problem.code for name, problem in stopped.items()} == {A: "owned-twice", B: "owned-twice"}
    assert (A in stopped[B].message, B in stopped[A].message) == (True, True)
    assert stopped[A].retry is Retry.HUMAN
    assert stopped[A].subject == CONFIG.label


def test_an_object_stays_with_its_owner() -> None:
    """The owner is not part of the commit, or is and still renders it: only the other one is stopped by it."""
    stopped = judge(fleet(A, B), {B: draft(B, CONFIG)}, {CONFIG: A})
    assert (set(stopped), stopped[B].code) == ({B}, "owned-twice")
    assert f"rendered by {B} and owned by {A}" in stopped[B].message


def test_an_object_is_not_handed_over_within_one_commit() -> None:
    """The owner drops it and another one renders it: first it has to be given up, then it may be taken."""
    stopped = judge(fleet(A, B), {A: draft(A, dropped=(CONFIG,)), B: draft(B, CONFIG)}, {CONFIG: A})
    assert {name: problem.code for name, problem in stopped.items()} == {B: "owned-twice"}


def test_a_directory_moved_while_its_cluster_lives() -> None:
    """The old directory is gone from git, so the way back is named."""
    stopped = judge(fleet(B), {A: draft(A, dropped=(CLUSTER,)), B: draft(B, CLUSTER)}, {CLUSTER: A})
    assert (set(stopped), stopped[B].code) == ({B}, "target-moved")
    assert f"clusters/{A}" in stopped[B].hint


def test_other_objects_of_a_target_gone_from_git_are_owned_still() -> None:
    stopped = judge(fleet(B), {B: draft(B, CONFIG)}, {CONFIG: A})
    assert stopped[B].code == "owned-twice"


def test_a_targets_own_problem_comes_before_a_clash() -> None:
    drafts = {A: replace(draft(A, CONFIG), problem=BROKEN), B: draft(B, CONFIG)}
    assert judge(fleet(A, B), drafts, {})[A] == BROKEN


def test_what_is_shared_is_not_pruned_beside_a_cluster_that_is_stopped() -> None:
    """A region that was moved or lost takes nothing along; dropped by itself, a shared object goes."""
    shared = replace(draft("north/_shared"), plan=_pruning("north/_shared"))
    everywhere = replace(draft("shared/base"), plan=_pruning("shared/base"))
    drafts = {"north/_shared": shared, "shared/base": everywhere, A: replace(draft(A), problem=BROKEN)}
    stopped = judge(fleet(A), drafts, {})
    assert {name: problem.code for name, problem in stopped.items()} == {
        A: "value-format",
        "north/_shared": "shared-in-doubt",
        "shared/base": "shared-in-doubt",
    }
    assert judge(fleet(A), {**drafts, A: draft(A)}, {}) == {}
    assert "north/_shared" not in judge(fleet(B), {**drafts, A: draft(A), B: replace(draft(B), problem=BROKEN)}, {})


def _pruning(name: str) -> Plan:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "north"}}
    change = Change(key=CONFIG, action=Action.PRUNE, live=LiveObject.of(body))
    return Plan(target=name, revision="main@1", waves=((change,),))


def _gone_cluster(name: str, *refusals: Problem) -> Outcome:
    metadata = {"name": CLUSTER.name, "namespace": CLUSTER.namespace, "uid": "u"}
    live = LiveObject.of({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": metadata})
    action = Action.REFUSE if refusals else Action.PRUNE
    change = Change(key=CLUSTER, action=action, live=live, reason=refusals[0] if refusals else None)
    plan = Plan(target=name, revision="main@1", waves=((change,),), refusals=refusals)
    return Outcome(target=name, revision="main@1", stage=Stage.PLAN, plan=plan)


def test_without_its_second_key_a_dropped_cluster_stops_its_target_alone() -> None:
    problem = Problem(code="deletion-needs-second-key", subject="x", message="y", retry=Retry.HUMAN)
    stopped = judge(fleet(B), {A: _gone_cluster(A, problem), B: draft(B, CONFIG)}, {CLUSTER: A})
    assert stopped == {A: problem}


def test_a_second_key_does_not_open_while_another_directory_stands_for_the_same_cluster() -> None:
    """`git mv clusters/north/a clusters/south/web` with ``namespace: north``: moved, not dropped."""
    other = replace(fleet("south/web").targets["south/web"], namespace="north")
    moved = replace(fleet(), targets={"south/web": other})
    stopped = judge(moved, {A: _gone_cluster(A)}, {CLUSTER: A})
    assert stopped[A].code == "target-moved"
    assert judge(fleet(B), {A: _gone_cluster(A)}, {CLUSTER: A}) == {}
