"""The verdict on a commit in the words of JOURNEY.md section 2. Pure.

``failure`` is a verdict on the change, ``error`` means that no verdict was possible, and the most important reason
comes first. Machines are counted where they change, objects elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus, State
from clusterops.model.fleet import region_of
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.plan import Action, Change
from clusterops.model.policy import KEY_CODES, POLICY_CODES, Budget, Weight
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Result, Stage
from clusterops.model.rollout import Halt, Hold, Progress
from clusterops.status.rollout_texts import holds_text
from clusterops.status.target_status import SUPERSEDED_CODES, SUSPENDED_CODES

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
_FAILURES: Final = frozenset({"not-gone"})
"""Tried again by itself, and a verdict all the same."""
_QUIET: Final = SUSPENDED_CODES | SUPERSEDED_CODES
"""Codes that are a state of the target and no verdict on the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """Public names: ``clusterops/plan``, or ``clusterops-NAME/plan`` for a named management cluster."""

    management: str = "default"

    @property
    def prefix(self) -> str:
        return "clusterops" if self.management in {"", "default"} else f"clusterops-{self.management}"

    @property
    def plan(self) -> str:
        return f"{self.prefix}/plan"

    @property
    def policy(self) -> str:
        return f"{self.prefix}/policy"

    @property
    def apply(self) -> str:
        return f"{self.prefix}/apply"

    @property
    def drift(self) -> str:
        return f"{self.prefix}/drift"

    def apply_in(self, region: str) -> str:
        """``clusterops/apply: eu-west-1``"""
        return f"{self.apply}: {region}"


DEFAULT_CONTEXTS: Final = Contexts()


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
    state, text = _worst(found) or (State.SUCCESS, told)
    return CommitStatus(context=contexts.plan, state=state, text=text, at=at)


def policy_status(
    outcomes: Sequence[Outcome],
    *,
    weights: Sequence[Weight] = (),
    contexts: Contexts = DEFAULT_CONTEXTS,
    at: datetime | None = None,
) -> CommitStatus:
    """Second keys and budgets, of the targets that the commit touches."""
    found = [(outcome.target, problem) for outcome in outcomes for problem in _policy_problems(outcome)]
    beyond = [("", weight.problem) for weight in weights if weight.over]
    worst = _worst([*beyond, *(pair for pair in found if pair[1] not in {problem for _, problem in beyond})])
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


def apply_statuses(
    outcomes: Sequence[Outcome],
    *,
    pending: Collection[str] = (),
    held: Mapping[str, Problem] | None = None,
    pace: Progress | None = None,
    superseded: Mapping[str, str] | None = None,
    since: datetime | None = None,
    contexts: Contexts = DEFAULT_CONTEXTS,
    at: datetime | None = None,
) -> tuple[CommitStatus, ...]:
    """One for all, then one per region in order.

    ``outcomes`` are the latest of each target that the commit touches; ``pending`` names those that have none yet or
    still wait; ``held`` are those of them that wait for their turn, and ``pace`` says for what, and what halts them;
    ``superseded`` maps targets to the later commit that took over; ``since`` is when the commit was seen.
    """
    view = _Apply(
        outcomes={outcome.target: outcome for outcome in outcomes},
        pending=frozenset(pending),
        held=dict(held or {}),
        pace=pace,
        superseded=dict(superseded or {}),
        since=since,
    )
    whole = CommitStatus(context=contexts.apply, state=view.state, text=view.text(objects=True), at=at)
    regions = sorted({region for name in view.names if (region := region_of(name))})
    parts = ((contexts.apply_in(region), view.within(region)) for region in regions)
    return (
        whole,
        *(CommitStatus(context=name, state=part.state, text=part.text(objects=False), at=at) for name, part in parts),
    )


@dataclass(frozen=True)
class _Apply:
    outcomes: Mapping[str, Outcome]
    pending: frozenset[str]
    held: Mapping[str, Problem]
    pace: Progress | None
    superseded: Mapping[str, str]
    since: datetime | None

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({*self.outcomes, *self.pending, *self.superseded}))

    def within(self, region: str) -> _Apply:
        return _Apply(
            outcomes={name: outcome for name, outcome in self.outcomes.items() if region_of(name) == region},
            pending=frozenset(name for name in self.pending if region_of(name) == region),
            held={name: problem for name, problem in self.held.items() if region_of(name) == region},
            pace=self.pace,
            superseded={name: commit for name, commit in self.superseded.items() if region_of(name) == region},
            since=self.since,
        )

    @cached_property
    def _counted(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name not in self.superseded)

    @cached_property
    def _settled(self) -> tuple[Outcome, ...]:
        return tuple(
            outcome
            for name, outcome in sorted(self.outcomes.items())
            if name not in self.superseded and name not in self.pending and outcome.ok and outcome.stage is Stage.DONE
        )

    @cached_property
    def _problems(self) -> list[tuple[str, Problem]]:
        return [
            (name, outcome.problem)
            for name, outcome in sorted(self.outcomes.items())
            if name not in self.superseded and outcome.problem is not None and outcome.problem.code not in _QUIET
        ]

    @property
    def state(self) -> State:
        worst = _worst(self._problems) or self._halted
        if worst is not None:
            return worst[0]
        return State.SUCCESS if len(self._settled) == len(self._counted) else State.PENDING

    def text(self, *, objects: bool) -> str:
        parts = [self._progress(objects=objects), self._paced, self._deletions, self._suspended, self._superseded]
        known = "; ".join(part for part in parts if part) or "no change: nothing to apply"
        held = f"; rollout halted, {len(self._waiting)} held" if self._halt else ""
        worst = _worst(self._problems, TEXT_LIMIT - len(held)) or self._halted
        if worst is None:
            return known
        verdict = worst[1] + held
        return f"{verdict}; {known}" if not held and len(verdict) + len(known) + 2 <= TEXT_LIMIT else verdict

    @cached_property
    def _waiting(self) -> dict[str, Hold | None]:
        """Held targets with what they wait for, where the pace says so."""
        known = self.pace.held if self.pace is not None else {}
        return {name: known.get(name) for name in sorted(self.held) if name not in self.superseded}

    @property
    def _halt(self) -> Halt | None:
        """What stops the rollout, where that is a target of these."""
        halt = self.pace.halt if self.pace is not None else None
        return halt if halt is not None and halt.target in self.names and self._waiting else None

    @property
    def _halted(self) -> tuple[State, str] | None:
        """A target that an earlier process saw fail has no outcome here, and one that degrades may have settled."""
        halt = self._halt
        return (State.FAILURE, f"{halt.target} failed ({halt.code})") if halt is not None else None

    @property
    def _paced(self) -> str:
        """``5 in flight, 24 held: soaking until 14:32Z``"""
        if not self._waiting:
            return ""
        stopped = {name for name, outcome in self.outcomes.items() if outcome.problem is not None}
        settled = {outcome.target for outcome in self._settled}
        moving = [name for name in self._counted if name not in self._waiting.keys() | stopped | settled]
        why = holds_text((hold for hold in self._waiting.values() if hold is not None), self.pace, self.since)
        held = f"{len(self._waiting)} held{f': {why}' if why else ''}"
        return f"{len(moving)} in flight, {held}" if moving else held

    def _progress(self, *, objects: bool) -> str:
        counted = self._counted
        if not counted:
            return ""
        text = f"{len(self._settled)} of {len(counted)} {_noun(counted, 2)} settled"
        if len(self._settled) < len(counted):
            return f"{text}; {self._rolling}" if self._rolling and not self._waiting else text
        took = self._took
        return text + (f" in {took}" if took else "") + (self._objects if objects else "")

    @property
    def _took(self) -> str:
        ends = [outcome.finished_at for outcome in self._settled if outcome.finished_at]
        starts = [outcome.started_at for outcome in self._settled if outcome.started_at]
        if not ends or not (self.since or starts):
            return ""
        return duration_text((max(ends) - (self.since or min(starts))).total_seconds())

    @property
    def _rolling(self) -> str:
        """``4 of 12 machines replaced``, while that is under way."""
        predicted = sum((tally.predicted for tally in self._tallies), MachineCounts())
        return predicted.progress_text(sum((tally.so_far for tally in self._tallies), MachineCounts()))

    @cached_property
    def _tallies(self) -> list[MachineTally]:
        counted = [self.outcomes[name] for name in self._counted if name in self.outcomes]
        return [outcome.machines for outcome in counted if outcome.machines is not None]

    @property
    def _objects(self) -> str:
        changed = sum((tally.so_far for tally in self._tallies), MachineCounts())
        if changed:
            return f": {changed.text}"
        reports = [outcome.report for outcome in self._settled if outcome.report]
        applied = sum(report.count(Result.APPLIED) for report in reports)
        pruned = sum(report.count(Result.PRUNED) for report in reports)
        parts = [f"{applied} {_plural('object', applied)} applied"] if applied or not pruned else []
        return f": {', '.join([*parts, *([f'{pruned} pruned'] if pruned else [])])}"

    @property
    def _deletions(self) -> str:
        """The first cluster that is on its way out, and how many more; how many are gone."""
        told = [(name, one.deletion) for name, one in sorted(self.outcomes.items()) if one.deletion]
        told = [(name, text) for name, text in told if name not in self.superseded]
        going = [f"{name} {text}" for name, text in told if name in self.pending]
        gone = len([name for name, _ in told if name not in self.pending])
        more = f" (+{len(going) - 1} more)" if len(going) > 1 else ""
        parts = [f"{going[0]}{more}"] if going else []
        return "; ".join([*parts, f"{gone} deleted"] if gone and not going else parts)

    @property
    def _suspended(self) -> str:
        count = sum(
            outcome.problem is not None and outcome.problem.code in SUSPENDED_CODES
            for name, outcome in self.outcomes.items()
            if name not in self.superseded
        )
        return f"{count} suspended" if count else ""

    @property
    def _superseded(self) -> str:
        commits = sorted(set(self.superseded.values()))
        names = tuple(self.superseded)
        count = f"{len(names)} {_noun(names, len(names))}"
        return f"superseded by {', '.join(commit[:7] for commit in commits)} for {count}" if commits else ""


def duration_text(seconds: float) -> str:
    """``43s``, ``41m``, ``1h30m``: two units at most, rounded down."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes // 60}h{minutes % 60}m" if minutes % 60 else f"{minutes // 60}h"


def _planning_problems(outcome: Outcome) -> tuple[Problem, ...]:
    """Refusals and holds of a plan count too: what is refused or cannot be read will not be applied."""
    own = (outcome.problem,) if outcome.problem is not None and outcome.stage in BEFORE_APPLY else ()
    found = (*outcome.plan.refusals, *outcome.plan.stuck) if outcome.plan else ()
    return tuple(problem for problem in dict.fromkeys((*own, *found)) if problem.code not in _QUIET | POLICY_CODES)


def _plan_text(outcomes: Sequence[Outcome], rendered: int, total_targets: int) -> str:
    changing = [outcome for outcome in outcomes if outcome.plan is not None and outcome.plan.writes]
    keyless = [outcome.target for outcome in outcomes if _refuses_deletion(outcome)]
    if keyless:
        more = f" (+{len(keyless) - 1} more)" if len(keyless) > 1 else ""
        rest = f"; {_actions(changing)}" if changing else ""
        return f"deletes {len(keyless)} {_noun(keyless, len(keyless))}, refused: {keyless[0]}{more}{rest}"
    if not changing:
        if not rendered:
            return f"no change: 0 of {total_targets} targets rendered"
        return f"no change: {rendered} {_plural('target', rendered)} rendered, 0 objects differ"
    names = [outcome.target for outcome in changing]
    machines = _predicted(changing)
    told = f"{_actions(changing)}, {machines}" if machines else _actions(changing)
    return f"{len(names)} {_noun(names, len(names))}: {told}"


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
    nouns = [f" {_plural('machine', count)}" if place == 0 else "" for place, (_, count) in enumerate(known)]
    return ", ".join(f"{verb} {count}{noun}" for (verb, count), noun in zip(known, nouns, strict=True))


def _actions(outcomes: Iterable[Outcome]) -> str:
    plans = [outcome.plan for outcome in outcomes if outcome.plan is not None]
    counts = {verb: sum(plan.count(action) for plan in plans) for action, verb in _VERBS.items()}
    parts = [f"{verb} {count}" for verb, count in counts.items() if count]
    return f"{', '.join(parts)} {_plural('object', sum(counts.values()))}"


def _worst(found: Sequence[tuple[str, Problem]], limit: int = TEXT_LIMIT) -> tuple[State, str] | None:
    """Verdicts before outages, each in the given order; how many more targets there are, last."""
    if not found:
        return None
    ordered = sorted(found, key=lambda pair: pair[1].retry is Retry.BACKOFF)
    target, problem = ordered[0]
    others = len({name for name, _ in ordered} - {target})
    more = f" (+{others} more)" if others else ""
    passing = problem.retry is Retry.BACKOFF and problem.code not in _FAILURES
    state = State.ERROR if passing else State.FAILURE
    return state, problem_text(target, problem, limit - len(more)) + more


def problem_text(target: str, problem: Problem, limit: int = TEXT_LIMIT) -> str:
    """The problem's line, naming the target, cut in its middle so that the code stays readable."""
    text = problem.text if not target or target in problem.text else f"{target}: {problem.text}"
    if len(text) <= limit:
        return text
    code = f" ({problem.code})"
    return f"{text[: limit - len(code) - 1].rstrip()}…{code}"


def _noun(names: Collection[str], count: int) -> str:
    """Clusters, unless something shared is among them."""
    shared = any(name.startswith("shared/") or name.endswith("/_shared") for name in names)
    return _plural("target" if shared else "cluster", count)


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
