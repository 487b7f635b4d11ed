"""What happens to one target, in the words of the comment's table: machines are counted in a column of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from clusterops.capi.kinds import is_cluster, is_control_plane
from clusterops.capi.rollout.spelling import moment
from clusterops.model.bodies import value_at
from clusterops.model.impact import ImpactClass, PoolImpact, Role
from clusterops.model.plan import MISSING, WRITES, Action, Change, Plan
from clusterops.model.policy import KEY_CODES
from clusterops.plan.machines import pools_scaled, whole
from clusterops.plan.phrases import OTHERS, counted, upgrades

_VERSIONS = ("/spec/topology/version", "/spec/version", "/spec/template/spec/version")


def happenings(plan: Plan, *, at: datetime | None = None) -> tuple[str, ...]:
    """Each thing, most important first, no two alike: ``upgrade v1.33.4 → v1.34.1``, ``pool `general` 3 → 5``.

    ``at`` is the moment by which a cluster that goes is so and so old.
    """
    changes, pools = plan.changes, whole(plan).pools
    told = [
        *_deletions(changes, at),
        *_creations(changes),
        *_rolls(changes, pools),
        *_scalings(pools),
        *_new_and_gone(changes),
        *_blocked(pools),
    ]
    found = [*_adoptions(changes), *told, *_heals(changes), *_others(changes, machines=bool(told))]
    return tuple(dict.fromkeys(found))


def goes(change: Change) -> bool:
    """Whether git dropped a Cluster that is there, and its second key opens, or fails to."""
    refused = change.reason is not None and change.reason.code in KEY_CODES
    return is_cluster(change.key) and change.desired is None and (change.action is Action.PRUNE or refused)


def _deletions(changes: Iterable[Change], at: datetime | None) -> Iterator[str]:
    rows = tuple(changes)
    for change in rows:
        if goes(change) and change.live is not None:
            made = moment(change.live.body["metadata"].get("creationTimestamp"))
            age = f"{counted((at - made).days, 'day')} old" if at is not None and made is not None else ""
            yield ", ".join(filter(None, ("delete", _version(rows, live=True), age)))


def _creations(changes: Iterable[Change]) -> Iterator[str]:
    rows = tuple(changes)
    if any(is_cluster(change.key) and change.action is Action.CREATE for change in rows):
        yield ", ".join(filter(None, ("create", _version(rows, live=False))))


def _version(changes: Iterable[Change], *, live: bool) -> str:
    """Of the Cluster's topology, else of its control plane."""
    for change in sorted(changes, key=lambda change: not is_cluster(change.key)):
        seen = change.live if live else change.desired
        if seen is None or not (is_cluster(change.key) or is_control_plane(change.key)):
            continue
        found = value_at(seen.body, _VERSIONS[0 if is_cluster(change.key) else 1])
        if found:
            return str(found)
    return ""


def _rolls(changes: Iterable[Change], pools: Iterable[PoolImpact]) -> Iterator[str]:
    """Upgrades, and what rolls for other reasons."""
    raised = list(dict.fromkeys(upgrades(changes)))
    yield from raised
    rolling = [pool for pool in pools if pool.replaced]
    rest = [pool for pool in rolling if not raised or not _by_version(pool)]
    if rest:
        names = dict.fromkeys("control plane" if pool.role is Role.CONTROL_PLANE else f"`{pool.pool}`" for pool in rest)
        verb = "may roll" if all(pool.kind is ImpactClass.UNKNOWN for pool in rest) else "rolls"
        yield f"{verb} {_listed(list(names))}"


def _by_version(pool: PoolImpact) -> bool:
    return any("version" in cause.pointer.lower() for cause in pool.causes)


def _listed(names: list[str]) -> str:
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _scalings(pools: Iterable[PoolImpact]) -> Iterator[str]:
    told = tuple(pools)
    several = len({pool.cluster for pool in told}) > 1
    for pool, before in pools_scaled(told):
        name = "control plane" if pool.role is Role.CONTROL_PLANE else f"pool `{pool.pool}`"
        of = f" of {pool.cluster.name}" if several and pool.cluster else ""
        yield f"{name}{of} {before} → {pool.then}"


def _new_and_gone(changes: Iterable[Change]) -> Iterator[str]:
    """Pools that come to and go from clusters that stay."""
    rows = tuple(changes)
    new_cluster = any(is_cluster(change.key) and change.action is Action.CREATE for change in rows)
    for change in rows:
        for pool in change.impact.pools if change.impact and change.writes and not goes(change) else ():
            if pool.kind is ImpactClass.DELETE:
                yield f"delete pool `{pool.pool}`"
            elif not new_cluster and pool.added and pool.added == pool.then:
                yield f"new pool `{pool.pool}`"


def _blocked(pools: Iterable[PoolImpact]) -> Iterator[str]:
    yield from (f"`{pool.pool}`: {pool.note}" for pool in pools if pool.kind is ImpactClass.BLOCKED)


def _adoptions(changes: Iterable[Change]) -> Iterator[str]:
    adopted = [change for change in changes if change.action is Action.ADOPT]
    if adopted:
        fields = sum(len(change.fields) for change in adopted)
        yield f"adopts {counted(len(adopted), 'object')}, changes {counted(fields, 'field')}"


def _heals(changes: Iterable[Change]) -> Iterator[str]:
    healed = sum(len(change.heals) for change in changes if change.writes)
    if healed:
        yield f"heals {counted(healed, 'field')} changed outside git"


def _others(changes: Iterable[Change], *, machines: bool) -> Iterator[str]:
    """Counts of objects: of those written only where nothing is said of machines; a group held by a refusal not."""
    rows = tuple(changes)
    quiet = {Action.HOLD, Action.REFUSE} if any(goes(change) for change in rows) else frozenset[Action]()
    for action, words in OTHERS.items():
        count = sum(change.action is action for change in rows)
        if count and action not in quiet and not (machines and action in WRITES):
            yield f"{count} {words}"


def raised_versions(change: Change) -> Iterator[tuple[str, str]]:
    """The versions that a control plane, or a topology, leaves and comes to."""
    if not change.writes or not (is_control_plane(change.key) or is_cluster(change.key)):
        return
    for field in change.fields:
        if field.pointer in _VERSIONS[:2] and MISSING not in (field.before, field.after):
            yield str(field.before), str(field.after)
