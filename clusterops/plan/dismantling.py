"""How far the removal of what git dropped is: the step, what is left of it, and the finalizer that holds it up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from clusterops.capi.deletion import finalizer_owner, is_known, step_of
from clusterops.capi.kinds import is_cluster, is_control_plane, is_infrastructure, is_pool
from clusterops.model.deletion import Deletion, Step, Stuck
from clusterops.model.live import LiveObject
from clusterops.model.plan import Action, Change
from clusterops.plan.decide import Situation
from clusterops.plan.keys import key_for
from clusterops.plan.prune import waits
from clusterops.plan.users import infrastructure_of, machines_of


def deletion_of(dropped: Sequence[Change], situation: Situation) -> Deletion | None:
    """What comes next of the removal; None when nothing is on its way out but what goes at once."""
    waiting = [one for one in dropped if waits(one)]
    going = [one for one in dropped if one.action is Action.PRUNE and one.live is not None]
    for change in dropped:
        if is_cluster(change.key) and change.live is not None and change in (*going, *waiting):
            return _of_cluster(change.live, dropped, situation)
    pools = [one for one in (*going, *waiting) if is_pool(one.key)]
    if pools:
        return Deletion(step=Step.POOLS, subject=pools[0].key, stuck=_stuck(_live(pools)))
    remembered = any(is_cluster(one.key) and one.action is Action.HOLD and one.live is None for one in dropped)
    rest = [*waiting, *going] if remembered or waiting else []
    if not rest:
        return None
    return Deletion(step=Step.REMAINDER, subject=rest[0].key, stuck=_stuck(_live(rest)))


def _of_cluster(cluster: LiveObject, dropped: Sequence[Change], situation: Situation) -> Deletion:
    if not cluster.deleting:
        key = key_for(cluster, situation.permits)
        return Deletion(step=Step.BEGUN, subject=cluster.key, key=key.path if key else "")
    step, reason = step_of(cluster.body)
    if (cluster.body.get("spec") or {}).get("paused"):
        reason = "Paused: Cluster API does nothing for it"
    control_plane, workers = machines_of(cluster.key, situation.neighbours)
    objects = _live(dropped)
    if step is Step.WORKERS:
        pools = [one for one in objects if is_pool(one.key)]
        stuck = _stuck(_with_infrastructure(workers, cluster, situation)) or _stuck(pools)
        return Deletion(step=step, subject=cluster.key, reason=reason, machines=len(workers), stuck=stuck)
    if step is Step.CONTROL_PLANE:
        owners = [one for one in objects if is_control_plane(one.key)]
        stuck = _stuck(_with_infrastructure(control_plane, cluster, situation)) or _stuck(owners)
        return Deletion(step=step, subject=cluster.key, reason=reason, machines=len(control_plane), stuck=stuck)
    holders = [one for one in objects if is_infrastructure(one.key)] if step is Step.INFRASTRUCTURE else [cluster]
    return Deletion(step=step, subject=cluster.key, reason=reason, stuck=_stuck(holders))


def _with_infrastructure(
    machines: Sequence[LiveObject], cluster: LiveObject, situation: Situation
) -> tuple[LiveObject, ...]:
    """What the machines stand on first: a Machine waits for it, so its finalizer is the one that matters."""
    wanted = {str(((one.body.get("spec") or {}).get("infrastructureRef") or {}).get("name")) for one in machines}
    below = [one for one in infrastructure_of(cluster.key, situation.neighbours) if one.key.name in wanted]
    deleting = tuple(one for one in below if one.deleting)
    return deleting or tuple(machines)


def _live(changes: Iterable[Change]) -> list[LiveObject]:
    return [one.live for one in changes if one.live is not None]


def _stuck(objects: Iterable[LiveObject]) -> Stuck | None:
    """The object that waits longest for a finalizer to be removed."""
    held = [one for one in objects if one.deleting and one.body["metadata"].get("finalizers")]
    if not held:
        return None
    first = min(held, key=lambda one: (str(one.body["metadata"]["deletionTimestamp"]), one.key))
    finalizer = str(first.body["metadata"]["finalizers"][0])
    since = _parsed(str(first.body["metadata"]["deletionTimestamp"]))
    return Stuck(
        key=first.key,
        finalizer=finalizer,
        owner=finalizer_owner(finalizer, first.key),
        known=is_known(finalizer, first.key),
        since=since,
    )


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
