"""A discrete-event simulation of one story: a controller that calls ``plan.rollout.decide``, and people around it."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from clusterops.model.rollout import Decision, Halt, Member, Moving, Reach, Resumed, Standing
from clusterops.plan.rollout import decide
from tests.rollout_simulation.fleets import HOUR, START, Edit, Story, story
from tests.rollout_simulation.invariants import (
    Ledger,
    Violation,
    check_end,
    check_stages,
    check_starved,
    check_whole,
)
from tests.rollout_simulation.world import World

_ANSWERS: Final = 8
"""How often a person answers a halt; the run ends held after that."""
_HORIZON_S: Final = 120 * 24 * HOUR


@dataclass(slots=True)
class Memory:
    """What a controller keeps between events; all of it can be had again from the world."""

    world: World
    members: dict[str, dict[str, Member]] = field(default_factory=dict)
    """By revision under way, oldest first."""
    moving: dict[str, Moving] = field(default_factory=dict)

    @classmethod
    def rebuilt(cls, world: World) -> Memory:
        memory = cls(world, {revision: {} for revision in world.under_way()})
        for name, revision in world.newest.items():
            if revision in memory.members:
                memory.members[revision][name] = world.member(name)
        for name in world.records:
            memory.look(name)
        return memory

    def look(self, name: str) -> None:
        """At a target's machines."""
        moving = self.world.moving(name)
        if moving is None:
            self.moving.pop(name, None)
        else:
            self.moving[name] = moving

    def learn(self, name: str) -> bool:
        """That a target has changed. Returns False where the commits under way may be others now."""
        self.look(name)
        revision = self.world.newest.get(name, "")
        if revision not in self.members:
            return not revision or self.world.member(name).standing not in {Standing.WAITS, Standing.BEGUN}
        self.members[revision][name] = self.world.member(name)
        return True

    def decide(self) -> Decision:
        world = self.world
        halts = tuple(world.halted.values())
        settled = {
            halt.target: record.since
            for halt in halts
            for record in [world.records[halt.target]]
            if record.phase is Standing.SETTLED and record.since is not None
        }
        return decide(
            [one for members in self.members.values() for one in members.values()],
            world.story.policy,
            world.at,
            order=tuple(self.members),
            moving=self.moving,
            halted=halts,
            resumed=[Resumed(revision=revision, at=at) for revision, at in world.resumed.items()],
            settled=settled,
            touched=world.touched,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one run: each decision's seconds, CPU and on the wall; targets begun and failed, crashes compared."""

    seed: int
    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]
    begun: int
    failed: int
    halts: int
    crashes: int
    ends_held: int
    simulated_s: int


@dataclass(slots=True)
class Simulation:
    """``run`` ends with the figures, or raises Violation."""

    story: Story
    world: World
    memory: Memory
    ledger: Ledger
    random: Random
    _events: list[tuple[int, int, str, str, int, int]] = field(default_factory=list)
    """(second, number, what, target or revision, epoch, value)"""
    _number: Iterator[int] = field(default_factory=itertools.count)
    _stale: bool = True
    _times: list[tuple[float, float]] = field(default_factory=list)
    _answered: set[tuple[str, str]] = field(default_factory=set)
    _counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("begun", "failed", "crashes"), 0))
    _again: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, told: Story) -> Simulation:
        world = World(told)
        return cls(told, world, Memory(world), Ledger(world), Random(told.seed + 1))

    def run(self) -> Figures:
        self._set_out()
        decision = Decision()
        while self._events and self.world.now < _HORIZON_S:
            self.world.now = self._events[0][0]
            if self._take():
                decision = self._decide()
        told = [*check_end(self.world, decision)]
        if told:
            raise Violation(told[0])
        return Figures(
            seed=self.story.seed,
            cpu_s=tuple(cpu for cpu, _ in self._times),
            wall_s=tuple(wall for _, wall in self._times),
            halts=len(self._answered),
            ends_held=len(decision.held),
            simulated_s=self.world.now,
            **self._counts,
        )

    def _set_out(self) -> None:
        for number, (at, _) in enumerate(self.story.commits):
            self._push(at, "commit", "", value=number)
        for at, name, lasts in self.story.remedied:
            self._push(at, "others", name, value=1)
            self._push(at + lasts, "others", name, value=-1)
        for at, name, lasts in self.story.paused:
            self._push(at, "paused", name)
            self._push(at + lasts, "resumed", name)
        for at in self.story.crashes:
            self._push(at, "crash", "")

    def _push(self, at: int, what: str, name: str, *, epoch: int = 0, value: int = 0) -> None:
        grid_s = self.story.grid_s
        heapq.heappush(self._events, (-(-at // grid_s) * grid_s, next(self._number), what, name, epoch, value))

    def _take(self) -> bool:
        """Everything of this moment. Returns whether anything may be decided otherwise now."""
        news = False
        while self._events and self._events[0][0] == self.world.now:
            _, _, what, name, epoch, value = heapq.heappop(self._events)
            if not epoch or self.world.machines[name].epoch == epoch:
                news |= getattr(self, f"_on_{what}")(name, value)
        return news

    def _decide(self) -> Decision:
        if self._stale:
            self.memory, self._stale = Memory.rebuilt(self.world), False
        cpu, wall = time.process_time(), time.perf_counter()
        decision = self.memory.decide()
        self._times.append((time.process_time() - cpu, time.perf_counter() - wall))
        members = [one for each in self.memory.members.values() for one in each.values()]
        check_whole(members, decision)
        check_stages(self.world, self.ledger, members, decision.go)
        check_starved(decision, busy=bool(self.memory.moving) or any(one.in_flight for one in decision.rollouts))
        self._record_halts(decision)
        self._obey(decision)
        self._wait(decision)
        return decision

    def _record_halts(self, decision: Decision) -> None:
        for rollout in decision.rollouts:
            if rollout.halt is None:
                self.world.halted.pop(rollout.revision, None)
            elif rollout.held or rollout.in_flight:
                self._record(rollout.halt)

    def _record(self, halt: Halt) -> None:
        self.world.halted[halt.revision] = halt
        if (halt.revision, halt.target) not in self._answered and len(self._answered) < _ANSWERS:
            self._answered.add((halt.revision, halt.target))
            self._push(self.world.now + self.random.randrange(1, 6 * HOUR), "person", halt.revision)

    def _obey(self, decision: Decision) -> None:
        """Begins what may go; now and then a crash comes between two of them, and the rest follows in that order."""
        stop = self.random.randrange(len(decision.go)) if decision.go and self.random.random() < 0.02 else None
        for number, name in enumerate(decision.go):
            if number == stop:
                self._check_rebuilt(decision.go[number:])
            self._begin(name)

    def _check_rebuilt(self, rest: tuple[str, ...]) -> None:
        self._counts["crashes"] += 1
        self.memory = Memory.rebuilt(self.world)
        go = self.memory.decide().go
        if go[: len(rest)] != rest:
            raise Violation(f"after a crash {go[:3]} would go, and before it {rest[:3]}")

    def _wait(self, decision: Decision) -> None:
        if decision.again_at is not None:
            at = int((decision.again_at - START).total_seconds())
            if at not in self._again:
                self._again.add(at)
                self._push(at, "again", "")

    def _begin(self, name: str) -> None:
        revision = self.world.newest[name]
        alone = self.world.touched[revision] <= 1
        self.ledger.check_begin(name, revision, alone=alone)
        self._counts["begun"] += 1
        (self.ledger.alone.add if alone else self.ledger.alone.discard)(name)
        self.ledger.answered(name)
        events = self.world.begin(name)
        epoch = self.world.machines[name].epoch
        for after, what, value in events:
            if after or what != "moved":
                self._push(self.world.now + after, what, name, epoch=epoch, value=value)
            else:
                self._on_moved(name, value)
        self._note(name)

    def _note(self, name: str) -> bool:
        self.ledger.changed(name)
        self._stale |= not self.memory.learn(name)
        return True

    def _on_moved(self, name: str, count: int) -> bool:
        """What a rollout of ours alone moves changes no decision under way: the record has its most already."""
        self.world.machines[name].ours = count
        if self.world.machines[name].others:
            return self._note(name)
        self.ledger.changed(name)
        return False

    def _end(self, name: str, phase: Standing, code: str = "", *, rolling: bool) -> bool:
        record = self.world.records[name]
        record.phase, record.since, record.code = phase, self.world.at, code
        self.world.machines[name].rolling = rolling
        if phase is Standing.FAILED:
            self._counts["failed"] += 1
            self.ledger.failed(name)
        else:
            self.ledger.settled(name)
        return self._note(name)

    def _on_settled(self, name: str, _: int) -> bool:
        return self._end(name, Standing.SETTLED, rolling=False)

    def _on_recovered(self, name: str, _: int) -> bool:
        return self._end(name, Standing.SETTLED, rolling=False)

    def _on_timeout(self, name: str, _: int) -> bool:
        return self._end(name, Standing.FAILED, "not-settled", rolling=True)

    def _on_degraded(self, name: str, _: int) -> bool:
        return self._end(name, Standing.FAILED, "cluster-degraded", rolling=False)

    def _on_differs(self, name: str, _: int) -> bool:
        return self._end(name, Standing.FAILED, "machines-differ", rolling=False)

    def _on_others(self, name: str, change: int) -> bool:
        self.world.machines[name].others += change
        return self._note(name)

    def _on_paused(self, name: str, _: int) -> bool:
        self.world.paused.add(name)
        self._stale = True
        return True

    def _on_resumed(self, name: str, _: int) -> bool:
        self.world.paused.discard(name)
        self._stale = True
        return True

    def _on_commit(self, _: str, number: int) -> bool:
        return self._commit(self.story.commits[number][1])

    def _commit(self, edits: Mapping[str, Edit]) -> bool:
        self.world.commit(edits)
        self._stale = True
        return True

    def _on_again(self, _: str, __: int) -> bool:
        return True

    def _on_crash(self, _: str, __: int) -> bool:
        """All memory is thrown away; what is decided from what is recorded is the same."""
        if self._stale:
            return True
        self._counts["crashes"] += 1
        before, self.memory = self.memory, Memory.rebuilt(self.world)
        known = {revision: one for revision, one in before.members.items() if revision in self.memory.members}
        if (known, before.moving) != (self.memory.members, self.memory.moving):
            raise Violation("a controller after a crash knows another world")
        before.members = known
        if before.decide() != self.memory.decide():
            raise Violation("a controller after a crash decides otherwise")
        return True

    def _on_person(self, revision: str, _: int) -> bool:
        """Goes on, corrects the failed clusters, takes the whole commit back, or does nothing."""
        halt = self.world.halted.get(revision)
        if halt is None:
            return False
        answer = self.random.random()
        if answer < 0.3:
            self.world.resumed[revision] = self.world.at
            self.ledger.resumed(revision)
            return True
        if answer < 0.9:
            return self._commit(self._correction(revision, halt, whole=answer > 0.75))
        return False

    def _correction(self, revision: str, halt: Halt, *, whole: bool) -> dict[str, Edit]:
        names = [name for name, newest in self.world.newest.items() if newest == revision]
        begun = [name for name in names if self.world.records[name].revision == revision]
        few = self.random.sample(names, min(len(names), self.random.choice((0, 1, 10))))
        return dict.fromkeys([halt.target, *(begun if whole else few)], Edit(reach=Reach.ROLLS))


def simulate(seed: int, clusters: int) -> Figures:
    """One story to its end. Raises Violation."""
    return Simulation.of(story(seed, clusters)).run()
