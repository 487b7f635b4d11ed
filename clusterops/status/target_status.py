"""How one pass over a target shows in the status of its FleetTarget. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from clusterops.model.machines import MachineTally
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import HealthWord, Outcome, Result, Stage
from clusterops.model.rollout import HELD_CODES
from clusterops.status.conditions import Condition, conditions_of, merged, parse_time, reason_of, time_text


class Phase(StrEnum):
    """Held waits for its turn; Applied waits for health; Refused waits for a person; Orphaned is gone from git;
    Deleting and Deleted, with a second key, from the management cluster as well.
    """

    HELD = "Held"
    APPLYING = "Applying"
    APPLIED = "Applied"
    SETTLED = "Settled"
    FAILED = "Failed"
    REFUSED = "Refused"
    SUSPENDED = "Suspended"
    ORPHANED = "Orphaned"
    DELETING = "Deleting"
    DELETED = "Deleted"


_FAILURES: Final = frozenset({Phase.FAILED, Phase.REFUSED})
_OVER: Final = frozenset({Phase.SETTLED, Phase.ORPHANED, Phase.DELETED})
SUSPENDED_CODES: Final = frozenset({"target-suspended", "fleet-suspended"})
SUPERSEDED_CODES: Final = frozenset({"superseded", "interrupted"})
"""Waiting for health that a newer commit ended: nothing failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCounts:
    total: int = 0
    applied: int = 0
    pruned: int = 0
    failed: int = 0
    settled: int = 0

    def to_body(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("total", "applied", "pruned", "failed", "settled")}
        return {**counts, "summary": f"{self.settled}/{self.total}"}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ObjectCounts:
        return cls(**{name: int(body.get(name) or 0) for name in ("total", "applied", "pruned", "failed", "settled")})


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """Revisions are texts as ``main@3b9e0d1``; ``inputs`` is the fingerprint that the observed revision has."""

    phase: str = ""
    observed_revision: str = ""
    inputs: str = ""
    plan_id: str = ""
    begun_revision: str = ""
    """Whose rollout began with it last: it is known before the first write."""
    begun_at: datetime | None = None
    applied_revision: str = ""
    applied_at: datetime | None = None
    settled_revision: str = ""
    settled_at: datetime | None = None
    code: str = ""
    failed_at: datetime | None = None
    """Of a held target: when it failed under the commit that began with it last."""
    retrying: bool = False
    """Whether what is wrong is tried again by itself."""
    message: str = ""
    objects: ObjectCounts = field(default_factory=ObjectCounts)
    machines: MachineTally | None = None
    conditions: tuple[Condition, ...] = ()
    drift: Mapping[str, Any] = field(default_factory=dict)
    """A TargetDrift in its stored form (drift.body), {} where there never was any."""

    @property
    def is_unsettled(self) -> bool:
        """Whether a rollout that began here has not settled, whatever became of it.

        Times are whole seconds: within one, the revision tells which came first.
        """
        if self.begun_at is None or self.settled_revision == self.begun_revision:
            return False
        return self.settled_at is None or self.settled_at <= self.begun_at

    def to_body(self) -> dict[str, Any]:
        """Without empty texts."""
        texts = {
            "phase": str(self.phase),
            "observedRevision": self.observed_revision,
            "inputs": self.inputs,
            "planId": self.plan_id,
            "begunRevision": self.begun_revision,
            "begunAt": time_text(self.begun_at),
            "appliedRevision": self.applied_revision,
            "appliedAt": time_text(self.applied_at),
            "settledRevision": self.settled_revision,
            "settledAt": time_text(self.settled_at),
            "failedAt": time_text(self.failed_at),
            "code": self.code,
            "message": self.message,
        }
        return {
            **{name: text for name, text in texts.items() if text},
            "objects": self.objects.to_body(),
            **({"retrying": True} if self.retrying else {}),
            **({"machines": self.machines.to_body()} if self.machines else {}),
            **({"drift": dict(self.drift)} if self.drift else {}),
            "conditions": [condition.to_body() for condition in self.conditions],
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> TargetStatus:
        """Lenient: what a person broke there is read as empty, since nothing is decided by it but a needless pass."""
        return cls(
            phase=str(body.get("phase") or ""),
            observed_revision=str(body.get("observedRevision") or ""),
            inputs=str(body.get("inputs") or ""),
            plan_id=str(body.get("planId") or ""),
            begun_revision=str(body.get("begunRevision") or ""),
            begun_at=parse_time(body.get("begunAt")),
            applied_revision=str(body.get("appliedRevision") or ""),
            applied_at=parse_time(body.get("appliedAt")),
            settled_revision=str(body.get("settledRevision") or ""),
            settled_at=parse_time(body.get("settledAt")),
            code=str(body.get("code") or ""),
            failed_at=parse_time(body.get("failedAt")),
            retrying=bool(body.get("retrying")),
            message=str(body.get("message") or ""),
            objects=ObjectCounts.of(body.get("objects") or {}),
            machines=MachineTally.from_body(body["machines"]) if body.get("machines") else None,
            conditions=conditions_of(body.get("conditions")),
            drift=_mapping(body.get("drift")),
        )


def _mapping(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def status_after(
    before: TargetStatus, outcome: Outcome, *, inputs: str, now: datetime, gone: bool = False
) -> TargetStatus:
    """The status after a pass, finished or still waiting for health (then ``stage`` is HEALTH without a problem).

    Equal facts give an equal value whatever ``now`` is, so an unchanged status need not be written.
    """
    phase = phase_of(outcome, gone=gone)
    applied = outcome.report is not None and outcome.report.complete and outcome.stage in {Stage.HEALTH, Stage.DONE}
    after = replace(
        before,
        phase=phase,
        observed_revision=outcome.revision,
        inputs=inputs,
        plan_id=outcome.plan.id if outcome.plan else before.plan_id,
        code=outcome.problem.code if outcome.problem else "",
        failed_at=_failed_at(before, outcome, phase, now),
        retrying=outcome.problem is not None and outcome.problem.retry is Retry.BACKOFF,
        message=_message(outcome, phase),
        objects=_counts(outcome) if outcome.plan else before.objects,
        machines=_begun(before, outcome, phase),
    )
    if applied:
        after = _stamp_applied(after, before, now)
    if outcome.stage is Stage.DONE and outcome.ok and before.settled_revision != outcome.revision:
        after = replace(after, settled_revision=outcome.revision, settled_at=now)
    return replace(after, conditions=merged(before.conditions, _conditions(outcome, phase, applied=applied), now))


def status_begun(before: TargetStatus, outcome: Outcome, *, inputs: str, now: datetime) -> TargetStatus:
    """The status right before the first write of a target that others wait for."""
    after = status_after(before, outcome, inputs=inputs, now=now)
    return replace(after, begun_revision=outcome.revision, begun_at=now)


def _failed_at(before: TargetStatus, outcome: Outcome, phase: Phase, now: datetime) -> datetime | None:
    if phase is Phase.HELD:
        return before.failed_at if not before.retrying else None
    if phase not in _FAILURES:
        return None
    return before.failed_at if before.observed_revision == outcome.revision and before.failed_at else now


def _begun(before: TargetStatus, outcome: Outcome, phase: Phase) -> MachineTally | None:
    """What machines are counted from, kept for as long as the revision is the same.

    A target that is held keeps what an earlier commit moves: it moves on.
    """
    if outcome.machines is not None:
        return replace(outcome.machines, now=None)
    if phase is Phase.HELD:
        return before.machines if before.phase not in _OVER else None
    same = before.observed_revision == outcome.revision and before.phase != Phase.HELD
    return before.machines if same else None


def phase_of(outcome: Outcome, *, gone: bool = False) -> Phase:
    problem = outcome.problem
    on_its_way = gone and bool(outcome.deletion) and outcome.stage is not Stage.DONE
    if problem is not None:
        superseded = on_its_way and problem.code in SUPERSEDED_CODES
        return Phase.DELETING if superseded else _phase_of_problem(problem)
    if on_its_way:
        return Phase.DELETING
    if gone:
        return Phase.DELETED if outcome.deletion else Phase.ORPHANED
    if outcome.stage is Stage.DONE:
        return Phase.SETTLED
    return Phase.APPLIED if outcome.stage is Stage.HEALTH else Phase.APPLYING


def _phase_of_problem(problem: Problem) -> Phase:
    if problem.code in SUSPENDED_CODES:
        return Phase.SUSPENDED
    if problem.code in HELD_CODES:
        return Phase.HELD
    if problem.code in SUPERSEDED_CODES:
        return Phase.APPLIED
    return Phase.REFUSED if problem.retry is Retry.HUMAN else Phase.FAILED


def _stamp_applied(after: TargetStatus, before: TargetStatus, now: datetime) -> TargetStatus:
    if before.applied_revision == after.observed_revision and before.inputs == after.inputs and before.applied_at:
        return after
    return replace(after, applied_revision=after.observed_revision, applied_at=now)


def _message(outcome: Outcome, phase: Phase) -> str:
    if outcome.problem is not None:
        return outcome.problem.text
    if outcome.deletion and (outcome.stage is not Stage.DONE or phase is Phase.DELETED):
        return outcome.deletion
    waiting = outcome.health.unsettled if outcome.health else ()
    if waiting:
        first = waiting[0]
        more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
        return f"waits for {first.key.label}: {first.reason or first.word}{more}"
    return {
        Phase.APPLYING: "applying",
        Phase.APPLIED: "applied, waits for health",
        Phase.ORPHANED: "gone from git; what cannot be pruned stays, see the inventory",
    }.get(phase, "")


def _counts(outcome: Outcome) -> ObjectCounts:
    report, health, plan = outcome.report, outcome.health, outcome.plan
    healthy = sum(row.word is HealthWord.CURRENT for row in health.rows) if health else 0
    return ObjectCounts(
        total=len(health.rows) if health else len(plan.changes) if plan else 0,
        applied=report.count(Result.APPLIED) if report else 0,
        pruned=report.count(Result.PRUNED) if report else 0,
        failed=report.count(Result.FAILED) + report.count(Result.CONFLICTED) if report else 0,
        settled=healthy,
    )


def _conditions(outcome: Outcome, phase: Phase, *, applied: bool) -> tuple[Condition, ...]:
    ready = _ready(outcome, phase)
    if applied:
        was_applied = Condition(type="Applied", status="True", reason="Applied", message=outcome.revision)
    else:
        was_applied = replace(ready, type="Applied") if outcome.problem else _progress("Applied", phase)
    healthy = replace(ready, type="Healthy") if applied else _progress("Healthy", phase)
    return (ready, was_applied, healthy)


def _ready(outcome: Outcome, phase: Phase) -> Condition:
    problem = outcome.problem
    if problem is not None and problem.code not in SUPERSEDED_CODES | HELD_CODES:
        return Condition(type="Ready", status="False", reason=reason_of(problem.code), message=problem.text)
    if phase is Phase.SETTLED:
        return Condition(type="Ready", status="True", reason="Settled", message=outcome.revision)
    return replace(_progress("Ready", phase), message=_message(outcome, phase))


def _progress(kind: str, phase: Phase) -> Condition:
    reasons = {Phase.ORPHANED: "Orphaned", Phase.DELETED: "Deleted", Phase.HELD: "Held"}
    return Condition(type=kind, status="Unknown", reason=reasons.get(phase, "Progressing"))
