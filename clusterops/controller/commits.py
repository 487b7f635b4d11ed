"""What a commit covers, and how far its targets are: the facts behind its statuses.

A commit's verdict covers the targets whose inputs it changed. All of them are planned before the first is applied,
since the verdict looks at the whole commit; what clusters share goes before the clusters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from clusterops.controller.clock import sleep_unless
from clusterops.controller.judging import Count, Judged, judge_counting, judge_now
from clusterops.controller.work import Work
from clusterops.errors import ClusterOpsError
from clusterops.model.census import Census, Need
from clusterops.model.fleet import Fleet, Mode
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.policy import Weight
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Stage
from clusterops.model.revision import Revision
from clusterops.model.rollout import PACED, Progress, Reach
from clusterops.plan.budgets import needs
from clusterops.plan.rollout import reach_of

GATHER_S: Final = 0.001
"""For each target of a commit: how long the second judging waits for others, as it costs half of that for each."""


Admit = Callable[["Commit", str], Awaitable[Problem | None]]
"""Asks the pace whether a target that nothing else stops may begin; None is go."""


async def _nobody_waits(commit: Commit, name: str) -> Problem | None:
    return None


async def _nothing_counted(fleet: Fleet, asked: Iterable[Need]) -> Census:
    return {}


@dataclass(slots=True)
class Commit:
    """One commit under way. ``owners`` says whose inventory holds an object now; ``on_change`` is told of progress."""

    revision: Revision
    fleet: Fleet
    works: Mapping[str, Work]
    owners: Callable[[], Mapping[ObjectKey, str]]
    seen_at: datetime
    fleet_size: int
    """Targets of the fleet that are ours, changed or not."""
    count: Count = _nothing_counted
    """How many objects of a kind a region has now."""
    today: Callable[[], date] | None = None
    """When it is judged (UTC); None: the day on which the commit was seen."""
    on_change: Callable[[Commit], None] = lambda commit: None
    admit: Admit = _nobody_waits
    silent: bool = False
    """A pass that a person asked for again: its commit has its verdict already."""
    noted: bool = False
    """Whether it was told that every target is past its apply."""
    drafts: dict[str, Outcome] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    under_way: dict[str, Outcome] = field(default_factory=dict)
    held: dict[str, Problem] = field(default_factory=dict)
    """Targets that wait for their turn."""
    reaches: dict[str, tuple[Reach, int]] = field(default_factory=dict)
    """What each target's plan does to machines, and how many change at a time; known once judged."""
    paced: set[str] = field(default_factory=set)
    """Targets that others wait for, and that were let go."""
    clusters: set[str] = field(default_factory=set)
    """Living clusters that it changes, or did before another commit took them over: more than one go in steps."""
    pace: Progress | None = None
    """How far the pace has it, as of its last decision; None where it was not asked."""
    superseded: dict[str, str] = field(default_factory=dict)
    """Target to the short id of the later commit that changed it."""
    planned: bool = False
    """An earlier process posted its plan verdict, which stands."""
    unasked: bool = False
    """An earlier process brought it to its end, and nobody could be asked what stands on it."""
    told: bool = False
    """Whether the Fleet was told of its end."""
    weights: tuple[Weight, ...] = ()
    """What it spends of its budgets, once judged."""
    _judging: asyncio.Task[None] | None = None
    _again: asyncio.Task[dict[str, Problem] | Problem] | None = None
    _returned: set[str] = field(default_factory=set)
    """Targets that wait for that second judging."""
    _begun: set[str] = field(default_factory=set)
    _tidying: set[str] = field(default_factory=set)
    _taken_over: dict[str, asyncio.Event] = field(default_factory=dict)
    _instead: dict[str, Commit] = field(default_factory=dict)
    _stopped: dict[str, Problem] = field(default_factory=dict)
    _unrendered: set[str] = field(default_factory=set)
    _rendered: asyncio.Event = field(default_factory=asyncio.Event)
    _judged: asyncio.Event = field(default_factory=asyncio.Event)
    _applied: dict[str, asyncio.Event] = field(default_factory=dict)
    _rested: dict[str, asyncio.Event] = field(default_factory=dict)
    """Targets that others of the commit wait for: set once they are held, or at their end."""
    _there: set[str] = field(default_factory=set)
    """Shared targets that were applied whole at least once."""
    _shared: dict[str, RenderedSet] = field(default_factory=dict)
    """What targets render that others wait for."""

    def __post_init__(self) -> None:
        self._unrendered = set(self.works)
        self._applied = {name: asyncio.Event() for name in self.works if _rank(name) < _CLUSTER}
        self._taken_over = {name: asyncio.Event() for name in self.works}
        self._rested = {name: asyncio.Event() for name, work in self.works.items() if work.after}

    def view(self, name: str) -> View:
        return View(commit=self, name=name)

    @property
    def judged(self) -> bool:
        return self._judged.is_set()

    @property
    def applies(self) -> bool:
        """Whether anything may be written at all: in observe mode no apply verdict is ever posted."""
        modes = {work.target.mode for work in self.works.values()} or {self.fleet.file.mode}
        return Mode.APPLY in modes

    def reported(self, name: str) -> bool:
        """Whether the apply verdict counts the target: one that is only observed is never applied."""
        work = self.works.get(name)
        return work is None or work.target.mode is Mode.APPLY

    @property
    def finished(self) -> bool:
        if self._tidying or len(self.outcomes) + len(self.superseded) < len(self.works):
            return False
        return self.works.keys() <= self.outcomes.keys() | self.superseded.keys()

    def settled(self, name: str) -> bool:
        outcome = self.outcomes.get(name)
        return outcome is not None and outcome.stage is Stage.DONE

    def _decided(self, name: str) -> bool:
        """Settled, or failed for good: a later commit does not change that verdict."""
        outcome = self.outcomes.get(name)
        if outcome is None:
            return False
        return outcome.problem is None or outcome.problem.retry is not Retry.BACKOFF

    @property
    def applied(self) -> bool:
        """Whether every target is past its apply, one way or the other."""
        if len(self.under_way) + len(self.outcomes) + len(self.superseded) < len(self.works):
            return False
        past = {name for name, outcome in self.under_way.items() if outcome.report is not None}
        return self.works.keys() <= past | self.outcomes.keys() | self.superseded.keys()

    def supersede(self, name: str, by: Commit) -> None:
        """A later commit changed the target: nothing of this one waits for it any more."""
        if name not in self.works or name in self.superseded or self._decided(name):
            return
        self.superseded[name] = by.revision.short
        self.held.pop(name, None)
        self._taken_over[name].set()
        if name not in self._begun:
            self._leave_out(name, by)
        self.on_change(self)

    def _leave_out(self, name: str, by: Commit) -> None:
        """It was still busy with an earlier commit: it will never be rendered or judged under this one."""
        self._instead[name] = by
        if name in self._applied:
            self._applied[name].set()
        self._note_rendered(name)
        self._judge_all()

    def conclude(self, name: str, outcome: Outcome) -> None:
        """The target has settled; its pass goes on with what changes no verdict."""
        self._tidying.add(name)
        self.outcomes[name] = outcome
        self.under_way.pop(name, None)
        self.on_change(self)

    def note_pace(self, progress: Progress | None) -> None:
        """Told on only where it is news: whoever hears of it may decide anew."""
        if progress != self.pace:
            self.pace = progress
            self.on_change(self)

    def hold(self, name: str, problem: Problem) -> None:
        """The target waits for its turn: its pass is over, and begins anew."""
        self.held[name] = problem
        self.under_way.pop(name, None)
        self._end_wait_for(name)
        self.on_change(self)

    def _end_wait_for(self, name: str) -> None:
        for waits in (self._applied, self._rested):
            if name in waits:
                waits[name].set()

    def finish(self, name: str, outcome: Outcome) -> None:
        """The target's pass is over, for now or for good."""
        self._tidying.discard(name)
        self.outcomes[name] = outcome
        self.under_way.pop(name, None)
        self._note_applied(name, outcome)
        self._end_wait_for(name)
        self.on_change(self)

    def restore(self, name: str, outcome: Outcome) -> None:
        """A target that an earlier process of ours brought to its end."""
        self.drafts[name] = self.outcomes[name] = outcome

    def again(self, name: str) -> None:
        """The target's pass begins (once more)."""
        self._begun.add(name)
        self.outcomes.pop(name, None)
        if self.held.pop(name, None) is not None and name in self._applied:
            self._applied[name].clear()

    async def rendered(self, name: str, rendered: RenderedSet) -> Mapping[ObjectKey, Manifest]:
        """Waits until every target is rendered, or failed to: then all of them read the cluster in the same lists.

        It delays nothing: no target goes before all are planned. Returns what is still to go before this one.
        """
        if name in self._applied:
            self._shared[name] = rendered
        self._note_rendered(name)
        await self._until(self._rendered, name)
        earlier = [other for other in self._applied if _rank(other) < _rank(name) and self._goes_first(other)]
        sets = (self._shared[other] for other in earlier if other in self._shared)
        return {manifest.key: manifest for each in sets for manifest in each.manifests}

    def _note_rendered(self, name: str) -> None:
        self._unrendered.discard(name)
        if not self._unrendered:
            self._rendered.set()

    async def _until(self, event: asyncio.Event, name: str) -> None:
        """Returns when the event is set, or when a later commit has taken the target over."""
        if event.is_set() or name in self.superseded:
            return
        await sleep_unless(event, self._taken_over[name].wait())

    async def judge(self, name: str, outcome: Outcome) -> Problem | None:
        stopped = await self._judged_alone(name, outcome)
        self._note_reach(name, outcome)
        if stopped is not None or outcome.problem is not None:
            return stopped
        return await self.admit(self, name) or self._superseded(name)

    def _note_reach(self, name: str, draft: Outcome) -> None:
        """What is half done looks smaller than it was: the first answer counts until there is another real one.

        What git dropped goes by its second key, not by pace, and what is only observed goes nowhere.
        """
        gone = name in self.works and self.works[name].gone
        unpaced = gone or not self.reported(name) or not self.fleet.file.rollout.paces
        found = (Reach.NOTHING, 0) if unpaced else reach_of(draft.plan, name)
        if found[0] in PACED:
            self.clusters.add(name)
        if found[0] in PACED or name not in self.reaches:
            self.reaches[name] = found

    def writes(self, name: str) -> bool:
        """Whether its plan writes anything, as of its last draft."""
        draft = self.drafts.get(name)
        return self.reported(name) and draft is not None and draft.plan is not None and bool(draft.plan.writes)

    async def _judged_alone(self, name: str, outcome: Outcome) -> Problem | None:
        """Whatever the pace says."""
        first = name not in self.drafts
        self.drafts[name] = outcome
        if not first and self.judged:
            return await self._judge_again(name)
        self._judge_all()
        await self._until(self._judged, name)
        if not self.waits_for_shared(name):
            await self._turn(name)
        return self._superseded(name) or self._stopped.get(name)

    def waits_for_shared(self, name: str) -> bool:
        """Whether something that it is to follow is not applied yet: it is held, and recorded so, before that is.

        What failed to be applied is waited for as well: it may come back, and else there is nothing to follow.
        """
        after = self.works[name].after if name in self.works else frozenset()
        return bool(after) and bool(after & self._applied.keys() - self.superseded.keys() - self._there)

    @property
    def shared_applied(self) -> bool:
        """Whether everything that goes before clusters is past its apply."""
        return not any(map(self._goes_first, self._applied))

    def goes_after_shared(self, name: str) -> bool:
        """Whether something shared goes before it that is held, or not applied yet."""
        first = (each for each in self._applied if _rank(each) < _rank(name))
        return self.waits_for_shared(name) or any(map(self._goes_first, first))

    def _goes_first(self, shared: str) -> bool:
        return shared in self.held or not self._applied[shared].is_set()

    def _judge_all(self) -> None:
        """Once every target has its draft, those left out excepted."""
        if self.judged or not self.drafts.keys() | self._instead.keys() >= self.works.keys():
            return
        if self._judging is not None:
            return
        drafts = dict(self.drafts)
        if needs(self.fleet, drafts, today=self._today):
            self._judging = asyncio.create_task(self._count_and_judge(drafts), name=f"judge:{self.revision.short}")
        else:
            self._judged_as(judge_now(self.fleet, drafts, self.owners(), {}, self._today))

    @property
    def _today(self) -> date:
        return self.today() if self.today is not None else self.seen_at.date()

    async def _count_and_judge(self, drafts: Mapping[str, Outcome]) -> None:
        """A region that cannot be counted is not judged, and what is not judged is not applied."""
        try:
            judged = await judge_counting(self.fleet, drafts, self.owners(), self.count, self._today)
        except ClusterOpsError as error:
            judged = dict.fromkeys(drafts, Problem.of(error)), ()
        except Exception as error:
            judged = dict.fromkeys(drafts, _not_judged(self.revision, error)), ()
        self._judged_as(judged)

    async def _judge_again(self, name: str) -> Problem | None:
        """A target after a retry, beside all others of the commit: budgets are not to be spent piece by piece.

        Those that come back at about the same time, as after an outage, are judged together.
        """
        self._returned.add(name)
        if self._again is None:
            self._again = asyncio.create_task(self._gather_and_judge(), name=f"judge-again:{self.revision.short}")
        stopped = await asyncio.shield(self._again)
        return stopped if isinstance(stopped, Problem) else stopped.get(name)

    async def _gather_and_judge(self) -> dict[str, Problem] | Problem:
        await asyncio.sleep(len(self.works) * GATHER_S)
        self._again, returned, self._returned = None, self._returned, set()
        left_out = self.superseded.keys() - returned
        drafts = {each: draft for each, draft in self.drafts.items() if each not in left_out}
        try:
            stopped, self.weights = await judge_counting(self.fleet, drafts, self.owners(), self.count, self._today)
        except ClusterOpsError as error:
            return Problem.of(error)
        return stopped

    def _judged_as(self, judged: Judged) -> None:
        self._stopped, self.weights = judged
        for name, draft in self.drafts.items():
            self._note_reach(name, draft)
        self.drafts = {each: self._with_verdict(each, draft) for each, draft in self.drafts.items()}
        self._judged.set()
        self.on_change(self)

    def progress(self, name: str, outcome: Outcome) -> None:
        self.under_way[name] = outcome
        if outcome.report is not None and name in self._applied:
            self._applied[name].set()
        self._note_applied(name, outcome)
        self.on_change(self)

    def _note_applied(self, name: str, outcome: Outcome) -> None:
        if outcome.report is not None and outcome.problem is None:
            self._there.add(name)

    async def _turn(self, name: str) -> None:
        """Waits for what is shared and goes before this target."""
        for earlier in self._applied:
            if _rank(earlier) < _rank(name):
                await self._until_applied(earlier, name)
        for follower, event in self._rested.items():
            if name in self.works[follower].after:
                await self._until(event, name)

    async def _until_applied(self, earlier: str, name: str) -> None:
        """Under this commit, or under the one that took it over before it began here."""
        await self._until(self._applied[earlier], name)
        later = self._instead.get(earlier)
        while later is not None and name not in self.superseded:
            await self._until(later._applied[earlier], name)
            later = later._instead.get(earlier)

    def _with_verdict(self, name: str, draft: Outcome) -> Outcome:
        stopped = self._stopped.get(name)
        return draft if stopped is None else replace(draft, problem=stopped)

    def _superseded(self, name: str) -> Problem | None:
        by = self.superseded.get(name)
        if by is None:
            return None
        return Problem(code="superseded", subject=name, message=f"superseded by {by}")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """reconcile's CommitView of one target."""

    commit: Commit
    name: str

    async def rendered(self, rendered: RenderedSet) -> Mapping[ObjectKey, Manifest]:
        return await self.commit.rendered(self.name, rendered)

    async def verdict(self, outcome: Outcome) -> Problem | None:
        return await self.commit.judge(self.name, outcome)

    @property
    def paced(self) -> bool:
        return self.name in self.commit.paced

    def progress(self, outcome: Outcome) -> None:
        self.commit.progress(self.name, outcome)

    def settled(self, outcome: Outcome) -> None:
        if outcome.problem is None:
            self.commit.conclude(self.name, outcome)


def _not_judged(revision: Revision, error: Exception) -> Problem:
    return Problem(
        code="internal-error",
        subject=revision.short,
        message=f"the commit was not judged: {type(error).__name__}: {error}",
        hint="a defect of ClusterOps: please report it with the traceback from the log",
        retry=Retry.BACKOFF,
    )


_CLUSTER = 2


def _rank(name: str) -> int:
    """shared/<name>, then <region>/_shared, then clusters."""
    region, _, cluster = name.partition("/")
    if region == "shared":
        return 0
    return 1 if cluster == "_shared" else _CLUSTER
