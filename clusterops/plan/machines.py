"""What a plan does to machines, in words and in sums: only what is written counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from clusterops.model.impact import GRAVITY, Cause, Impact, ImpactClass, PoolImpact, Role
from clusterops.model.plan import MISSING, Plan

_NAMES_SHOWN = 4
_ONE_WORKER: Final = re.compile(r"\b1 worker machines?\b")


def whole(plan: Plan) -> Impact:
    """One Impact of all changes that the plan writes."""
    least = max((one.kind for one in plan.impacts), key=lambda kind: GRAVITY[kind], default=ImpactClass.NONE)
    return Impact.of((pool for one in plan.impacts for pool in one.pools), least=least)


def replaced_words(pools: Iterable[PoolImpact]) -> str:
    """``replaces 3 control-plane and 9 worker machines``, in how many clusters where several; "" for none."""
    told = [pool for pool in pools if pool.replaced]
    sure, unsure = _split(told)
    parts = [f"replaces {_of_roles(sure)}"] if sure else []
    parts += [f"may replace {_of_roles(unsure)} (not predictable)"] if unsure else []
    clusters = {pool.cluster for pool in told}
    return ", ".join(parts) + (f" in {len(clusters)} clusters" if len(clusters) > 1 else "")


def short_words(impact: Impact) -> str:
    """``rolling: replaces 3 machines``, for one change; "" where no machine is concerned."""
    if impact.kind is ImpactClass.NONE or (impact.kind is ImpactClass.IN_PLACE and not impact.pools):
        return ""
    verb = "may replace" if impact.kind is ImpactClass.UNKNOWN else "replaces"
    counts = [
        f"{word} {_machines(count)}"
        for word, count in ((verb, impact.replaced), ("adds", impact.added), ("removes", impact.removed))
        if count
    ]
    return f"{impact.kind}: {', '.join(counts) or 'replaces no machine'}"


def machine_words(pools: Iterable[PoolImpact]) -> str:
    """``replaces 3 control-plane and 9 workers, adds 2; peak 16 (now 12, then 14)``"""
    told = [pool for pool in pools if pool.added or pool.removed or pool.replaced]
    if not told:
        return "none"
    added, removed = sum(pool.added for pool in told), sum(pool.removed for pool in told)
    words = _ONE_WORKER.sub("1 worker", replaced_words(told)).replace(" worker machines", " workers")
    parts = [words] * bool(words) + [f"adds {added}"] * bool(added) + [f"removes {removed}"] * bool(removed)
    now, then, peak = sum(pool.now for pool in told), sum(pool.then for pool in told), _peak(told)
    return ", ".join(parts) + (f"; peak {peak} (now {now}, then {then})" if words else "")


def order_words(impact: Impact) -> str:
    """``control plane one by one, then pools `general` and `batch` in parallel, surge 1 each``"""
    return ", then ".join(_step_words(step) for step in impact.order)


def cause_words(cause: Cause) -> str:
    """``/spec/version v1.33.4 -> v1.34.1 (control-plane-version)``"""
    if cause.before is MISSING and cause.after is MISSING:
        return f"{cause.pointer} ({cause.rule})"
    return f"{cause.pointer} {_value(cause.before)} -> {_value(cause.after)} ({cause.rule})"


def totals(impact: Impact) -> dict[str, Any]:
    """For JSON: class and sums."""
    planes = [pool for pool in impact.pools if pool.role is Role.CONTROL_PLANE]
    workers = [pool for pool in impact.pools if pool.role is Role.WORKER]
    return {
        "class": str(impact.kind),
        "added": impact.added,
        "removed": impact.removed,
        "replaced": impact.replaced,
        "controlPlane": _sums(planes),
        "workers": _sums(workers),
        "order": [[_named(pool) for pool in step] for step in impact.order],
    }


def impact_to_json(impact: Impact) -> dict[str, Any]:
    """Of one change: class, sums, and each pool with its causes; empty parts have no key."""
    row: dict[str, Any] = {"class": str(impact.kind)}
    if impact.pools:
        row |= {"added": impact.added, "removed": impact.removed, "replaced": impact.replaced}
        row["pools"] = [_pool_to_json(pool) for pool in impact.pools]
    if impact.notes:
        row["notes"] = list(impact.notes)
    return row


def _pool_to_json(pool: PoolImpact) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cluster": str(pool.cluster) if pool.cluster else "",
        "owner": str(pool.owner),
        "role": str(pool.role),
        "pool": pool.pool,
        "class": str(pool.kind),
        "added": pool.added,
        "removed": pool.removed,
        "replaced": pool.replaced,
        "now": pool.now,
        "then": pool.then,
        "surge": pool.surge,
    }
    if pool.going:
        row["going"] = list(pool.going)
    if pool.causes:
        row["causes"] = [_cause_to_json(cause) for cause in pool.causes]
    if pool.note:
        row["note"] = pool.note
    return row


def _cause_to_json(cause: Cause) -> dict[str, Any]:
    row: dict[str, Any] = {"object": str(cause.object), "pointer": cause.pointer, "rule": cause.rule}
    if cause.before is not MISSING:
        row["from"] = cause.before
    if cause.after is not MISSING:
        row["to"] = cause.after
    return row


def _sums(pools: list[PoolImpact]) -> dict[str, int]:
    return {
        "added": sum(pool.added for pool in pools),
        "removed": sum(pool.removed for pool in pools),
        "replaced": sum(pool.replaced for pool in pools),
    }


def _split(pools: Iterable[PoolImpact]) -> tuple[list[PoolImpact], list[PoolImpact]]:
    told = tuple(pools)
    unsure = [pool for pool in told if pool.kind is ImpactClass.UNKNOWN]
    return [pool for pool in told if pool.kind is not ImpactClass.UNKNOWN], unsure


def _of_roles(pools: Iterable[PoolImpact]) -> str:
    told = tuple(pools)
    planes = sum(pool.replaced for pool in told if pool.role is Role.CONTROL_PLANE)
    workers = sum(pool.replaced for pool in told if pool.role is Role.WORKER)
    return role_words(planes, workers)


def role_words(planes: int, workers: int) -> str:
    """``3 control-plane and 9 worker machines``"""
    parts = [f"{planes} control-plane"] * bool(planes) + [f"{workers} worker"] * bool(workers)
    return f"{' and '.join(parts)} machine{'s' * (planes + workers != 1)}"


def _machines(count: int) -> str:
    return f"{count} machine{'s' * (count != 1)}"


def _peak(pools: Iterable[PoolImpact]) -> int:
    """Control planes roll first, while pools are as they are; then pools all at once."""
    told = tuple(pools)
    first = sum(max(pool.now, pool.then) + pool.surge if _is_plane(pool) else pool.now for pool in told)
    then = sum(pool.then if _is_plane(pool) else max(pool.now, pool.then) + pool.surge for pool in told)
    return max(first, then)


def _is_plane(pool: PoolImpact) -> bool:
    return pool.role is Role.CONTROL_PLANE


def _step_words(step: tuple[PoolImpact, ...]) -> str:
    if _is_plane(step[0]):
        return "control plane one by one" if len(step) == 1 else f"{len(step)} control planes, each one by one"
    names = [f"`{name}`" for name in dict.fromkeys(pool.pool for pool in step)]
    surges = {pool.surge for pool in step}
    surge = f", surge {surges.pop()}{' each' * (len(step) > 1)}" if len(surges) == 1 else ""
    if len(step) == 1:
        return f"pool {names[0]}{surge}"
    if len(names) > _NAMES_SHOWN:
        return f"{len(step)} pools in parallel{surge}"
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"pools {listed} in parallel{surge}"


def _named(pool: PoolImpact) -> str:
    return pool.owner.label


def _value(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def pools_scaled(pools: Iterable[PoolImpact]) -> Iterator[tuple[PoolImpact, int]]:
    """Those whose count changes, with what it was; new and deleted ones are no scaling."""
    for pool in pools:
        before = pool.then - pool.added + pool.removed
        if (pool.added or pool.removed) and pool.kind is not ImpactClass.DELETE and before:
            yield pool, before
