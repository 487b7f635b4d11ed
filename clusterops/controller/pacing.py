"""Pace while the daemon leads: who may begin, asked of plan/rollout.py with what is recorded, and told to people.

It keeps nothing that counts: another process reads the same FleetTargets and the same Fleet, and decides the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from clusterops.capi.kinds import CORE
from clusterops.capi.moving import machines_moving
from clusterops.controller.commits import Commit
from clusterops.controller.work import Doors
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Fleet, Target, region_of
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
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
from clusterops.model.windows import Windows
from clusterops.plan.rollout import decide
from clusterops.status import Phase, StoredTarget, TargetStatus

LOOK_S: Final = 2.0
"""Between two looks at what moves, while anything waits for that."""
BREATHE: Final = 20.0
"""How many times longer than a decision takes the next one waits: what moves, moves in bursts."""
_MOVES: Final = frozenset({Wait.CANARY, Wait.RING, Wait.CLUSTERS, Wait.MACHINES})
_BEFORE_SHARED: Final = Hold(wait=Wait.CANARY, message="waits for what is shared and goes first")
_STANDINGS: Final = {
    Phase.HELD: Standing.WAITS,
    Phase.APPLYING: Standing.BEGUN,
    Phase.APPLIED: Standing.BEGUN,
    Phase.SETTLED: Standing.SETTLED,
    Phase.SUSPENDED: Standing.OUT,
}


@dataclass(slots=True, kw_only=True)
class Pacing:
    """One fleet's pace. ``wake`` runs the pass of a target whose turn has come."""

    doors: Doors
    wake: Callable[[str], None]
    fleet: Callable[[], Fleet | None]
    decision: Decision = field(default_factory=Decision)
    _commits: list[Commit] = field(default_factory=list)
    _granted: set[tuple[str, str]] = field(default_factory=set)
    """Revision and target of those that were let go and have not recorded it yet."""
    _moving: Mapping[str, Moving] = field(default_factory=dict)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, commit: Commit) -> None:
        """A commit is under way; ones that are over are let go of."""
        self._commits = [one for one in self._commits if not one.finished] + [commit]
        self._commits.sort(key=lambda one: (one.revision.committed_at, one.revision.commit))
        self._moved.set()

    async def admit(self, commit: Commit, name: str) -> Problem | None:
        """Whether the target may begin under this commit; it is woken when its turn has come."""
        if commit.silent:
            return None
        if commit.waits_for_shared(name):
            return held(name, _BEFORE_SHARED)
        if self._needs_no_pace(commit, name):
            return None
        hold = self._hold(commit, name)
        if hold is not None:
            return held(name, hold)
        if commit.reaches[name][0] in PACED and len(self._paced(commit)) > 1:
            commit.paced.add(name)
        return None

    def _hold(self, commit: Commit, name: str) -> Hold | None:
        """By the last decision that knew the commit; one that is neither held nor let go there is decided anew."""
        revision = commit.revision.text
        if all(one.revision != revision for one in self.decision.rollouts):
            self._decide()
        if name not in self.decision.held and (revision, name) not in self._granted:
            self._decide()
        return self.decision.held.get(name)

    def ended(self, commit: Commit, name: str) -> None:
        """A pass is over, one way or the other."""
        self._granted.discard((commit.revision.text, name))
        self._moved.set()

    def moved(self) -> None:
        """Something that the decision rests on may be another one."""
        self._moved.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._until_news()
            self._moved.clear()
            if any(one.held for one in self._commits):
                begun_s = self.doors.clock.boottime_s()
                await self._look()
                self._decide()
                await self._record()
                await self.doors.clock.sleep(BREATHE * (self.doors.clock.boottime_s() - begun_s))

    async def _until_news(self) -> None:
        """Something moved, time alone changes the answer, or somebody waits for what only a look shows."""
        sleeping = asyncio.ensure_future(self.doors.clock.sleep(self._patience_s()))
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait({sleeping, moved}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (sleeping, moved):
                each.cancel()
            await asyncio.gather(sleeping, moved, return_exceptions=True)

    def _patience_s(self) -> float:
        if any(hold.wait in _MOVES for hold in self.decision.held.values()):
            return LOOK_S
        again_at = self.decision.again_at
        return max(0.0, (again_at - self.doors.clock.now()).total_seconds()) if again_at is not None else 3600.0

    def _needs_no_pace(self, commit: Commit, name: str) -> bool:
        """The common case costs nothing: one cluster, or a new one, that no window holds."""
        target = self._target(name)
        reach = commit.reaches.get(name, (Reach.NOTHING, 0))[0]
        if reach is Reach.NOTHING:
            return True
        unheld = self._windows(target).open_at(self.doors.clock.now()) if target is not None else True
        return unheld and (reach is Reach.CREATES or len(self._paced(commit)) <= 1)

    def _paced(self, commit: Commit) -> list[str]:
        """Those of an earlier process included."""
        return [one.target for one in self._members_of(commit) if one.paced]

    def _decide(self) -> None:
        fleet = self.fleet()
        commits = [one for one in self._commits if one.judged and one.shared_applied]
        if fleet is None:
            return
        self.decision = decide(
            [member for commit in commits for member in self._members_of(commit)],
            fleet.file.rollout,
            self.doors.clock.now(),
            order=[one.revision.text for one in commits],
            moving=self._moving,
            halted=self.doors.records.halted,
            resumed=self.doors.records.resumed,
        )
        told = {one.revision: one for one in self.decision.rollouts}
        for commit in commits:
            commit.note_pace(told.get(commit.revision.text))
        revisions = {name: one.revision for one in self.decision.rollouts for name in one.in_flight}
        self._granted |= {(revisions[name], name) for name in self.decision.go if name in revisions}
        waiting = {name for one in self._commits for name in one.held}
        for name in self.decision.go:
            if name in waiting:
                self.wake(name)

    def _members_of(self, commit: Commit) -> Iterator[Member]:
        names = commit.works.keys() | commit.outcomes.keys()
        for name in sorted(names - commit.superseded.keys()):
            target = commit.works[name].target if name in commit.works else self._target(name)
            if target is not None and not commit.waits_for_shared(name):
                yield self._member(commit, target)

    def _member(self, commit: Commit, target: Target) -> Member:
        revision, name = commit.revision.text, target.name
        stored = self.doors.records.known.get(name)
        status = stored.status if stored is not None else TargetStatus()
        standing = _standing(commit, name, stored)
        if standing is Standing.WAITS and (revision, name) in self._granted:
            standing = Standing.BEGUN
        reach, at_once = commit.reaches.get(name, (Reach.NOTHING, 0))
        if standing is not Standing.WAITS and status.observed_revision == revision:
            reach, at_once = _recorded_reach(status, revision) if reach not in PACED else (reach, at_once)
        return Member(
            target=name,
            revision=revision,
            reach=reach,
            standing=standing,
            at_once=at_once,
            region=region_of(name),
            cloud=target.cloud,
            labels=target.labels,
            since=_since(standing, status),
            disturbed=_is_disturbed(status, revision),
            windows=self._windows(target),
            code=status.code,
        )

    def _target(self, name: str) -> Target | None:
        fleet = self.fleet()
        return fleet.targets.get(name) if fleet is not None else None

    def _windows(self, target: Target | None) -> Windows:
        fleet = self.fleet()
        return Windows.of(target.name, fleet.file.windows) if fleet is not None and target is not None else Windows()

    async def _look(self) -> None:
        """Which clusters' machines move, whoever moves them; what cannot be read moves as it did."""
        fleet = self.fleet()
        if fleet is None or not any(hold.wait in _MOVES for hold in self.decision.held.values()):
            return
        owners = self.doors.records.owners()
        try:
            clusters = await self.doors.cluster.list_objects(CORE, "Cluster")
        except ClusterOpsError as error:
            self.doors.logger.warning("machines on their way not counted", code=error.code, error=str(error))
            return
        found = {owners.get(one.key, ""): machines_moving(one.body) for one in clusters}
        self._moving = {
            name: Moving(target=name, machines=count, region=region_of(name), cloud=fleet.targets[name].cloud)
            for name, count in found.items()
            if count and name in fleet.targets
        }

    async def _record(self) -> None:
        """Writes where the rollouts stand, where that is news."""
        halt = next(iter(self.decision.halts), None)
        known = self.doors.records.halted
        if halt is not None and halt != known:
            self.doors.logger.warning("rollout halted", revision=halt.revision, target=halt.target, code=halt.code)
            await self._note(halt)
        elif halt is None and known is not None and known.revision in {one.revision for one in self.decision.rollouts}:
            self.doors.logger.info("rollout goes on", revision=known.revision)
            await self._note(None)

    async def _note(self, halt: Halt | None) -> None:
        try:
            await self.doors.records.note_rollouts(halted=halt, rollouts=())
        except ClusterOpsError as error:
            self.doors.logger.warning("rollout not recorded", code=error.code, error=str(error))


def is_held(outcome: Outcome) -> bool:
    return outcome.problem is not None and outcome.problem.code in HELD_CODES


def _standing(commit: Commit, name: str, stored: StoredTarget | None) -> Standing:
    """As recorded; what is not recorded under this commit waits, or was stopped before it began."""
    revision, outcome = commit.revision.text, commit.outcomes.get(name)
    status = stored.status if stored is not None else TargetStatus()
    if stored is not None and stored.suspend:
        return Standing.OUT
    if status.observed_revision == revision:
        begun = status.begun_revision == revision
        if status.phase in {Phase.FAILED, Phase.REFUSED}:
            return (Standing.BEGUN if status.retrying else Standing.FAILED) if begun else Standing.OUT
        return _STANDINGS.get(Phase(status.phase), Standing.OUT) if status.phase else Standing.WAITS
    if outcome is None or (outcome.problem is not None and is_held(outcome)):
        return Standing.WAITS
    return Standing.SETTLED if outcome.stage is Stage.DONE else Standing.OUT


def _recorded_reach(status: TargetStatus, revision: str) -> tuple[Reach, int]:
    """Of a target that has begun: its plan shows what is left only."""
    if status.begun_revision != revision:
        return Reach.NOTHING, 0
    tally = status.machines
    return (Reach.ROLLS, tally.at_once) if tally is not None and tally.predicted else (Reach.IN_PLACE, 0)


def _since(standing: Standing, status: TargetStatus) -> datetime | None:
    if standing is Standing.SETTLED:
        return status.settled_at
    return status.failed_at if standing is Standing.FAILED else status.begun_at


def _is_disturbed(status: TargetStatus, revision: str) -> bool:
    if status.begun_at is None or status.begun_revision == revision:
        return False
    return status.settled_at is None or status.settled_at < status.begun_at
