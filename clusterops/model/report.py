"""What was done, how it went, and where a target stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineTally
from clusterops.model.plan import Action, Plan
from clusterops.model.problem import Problem
from clusterops.model.sketch import Sketch


class Result(StrEnum):
    APPLIED = "applied"
    PRUNED = "pruned"
    DELETING = "deleting"
    """Deleted, and there until its finalizers are gone: it stays in the inventory."""
    SKIPPED = "skipped"
    CONFLICTED = "conflicted"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRow:
    """One object of a plan. ``uid`` is the live uid after the write ("" when unknown)."""

    key: ObjectKey
    action: Action
    result: Result
    api_version: str = ""
    uid: str = ""
    problem: Problem | None = None
    applied: Sketch | None = field(default=None, compare=False, repr=False)
    """What git says of it, to be remembered where it was applied or found so."""
    held: Sketch | None = field(default=None, compare=False, repr=False)
    """What the server made of that."""
    attempts: int = 0
    duration_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """One row per change of the plan, in the plan's order."""

    rows: tuple[ApplyRow, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(row.problem for row in self.rows if row.problem is not None)

    @property
    def complete(self) -> bool:
        """True when nothing failed, conflicted or was cancelled."""
        bad = {Result.FAILED, Result.CONFLICTED, Result.CANCELLED}
        return all(row.result not in bad for row in self.rows)

    def count(self, result: Result) -> int:
        return sum(row.result is result for row in self.rows)


class HealthWord(StrEnum):
    """kstatus' words, and Paused, which is a state of its own."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"
    PAUSED = "Paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRow:
    """``reason`` is CamelCase as in conditions; ``message`` for people; ``observed_generation`` 0 when not reported."""

    key: ObjectKey
    word: HealthWord
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """Health of every applied object of a target; settled when all are Current.

    ``machines`` are the uids of its Clusters' Machines, None where they were not looked at.
    """

    rows: tuple[HealthRow, ...] = ()
    machines: frozenset[str] | None = field(default=None, compare=False)

    @property
    def settled(self) -> bool:
        return all(row.word is HealthWord.CURRENT for row in self.rows)

    @property
    def unsettled(self) -> tuple[HealthRow, ...]:
        return tuple(row for row in self.rows if row.word is not HealthWord.CURRENT)


class Stage(StrEnum):
    """How far the sentence came, in its own order."""

    SOURCE = "source"
    RENDER = "render"
    READ = "read"
    PLAN = "plan"
    VERDICT = "verdict"
    APPLY = "apply"
    HEALTH = "health"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that status, web and metrics may see of one pass over one target.

    ``stage`` is the last stage begun, DONE when all went well; ``problem`` is set when it failed or was held there.
    """

    target: str
    revision: str
    stage: Stage
    problem: Problem | None = None
    plan: Plan | None = None
    report: ApplyReport | None = None
    health: HealthReport | None = None
    machines: MachineTally | None = None
    """None where the plan changes no machines, or they could not be counted."""
    deletion: str = ""
    """How far the removal of what git dropped is, in words; at the end what was removed."""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None
