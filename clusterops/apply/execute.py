"""A plan carried out wave by wave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from clusterops.apply.inventory import InventoryStore, new_entries
from clusterops.apply.write import Written, write
from clusterops.capi.references import names, references
from clusterops.errors import ClusterOpsError
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import ApplyReport, ApplyRow, Result
from clusterops.model.secret import NO_SECRETS, SecretValues
from clusterops.model.sketch import Sketch, held_of
from clusterops.ports import Clock, Cluster

_BAD = frozenset({Result.FAILED, Result.CONFLICTED, Result.CANCELLED})


async def apply_plan(
    plan: Plan,
    cluster: Cluster,
    *,
    clock: Clock,
    logger: Any,
    store: InventoryStore,
    concurrency: int = 16,
    stop: Callable[[], bool] = lambda: False,
    on_row: Callable[[ApplyRow], None] = lambda row: None,
    secrets: SecretValues = NO_SECRETS,
) -> ApplyReport:
    """Carries out the writes of ``plan``, the objects of one wave at once, and returns one row per change.

    The inventory is widened first, in one write and only when there is something new; what it raises is raised, and
    then nothing was applied. A wave in which a write failed is the last one; an object that names one that was held,
    refused or skipped is skipped too. ``stop`` is asked before each write: what is left is CANCELLED. ``on_row`` is
    called once per row as soon as it stands, also when this task is cancelled, which leaves whole rows behind: a
    write that was under way then is CANCELLED with an unknown end, and the next pass finds out. No row quotes any of
    ``secrets``, whatever the server quotes.
    """
    run = _Run(
        plan,
        cluster,
        clock=clock,
        logger=logger,
        stop=stop,
        on_row=on_row,
        concurrency=concurrency,
        secrets=secrets,
    )
    entries = new_entries(plan, store.inventory) if plan.changes else ()
    if entries:
        await store.widen(entries, revision=plan.revision)
    try:
        for number, wave in enumerate(plan.waves):
            await run.wave(number, wave)
    except asyncio.CancelledError:
        run.cancel_rest()
        raise
    return run.report()


def needs_replan(report: ApplyReport) -> bool:
    """Whether something moved under the plan, so that reading and planning again at once is the way on."""
    return any(row.result is Result.CONFLICTED for row in report.rows)


@dataclass(slots=True)
class _Run:
    """The rows so far, and what later objects must not build on."""

    plan: Plan
    cluster: Cluster
    clock: Clock = field(kw_only=True)
    logger: Any = field(kw_only=True)
    stop: Callable[[], bool] = field(kw_only=True)
    on_row: Callable[[ApplyRow], None] = field(kw_only=True)
    concurrency: int = field(kw_only=True)
    secrets: SecretValues = field(kw_only=True)
    rows: dict[ObjectKey, ApplyRow] = field(default_factory=dict)
    blocked: set[ObjectKey] = field(default_factory=set)
    failed: bool = False

    async def wave(self, number: int, changes: Iterable[Change]) -> None:
        """Sorts out what is not written, then writes the rest at once."""
        gate = asyncio.Semaphore(self.concurrency)
        going = [change for change in changes if not self._settle_without_write(change)]
        try:
            async with asyncio.TaskGroup() as group:
                for change in going:
                    group.create_task(self._gated(gate, number, change), name=f"apply {change.key}")
        except BaseExceptionGroup as group_error:
            # One defect is easier to read than a group of one.
            raise group_error.exceptions[0] from group_error
        self.failed = self.failed or any(self.rows[change.key].result in _BAD for change in going)

    def cancel_rest(self) -> None:
        for change in self.plan.changes:
            if change.key not in self.rows:
                self._put(self._row(change, Result.CANCELLED))

    def report(self) -> ApplyReport:
        return ApplyReport(rows=tuple(self.rows[change.key] for change in self.plan.changes))

    def _settle_without_write(self, change: Change) -> bool:
        """Puts the row of a change that writes nothing, by itself or because of what came before."""
        if change.action is Action.UNCHANGED:
            return self._put(self._row(change, Result.SKIPPED, held=_found(change)))
        if change.action is Action.LEAVE:
            return self._leave(change)
        reason = change.reason if not change.writes else self._obstacle(change)
        if reason is None and change.writes:
            return False
        self.blocked.add(change.key)
        return self._put(self._row(change, Result.SKIPPED, problem=reason))

    def _leave(self, change: Change) -> bool:
        """Drift fails nothing; on what is gone nothing can be built."""
        if not change.stands:
            self.blocked.add(change.key)
        return self._put(self._row(change, Result.SKIPPED))

    def _obstacle(self, change: Change) -> Problem | None:
        if self.failed:
            message = "not tried: an earlier wave failed"
            return _skip("earlier-wave-failed", change, message)
        if change.desired is None:
            return None
        named = references(change.desired.body)
        missing = sorted(key for key in self.blocked if any(names(reference, key) for reference in named))
        if not missing:
            return None
        return _skip("dependency-not-applied", change, f"not tried: it names {missing[0].label}, which was not applied")

    async def _gated(self, gate: asyncio.Semaphore, number: int, change: Change) -> None:
        async with gate:
            if self.stop():
                self._put(self._row(change, Result.CANCELLED))
            else:
                await self._write(number, change)

    async def _write(self, number: int, change: Change) -> None:
        began_s = self.clock.boottime_s()
        written, problem = Written(), None
        try:
            await write(change, self.cluster, written)
        except ClusterOpsError as error:
            written.result, problem = _failure(change, error), Problem.of(error).struck(self.secrets.struck)
        row = self._row(
            change,
            written.result,
            problem=problem,
            uid=written.uid,
            held=written.held,
            attempts=written.attempts,
            duration_s=self.clock.boottime_s() - began_s,
        )
        self._put(row)
        self._log(number, row)

    def _row(
        self,
        change: Change,
        result: Result,
        *,
        problem: Problem | None = None,
        uid: str = "",
        held: Sketch | None = None,
        attempts: int = 0,
        duration_s: float = 0.0,
    ) -> ApplyRow:
        # A refused object's uid is not ours to remember: it may be another object of that name.
        ours = change.action is not Action.PRUNE and (change.writes or change.action is Action.UNCHANGED)
        known = change.live.uid if change.live and ours else ""
        return ApplyRow(
            key=change.key,
            action=change.action,
            result=result,
            api_version=change.desired.api_version if change.desired else "",
            uid=uid or known,
            problem=problem,
            applied=change.applied,
            held=held,
            attempts=attempts,
            duration_s=duration_s,
        )

    def _put(self, row: ApplyRow) -> bool:
        self.rows[row.key] = row
        self.on_row(row)
        return True

    def _log(self, number: int, row: ApplyRow) -> None:
        log = self.logger.info if row.problem is None else self.logger.warning
        log(
            "object written" if row.problem is None else "object not written",
            target=self.plan.target,
            revision=self.plan.revision,
            object=str(row.key),
            action=str(row.action),
            wave=number,
            attempt=row.attempts,
            duration_s=round(row.duration_s, 4),
            code=row.problem.code if row.problem else "",
        )


def _found(change: Change) -> Sketch | None:
    """What is as git wants it is held from now on as it is."""
    return held_of(change.live, change.applied) | change.owed if change.live is not None else None


def _skip(code: str, change: Change, message: str) -> Problem:
    return Problem(code=code, subject=change.key.label, message=message, retry=Retry.BACKOFF)


def _failure(change: Change, error: ClusterOpsError) -> Result:
    """Whatever says that the object is not the one planned on is a conflict, which a new plan settles.

    An owner's conflict on a create means that it appeared meanwhile (the server compares owners before versions);
    an immutable metadata.uid, that another one took its name.
    """
    appeared = change.live is None and error.code == "field-owner-conflict"
    replaced = error.code == "object-invalid" and "metadata.uid" in error.message
    moved = appeared or replaced or error.code in {"object-changed", "object-exists"}
    return Result.CONFLICTED if moved else Result.FAILED
