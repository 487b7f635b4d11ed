"""What a reviewer has to know beside the machines: what cannot be undone, whether it fits, who else is at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from clusterops.capi.versions import Version, goes_down
from clusterops.model.plan import Change, Plan
from clusterops.model.policy import Budget, Weight
from clusterops.model.preview import Preview
from clusterops.plan.comment.happens import goes, raised_versions
from clusterops.plan.comment.markdown import prose
from clusterops.plan.impact.owners import pool_name
from clusterops.plan.phrases import counted
from clusterops.plan.pools import Counted, is_counted, pools

_SPENT: Final = {
    Budget.CLUSTERS_DELETED: ("cluster", "deleted"),
    Budget.POOLS_DELETED: ("pool", "deleted"),
    Budget.MACHINES_REMOVED: ("machine", "removed"),
    Budget.MACHINES_REPLACED: ("machine", "replaced"),
}
_NAMED: Final = 5


def final_lines(plans: Iterable[Plan]) -> Iterator[str]:
    """⚠️ What a revert does not bring back."""
    changes = [change for plan in plans for change in plan.changes]
    back = dict.fromkeys(_way_back(*pair) for change in changes for pair in raised_versions(change))
    left = [version for version in back if version]
    if left:
        told = " or ".join(left)
        yield f"⚠️ **Cannot be reverted.** A control plane does not go back to {prose(told)}; {_REFUSED}"
    if any(goes(change) and change.writes for change in changes):
        yield f"⚠️ **Cannot be reverted.** {_EMPTY}"


_REFUSED: Final = "a revert of this request will be refused."
_EMPTY: Final = "A Cluster that is deleted is gone with its machines; a revert of this request creates an empty one."


def _way_back(before: str, after: str) -> str:
    """``v1.33``, or all of the version where only the patch goes up; "" where a revert is no way down."""
    old, new = Version.parse(before), Version.parse(after)
    if old is None or new is None or not goes_down(new, old):
        return ""
    return old.text if old.series == new.series else old.series_text


def budget_lines(weights: Sequence[Weight], *, paced: bool = False) -> Iterator[str]:
    """✅ What is spent of which budget, where all of it is within. What is beyond is a refusal.

    ``paced``: beside the pace, which leads already.
    """
    if weights and not any(weight.over for weight in weights):
        noun = "Budget" if len(weights) == 1 else "Budgets"
        mark = "" if paced else "✅ **Fits.** "
        yield f"{mark}{noun}: {prose('; '.join(map(weight_words, weights)))}."


def weight_words(weight: Weight) -> str:
    """``12 of 612 machines in eu-west-1 replaced (limit 122)``, ``492 of 500 …, by exception CHG-2310``."""
    noun, verb = _SPENT[weight.budget]
    where = f"in {weight.region}" if weight.region else "in the fleet"
    if weight.exception:
        source = f" ({weight.source})" if weight.source else ""
        return (
            f"{weight.spent} of {counted(weight.limit, noun)} {where} {verb}, by exception {weight.exception}{source}"
        )
    spent = f"{weight.spent} of {counted(weight.total, noun)}" if weight.total else counted(weight.spent, noun)
    return f"{spent} {where} {verb} (limit {weight.limit})"


def count_lines(plans: Iterable[Plan]) -> Iterator[str]:
    """ℹ️ Pools of changed objects whose count is somebody else's; only their number where they are many."""
    told = [(plan.target, line) for plan in plans for each in plan.changes if each.writes for line in _uncounted(each)]
    targets = dict.fromkeys(target for target, _ in told)
    if len(told) > _NAMED:
        where = f" in {counted(len(targets), 'cluster')}" if len(targets) > 1 else ""
        yield f"ℹ️ {len(told)} pools{where} are scaled by others: their counts are not sent."
        return
    for target, line in told:
        yield f"ℹ️ {prose(f'{target}: {line}' if len(targets) > 1 else line)}"


def _uncounted(change: Change) -> Iterator[str]:
    said = change.written or change.desired
    if said is None:
        return
    body = said.body
    there = {pool.name: pool.count for pool in pools(change.live.body)} if change.live is not None else {}
    for pool in pools(body):
        name = pool_name(change.key, body) if is_counted(change.key) else pool.name
        live = f"live {there[pool.name]}" if there.get(pool.name) is not None else ""
        if pool.counted is Counted.AUTOSCALER and pool.bounds is not None:
            bounds = ", ".join(filter(None, (f"{pool.bounds[0]}..{pool.bounds[1]}", live)))
            yield f"`{name}` is autoscaled ({bounds}): its count is not sent."
        elif pool.counted is Counted.OUTSIDE:
            yield f"`{name}` is scaled from outside{f' ({live})' if live else ''}: its count is not sent."


def rival_lines(preview: Preview) -> Iterator[str]:
    """⚠️ Other open requests that change the same cluster."""
    by_request: dict[int, list[str]] = {}
    for target, numbers in sorted(preview.rivals.items()):
        for number in numbers:
            by_request.setdefault(number, []).append(target)
    for number, targets in sorted(by_request.items()):
        more = f" and {len(targets) - _NAMED} more" if len(targets) > _NAMED else ""
        named = ", ".join(targets[:_NAMED])
        yield f"⚠️ {prose(f'Request {number} changes {named}{more} too.')}"


def warning_lines(plans: Iterable[Plan]) -> Iterator[str]:
    warnings = dict.fromkeys(warning.text for plan in plans for warning in plan.warnings)
    yield from (f"⚠️ {prose(text)}" for text in warnings)


def fork_line(preview: Preview) -> Iterator[str]:
    if preview.request.fork:
        yield "ℹ️ Rendered without secrets, as it comes from a fork."
