"""The verdict on a commit in the words of JOURNEY.md section 2. Pure.

``failure`` is a verdict on the change, ``error`` means that no verdict was possible, and the most important reason
comes first. Machines are counted where they change, objects elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus, State
from clusterops.model.plan import Action, Change
from clusterops.model.policy import KEY_CODES, POLICY_CODES, Budget, Weight
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
from clusterops.status.verdict_texts import DEFAULT_CONTEXTS, QUIET, Contexts, noun, plural, worst_of

BEFORE_APPLY: Final = frozenset({Stage.SOURCE, Stage.RENDER, Stage.READ, Stage.PLAN, Stage.VERDICT})
_VERBS: Final = {
    Action.CREATE: "creates",
    Action.ADOPT: "adopts",
    Action.UPDATE: "updates",
    Action.ROTATE: "rotates",
    Action.PRUNE: "prunes",
}
_SPENT: Final = {
    Budget.POOLS_DELETED: "pools may be deleted",
    Budget.MACHINES_REMOVED: "machines may be removed",
    Budget.MACHINES_REPLACED: "machines may be replaced",
}


def plan_pending(
    count: int, total_targets: int, *, contexts: Contexts = DEFAULT_CONTEXTS, at: datetime | None = None
) -> CommitStatus:
    """``planning 1 of 300 clusters``"""
    return CommitStatus(
        context=contexts.plan, state=State.PENDING, text=f"planning {count} of {total_targets} clusters", at=at
    )


def plan_status(
    outcomes: Sequence[Outcome],
    *,
    rendered: int,
    total_targets: int,
    problems: Sequence[Problem] = (),
    summary: str = "",
    steps: str = "",
    contexts: Contexts = DEFAULT_CONTEXTS,
    at: datetime | None = None,
) -> CommitStatus:
    """Of the targets that the commit touches; ``problems`` are the whole fleet's, ``rendered`` counts renders done.

    ``summary`` says more than counts do where a single target changes; ``steps`` reads ``in 9 steps``.
    """
    found = [("", problem) for problem in problems] + [
        (outcome.target, problem) for outcome in outcomes for problem in _planning_problems(outcome)
    ]
    told = summary or _in_steps(_plan_text(outcomes, rendered, total_targets), steps)
    state, text = worst_of(found) or (State.SUCCESS, told)
    return CommitStatus(context=contexts.plan, state=state, text=text, at=at)


def policy_status(
    outcomes: Sequence[Outcome],
    *,
    weights: Sequence[Weight] = (),
    unclaimed: Sequence[Problem] = (),
    contexts: Contexts = DEFAULT_CONTEXTS,
    at: datetime | None = None,
) -> CommitStatus:
    """Second keys and budgets, of the targets that the commit touches; ``unclaimed`` are regions that are nobody's."""
    found = [(outcome.target, problem) for outcome in outcomes for problem in _policy_problems(outcome)]
    found += [("", problem) for problem in unclaimed]
    beyond = [("", weight.problem) for weight in weights if weight.over]
    worst = worst_of([*beyond, *(pair for pair in found if pair[1] not in {problem for _, problem in beyond})])
    if worst is None and any(outcome.plan is None for outcome in outcomes):
        first = next(outcome for outcome in outcomes if outcome.plan is None)
        text = f"{first.target} has no plan to judge, see {contexts.plan}"
        return CommitStatus(context=contexts.policy, state=State.ERROR, text=text[:TEXT_LIMIT], at=at)
    state, text = worst or (State.SUCCESS, _within(outcomes, weights))
    return CommitStatus(context=contexts.policy, state=state, text=text, at=at)


def _policy_problems(outcome: Outcome) -> tuple[Problem, ...]:
    own = (outcome.problem,) if outcome.problem is not None else ()
    found = (*own, *(outcome.plan.refusals if outcome.plan else ()))
    return tuple(problem for problem in dict.fromkeys(found) if problem.code in POLICY_CODES)


def _within(outcomes: Sequence[Outcome], weights: Sequence[Weight]) -> str:
    """``12 of 122 machines may be replaced in eu-west-1; no deletion``, the budget that is nearest its limit first."""
    regional = [weight for weight in weights if weight.region and weight.budget in _SPENT]
    regional.sort(key=lambda weight: weight.spent / max(weight.limit, 1), reverse=True)
    parts = [_spent(weight) for weight in regional] or ["no machine replaced or removed"]
    deleted = [outcome.target for outcome in outcomes if _deletes_cluster(outcome)]
    last = f"deletes {', '.join(deleted)} by second key" if deleted else "no deletion"
    for count in range(len(parts), 0, -1):
        more = f" (+{len(parts) - count} more)" if count < len(parts) else ""
        text = f"{'; '.join(parts[:count])}{more}; {last}"
        if len(text) <= TEXT_LIMIT:
            return text
    return f"{parts[0]}; deletes {len(deleted)} clusters by second key"[:TEXT_LIMIT]


def _spent(weight: Weight) -> str:
    how = f" by exception {weight.exception}" if weight.exception else ""
    return f"{weight.spent} of {weight.limit} {_SPENT[weight.budget]} in {weight.region}{how}"


def _refuses_deletion(outcome: Outcome) -> bool:
    return any(problem.code in KEY_CODES for problem in _policy_problems(outcome))


def _deletes_cluster(outcome: Outcome) -> bool:
    changes = outcome.plan.changes if outcome.plan else ()
    return any(_goes(change) for change in changes if change.key.kind == "Cluster" and change.desired is None)


def _goes(change: Change) -> bool:
    """Deleted by this plan, or by an earlier one and not gone yet."""
    if change.live is None:
        return change.action is Action.HOLD
    return change.action is Action.PRUNE or change.live.deleting


def _planning_problems(outcome: Outcome) -> tuple[Problem, ...]:
    """Refusals and holds of a plan count too: what is refused or cannot be read will not be applied."""
    own = (outcome.problem,) if outcome.problem is not None and outcome.stage in BEFORE_APPLY else ()
    found = (*outcome.plan.refusals, *outcome.plan.stuck) if outcome.plan else ()
    return tuple(problem for problem in dict.fromkeys((*own, *found)) if problem.code not in QUIET | POLICY_CODES)


def _plan_text(outcomes: Sequence[Outcome], rendered: int, total_targets: int) -> str:
    changing = [outcome for outcome in outcomes if outcome.plan is not None and outcome.plan.writes]
    keyless = [outcome.target for outcome in outcomes if _refuses_deletion(outcome)]
    if keyless:
        more = f" (+{len(keyless) - 1} more)" if len(keyless) > 1 else ""
        rest = f"; {_actions(changing)}" if changing else ""
        return f"deletes {len(keyless)} {noun(keyless, len(keyless))}, refused: {keyless[0]}{more}{rest}"
    if not changing:
        if not rendered:
            return f"no change: 0 of {total_targets} targets rendered"
        apart = sum(outcome.plan.left_apart for outcome in outcomes if outcome.plan is not None)
        found = f"{apart} {plural('object', apart)} left as set by others" if apart else "0 objects differ"
        return f"no change: {rendered} {plural('target', rendered)} rendered, {found}"
    names = [outcome.target for outcome in changing]
    machines = _predicted(changing)
    told = f"{_actions(changing)}, {machines}" if machines else _actions(changing)
    return f"{len(names)} {noun(names, len(names))}: {told}"


def _in_steps(text: str, steps: str) -> str:
    """The steps stay readable where all of it is too long."""
    if not steps:
        return text
    room = TEXT_LIMIT - len(steps) - 2
    return f"{text if len(text) <= room else text[: room - 1].rstrip() + '…'}, {steps}"


def _predicted(outcomes: Iterable[Outcome]) -> str:
    """``replaces 12 machines, adds 2``"""
    impacts = [impact for outcome in outcomes if outcome.plan for impact in outcome.plan.impacts]
    counts = (
        ("replaces", sum(impact.replaced for impact in impacts)),
        ("adds", sum(impact.added for impact in impacts)),
        ("removes", sum(impact.removed for impact in impacts)),
    )
    known = [(verb, count) for verb, count in counts if count]
    nouns = [f" {plural('machine', count)}" if place == 0 else "" for place, (_, count) in enumerate(known)]
    return ", ".join(f"{verb} {count}{noun}" for (verb, count), noun in zip(known, nouns, strict=True))


def _actions(outcomes: Iterable[Outcome]) -> str:
    plans = [outcome.plan for outcome in outcomes if outcome.plan is not None]
    counts = {verb: sum(plan.count(action) for plan in plans) for action, verb in _VERBS.items()}
    parts = [f"{verb} {count}" for verb, count in counts.items() if count]
    return f"{', '.join(parts)} {plural('object', sum(counts.values()))}"
