"""Budgets of a commit under way: counted once, kept when a target comes back, and never judged blindly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from clusterops.controller.commits import Commit
from clusterops.controller.statuses import statuses_of
from clusterops.errors import TransientError
from clusterops.model.census import Census, Need
from clusterops.model.commit_status import State
from clusterops.model.fleet import Fleet
from clusterops.model.impact import Impact, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome
from tests.unit.controller.works import NOW, commit, draft

A, B, S = "north/a", "north/b", "south/s"


class Counting:
    """Answers with ``machines`` for whatever is asked, or raises."""

    def __init__(self, machines: int, *, fails: bool = False) -> None:
        self.machines, self.fails = machines, fails
        self.asked: list[Need] = []

    async def __call__(self, fleet: Fleet, asked: Iterable[Need]) -> Census:
        needs = tuple(asked)
        self.asked += needs
        await asyncio.sleep(0)
        if self.fails:
            raise TransientError("api-unreachable", "API server", "unreachable")
        return dict.fromkeys(needs, self.machines)


def rolling(name: str, replaced: int) -> Outcome:
    region, _, cluster = name.partition("/")
    key = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace=region, name=cluster)
    metadata = {"name": cluster, "namespace": region, "uid": "u"}
    live = LiveObject.of({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": key.kind, "metadata": metadata})
    pool = PoolImpact(
        cluster=None, owner=key, role=Role.WORKER, pool="general", kind=ImpactClass.ROLLING, replaced=replaced
    )
    change = Change(key=key, action=Action.UPDATE, desired=Manifest.of(live.body), live=live, impact=Impact.of([pool]))
    return draft(name, plan=Plan(target=name, revision="main@1", waves=((change,),)))


async def judged(one: Commit, **replaced: int) -> dict[str, Problem | None]:
    outcomes = {name.replace("_", "/"): count for name, count in replaced.items()}
    found = await asyncio.gather(*(one.judge(name, rolling(name, count)) for name, count in outcomes.items()))
    return dict(zip(outcomes, found, strict=True))


async def test_a_region_is_counted_once_and_its_verdict_stands_on_the_commit() -> None:
    one = commit("1", A, B, S)
    one.count = counting = Counting(40)
    verdicts = await asyncio.wait_for(judged(one, north_a=5, north_b=5, south_s=1), 5)
    assert {name: problem.code if problem else "" for name, problem in verdicts.items()} == {
        A: "budget-machines-replaced",
        B: "budget-machines-replaced",
        S: "",
    }
    assert sorted(counting.asked) == [Need(region=region, kind="Machine") for region in ("north", "south")]
    states = {status.context: status for status in statuses_of(one, "default", NOW)}
    assert states["clusterops/plan"].state is State.SUCCESS
    assert states["clusterops/policy"].state is State.FAILURE
    assert states["clusterops/policy"].text == "replaces 10 machines in north, budget 8 (budget-machines-replaced)"


async def test_nothing_is_counted_where_no_machine_goes() -> None:
    one = commit("1", A, B)
    one.count = counting = Counting(40)
    assert await judged(one, north_a=0, north_b=0) == {A: None, B: None}
    assert counting.asked == []


async def test_a_target_that_comes_back_is_judged_beside_all_others() -> None:
    """Else a commit beyond its budget would be applied piece by piece, by `clusterops reconcile` of each target."""
    one = commit("1", A, B)
    one.count = Counting(40)
    await asyncio.wait_for(judged(one, north_a=5, north_b=5), 5)
    again = await one.judge(A, rolling(A, 5))
    assert again is not None
    assert again.code == "budget-machines-replaced"


async def test_a_region_that_cannot_be_counted_is_not_applied_and_tried_again() -> None:
    one = commit("1", A)
    one.count = counting = Counting(40, fails=True)
    (problem,) = (await asyncio.wait_for(judged(one, north_a=5), 5)).values()
    assert problem is not None
    assert (problem.code, problem.retry) == ("api-unreachable", Retry.BACKOFF)
    counting.fails = False
    assert await one.judge(A, rolling(A, 5)) is None
