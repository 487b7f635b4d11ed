"""Putting git back because a person asks for it: shown first, machines before all, then done by whoever leads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clusterops.app import Hands
from clusterops.cli.locally import LocalFleet
from clusterops.cli.work import asked_for
from clusterops.controller.by_hand import Asked
from clusterops.controller.judging import counting, judge_counting
from clusterops.errors import TerminalError
from clusterops.model.drift import Healing
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Result
from clusterops.model.windows import Windows
from clusterops.plan import plan_to_json, plan_to_text
from clusterops.status import policy_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What putting git back would do to one target. ``problem`` stands against it: a budget, a rule, a window."""

    target: str
    plan: Plan | None
    problem: Problem | None
    budgets: str = ""
    """``1 of 10 machines may be removed in north; no deletion``"""
    window: str = ""
    """In words; "" where no window concerns the target."""

    @property
    def possible(self) -> bool:
        return self.problem is None and self.plan is not None and self.plan.writes

    @property
    def obstacle(self) -> Problem | None:
        """Why nothing can be put back; None also where there is nothing to put back."""
        refusals = self.plan.refusals if self.plan is not None and not self.plan.writes else ()
        return self.problem or next(iter(refusals), None)

    @property
    def text(self) -> str:
        """For a person who is asked: machines, objects, fields, then what limits them."""
        lines = [plan_to_text(self.plan).rstrip("\n")] if self.plan is not None else []
        if self.plan is not None and not self.plan.writes:
            lines.append("Nothing can be put back." if self.plan.refusals else "Nothing to put back.")
        if self.possible:
            lines.append(f"budgets: {self.budgets}" + (f"; {self.window}" if self.window else ""))
        return "\n".join(lines)

    def to_body(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "plan": plan_to_json(self.plan) if self.plan is not None else None,
            "problem": self.problem.to_body() if self.problem is not None else None,
            "budgets": self.budgets,
            "window": self.window,
        }


async def propose(hands: Hands, local: LocalFleet, name: str) -> tuple[Asked, Proposal]:
    """Plans one target as if everything were put back, and judges that as any commit; reads only."""
    asked = replace(await asked_for(hands, local, [name]), healing=Healing(every=True))
    if not asked.targets:
        raise TerminalError(
            "target-gone", name, "git no longer has it, so there is nothing to put back", hint="see `clusterops plan`"
        )
    target = asked.targets[0].name
    outcome = (await hands.plan(asked))[target]
    problem, window = _windowed(hands, local, target)
    return asked, Proposal(
        target=target,
        plan=outcome.plan,
        problem=outcome.problem or problem,
        budgets=await _budgets(hands, local, outcome),
        window=window,
    )


async def _budgets(hands: Hands, local: LocalFleet, outcome: Outcome) -> str:
    doors = hands.doors
    drafts, today = {outcome.target: outcome}, doors.clock.now().date()
    _, weights = await judge_counting(local.fleet, drafts, doors.records.owners(), counting(doors.cluster), today)
    return policy_status([outcome], weights=weights).text


async def put_back(hands: Hands, asked: Asked, plan: Plan) -> tuple[str, Outcome | None]:
    """Asks the daemon that leads; where none does, applies that very plan by hand. What was said or done, in words."""
    recorded = (await hands.wishes.recorded()).get(plan.target)
    if recorded is not None:
        try:
            answer = await hands.wishes.ask_for_heal(recorded, plan.id)
            return f"{answer}; a refusal stands in the Events of {recorded.key.label}", None
        except TerminalError as error:
            if error.code != "no-daemon":
                raise
    outcome = (await hands.apply(replace(asked, only_plan=plan.id)))[plan.target]
    done = outcome.report.count(Result.APPLIED) if outcome.report else 0
    objects = f"{done} object{'s' * (done != 1)} put back" if done else "nothing was put back"
    return f"{plan.target}: {objects}", outcome


def _windowed(hands: Hands, local: LocalFleet, target: str) -> tuple[Problem | None, str]:
    now = hands.doors.clock.now()
    windows = Windows.of(target, local.fleet.file.windows)
    if not windows.each:
        return None, ""
    if windows.open_at(now):
        return None, "the maintenance window is open"
    opens = windows.next_opening(now)
    when = f"it opens {opens:%a %d %b %H:%M}Z" if opens else "it does not open within two weeks"
    problem = Problem(
        code="window-closed",
        subject=target,
        message=f"its maintenance window is closed, {when}",
        hint="come back then; or change `windows:` in fleet.yaml, by a commit that says why",
        path="fleet.yaml",
        retry=Retry.HUMAN,
    )
    return problem, when
