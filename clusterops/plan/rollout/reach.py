"""What a plan does as pace sees it."""

from __future__ import annotations

from clusterops.capi.kinds import is_cluster
from clusterops.model.fleet import is_shared
from clusterops.model.impact import Impact, ImpactClass
from clusterops.model.plan import Plan
from clusterops.model.rollout import Reach
from clusterops.plan.machines import whole


def reach_of(plan: Plan | None, target: str) -> tuple[Reach, int]:
    """What a plan does as pace sees it, and how many machines change at a time at the most."""
    if plan is None or not plan.writes or is_shared(target):
        return Reach.NOTHING, 0
    wanted = [change for change in plan.changes if change.desired is not None]
    clusters = [change for change in wanted if is_cluster(change.key)]
    if all(change.live is None for change in clusters or wanted):
        return Reach.CREATES, 0
    impact = whole(plan)
    if impact.kind in {ImpactClass.NONE, ImpactClass.IN_PLACE} and not at_once(impact):
        return Reach.IN_PLACE, 0
    return Reach.ROLLS, at_once(impact)


def at_once(impact: Impact) -> int:
    """Machines that change at the same time at the most: control planes and pools together.

    Cluster API holds pools back while the control plane's *version* rises, and even then only what they would create.
    Another template or configuration reaches both at once.
    **Source:** Cluster API v1.14.0 core/reconcilers/machineset/machineset_preflight.go
    controlPlaneStablePreflightCheck.
    """
    return sum(pool.at_once for pool in impact.pools)
