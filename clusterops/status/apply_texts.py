"""How far a commit is applied, in the words of JOURNEY.md section 2. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus, State
from clusterops.model.fleet import region_of
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Result, Stage
from clusterops.model.rollout import Halt, Hold, Progress
from clusterops.status.rollout_texts import holds_text
from clusterops.status.target_status import SUSPENDED_CODES
from clusterops.status.verdict_texts import DEFAULT_CONTEXTS, QUIET, Contexts, duration_text, noun, plural, worst_of


def apply_statuses(
    outcomes: Sequence[Outcome],
    *,
    pending: Collection[str] = (),
    held: Mapping[str, Problem] | None = None,
    pace: Progress | None = None,
    superseded: Mapping[str, str] | None = None,
    since: datetime | None = None,
    most_alone: int = 0,
    contexts: Contexts = DEFAULT_CONTEXTS,
    at: datetime | None = None,
) -> tuple[CommitStatus, ...]:
    """One for all, then one per region in order, then one per target where there are no more than ``most_alone``.

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
    alone = view.names if len(view.names) <= most_alone else ()
    parts = [(contexts.apply_in(region), view.of(_in_region(region))) for region in regions]
    parts += [(contexts.apply_in(name), view.of({name}.__contains__)) for name in alone]
    return (
        whole,
        *(CommitStatus(context=name, state=part.state, text=part.text(objects=False), at=at) for name, part in parts),
    )


def _in_region(region: str) -> Callable[[str], bool]:
    return lambda name: region_of(name) == region


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

    def of(self, chosen: Callable[[str], bool]) -> _Apply:
        return _Apply(
            outcomes={name: outcome for name, outcome in self.outcomes.items() if chosen(name)},
            pending=frozenset(filter(chosen, self.pending)),
            held={name: problem for name, problem in self.held.items() if chosen(name)},
            pace=self.pace,
            superseded={name: commit for name, commit in self.superseded.items() if chosen(name)},
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
            if name not in self.superseded and outcome.problem is not None and outcome.problem.code not in QUIET
        ]

    @property
    def state(self) -> State:
        worst = worst_of(self._problems) or self._halted
        if worst is not None:
            return worst[0]
        return State.SUCCESS if len(self._settled) == len(self._counted) else State.PENDING

    def text(self, *, objects: bool) -> str:
        parts = [self._progress(objects=objects), self._paced, self._deletions, self._suspended, self._superseded]
        known = "; ".join(part for part in parts if part) or "no change: nothing to apply"
        held = f"; rollout halted, {len(self._waiting)} held" if self._halt else ""
        worst = worst_of(self._problems, TEXT_LIMIT - len(held)) or self._halted
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
        elsewhere = self._waiting.keys() | stopped | settled
        moving = [name for name in self._counted if name not in elsewhere]
        why = holds_text((hold for hold in self._waiting.values() if hold is not None), self.pace, self.since)
        held = f"{len(self._waiting)} held{f': {why}' if why else ''}"
        return f"{len(moving)} in flight, {held}" if moving else held

    def _progress(self, *, objects: bool) -> str:
        counted = self._counted
        if not counted:
            return ""
        text = f"{len(self._settled)} of {len(counted)} {noun(counted, 2)} settled"
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
        parts = [f"{applied} {plural('object', applied)} applied"] if applied or not pruned else []
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
        count = f"{len(names)} {noun(names, len(names))}"
        return f"superseded by {', '.join(commit[:7] for commit in commits)} for {count}" if commits else ""
