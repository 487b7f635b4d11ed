"""What putting everything back does to machines, seen by a person who agreed to it: that plan is done, or none."""

from __future__ import annotations

from dataclasses import dataclass

from clusterops.controller.drift_look import healing_plan
from clusterops.controller.drift_telling import Telling
from clusterops.controller.drifting import Healer
from clusterops.controller.reconcile import plan_moved, unforeseen
from clusterops.controller.requests import HEAL_ANNOTATION
from clusterops.controller.work import Doors
from clusterops.errors import ClusterOpsError
from clusterops.model.problem import Problem, Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreements:
    """A wish stands on the FleetTarget until it is answered, so no process that dies loses one."""

    doors: Doors
    healer: Healer
    telling: Telling

    async def stands(self, target: str, plan_id: str) -> bool:
        """Whether that plan is still what would be done. A wish for anything else is answered at once."""
        work = self.healer.work_on(target)
        if work is None or not self.healer.may_heal(target):
            await self.answer(target, _not_writable(target))
            return False
        try:
            plan = await healing_plan(work, self.doors)
        except ClusterOpsError as error:
            await self.answer(target, Problem.of(error))
            return False
        except Exception as error:
            await self.answer(target, unforeseen(error, target, self.doors.logger))
            return False
        if plan.id == plan_id and plan.writes:
            return True
        # An earlier process may have done it, and died before it could say so.
        await self.answer(target, plan_moved(target) if plan.writes else None)
        return False

    async def answer(self, target: str, problem: Problem | None) -> None:
        """Takes the wish off the FleetTarget, and tells what stood against it."""
        try:
            await self.doors.records.answered(target, HEAL_ANNOTATION)
            if problem is not None:
                await self.telling.refused(target, problem)
        except ClusterOpsError as error:
            self.doors.logger.warning("wish not answered", target=target, code=error.code, error=str(error))


def _not_writable(target: str) -> Problem:
    return Problem(
        code="heal-refused",
        subject=target,
        message="is only observed, paused, or not in git: nothing was put back",
        hint=f"`clusterops status {target}` says which",
        retry=Retry.HUMAN,
    )
