"""Counts the machines of a target while a change goes through it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from clusterops.capi.kinds import CORE, is_cluster, of_cluster
from clusterops.capi.moving import machines_moving
from clusterops.capi.pools import counts_itself, pool_of
from clusterops.controller.records import MACHINES_DIFFER
from clusterops.errors import ClusterOpsError
from clusterops.model.impact import ImpactClass, PoolImpact
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import HealthReport, Outcome
from clusterops.plan.machines import whole
from clusterops.plan.rollout import at_once
from clusterops.ports import Clock, Cluster

DIFFER_S: Final = 30.0
"""How long the machines of a settled target may differ from what was predicted: old ones may still be going."""
AGAIN_S: Final = 2.0
_UNSURE: Final = frozenset({ImpactClass.UNKNOWN, ImpactClass.BLOCKED})


@dataclass(frozen=True, slots=True)
class Seen:
    """Machines of some Clusters by uid, and those whose number a pool's own autoscaler sets."""

    every: frozenset[str]
    apart: frozenset[str]
    pools_apart: frozenset[str]


async def begun(
    plan: Plan, known: MachineTally | None, cluster: Cluster, *, expects: bool = False
) -> MachineTally | None:
    """The tally before anything is written. ``known`` is what an earlier pass over the same commit began with.

    With ``expects`` it says what has to have happened in the end, also where that is nothing. Costs a list for each
    living Cluster of a plan that changes machines (with ``expects`` three for each living Cluster), and nothing else.
    """
    predicted, living = predicted_by(plan), _living(plan)
    if known is not None:
        return known
    if not predicted and not (expects and living):
        return None
    try:
        seen = await _seen(living, cluster, pools=expects)
    except ClusterOpsError:
        return None
    return MachineTally(
        predicted=predicted,
        at_once=at_once(whole(plan)),
        before=seen.every,
        expected=_expected(plan, seen.pools_apart) if expects else None,
        apart=seen.apart,
    )


def predicted_by(plan: Plan) -> MachineCounts:
    """Of the target's own Clusters, by what the plan writes."""
    return _counts(_own_pools(plan))


def counted(outcome: Outcome, health: HealthReport) -> Outcome:
    """The outcome with this health, and with the Machines that it saw."""
    tally = outcome.machines
    if tally is not None and health.machines is not None:
        tally = tally.seen(health.machines)
    return replace(outcome, health=health, machines=tally)


async def difference(outcome: Outcome, cluster: Cluster, clock: Clock, interrupted: asyncio.Event) -> Problem | None:
    """Whether what happened to the machines of a settled target is something else than was predicted.

    It is looked at again for DIFFER_S seconds, or until ``interrupted``. Where Machines cannot be listed nothing is
    said. A machine that its health check replaced counts where its pool was to stay as it is: that a pool fares so
    badly during a rollout is for a person to see.
    """
    tally, plan = outcome.machines, outcome.plan
    if tally is None or tally.expected is None or plan is None:
        return None
    clusters = [key for key in plan.present if is_cluster(key)]
    ends_s = clock.boottime_s() + DIFFER_S
    while True:
        try:
            seen = await _seen(clusters, cluster, pools=True)
        except ClusterOpsError:
            return None
        real = MachineCounts.between(tally.before - tally.apart - seen.apart, seen.every - seen.apart)
        if real == tally.expected:
            return None
        if clock.boottime_s() >= ends_s or interrupted.is_set():
            return _differ(outcome.target, tally.expected, real)
        await clock.sleep(AGAIN_S)


def _differ(target: str, expected: MachineCounts, real: MachineCounts) -> Problem:
    return Problem(
        code=MACHINES_DIFFER,
        subject=target,
        message=f"predicted {expected.text or 'no machine to change'}, found {real.text or 'none changed'}",
        hint=f"see why before the others follow: `clusterops status {target}`, then `clusterops resume`",
        retry=Retry.NEW_REVISION,
    )


def _expected(plan: Plan, apart: Collection[str]) -> MachineCounts | None:
    """None where the plan is not sure, or where something moves already: that is counted with the rest."""
    pools = [pool for pool in _own_pools(plan) if pool.owner.name not in apart]
    lives = (change.live for change in plan.changes if is_cluster(change.key))
    moves = any(isinstance(live, LiveObject) and machines_moving(live.body) for live in lives)
    return None if moves or any(pool.kind in _UNSURE for pool in pools) else _counts(pools)


def _own_pools(plan: Plan) -> list[PoolImpact]:
    own = {change.key for change in plan.changes if is_cluster(change.key)}
    return [pool for impact in plan.impacts for pool in impact.pools if pool.cluster in own]


def _counts(pools: Iterable[PoolImpact]) -> MachineCounts:
    told = tuple(pools)
    return MachineCounts(
        replaced=sum(pool.replaced for pool in told),
        added=sum(pool.added for pool in told),
        removed=sum(pool.removed for pool in told),
    )


async def _seen(clusters: Iterable[ObjectKey], cluster: Cluster, *, pools: bool) -> Seen:
    """What is being deleted is gone. Raises what a list raises."""
    machines: list[LiveObject] = []
    apart: set[str] = set()
    for key in clusters:
        for kind in ("MachineDeployment", "MachinePool") if pools else ():
            found = await cluster.list_objects(CORE, kind, namespace=key.namespace, labels=of_cluster(key.name))
            apart |= {one.key.name for one in found if counts_itself(one.body)}
        machines += await cluster.list_objects(
            CORE, "Machine", namespace=key.namespace, labels=of_cluster(key.name), fresh=pools
        )
    here = [one for one in machines if not one.deleting]
    return Seen(
        every=frozenset(one.uid for one in here),
        apart=frozenset(one.uid for one in here if pool_of(one.labels) in apart),
        pools_apart=frozenset(apart),
    )


def _living(plan: Plan) -> tuple[ObjectKey, ...]:
    return tuple(change.key for change in plan.changes if is_cluster(change.key) and change.live is not None)
