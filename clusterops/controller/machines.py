"""Counts the machines of a target while a change goes through it."""

from __future__ import annotations

from dataclasses import replace

from clusterops.capi.kinds import CORE, is_cluster, of_cluster
from clusterops.errors import ClusterOpsError
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.plan import Plan
from clusterops.model.report import HealthReport, Outcome
from clusterops.plan.machines import whole
from clusterops.plan.rollout import at_once
from clusterops.ports import Cluster


async def begun(plan: Plan, known: MachineTally | None, cluster: Cluster) -> MachineTally | None:
    """The tally before anything is written. ``known`` is what an earlier pass over the same commit began with.

    Costs a list for each living Cluster of a plan that changes machines, and nothing else.
    """
    predicted = predicted_by(plan)
    if known is not None:
        return known
    if not predicted:
        return None
    before: set[str] = set()
    for key in _living(plan):
        try:
            labels = of_cluster(key.name)
            found = await cluster.list_objects(CORE, "Machine", namespace=key.namespace, labels=labels)
        except ClusterOpsError:
            return None
        before.update(one.uid for one in found)
    return MachineTally(predicted=predicted, at_once=at_once(whole(plan)), before=frozenset(before))


def predicted_by(plan: Plan) -> MachineCounts:
    """Of the target's own Clusters, by what the plan writes."""
    own = {change.key for change in plan.changes if is_cluster(change.key)}
    impacts = [change.impact for change in plan.changes if change.impact is not None and change.writes]
    pools = [pool for impact in impacts for pool in impact.pools if pool.cluster in own]
    return MachineCounts(
        replaced=sum(pool.replaced for pool in pools),
        added=sum(pool.added for pool in pools),
        removed=sum(pool.removed for pool in pools),
    )


def counted(outcome: Outcome, health: HealthReport) -> Outcome:
    """The outcome with this health, and with the Machines that it saw."""
    tally = outcome.machines
    if tally is not None and health.machines is not None:
        tally = tally.seen(health.machines)
    return replace(outcome, health=health, machines=tally)


def _living(plan: Plan) -> tuple[ObjectKey, ...]:
    return tuple(change.key for change in plan.changes if is_cluster(change.key) and change.live is not None)
