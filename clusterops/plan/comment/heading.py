"""The first line that people read: machines first, then what stops it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clusterops.model.impact import ImpactClass, PoolImpact
from clusterops.model.policy import KEY_CODES
from clusterops.model.preview import Preview
from clusterops.plan.comment.happens import goes
from clusterops.plan.comment.refusals import refusals
from clusterops.plan.comment.table import deleted_pools
from clusterops.plan.machines import whole
from clusterops.plan.pace import PlannedPace, steps_words
from clusterops.plan.phrases import counted


def heading(preview: Preview, pace: PlannedPace | None) -> str:
    """``12 machines replaced, 2 added, 0 removed, in 1 cluster`` and its kin, without markup."""
    if preview.problems:
        return "none, the request cannot be merged" if _conflicts(preview) else "none can be made"
    return f"{'; '.join(_parts(preview, pace)) or 'no change'}{_stopped(preview)}"


def _conflicts(preview: Preview) -> bool:
    return any(problem.code == "merge-conflict" for problem in preview.problems)


def _parts(preview: Preview, pace: PlannedPace | None) -> Iterator[str]:
    plans = [outcome.plan for outcome in preview.outcomes if outcome.plan is not None]
    deleted = [pool for plan in plans for pool in deleted_pools(plan)]
    clusters = sum(goes(change) for plan in plans for change in plan.changes)
    if clusters:
        machines = sum(pool.removed for pool in deleted)
        yield f"deletes {counted(clusters, 'cluster')} with {counted(machines, 'machine')}"
    rest = [pool for plan in plans for pool in whole(plan).pools if pool not in deleted]
    writing = sum(plan.writes for plan in plans)
    if rest or (writing and not clusters):
        yield _machines(rest, writing, pace)
    broken = sum(outcome.plan is None for outcome in preview.outcomes)
    if broken:
        yield f"{counted(broken, 'cluster')} cannot be planned"


def _machines(pools: Iterable[PoolImpact], writing: int, pace: PlannedPace | None) -> str:
    told = [pool for pool in pools if pool.added or pool.removed or pool.replaced]
    unsure = "up to " if any(pool.kind is ImpactClass.UNKNOWN for pool in told) else ""
    counts = {
        "replaced": sum(pool.replaced for pool in told),
        "added": sum(pool.added for pool in told),
        "removed": sum(pool.removed for pool in told),
    }
    clusters = counted(len({pool.cluster for pool in told}) or writing, "cluster")
    if pace is not None:
        kept = {word: count for word, count in counts.items() if count or word == "replaced"}
        steps = steps_words(pace)
        return f"{unsure}{_listed(kept)} in {clusters}{f', {steps}' if steps else ''}"
    return f"{unsure}{_listed(counts)}, in {clusters}"


def _listed(counts: dict[str, int]) -> str:
    """``12 machines replaced, 2 added``"""
    (first, count), *others = counts.items()
    return ", ".join([f"{counted(count, 'machine')} {first}", *(f"{number} {word}" for word, number in others)])


def _stopped(preview: Preview) -> str:
    problems = refusals(preview)
    if any(problem.code in KEY_CODES for problem in problems):
        missing = any(problem.code == "deletion-needs-second-key" for problem in problems)
        return " — refused, a second key is missing" if missing else " — refused, the second key does not open"
    if any(weight.over for weight in preview.weights):
        return " — refused, beyond a budget"
    refused = any(outcome.plan is not None and outcome.plan.refusals for outcome in preview.outcomes)
    return " — refused in part" if refused else ""
