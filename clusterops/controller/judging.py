"""The verdict on a commit with what it has to ask the management cluster for: how many machines a region has now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import date

from clusterops.capi.kinds import CORE
from clusterops.model.census import Census, Need
from clusterops.model.fleet import Fleet, region_of
from clusterops.model.key import ObjectKey
from clusterops.model.policy import FLEET, Weight
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome
from clusterops.plan.budgets import needs, weigh
from clusterops.plan.verdict import judge
from clusterops.ports import Cluster

Count = Callable[[Fleet, Iterable[Need]], Awaitable[Census]]
Judged = tuple[dict[str, Problem], tuple[Weight, ...]]
"""Why each target that may not go is stopped, and what is spent of each budget."""


def counting(cluster: Cluster) -> Count:
    """Lists of one kind in the namespaces of a region's targets: one request per namespace and kind."""

    async def count(fleet: Fleet, asked: Iterable[Need]) -> Census:
        return {need: await _count(cluster, fleet, need) for need in sorted(asked)}

    return count


async def _count(cluster: Cluster, fleet: Fleet, need: Need) -> int:
    mine = [target for name, target in fleet.targets.items() if need.region in {FLEET, region_of(name)}]
    namespaces = {target.namespace for target in mine} or {need.region} - {FLEET}
    found = [await cluster.list_objects(CORE, need.kind, namespace=namespace) for namespace in sorted(namespaces)]
    return sum(len(each) for each in found)


def judge_now(
    fleet: Fleet, drafts: Mapping[str, Outcome], owners: Mapping[ObjectKey, str], census: Census, today: date
) -> Judged:
    weights = weigh(fleet, drafts, census, today=today)
    return judge(fleet, drafts, owners, weights), weights


async def judge_counting(
    fleet: Fleet, drafts: Mapping[str, Outcome], owners: Mapping[ObjectKey, str], count: Count, today: date
) -> Judged:
    """Raises what listing raises; asks for nothing where no share of anything is spent."""
    asked = needs(fleet, drafts, today=today)
    return judge_now(fleet, drafts, owners, await count(fleet, asked) if asked else {}, today)
