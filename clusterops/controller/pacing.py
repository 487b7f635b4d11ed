"""Pace while the daemon leads: who may begin, asked of plan/rollout with what is recorded and what the clusters show.

It keeps nothing that counts: another process reads the same FleetTargets and the same Fleet, and decides the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from clusterops.controller.clock import sleep_unless
from clusterops.controller.commits import Commit
from clusterops.controller.pace_look import Sight
from clusterops.controller.pace_members import Roster, recorded_standing
from clusterops.controller.pace_telling import RolloutTelling
from clusterops.controller.work import Doors
from clusterops.model.fleet import Fleet
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome
from clusterops.model.rollout import (
    HELD_CODES,
    PACED,
    Decision,
    Halt,
    Hold,
    Member,
    Moving,
    Reach,
    Standing,
    Wait,
    held,
)
from clusterops.plan.rollout import decide
from clusterops.status import Phase, TargetStatus

LOOK_S: Final = 2.0
"""Between two looks at the clusters, while a rollout is under way."""
BREATHE: Final = 20.0
"""How many times longer than a look and a decision take the next ones wait, LOOK_S at the most: a slow API server
holds nobody up for longer. What moves, moves in bursts."""
IDLE_S: Final = 3600.0
_MOVES: Final = frozenset({Wait.CANARY, Wait.SOAK, Wait.RING, Wait.CLUSTERS, Wait.MACHINES})
"""What a look may end, or stop."""
_BEFORE_SHARED: Final = Hold(wait=Wait.CANARY, message="waits for what is shared and goes first")
_Part = tuple[str, str]
"""Revision and target."""


@dataclass(slots=True, kw_only=True)
class Pacing:
    """One fleet's pace. ``wake`` runs the pass of a target whose turn has come."""

    doors: Doors
    wake: Callable[[str], None]
    fleet: Callable[[], Fleet | None]
    decision: Decision = field(default_factory=Decision)
    decisions: int = 0
    _commits: list[Commit] = field(default_factory=list)
    _roster: Roster = field(init=False)
    _sight: Sight = field(init=False)
    _telling: RolloutTelling = field(init=False)
    _members: list[Member] = field(default_factory=list)
    """Those of the last decision."""
    _waiting: set[_Part] = field(default_factory=set)
    """Those of them that had not begun."""
    _moving: Mapping[str, Moving] = field(default_factory=dict)
    """What that decision counted as on its way."""
    _complete: bool = False
    """Whether all commits that an earlier process left under way are known."""
    _passed: set[_Part] = field(default_factory=set)
    """Whose pass has ended here at least once."""
    _asked: set[str] = field(default_factory=set)
    """Targets that a person wants to be tried again."""
    _aside: dict[str, Commit] = field(default_factory=dict)
    """Targets held by a window of theirs although they need no pace."""
    _deciding: asyncio.Lock = field(default_factory=asyncio.Lock)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._roster = Roster(records=self.doors.records, fleet=self.fleet)
        self._sight = Sight(doors=self.doors)
        self._telling = RolloutTelling(doors=self.doors)

    def begin(self, commit: Commit) -> None:
        """A commit is under way."""
        commit.clusters |= self._roster.evidence(commit)
        self._commits = [one for one in self._commits if not _is_over(one)] + [commit]
        self._commits.sort(key=lambda one: (one.revision.committed_at, one.revision.commit))
        self._moved.set()

    def complete(self) -> None:
        """Every commit that is under way was told of, those of an earlier process included."""
        self._complete = True
        self._moved.set()

    def asked(self, name: str) -> None:
        """A person wants the target tried again, even if it has failed."""
        self._asked.add(name)

    async def resume(self, revision: str, at: datetime) -> None:
        """A person's word that a halted rollout goes on. Raises what writing the Fleet raises."""
        if await self._telling.resumed(revision, at):
            self._moved.set()

    async def admit(self, commit: Commit, name: str) -> Problem | None:
        """Whether the target may begin under this commit; it is woken when its turn has come."""
        if commit.silent:
            return None
        part = (commit.revision.text, name)
        self._aside.pop(name, None)
        hold = self._beside_pace(commit, name)
        if hold is not None:
            return held(name, hold)
        given_up = self._given_up(commit, name)
        if given_up is not None:
            return given_up
        if self._needs_no_pace(commit, name):
            self._note_paced(commit, name)
            return None
        self._roster.asking.add(part)
        try:
            async with self._deciding:
                hold = await self._hold(commit, name)
        finally:
            self._roster.asking.discard(part)
        if hold is not None:
            return held(name, hold)
        self._note_paced(commit, name)
        return None

    def ended(self, commit: Commit, name: str) -> None:
        """A pass is over, one way or the other."""
        part = (commit.revision.text, name)
        self._roster.granted.discard(part)
        self._passed.add(part)
        self._asked.discard(name)
        self._moved.set()

    def moved(self) -> None:
        """Something that the decision rests on may be another one."""
        self._moved.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._until_news()
            self._moved.clear()
            if self._is_idle:
                continue
            begun_s = self.doors.clock.boottime_s()
            async with self._deciding:
                await self._look()
                self._decide()
            self._wake_aside()
            took_s = self.doors.clock.boottime_s() - begun_s
            await self._tell()
            self._commits = [one for one in self._commits if not _is_over(one)]
            if took_s > 0:
                await self.doors.clock.sleep(min(BREATHE * took_s, LOOK_S))

    @property
    def _is_idle(self) -> bool:
        """Nobody waits, no commit is in steps, and nothing is left to be taken back from the Fleet."""
        return not any(one.held or _in_steps(one) for one in self._commits) and not self._telling.has_told

    async def _until_news(self) -> None:
        """Something moved, time alone changes the answer, or somebody waits for what only a look shows."""
        await sleep_unless(self._moved, self.doors.clock.sleep(self._patience_s()))

    def _patience_s(self) -> float:
        if self._is_idle:
            return IDLE_S
        if self._looks or self._telling.is_behind:
            return LOOK_S
        now = self.doors.clock.now()
        moments = [self._roster.windows(name).next_opening(now) for name in self._aside]
        known = [each for each in (self.decision.again_at, *moments) if each is not None]
        return max(0.0, (min(known) - now).total_seconds()) if known else IDLE_S

    @property
    def _looks(self) -> bool:
        """Whether machines decide what comes next."""
        under_way = any(_in_steps(one) and not one.finished for one in self._commits)
        in_flight = under_way and any(one.in_flight for one in self.decision.rollouts)
        return in_flight or any(hold.wait in _MOVES for hold in self.decision.held.values())

    def _beside_pace(self, commit: Commit, name: str) -> Hold | None:
        """What holds a target whatever the others do: what goes before it, and, where it is not paced, its window."""
        if commit.goes_after_shared(name):
            return _BEFORE_SHARED
        begun = self._roster.status(name).phase == Phase.DELETING
        if commit.reaches.get(name, (Reach.NOTHING, 0))[0] is not Reach.NOTHING or begun or not commit.writes(name):
            return None
        hold = self._window(name)
        if hold is not None:
            self._aside[name] = commit
        return hold

    def _window(self, name: str) -> Hold | None:
        now, windows = self.doors.clock.now(), self._roster.windows(name)
        if not windows.each or windows.open_at(now):
            return None
        until = windows.next_opening(now)
        opens = f"opens {until:%a %d %b %H:%MZ}" if until else "does not open within two weeks"
        return Hold(wait=Wait.WINDOW, message=f"its maintenance window is closed, {opens}", until=until)

    def _given_up(self, commit: Commit, name: str) -> Problem | None:
        """A failure that an earlier process recorded stands until a person, or a commit, wants another try."""
        revision, status = commit.revision.text, self._roster.status(name)
        if (revision, name) in self._passed or name in self._asked or status.retrying:
            return None
        if status.begun_revision != revision:
            return None
        recorded = recorded_standing(status, revision, 0.0, self.doors.clock.now())
        return _recorded_problem(status) if recorded is not None and recorded[0] is Standing.FAILED else None

    def _needs_no_pace(self, commit: Commit, name: str) -> bool:
        """The common case costs nothing: one cluster, or a new one, that no window holds."""
        reach = commit.reaches.get(name, (Reach.NOTHING, 0))[0]
        if reach is Reach.NOTHING:
            return True
        return not _in_steps(commit) and self._window(name) is None

    def _note_paced(self, commit: Commit, name: str) -> None:
        begun = self._roster.status(name).begun_revision == commit.revision.text
        if begun or (_in_steps(commit) and commit.reaches[name][0] in PACED):
            commit.paced.add(name)

    async def _hold(self, commit: Commit, name: str) -> Hold | None:
        """By the last decision that knew the target waiting, or let it go; else it is decided anew."""
        part = (commit.revision.text, name)
        if part not in self._waiting or (name not in self.decision.held and part not in self._roster.granted):
            if _in_steps(commit) and self._sight.is_older_than(LOOK_S):
                await self._look()
            self._decide()
        hold = self.decision.held.get(name)
        if hold is None and self._roster.standing(commit, name, self.doors.clock.now()) is Standing.FAILED:
            # Once it begins anew, nothing but the recorded halt says that it had failed.
            await self._tell()
        return hold

    def _decide(self) -> None:
        fleet = self.fleet()
        if fleet is None:
            return
        begun_s, now = self.doors.clock.boottime_s(), self.doors.clock.now()
        members = self._roster.members(self._commits, now)
        records = self.doors.records
        halts = self._telling.halts(self.decision)
        self._moving = self._roster.moving(self._sight.moving)
        self.decision = decide(
            members,
            fleet.file.rollout,
            now,
            order=[one.revision.text for one in self._commits if one.judged and one.shared_applied],
            moving=self._moving,
            halted=halts,
            resumed=records.of_fleet.resumed,
            settled=self._settled(halts),
            touched={one.revision.text: len(one.clusters) for one in self._commits},
        )
        self.decisions += 1
        self._members = members
        self._waiting = {(one.revision, one.target) for one in members if one.standing is Standing.WAITS}
        self._grant()
        told = {one.revision: one for one in self.decision.rollouts}
        for commit in self._commits:
            concerned = commit.judged and (_in_steps(commit) or commit.held)
            commit.note_pace(told.get(commit.revision.text) if concerned else None)
        self.doors.metrics.rollout_decision_seconds.observe(self.doors.clock.boottime_s() - begun_s)

    def _settled(self, halts: Iterable[Halt]) -> dict[str, datetime]:
        found = ((one.target, self._roster.status(one.target).settled_at) for one in halts)
        return {name: at for name, at in found if at is not None}

    def _grant(self) -> None:
        """Lets go who may, and wakes those of them whose pass has ended."""
        go = set(self.decision.go)
        parts = {part for part in self._waiting if part[1] in go}
        self._roster.granted |= parts
        held = {(one.revision.text, name) for one in self._commits for name in one.held if name not in self._aside}
        for _, name in sorted(parts & held):
            self.wake(name)

    def _wake_aside(self) -> None:
        for name, commit in tuple(self._aside.items()):
            if name not in commit.held:
                self._aside.pop(name)
            elif self._window(name) is None:
                self._aside.pop(name)
                self.wake(name)

    async def _look(self) -> None:
        fleet = self.fleet()
        if fleet is not None:
            await self._sight.look(fleet, self._roster.watched(self._members, fleet.file.rollout))
            self._roster.degraded = self._sight.degraded

    async def _tell(self) -> None:
        fleet = self.fleet()
        if fleet is not None:
            await self._telling.tell(
                self.decision,
                fleet.file.rollout,
                moving=self._moving,
                in_steps={one.revision.text for one in self._commits if _in_steps(one)},
                under_way={one.revision.text for one in self._commits} if self._complete else None,
                why={one.target: self._roster.failure(one.target) for one in self.decision.halts},
            )


def is_held(outcome: Outcome) -> bool:
    return outcome.problem is not None and outcome.problem.code in HELD_CODES


def _in_steps(commit: Commit) -> bool:
    return len(commit.clusters) > 1 and not commit.silent


def _is_over(commit: Commit) -> bool:
    """A failed target stops the others of its commit, and keeps it in mind, until another commit takes it over."""
    return commit.finished and (commit.pace is None or (commit.pace.over and not commit.pace.failed))


def _recorded_problem(status: TargetStatus) -> Problem:
    subject, _, message = status.message.removesuffix(f" ({status.code})").partition(": ")
    retry = Retry.HUMAN if status.phase == Phase.REFUSED else Retry.NEW_REVISION
    return Problem(code=status.code, subject=subject, message=message, retry=retry)
