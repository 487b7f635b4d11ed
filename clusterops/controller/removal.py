"""What git dropped, removed step by step: each pass does what may go now, until nothing is on its way any more.

Level-triggered: every round reads and plans anew, so it does not matter which process began it or where that ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from clusterops.capi.kinds import is_cluster
from clusterops.controller.records import Record
from clusterops.controller.work import CommitView, Doors, Work
from clusterops.model.deletion import Deletion, Step, gone_text
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Result, Stage

LOOK_S: Final = 1.0
"""Between two rounds while it moves; a Cluster of Cluster API takes a minute at least."""
PATIENT_S: Final = 5.0
"""Between two rounds once nothing has moved for a while."""
STILL_AFTER_S: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Removal:
    """One target's removal during one pass. ``again`` plans and applies once more."""

    work: Work
    doors: Doors
    record: Record
    commit: CommitView
    interrupted: asyncio.Event
    again: Callable[[Outcome], Awaitable[Outcome]]
    _most: dict[tuple[Step, ObjectKey], int] = field(default_factory=dict)
    _removed: list[ObjectKey] = field(default_factory=list)
    _told: str = ""
    _moved_s: float = 0.0

    async def finish(self, outcome: Outcome) -> Outcome:
        """Until nothing is on its way, a write fails, the time is up, or a newer commit wants the target.

        Without time to wait (by hand), after one round. Raises what reading and planning raise.
        """
        begun_s = self._moved_s = self.doors.clock.boottime_s()
        with self.doors.ticks.one_more():
            while True:
                self._removed += _removed_by(outcome)
                plan, report = outcome.plan, outcome.report
                if plan is None or plan.deletion is None or report is None or not report.complete:
                    return self._ended(outcome)
                outcome = await self._tell(outcome, plan.deletion)
                if self.doors.clock.boottime_s() - begun_s >= self.work.settle_timeout_s:
                    waits = self.work.settle_timeout_s > 0
                    return replace(outcome, problem=self._not_gone(outcome) if waits else outcome.problem)
                if await self._interrupted():
                    return replace(outcome, problem=self._superseded())
                outcome = await self.again(outcome)

    def _ended(self, outcome: Outcome) -> Outcome:
        if outcome.plan is None or not (self._told or _forgot_cluster(outcome.plan)):
            return outcome
        spent = [key.path for key in self.work.keys]
        return replace(outcome, deletion=gone_text(self._removed, spent) if self.work.gone else "")

    async def _tell(self, outcome: Outcome, deletion: Deletion) -> Outcome:
        """The FleetTarget and the commit hear of every new step, and of a stuck one once a minute."""
        place = (deletion.step, deletion.subject)
        self._most[place] = max(self._most.get(place, 0), deletion.machines or 0)
        if deletion.key:
            deletion = replace(deletion, key=f"{deletion.key}@{self.work.commit[:7]}")
        text = deletion.text(self.doors.clock.now(), most=self._most[place])
        outcome = replace(outcome, stage=Stage.HEALTH, deletion=text, problem=None)
        if text != self._told:
            self._told, self._moved_s = text, self.doors.clock.boottime_s()
            self.doors.logger.info("removal", target=outcome.target, revision=outcome.revision, state=text)
            self.commit.progress(outcome)
            await self.record.told(outcome, gone=self.work.gone)
        return outcome

    async def _interrupted(self) -> bool:
        still_s = self.doors.clock.boottime_s() - self._moved_s
        pause_s = PATIENT_S if still_s > STILL_AFTER_S else LOOK_S
        return await self.doors.ticks.sleep_unless(self.interrupted, pause_s)

    def _not_gone(self, outcome: Outcome) -> Problem:
        minutes = f"{self.work.settle_timeout_s / 60:.0f}m"
        return Problem(
            code="not-gone",
            subject=outcome.target,
            message=f"not gone after {minutes}: {outcome.deletion}",
            hint="it goes on by itself once that is out of the way; take a finalizer off by hand only when nobody "
            "is left to serve it",
            retry=Retry.BACKOFF,
        )

    def _superseded(self) -> Problem:
        return Problem(
            code="superseded",
            subject=self.work.target.name,
            message=f"{self.work.revision} is no longer waited for",
            hint="a newer commit, or a stop of the daemon, came first; a deletion that was begun goes on",
        )


def _removed_by(outcome: Outcome) -> Iterator[ObjectKey]:
    if outcome.plan is None or outcome.report is None:
        return
    live = {one.key for one in outcome.plan.changes if one.action is Action.PRUNE and one.live is not None}
    done = {Result.PRUNED, Result.DELETING}
    yield from (row.key for row in outcome.report.rows if row.result in done and row.key in live)


def _forgot_cluster(plan: Plan) -> bool:
    """Whether the pass found a dropped Cluster gone: the removal was done by an earlier process."""
    return any(is_cluster(one.key) and one.action is Action.PRUNE and one.live is None for one in plan.changes)
