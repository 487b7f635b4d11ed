"""What a commit spends of its budgets, and who is stopped beyond them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from clusterops.model.census import Need
from clusterops.model.fleet import Fleet, FleetFile, Mode, PlainRecipe, Target
from clusterops.model.impact import Impact, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.policy import Budget, Exemption, Limit, Policy, Weight
from clusterops.model.problem import Retry
from clusterops.model.report import Outcome, Stage
from clusterops.plan.budgets import needs, weigh
from clusterops.plan.verdict import judge

TODAY = date(2026, 11, 21)
A, B, S = "north/a", "north/b", "south/s"
MACHINES = {Need(region="north", kind="Machine"): 40, Need(region="south", kind="Machine"): 10}


def fleet(policy: Policy | None = None, *names: str) -> Fleet:
    targets = {
        name: Target(
            name=name,
            fleet="platform",
            region=None,
            cluster=name.partition("/")[2],
            namespace=name.partition("/")[0],
            mode=Mode.APPLY,
            recipe=PlainRecipe(files=()),
        )
        for name in names or (A, B, S)
    }
    return Fleet(file=FleetFile(name="platform", policy=policy or Policy()), targets=targets)


def key(kind: str, target: str, name: str = "") -> ObjectKey:
    region, _, cluster = target.partition("/")
    return ObjectKey(group="cluster.x-k8s.io", kind=kind, namespace=region, name=name or cluster)


def live(at: ObjectKey, **status: Any) -> LiveObject:
    metadata = {"name": at.name, "namespace": at.namespace, "uid": "u"}
    return LiveObject.of(
        {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": at.kind, "metadata": metadata, "status": status}
    )


def pool(owner: ObjectKey, kind: ImpactClass = ImpactClass.ROLLING, **counts: Any) -> PoolImpact:
    home = ObjectKey(group=owner.group, kind="Cluster", namespace=owner.namespace, name="c")
    return PoolImpact(cluster=home, owner=owner, role=Role.WORKER, pool="general", kind=kind, **counts)


def edit(at: ObjectKey, *pools: PoolImpact, least: ImpactClass = ImpactClass.IN_PLACE) -> Change:
    there = live(at)
    return Change(
        key=at,
        action=Action.UPDATE,
        desired=Manifest.of(there.body),
        live=there,
        impact=Impact.of(pools, least=least),
    )


def drop(at: ObjectKey, *pools: PoolImpact, **status: Any) -> Change:
    impact = Impact.of(pools, least=ImpactClass.DELETE) if pools else None
    return Change(key=at, action=Action.PRUNE, live=live(at, **status), impact=impact)


def draft(target: str, *changes: Change) -> Outcome:
    return Outcome(
        target=target,
        revision="main@1",
        stage=Stage.PLAN,
        plan=Plan(target=target, revision="main@1", waves=(tuple(changes),)),
    )


def rolling(target: str, count: int) -> Outcome:
    owner = key("MachineDeployment", target)
    return draft(target, edit(owner, pool(owner, replaced=count, now=count)))


def weights(of: Fleet, drafts: Iterable[Outcome]) -> dict[tuple[Budget, str], Weight]:
    found = weigh(of, {one.target: one for one in drafts}, MACHINES, today=TODAY)
    return {(weight.budget, weight.region): weight for weight in found}


def test_a_share_is_of_the_machines_of_the_region_rounded_up() -> None:
    """A fifth of 40."""
    found = weights(fleet(), [rolling(A, 4), rolling(B, 4)])
    weight = found[Budget.MACHINES_REPLACED, "north"]
    assert (weight.spent, weight.limit, weight.over) == (8, 8, False)
    assert Limit(percent=10).among(41) == 5


def test_beyond_a_share_the_line_is_that_of_the_journey_and_the_hint_the_exception_to_add() -> None:
    weight = weights(fleet(), [rolling(A, 5), rolling(B, 4)])[Budget.MACHINES_REPLACED, "north"]
    assert weight.over
    assert weight.problem.text == "replaces 9 machines in north, budget 8 (budget-machines-replaced)"
    assert "{budget: machinesReplaced, region: north, limit: 9, reason: TEXT, expires: DATE}" in weight.problem.hint
    assert weight.problem.retry is Retry.HUMAN


def test_a_share_always_allows_what_one_cluster_alone_needs() -> None:
    """Two of the three machines of a small region: more than a fifth, and there is no smaller step."""
    assert not weights(fleet(), [rolling(S, 9)])[Budget.MACHINES_REPLACED, "south"].over
    assert weights(fleet(), [rolling(A, 9), rolling(B, 1)])[Budget.MACHINES_REPLACED, "north"].over


@pytest.mark.parametrize("limit", [Limit(count=3), Limit(percent=0)])
def test_a_count_and_a_share_of_nothing_are_strict(limit: Limit) -> None:
    policy = Policy(budgets={Budget.MACHINES_REPLACED: limit})
    assert weights(fleet(policy), [rolling(S, 4)])[Budget.MACHINES_REPLACED, "south"].over


def test_a_machine_counts_once_whichever_changes_touch_its_pool() -> None:
    """A ClusterClass in shared/ and the Cluster itself: the pool is the same; the class spends in its region."""
    owner = key("MachineDeployment", S)
    class_edit = edit(key("ClusterClass", "shared/small"), pool(owner, replaced=6, now=6))
    drafts = [draft("shared/small", class_edit), rolling(S, 4)]
    found = weights(fleet(), drafts)
    assert found[Budget.MACHINES_REPLACED, "south"].spent == 6
    assert found[Budget.MACHINES_REPLACED, "south"].targets == ("shared/small", S)


def test_what_cannot_be_predicted_counts_as_rolling_all_its_machines() -> None:
    owner = key("MachinePool", S)
    told = draft(S, edit(owner, pool(owner, ImpactClass.UNKNOWN, now=7)))
    untold = draft(A, edit(key("KubeadmControlPlane", A), least=ImpactClass.UNKNOWN))
    blind = replace(untold, plan=replace(untold.plan, waves=((_with_status(untold, replicas=3),),)))  # type: ignore[type-var]
    found = weights(fleet(), [told, blind])
    assert found[Budget.MACHINES_REPLACED, "south"].spent == 7
    assert found[Budget.MACHINES_REPLACED, "north"].spent == 3


def _with_status(outcome: Outcome, **status: Any) -> Change:
    assert outcome.plan is not None
    (change,) = outcome.plan.changes
    return replace(change, live=live(change.key, **status))


def test_a_cluster_counts_with_its_machines_and_a_pool_as_a_pool() -> None:
    gone = drop(key("Cluster", A), controlPlane={"replicas": 3}, workers={"replicas": 4})
    owner = key("MachineDeployment", B)
    found = weights(fleet(), [draft(A, gone), draft(B, drop(owner, pool(owner, ImpactClass.DELETE, removed=2, now=2)))])
    spent = {budget: weight.spent for (budget, region), weight in found.items() if region == "north"}
    assert spent == {Budget.CLUSTERS_DELETED: 1, Budget.POOLS_DELETED: 1, Budget.MACHINES_REMOVED: 9}


def test_what_is_being_deleted_already_spends_nothing() -> None:
    change = drop(key("Cluster", A), controlPlane={"replicas": 3})
    assert change.live is not None
    body = {**change.live.body, "metadata": {**change.live.body["metadata"], "deletionTimestamp": "now"}}
    assert weights(fleet(), [draft(A, replace(change, live=LiveObject.of(body)))]) == {}


def test_two_clusters_of_a_region_are_one_too_many() -> None:
    drafts = [draft(name, drop(key("Cluster", name))) for name in (A, B)]
    weight = weights(fleet(), drafts)[Budget.CLUSTERS_DELETED, "north"]
    assert weight.problem.text == "deletes 2 clusters in north, budget 1 (budget-clusters-deleted)"


def exception(region: str = "north", expires: date = TODAY, limit: Limit | None = None) -> Exemption:
    return Exemption(
        budget=Budget.MACHINES_REPLACED,
        region=region,
        limit=limit or Limit(count=20),
        reason="CHG-2310 v1.34",
        expires=expires,
    )


def test_an_exception_widens_one_budget_of_one_region_until_its_day_is_over() -> None:
    drafts = [rolling(A, 10), rolling(B, 10)]
    policy = replace(Policy(), exceptions=(exception(),))
    weight = weights(fleet(policy), drafts)[Budget.MACHINES_REPLACED, "north"]
    assert (weight.over, weight.limit, weight.exception) == (False, 20, "CHG-2310 v1.34")
    for other in (exception("south"), exception(expires=date(2026, 11, 20))):
        weight = weights(fleet(replace(Policy(), exceptions=(other,))), drafts)[Budget.MACHINES_REPLACED, "north"]
        assert weight.over
    assert "the exception CHG-2310 v1.34 expired on 2026-11-20" in weight.problem.text


def test_the_fleets_budget_is_over_all_regions_and_stops_everything() -> None:
    policy = Policy(fleet_budgets={Budget.CLUSTERS_DELETED: Limit(count=1)})
    drafts = {name: draft(name, drop(key("Cluster", name))) for name in (A, S)} | {B: draft(B)}
    found = weigh(fleet(policy), drafts, MACHINES, today=TODAY)
    assert [weight.region for weight in found if weight.over] == [""]
    stopped = judge(fleet(policy), drafts, {}, found)
    assert set(stopped) == {A, B, S}
    assert stopped[B].text == "deletes 2 clusters in the fleet, budget 1 (budget-clusters-deleted)"


def test_beyond_a_regions_budget_nothing_goes_there_and_everything_elsewhere() -> None:
    class_owner = key("MachineDeployment", A)
    drafts = {
        A: draft(A),
        B: rolling(B, 9),
        S: rolling(S, 1),
        "shared/small": draft("shared/small", edit(key("ClusterClass", "shared/x"), pool(class_owner, replaced=9))),
    }
    found = weigh(fleet(), drafts, MACHINES, today=TODAY)
    stopped = judge(fleet(), drafts, {}, found)
    assert {name: problem.code for name, problem in stopped.items()} == {
        A: "budget-machines-replaced",
        B: "budget-machines-replaced",
        "shared/small": "budget-machines-replaced",
    }


def test_nothing_is_counted_unless_a_share_of_something_is_spent() -> None:
    quiet = draft(A, edit(key("MachineDeployment", A)), drop(key("Cluster", A)))
    assert needs(fleet(), {A: quiet, B: draft(B)}, today=TODAY) == frozenset()
    assert needs(fleet(), {A: rolling(A, 1)}, today=TODAY) == {Need(region="north", kind="Machine")}
