"""The sentence: what happens to one target of one commit, from the files in git to settled machines.

The daemon, `plan`, `apply` and the drift check all say a prefix of it. A stage takes values and ports and returns a
value; a stage that fails becomes an Outcome; only cancellation leaves ``reconcile``.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from clusterops.apply import apply_plan, needs_replan
from clusterops.apply.inventory import new_entries
from clusterops.controller import machines
from clusterops.controller.collecting import collect_generations
from clusterops.controller.planning import plan_target
from clusterops.controller.records import Record
from clusterops.controller.removal import Removal
from clusterops.controller.work import CommitView, Doors, Work
from clusterops.errors import ClusterOpsError
from clusterops.health import wait_settled, waits_for
from clusterops.model.fleet import Mode, Target
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest, RenderedSet, empty_set
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import ApplyReport, HealthReport, Outcome, Result, Stage
from clusterops.plan.prune import STAYS
from clusterops.telemetry import Logger

WRITERS_FIRST_S: Final = 60.0
"""Longest that the first look at health waits while every slot writes."""
REPLANS: Final = 3
"""How often one pass reads and plans again because an object changed under its hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A target as far as it can be told without writing. ``outcome`` says how far that was."""

    outcome: Outcome
    rendered: RenderedSet
    record: Record
    coming: Mapping[ObjectKey, Manifest]
    """What targets of the same commit render that are applied before this one."""


async def reconcile(work: Work, doors: Doors, commit: CommitView, interrupted: asyncio.Event) -> Outcome:
    """Says the whole sentence. ``interrupted`` ends the waiting for health, nothing else."""
    draft = await draft_plan(work, doors, commit)
    verdict = await commit.verdict(draft.outcome)
    outcome = replace(draft.outcome, problem=verdict or draft.outcome.problem or _moved(work, draft.outcome.plan))
    if work.target.mode is Mode.OBSERVE:
        return outcome
    outcome = replace(outcome, finished_at=None)
    try:
        if outcome.problem is None:
            async with doors.slots:
                outcome = await _carry_out(work, doors, draft, paced=commit.paced)
            commit.progress(outcome)
            doors.metrics.pass_seconds.observe(_seconds_since(outcome, doors))
        outcome = await _remove(draft, outcome, work=work, doors=doors, commit=commit, interrupted=interrupted)
        if outcome.problem is None and work.gone:
            outcome = replace(outcome, stage=outcome.stage if _on_its_way(outcome) else Stage.DONE)
        elif outcome.problem is None and work.settle_timeout_s > 0:
            outcome = await _settle(draft, outcome, work=work, doors=doors, commit=commit, interrupted=interrupted)
            outcome = replace(outcome, finished_at=doors.clock.now())
            if commit.paced:
                await draft.record.told(outcome, gone=False)
            commit.settled(outcome)
            await _collect(draft, outcome, work=work, doors=doors, interrupted=interrupted)
    except ClusterOpsError as error:
        outcome = replace(outcome, problem=Problem.of(error))
    except Exception as error:
        strike = draft.rendered.secrets.struck
        problem = unforeseen(error, work.target.name, doors.logger, strike=strike, revision=work.revision)
        outcome = replace(outcome, problem=problem)
    ended = replace(outcome, finished_at=outcome.finished_at or doors.clock.now())
    return await _recorded(work, doors, draft, ended)


async def draft_plan(work: Work, doors: Doors, commit: CommitView, *, looks: bool = False) -> Draft:
    """Render, read, plan. Never raises an expected error: the outcome holds it.

    ``looks``: for a plan that is not carried out, so that a pause is no obstacle.
    """
    at = Outcome(target=work.target.name, revision=work.revision, stage=Stage.SOURCE, started_at=doors.clock.now())
    rendered, record = empty_set(work.target.name), doors.records.unread(work.target, work.inputs, looks=looks)
    try:
        try:
            _refuse_broken(work.target)
            at = replace(at, stage=Stage.RENDER)
            if not work.gone:
                rendered = await doors.renderer.render(work.snapshot, work.target)
        finally:
            coming = await commit.rendered(rendered)
        at = replace(at, stage=Stage.READ)
        await doors.records.read(record)
        record.refuse_suspended()
        at = replace(at, stage=Stage.PLAN)
        at = replace(at, plan=await plan_target(work, doors, rendered, record, coming))
    except ClusterOpsError as error:
        at = replace(at, problem=Problem.of(error))
    except Exception as error:
        strike = rendered.secrets.struck
        at = replace(
            at, problem=unforeseen(error, work.target.name, doors.logger, strike=strike, revision=work.revision)
        )
    finished = replace(at, finished_at=doors.clock.now())
    return Draft(outcome=finished, rendered=rendered, record=record, coming=coming)


async def _carry_out(work: Work, doors: Doors, draft: Draft, *, paced: bool = False) -> Outcome:
    with doors.records.applying(work.target.name):
        return await _apply(work, doors, draft, paced=paced)


async def _apply(work: Work, doors: Doors, draft: Draft, *, paced: bool) -> Outcome:
    """Applies the plan; where an object changed meanwhile, reads and plans again, at most REPLANS times.

    That a paced target begins is recorded before its first write.
    """
    outcome, plan = replace(draft.outcome, stage=Stage.APPLY), draft.outcome.plan
    assert plan is not None
    tally = draft.record.tally(work.revision)
    begun = await machines.begun(plan, tally, doors.cluster, expects=paced and not draft.record.disturbed)
    outcome = replace(outcome, machines=begun)
    if paced:
        await draft.record.begin(outcome, new_entries(plan, draft.record.inventory))
    for _ in range(REPLANS + 1):
        report = await apply_plan(
            plan,
            doors.cluster,
            clock=doors.clock,
            logger=doors.logger,
            store=draft.record,
            concurrency=doors.concurrency,
            secrets=draft.rendered.secrets,
        )
        draft.record.note(report)
        outcome = replace(outcome, plan=plan, report=report, problem=_first_problem(plan, report))
        if not needs_replan(report):
            break
        plan = await plan_target(work, doors, draft.rendered, draft.record, draft.coming)
    return outcome


async def _remove(
    draft: Draft, outcome: Outcome, *, work: Work, doors: Doors, commit: CommitView, interrupted: asyncio.Event
) -> Outcome:
    """Waits for what git dropped, where it does not go at once; what is refused in the plan does not stop that."""

    async def again(before: Outcome) -> Outcome:
        plan = await plan_target(work, doors, draft.rendered, draft.record, draft.coming)
        async with doors.slots:
            return await _carry_out(work, doors, replace(draft, outcome=replace(before, plan=plan, problem=None)))

    if outcome.report is None or not outcome.report.complete or not _on_its_way(outcome):
        return outcome
    removal = Removal(work=work, doors=doors, record=draft.record, commit=commit, interrupted=interrupted, again=again)
    return await removal.finish(outcome)


def _on_its_way(outcome: Outcome) -> bool:
    return outcome.plan is not None and outcome.plan.deletion is not None


async def _settle(
    draft: Draft, outcome: Outcome, *, work: Work, doors: Doors, commit: CommitView, interrupted: asyncio.Event
) -> Outcome:
    """Waits until every object is healthy, the time is up, or a newer commit wants the target."""
    outcome = replace(outcome, stage=Stage.HEALTH)
    await draft.record.applied(outcome)
    waiting = asyncio.ensure_future(
        _watch_health(
            work,
            doors,
            _spent_s(work, draft.record, outcome),
            outcome,
            lambda health: commit.progress(machines.counted(outcome, health)),
        )
    )
    stop = asyncio.ensure_future(interrupted.wait())
    try:
        with doors.ticks.one_more():
            await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            return replace(outcome, problem=_interrupted(work))
        health = waiting.result()
    finally:
        await _cancelled(waiting, stop)
    outcome = machines.counted(outcome, health)
    if not health.settled:
        return replace(outcome, problem=_not_settled(work, health))
    differs = await machines.difference(outcome, doors.cluster, doors.clock, interrupted) if commit.paced else None
    if differs is not None:
        return replace(outcome, problem=_interrupted(work) if interrupted.is_set() else differs)
    return replace(outcome, stage=Stage.DONE)


async def _collect(draft: Draft, outcome: Outcome, *, work: Work, doors: Doors, interrupted: asyncio.Event) -> None:
    """Once settled, nothing needs the templates that the machines were made from before."""
    if outcome.problem is not None or outcome.plan is None:
        return
    await collect_generations(
        outcome.plan,
        doors,
        draft.record,
        again=lambda: plan_target(work, doors, draft.rendered, draft.record, draft.coming),
        interrupted=interrupted,
    )


async def _watch_health(
    work: Work, doors: Doors, since_s: float, outcome: Outcome, on_change: Callable[[HealthReport], None]
) -> HealthReport:
    """Lets the writers of a large commit go first for a while: nothing settles faster for being looked at.

    ``since_s`` seconds of the time that it has are over, most often none.
    """
    begun_s = doors.clock.boottime_s()
    while doors.slots.locked() and doors.clock.boottime_s() - begun_s < WRITERS_FIRST_S:
        await doors.ticks.sleep(0)
    assert outcome.plan is not None
    return await wait_settled(
        doors.cluster,
        outcome.plan.present,
        deadline_s=max(0.0, work.settle_timeout_s - since_s),
        clock=doors.ticks,
        on_change=on_change,
        few=doors.confirming,
    )


def _spent_s(work: Work, record: Record, outcome: Outcome) -> float:
    """Of the time to settle. What could be written only when that was over, as after an outage, has it all."""
    spent_s = record.begun_s(work.revision)
    late = spent_s >= work.settle_timeout_s and outcome.report is not None and outcome.report.count(Result.APPLIED) > 0
    return 0.0 if late else spent_s


def _seconds_since(outcome: Outcome, doors: Doors) -> float:
    now = doors.clock.now()
    return (now - (outcome.started_at or now)).total_seconds()


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _recorded(work: Work, doors: Doors, draft: Draft, outcome: Outcome) -> Outcome:
    """Writes the FleetTarget; a record that cannot be written is the outcome's problem only if it had none."""
    try:
        await draft.record.finish(outcome, gone=work.gone)
    except ClusterOpsError as error:
        doors.logger.warning("record not written", target=work.target.name, code=error.code, error=str(error))
        return outcome if outcome.problem else replace(outcome, problem=Problem.of(error))
    return outcome


def unforeseen(
    error: Exception, subject: str, logger: Logger, *, strike: Callable[[str], str] = str, **where: str
) -> Problem:
    """A defect of ours: a traceback in the log, a stalled target, never a dead daemon.

    Both say it as ``strike`` leaves it.
    """
    told = strike("".join(traceback.format_exception(error)).rstrip())
    logger.error("unforeseen error", subject=subject, exception=told, **where)
    return Problem(
        code="internal-error",
        subject=subject,
        message=strike(f"{type(error).__name__}: {error}"),
        hint="a defect of ClusterOps: please report it with the traceback from the log",
        retry=Retry.BACKOFF,
    )


def _refuse_broken(target: Target) -> None:
    for problem in target.problems:
        raise problem.error()


def _first_problem(plan: Plan, report: ApplyReport) -> Problem | None:
    """What failed comes before what was refused; what git dropped and an annotation keeps is neither."""
    failed = (problem for problem in report.problems if problem.code not in STAYS)
    return next(iter((*failed, *plan.refusals)), None)


def _moved(work: Work, plan: Plan | None) -> Problem | None:
    if not work.only_plan or plan is None or plan.id == work.only_plan:
        return None
    return plan_moved(work.target.name)


def plan_moved(target: str) -> Problem:
    """What a person agreed to is not what would be done now."""
    return Problem(
        code="plan-moved",
        subject=target,
        message="what lives, or git, changed since the machines were shown: nothing was put back",
        hint=f"`clusterops drift heal {target}` shows it as it is now",
        retry=Retry.HUMAN,
    )


def _interrupted(work: Work) -> Problem:
    return Problem(
        code="superseded",
        subject=work.target.name,
        message=f"{work.revision} is no longer waited for",
        hint="a newer commit, or a stop of the daemon, came first",
    )


def _not_settled(work: Work, health: HealthReport) -> Problem:
    minutes = f"{work.settle_timeout_s / 60:.0f}m" if work.settle_timeout_s >= 60 else f"{work.settle_timeout_s:.0f}s"
    return Problem(
        code="not-settled",
        subject=work.target.name,
        message=f"not settled after {minutes}: {waits_for(health)}",
        hint=f"`clusterops status {work.target.name}` shows what it waits for; a new commit or "
        f"`clusterops reconcile {work.target.name}` tries again",
    )
