"""What a commit removes and replaces, beside what its budgets allow.

Counted from the live state to the commit, as commits may be skipped. A Machine counts once, whichever changes touch
its pool; a change whose machines cannot be predicted counts as replacing all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from clusterops.capi.kinds import is_cluster, is_pool
from clusterops.model.census import Census, Need
from clusterops.model.fleet import Fleet, region_of
from clusterops.model.impact import ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Change
from clusterops.model.policy import FLEET, Budget, Exemption, Limit, Weight
from clusterops.model.report import Outcome

_COUNTED: Final = {
    Budget.CLUSTERS_DELETED: "Cluster",
    Budget.POOLS_DELETED: "MachineDeployment",
    Budget.MACHINES_REMOVED: "Machine",
    Budget.MACHINES_REPLACED: "Machine",
}


@dataclass(slots=True)
class Spending:
    """By what is deleted or holds the machines, so that nothing counts twice."""

    clusters: set[ObjectKey] = field(default_factory=set)
    pools: set[ObjectKey] = field(default_factory=set)
    removed: dict[ObjectKey, int] = field(default_factory=dict)
    replaced: dict[ObjectKey, int] = field(default_factory=dict)

    def of(self, budget: Budget) -> int:
        if budget is Budget.CLUSTERS_DELETED:
            return len(self.clusters)
        if budget is Budget.POOLS_DELETED:
            return len(self.pools)
        return sum((self.removed if budget is Budget.MACHINES_REMOVED else self.replaced).values())

    def add(self, other: Spending) -> None:
        self.clusters |= other.clusters
        self.pools |= other.pools
        for mine, more in ((self.removed, other.removed), (self.replaced, other.replaced)):
            for owner, count in more.items():
                mine[owner] = max(mine.get(owner, 0), count)


def needs(fleet: Fleet, drafts: Mapping[str, Outcome], *, today: date) -> frozenset[Need]:
    """What has to be counted for ``weigh``: nothing unless a share of something is spent."""
    spent = _spent(fleet, drafts)
    return frozenset(
        Need(region=region, kind=_COUNTED[budget])
        for budget in Budget
        for region, by_target in spent.items()
        if _total(by_target.values()).of(budget)
        and any(limit.percent is not None for limit in _limits(fleet, budget, region, today))
    )


def weigh(fleet: Fleet, drafts: Mapping[str, Outcome], census: Census, *, today: date) -> tuple[Weight, ...]:
    """One per region and budget that anything is spent of, regions in order, then the fleet's. O(changes)."""
    spent = _spent(fleet, drafts)
    found = [
        _weight(fleet, budget, region, by_target, census=census, today=today)
        for region, by_target in sorted(spent.items(), key=lambda pair: (pair[0] == FLEET, pair[0]))
        for budget in Budget
    ]
    return tuple(weight for weight in found if weight is not None and weight.spent)


def _weight(
    fleet: Fleet, budget: Budget, region: str, by_target: Mapping[str, Spending], *, census: Census, today: date
) -> Weight | None:
    limits = _limits(fleet, budget, region, today)
    if not limits:
        return None
    largest = max((one.of(budget) for one in by_target.values()), default=0)
    total = census.get(Need(region=region, kind=_COUNTED[budget]), 0)
    spent = _total(by_target.values()).of(budget)
    allowed = {limit.among(total, largest=largest): reason for limit, reason in reversed(list(limits.items()))}
    limit = max(allowed)
    late = [one for one in _exceptions(fleet, budget, region) if one.expires < today]
    return Weight(
        budget=budget,
        region=region,
        spent=spent,
        limit=limit,
        targets=tuple(sorted(name for name, one in by_target.items() if one.of(budget))),
        exception=allowed[limit],
        source=_source(fleet, budget, region, allowed[limit]),
        total=total,
        expired=f"; the exception {late[0].reason} expired on {late[0].expires}" if late else "",
    )


def _limits(fleet: Fleet, budget: Budget, region: str, today: date) -> dict[Limit, str]:
    """Limit to the reason of its exception, the budget itself first; empty where there is no budget."""
    policy = fleet.file.policy
    base = policy.fleet_budgets if region == FLEET else policy.budgets
    if budget not in base:
        return {}
    counting = [one for one in _exceptions(fleet, budget, region) if one.expires >= today]
    return {base[budget]: ""} | {one.limit: one.reason for one in counting if one.limit != base[budget]}


def _exceptions(fleet: Fleet, budget: Budget, region: str) -> Iterator[Exemption]:
    return (one for one in fleet.file.policy.exceptions if (one.budget, one.region) == (budget, region))


def _source(fleet: Fleet, budget: Budget, region: str, reason: str) -> str:
    return next((one.source for one in _exceptions(fleet, budget, region) if reason and one.reason == reason), "")


def _total(parts: Iterable[Spending]) -> Spending:
    whole = Spending()
    for part in parts:
        whole.add(part)
    return whole


def _spent(fleet: Fleet, drafts: Mapping[str, Outcome]) -> dict[str, dict[str, Spending]]:
    """Region, and ``FLEET``, to target to what it spends there."""
    homes = {target.namespace: region_of(name) for name, target in fleet.targets.items() if region_of(name)}
    spent: dict[str, dict[str, Spending]] = {}
    for name, draft in drafts.items():
        for change in draft.plan.changes if draft.plan else ():
            if not change.writes:
                continue
            for region, one in _of_change(change, region_of(name), homes):
                if not any(map(one.of, Budget)):
                    continue
                for place in {region, FLEET}:
                    spent.setdefault(place, {}).setdefault(name, Spending()).add(one)
    return spent


def _of_change(change: Change, region: str, homes: Mapping[str, str]) -> Iterator[tuple[str, Spending]]:
    deleted = change.action is Action.PRUNE and change.live is not None and not change.live.deleting
    whole = Spending()
    if deleted and is_cluster(change.key):
        whole.clusters.add(change.key)
    if deleted and is_pool(change.key):
        whole.pools.add(change.key)
    pools = change.impact.pools if change.impact else ()
    unknown = not pools and change.impact is not None and change.impact.kind is ImpactClass.UNKNOWN
    if change.live is not None and (unknown or (deleted and not pools)):
        into = whole.removed if deleted else whole.replaced
        into[change.key] = _machines_of(change.live.body)
    yield region, whole
    for pool in pools:
        there = homes.get(pool.cluster.namespace or "", region) if pool.cluster and not region else region
        yield there, _of_pool(pool, deletes_cluster=deleted and is_cluster(change.key))


def _of_pool(pool: PoolImpact, *, deletes_cluster: bool) -> Spending:
    replaced = pool.replaced
    if pool.kind is ImpactClass.UNKNOWN:
        replaced = max(replaced, pool.now - pool.removed)
    one = Spending(removed={pool.owner: pool.removed}, replaced={pool.owner: replaced})
    if pool.kind is ImpactClass.DELETE and pool.role is Role.WORKER and not deletes_cluster:
        one.pools.add(pool.owner)
    return one


def _machines_of(body: Mapping[str, Any]) -> int:
    """Of a live Cluster, control plane or pool, as far as its status tells."""
    status, spec = body.get("status") or {}, body.get("spec") or {}
    parts = [(status.get(part) or {}).get("replicas") for part in ("controlPlane", "workers")]
    if any(part is not None for part in parts):
        return sum(int(part or 0) for part in parts)
    return int(status.get("replicas") or spec.get("replicas") or 0)
