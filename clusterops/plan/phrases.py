"""A plan in a few words for people: what is created, upgraded, scaled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from clusterops.capi.kinds import is_cluster, is_control_plane
from clusterops.model.impact import ImpactClass, PoolImpact, Role
from clusterops.model.plan import MISSING, WRITES, Action, Change, Plan
from clusterops.model.policy import KEY_CODES
from clusterops.plan.machines import pools_scaled, replaced_words, role_words, whole


def phrases(plan: Plan) -> tuple[str, ...]:
    """Each thing that happens, most important first, no two alike: ``upgrade v1.33.4 -> v1.34.1``."""
    changes = plan.changes
    pools = whole(plan).pools
    told = [
        *_deletions(changes),
        *_creations(changes),
        *_replacements(changes, pools),
        *_scalings(pools),
        *_new_and_gone(changes),
        *_blocked(pools),
    ]
    found = [*_refused_deletions(changes), *_adoptions(changes), *told, *_heals(changes)]
    return tuple(dict.fromkeys([*found, *_others(changes, machines=bool(told))]))


def _refused_deletions(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        if change.reason is not None and change.reason.code in KEY_CODES:
            pools = change.impact.pools if change.impact else ()
            of = f" with {_role_counts(pools)}" if any(pool.removed for pool in pools) else ""
            yield f"deletion of Cluster {change.key.name}{of} refused"


def _deletions(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        if is_cluster(change.key) and change.action is Action.PRUNE and change.impact:
            yield f"deletes Cluster {change.key.name} with {_role_counts(change.impact.pools)}"


def _creations(changes: Iterable[Change]) -> Iterator[str]:
    made = [change.impact.pools for change in changes if change.action is Action.CREATE and change.impact]
    pools = [pool for one in made for pool in one]
    planes = sum(pool.added for pool in pools if pool.role is Role.CONTROL_PLANE)
    workers = sum(pool.added for pool in pools if pool.role is Role.WORKER)
    if planes or workers:
        yield f"creates {role_words(planes, workers)}"


def _role_counts(pools: Iterable[PoolImpact]) -> str:
    told = tuple(pools)
    planes = sum(pool.removed for pool in told if pool.role is Role.CONTROL_PLANE)
    workers = sum(pool.removed for pool in told if pool.role is Role.WORKER)
    return role_words(planes, workers) if planes or workers else "no machine"


def _adoptions(changes: Iterable[Change]) -> Iterator[str]:
    adopted = [change for change in changes if change.action is Action.ADOPT]
    if adopted:
        fields = sum(len(change.fields) for change in adopted)
        replaced = sum(change.impact.replaced for change in adopted if change.impact)
        counts = f"changes {counted(fields, 'field')}, replaces {counted(replaced, 'machine')}"
        yield f"adopts {counted(len(adopted), 'object')}, {counts}"


def _heals(changes: Iterable[Change]) -> Iterator[str]:
    healed = sum(len(change.heals) for change in changes if change.writes)
    if healed:
        yield f"heals {counted(healed, 'field')} changed outside git"


def counted(count: int, word: str) -> str:
    """``3 machines``"""
    return f"{count} {word}{'s' * (count != 1)}"


def _replacements(changes: Iterable[Change], pools: Iterable[PoolImpact]) -> Iterator[str]:
    words = replaced_words(pools)
    raised = list(dict.fromkeys(upgrades(changes)))
    if raised:
        yield from raised[:-1]
        yield f"{raised[-1]}, {words}" if words else raised[-1]
    elif words:
        yield words


def upgrades(changes: Iterable[Change]) -> Iterator[str]:
    """``upgrade v1.33.4 -> v1.34.1``, the control plane's first; pools repeat it."""
    pointers = {"/spec/version", "/spec/template/spec/version", "/spec/topology/version"}
    for change in sorted(changes, key=lambda change: not is_control_plane(change.key)):
        for field in change.fields:
            if change.writes and field.pointer in pointers and MISSING not in (field.before, field.after):
                yield f"upgrade {field.before} -> {field.after}"


def _scalings(pools: Iterable[PoolImpact]) -> Iterator[str]:
    told = tuple(pools)
    several = len({pool.cluster for pool in told}) > 1
    for pool, before in pools_scaled(told):
        name = "control plane" if pool.role is Role.CONTROL_PLANE else pool.pool
        of = f" of {pool.cluster.name}" if several and pool.cluster else ""
        yield f"{name}{of} scales {before} -> {pool.then}"


def _new_and_gone(changes: Iterable[Change]) -> Iterator[str]:
    """Pools that come to and go from clusters that stay."""
    for change in changes:
        for pool in change.impact.pools if change.impact and change.writes and not _is_gone_cluster(change) else ():
            if pool.kind is ImpactClass.DELETE:
                yield f"deletes {pool.pool} with {counted(pool.removed, 'machine')}"
            elif change.action is not Action.CREATE and pool.added and pool.added == pool.then:
                yield f"adds {pool.pool} with {counted(pool.added, 'machine')}"


def _is_gone_cluster(change: Change) -> bool:
    return is_cluster(change.key) and change.desired is None


def _blocked(pools: Iterable[PoolImpact]) -> Iterator[str]:
    yield from (f"{pool.pool}: {pool.note}" for pool in pools if pool.kind is ImpactClass.BLOCKED)


def _others(changes: Iterable[Change], *, machines: bool) -> Iterator[str]:
    """Counts of objects: of those written only where nothing is said of machines."""
    counts: dict[Action, int] = {}
    for change in changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    for action, word in OTHERS.items():
        if counts.get(action) and not (machines and action in WRITES):
            yield f"{counts[action]} {word}"


OTHERS: Mapping[Action, str] = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.ROTATE: "to rotate",
    Action.PRUNE: "to prune",
    Action.REFUSE: "refused",
    Action.HOLD: "held",
    Action.LEAVE: "drifted, only reported",
}
