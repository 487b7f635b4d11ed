"""What the targets of one commit wait for, and what ends that waiting when later commits come."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from clusterops.controller.commits import Commit
from clusterops.controller.statuses import statuses_of
from clusterops.model.commit_status import State
from clusterops.model.fleet import Mode, RolloutPolicy
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest, empty_set
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import ApplyReport, Stage
from tests.fleet_objects import body, rendered
from tests.unit.controller.works import NOW, commit, draft, target

A, B, SHARED = "north/a", "north/b", "shared/base"


async def begun(one: Commit, name: str) -> asyncio.Task[Problem | None]:
    """A pass up to its verdict, as far as it comes by itself."""

    async def run() -> Problem | None:
        one.again(name)
        await one.rendered(name, empty_set(name))
        return await one.judge(name, draft(name))

    task = asyncio.create_task(run())
    for _ in range(10):
        await asyncio.sleep(0)
    return task


async def test_nobody_goes_before_all_are_planned() -> None:
    one = commit("1", A, B)
    first = await begun(one, A)
    assert not first.done()
    second = await begun(one, B)
    assert (await first, await second) == (None, None)


async def test_a_target_that_a_later_commit_takes_before_its_pass_began_holds_up_nobody() -> None:
    """It was busy with an earlier commit, and its next pass belongs to the later one."""
    one, two = commit("1", A, B), commit("2", B)
    first = await begun(one, A)
    assert not first.done()
    one.supersede(B, two)
    assert await asyncio.wait_for(first, 60) is None
    assert one.superseded == {B: "2222222"}


async def test_a_target_taken_over_while_it_waits_for_the_others_ends_without_a_write() -> None:
    one, two = commit("1", A, B), commit("2", A)
    first = await begun(one, A)
    one.supersede(A, two)
    problem = await asyncio.wait_for(first, 60)
    assert problem is not None
    assert problem.code == "superseded"


async def test_a_cluster_waits_for_what_is_shared() -> None:
    one = commit("1", SHARED, A)
    cluster, shared = await begun(one, A), await begun(one, SHARED)
    assert await shared is None
    assert not cluster.done()
    one.progress(SHARED, draft(SHARED, stage=Stage.APPLY, report=ApplyReport()))
    assert await asyncio.wait_for(cluster, 60) is None


async def test_a_cluster_waits_for_the_later_commit_that_took_the_shared_part() -> None:
    one, two = commit("1", SHARED, A), commit("2", SHARED)
    cluster = await begun(one, A)
    one.supersede(SHARED, two)
    await begun(two, SHARED)
    await begun(two, SHARED)
    assert not cluster.done()
    two.finish(SHARED, draft(SHARED, stage=Stage.DONE))
    assert await asyncio.wait_for(cluster, 60) is None


async def test_two_commits_over_the_same_targets_never_wait_for_each_other() -> None:
    """The later one took both: the pass that waits for the shared part under the first one gives way."""
    one, two = commit("1", SHARED, A), commit("2", SHARED, A)
    cluster = await begun(one, A)
    one.supersede(SHARED, two)
    one.supersede(A, two)
    problem = await asyncio.wait_for(cluster, 60)
    assert problem is not None
    assert problem.code == "superseded"
    later, shared = await begun(two, A), await begun(two, SHARED)
    assert await asyncio.wait_for(shared, 60) is None
    two.finish(SHARED, draft(SHARED, stage=Stage.DONE))
    assert await asyncio.wait_for(later, 60) is None


def test_a_verdict_that_was_reached_is_not_superseded() -> None:
    one = commit("1", A, B)
    lasting = Problem(code="value-format", subject="x", message="y", retry=Retry.NEW_REVISION)
    passing = Problem(code="api-unreachable", subject="x", message="y", retry=Retry.BACKOFF)
    one.finish(A, draft(A, problem=lasting))
    one.finish(B, draft(B, problem=passing))
    for name in (A, B):
        one.supersede(name, commit("2", name))
    assert set(one.superseded) == {B}


def test_what_is_only_observed_counts_in_no_apply_verdict() -> None:
    one = commit("1", A, target(B, Mode.OBSERVE))
    one.drafts = {name: draft(name) for name in (A, B)}
    one._judged.set()
    one.finish(A, draft(A, stage=Stage.DONE, report=ApplyReport()))
    one.finish(B, draft(B))
    states = {status.context: status for status in statuses_of(one, "default", NOW)}
    assert states["clusterops/apply"].state is State.SUCCESS
    assert states["clusterops/apply"].text.startswith("1 of 1 clusters settled")


def test_a_commit_that_is_only_observed_has_no_apply_verdict() -> None:
    one = commit("1", target(A, Mode.OBSERVE))
    one.drafts = {A: draft(A)}
    one._judged.set()
    assert [status.context for status in statuses_of(one, "default", NOW)] == ["clusterops/plan", "clusterops/policy"]


def test_a_plan_verdict_that_stands_is_not_written_again() -> None:
    one = commit("1", A)
    one.planned = True
    assert statuses_of(one, "default", NOW) == ()
    one.drafts = {A: draft(A)}
    one._judged.set()
    contexts = [status.context for status in statuses_of(one, "default", NOW)]
    assert contexts == ["clusterops/apply", "clusterops/apply: north"]


def following(digit: str) -> Commit:
    """A follows what SHARED renders; B does not."""
    one = commit(digit, SHARED, A, B)
    one.works = {**one.works, A: replace(one.works[A], after=frozenset({SHARED}))}
    one.__post_init__()
    one.admit = _after_shared
    return one


async def _after_shared(one: Commit, name: str) -> Problem | None:
    return Problem(code="rollout-held", subject=name, message="waits") if one.waits_for_shared(name) else None


async def test_what_follows_is_held_before_what_it_follows_begins() -> None:
    one = following("1")
    shared, follower, other = await begun(one, SHARED), await begun(one, A), await begun(one, B)
    problem = await asyncio.wait_for(follower, 60)
    assert problem is not None
    assert problem.code == "rollout-held"
    assert not shared.done(), "its hold is not recorded yet"
    one.hold(A, problem)
    assert await asyncio.wait_for(shared, 60) is None
    one.progress(SHARED, draft(SHARED, stage=Stage.APPLY, report=ApplyReport()))
    assert await asyncio.wait_for(other, 60) is None
    assert not one.waits_for_shared(A)


async def test_what_follows_waits_for_what_failed_until_that_comes_back() -> None:
    one = following("1")
    failed = Problem(code="api-unreachable", subject=SHARED, message="away", retry=Retry.BACKOFF)
    one.finish(SHARED, draft(SHARED, problem=failed))
    assert one.waits_for_shared(A)
    one.again(SHARED)
    one.progress(SHARED, draft(SHARED, stage=Stage.HEALTH, report=ApplyReport()))
    assert not one.waits_for_shared(A)
    one.finish(SHARED, draft(SHARED, stage=Stage.DONE, report=ApplyReport()))
    assert not one.waits_for_shared(A)


async def test_nobody_waits_for_what_a_later_commit_took() -> None:
    one = following("1")
    one.supersede(SHARED, commit("2", SHARED))
    assert not one.waits_for_shared(A)


async def test_what_was_applied_does_not_come_any_more() -> None:
    """It lives by then, or never will."""
    one = commit("1", A, SHARED)
    sets = {name: rendered([body("v1", "ConfigMap", name.replace("/", "-"))]) for name in (A, SHARED)}
    await asyncio.gather(*(one.rendered(name, each) for name, each in sets.items()))
    one.hold(SHARED, Problem(code="window-closed", subject=SHARED, message="waits"))
    assert await one.rendered(A, sets[A]), "it is still to come"
    one.again(SHARED)
    one.progress(SHARED, draft(SHARED, stage=Stage.APPLY, report=ApplyReport()))
    assert await one.rendered(A, sets[A]) == {}


async def test_a_target_is_told_what_those_before_it_render() -> None:
    """So that a reference to a shared object of the same commit is none to nothing."""
    one = commit("1", A, B, SHARED)
    sets = {name: rendered([body("v1", "ConfigMap", name.replace("/", "-"))]) for name in (A, B, SHARED)}
    told = await asyncio.gather(*(one.rendered(name, each) for name, each in sets.items()))
    assert [[key.name for key in each] for each in told] == [["shared-base"], ["shared-base"], []]


async def test_a_commit_that_waits_for_no_health_is_not_paced() -> None:
    """Nothing of it would ever settle, so nobody's turn would come."""
    for settle_timeout_s, changed in ((60.0, {"north/a", "north/b"}), (0.0, set())):
        both = commit("1", "north/a", "north/b")
        file = replace(both.fleet.file, rollout=RolloutPolicy(settle_timeout_s=settle_timeout_s))
        both.fleet = replace(both.fleet, file=file)
        plans = {name: updating(name) for name in both.works}
        await asyncio.gather(*(both.judge(name, draft(name, plan=plan)) for name, plan in plans.items()))
        assert both.clusters == changed


def updating(name: str) -> Plan:
    wanted = Manifest.of(body("v1", "ConfigMap", name.partition("/")[2]))
    change = Change(key=wanted.key, action=Action.UPDATE, desired=wanted, live=LiveObject.of(wanted.body))
    return Plan(target=name, revision="main@1111111", waves=((change,),))
