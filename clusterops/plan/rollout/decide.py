"""The decision over all commits under way, and one commit's part in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter

from clusterops.model.fleet import Pace, RolloutPolicy
from clusterops.model.rollout import Decision, Halt, Hold, Member, Moving, Progress, Reach, Resumed, Standing, Wait
from clusterops.model.windows import Windows
from clusterops.plan.rollout.halts import Halting, failures
from clusterops.plan.rollout.lanes import Lane, Street
from clusterops.plan.rollout.stages import Stage, by_lane, stages, steps_of

_WAITS, _BEGUN, _SETTLED = Standing.WAITS, Standing.BEGUN, Standing.SETTLED
_FAILED, _OUT, _ROLLS = Standing.FAILED, Standing.OUT, Reach.ROLLS
# Asked for of each of thousands of members: Python finds a member of an Enum class slowly, and hashes it slowly.
_Schedule = tuple[int, ...]
"""The windows of a target by identity: targets of one commit share them."""


def decide(
    members: Iterable[Member],
    policy: RolloutPolicy,
    now: datetime,
    *,
    order: Sequence[str],
    moving: Mapping[str, Moving] | None = None,
    halted: Sequence[Halt] = (),
    resumed: Iterable[Resumed] = (),
    settled: Mapping[str, datetime] | None = None,
    touched: Mapping[str, int] | None = None,
) -> Decision:
    """``members`` of every commit under way; ``order`` are their revisions, oldest first.

    A target is a member once, of the newest commit that changes it, and of older ones where it has settled under them.
    ``moving`` is what moves now, members or not. ``halted`` and ``resumed`` are what the Fleet has recorded;
    ``settled`` is when a halt's target settled last, where it is no member any more.
    ``touched`` says how many clusters a commit changes, those that a newer one took over included: only who was alone
    from the start goes at once.

    Where the rules leave room:

    - Canaries and stages are those of a lane. A cluster that has begun before its stage (disturbed, or it changed its
      label) holds every other stage until it has settled and soaked.
    - A failed member is over: the next may begin, if haltAfterFailures is not reached, and after the soak. What it
      still moves counts as machines, not as a cluster.
    - A halt holds everything of its commit that waits, new clusters too, but for what writes nothing.
    - Within a lane nobody overtakes who does not fit yet, older commits first. A closed window, or a cluster that is
      too large, lets the others of its stage go, and holds the stages behind.
    - A commit that touches one cluster keeps to its window and to its halt; it is counted, and never held by counts.

    O(members * log(members)).
    """
    everyone = tuple(members)
    of: defaultdict[str, list[Member]] = defaultdict(list)
    for one in everyone:
        of[one.revision].append(one)
    street = Street.of(everyone, policy, moving or {})
    halting = Halting(
        limit=policy.halt_after_failures,
        failures=failures(everyone),
        recorded=tuple(halted),
        resumed={one.revision: one.at for one in sorted(resumed, key=attrgetter("at"))},
        settled=_settled(everyone, settled or {}) if halted else {},
    )
    hours = _Hours(now)
    told = [
        _Rollout(
            revision=revision,
            members=of[revision],
            policy=policy,
            hours=hours,
            halting=halting,
            touched=(touched or {}).get(revision, 0),
        ).advance(street)
        for revision in dict.fromkeys((*order, *of))
    ]
    waits = {hold.until for one in told for hold in one.held.values() if hold.until is not None}
    return Decision(
        go=tuple(street.go),
        held={name: hold for one in told for name, hold in one.held.items()},
        rollouts=tuple(told),
        again_at=min(waits, default=None),
    )


def _settled(members: Iterable[Member], known: Mapping[str, datetime]) -> dict[str, datetime]:
    """The latest moment, under whatever commit."""
    found = dict(known)
    for one in members:
        if one.standing is _SETTLED and one.since is not None:
            found[one.target] = max(one.since, found.get(one.target, one.since))
    return found


@dataclass(slots=True)
class _Hours:
    """Which windows are closed at ``now``, each asked once."""

    now: datetime
    _closed: dict[_Schedule, Hold | None] = field(default_factory=dict)

    def closed(self, windows: Windows) -> Hold | None:
        if not windows.each:
            return None
        schedule = tuple(map(id, windows.each))
        if schedule not in self._closed:
            self._closed[schedule] = None if windows.open_at(self.now) else self._hold(windows)
        return self._closed[schedule]

    def _hold(self, windows: Windows) -> Hold:
        until = windows.next_opening(self.now)
        opens = f"opens {until:%a %d %b %H:%MZ}" if until else "does not open within two weeks"
        return Hold(wait=Wait.WINDOW, message=f"its maintenance window is closed, {opens}", until=until)


@dataclass(slots=True, kw_only=True)
class _Rollout:
    revision: str
    members: list[Member]
    policy: RolloutPolicy
    hours: _Hours
    halting: Halting
    touched: int
    held: dict[str, Hold] = field(default_factory=dict)
    soaking_until: datetime | None = None
    steps: int = 0
    canaries: list[str] = field(default_factory=list)
    soaked_at: datetime | None = None
    _order: list[list[Member]] = field(default_factory=list)
    """What is not paced, then stage by stage, lanes side by side."""

    def advance(self, street: Street) -> Progress:
        halt = self.halting.of(self.revision)
        stop = _halted(halt) if halt is not None else None
        paced: list[Member] = []
        unpaced: list[Member] = []
        for one in self.members:
            (paced if one.paced else unpaced).append(one)
        alone = max(len(paced), self.touched) <= 1
        self._begin_unpaced([*paced, *unpaced] if alone else unpaced, stop, street)
        if not alone:
            for members in by_lane(paced, self.policy).values():
                self._advance_lane(members, stop, street)
        return self._progress(halt)

    def _begin_unpaced(self, members: list[Member], stop: Hold | None, street: Street) -> None:
        members.sort(key=attrgetter("target"))
        self._order.append(members)
        for one in members:
            if one.standing is not _WAITS:
                continue
            hold = (stop or self.hours.closed(one.windows)) if one.reach is not Reach.NOTHING else None
            if hold is None:
                street.let_go(one)
            else:
                self.held[one.target] = hold

    def _advance_lane(self, members: Sequence[Member], stop: Hold | None, street: Street) -> None:
        lane = street.lane(members[0].region, members[0].cloud)
        staged = stages(members, lane.pace, self.policy.rings)
        self.steps = max(self.steps, steps_of(staged, lane.pace))
        marks = [self._mark(stage, lane.pace) for stage in staged]
        self._note_canaries(marks)
        for place, mark in enumerate(marks):
            self._note_order(place, mark.stage)
            gate = (stop or self._gate(place, marks)) if mark.waiting else None
            if gate is None:
                self._begin(mark.waiting, lane, street)
            else:
                self.held |= dict.fromkeys((one.target for one in mark.waiting), gate)

    def _begin(self, waiting: Iterable[Member], lane: Lane, street: Street) -> None:
        for one in waiting:
            hold = self.hours.closed(one.windows) or lane.obstacle(one)
            if hold is None:
                street.let_go(one)
            else:
                self.held[one.target] = hold

    def _mark(self, stage: Stage, pace: Pace) -> _Mark:
        mark = _Mark(stage)
        ends: list[datetime] = []
        for one in stage.members:
            if one.standing is _WAITS:
                mark.waiting.append(one)
            elif one.standing is _BEGUN:
                mark.begun.append(one)
            elif one.since is not None and one.reach is _ROLLS and self._soaks(one):
                ends.append(one.since)
        if ends:
            mark.soaked_at = max(ends) + timedelta(seconds=pace.soak_s)
        return mark

    def _soaks(self, one: Member) -> bool:
        return one.standing is _SETTLED or (
            one.standing is _FAILED and not self.halting.forgiven(one.revision, one.since)
        )

    def _gate(self, place: int, marks: Sequence[_Mark]) -> Hold | None:
        """What a stage waits for: nothing is left before it, and what has begun elsewhere has settled and soaked."""
        for other, mark in enumerate(marks):
            open_ = (*mark.begun, *mark.waiting) if other < place else mark.begun if other > place else ()
            if open_:
                more = f" and {len(open_) - 1} more" if len(open_) > 1 else ""
                return Hold(wait=mark.stage.wait, message=f"waits for {mark.stage.name}: {open_[0].target}{more}")
        soaking = [mark for other, mark in enumerate(marks) if other != place and mark.soaks_at(self.hours.now)]
        return self._soak(max(soaking, key=lambda mark: mark.soaked_at or self.hours.now)) if soaking else None

    def _soak(self, mark: _Mark) -> Hold:
        until = mark.soaked_at
        assert until is not None
        self.soaking_until = max(until, self.soaking_until or until)
        return Hold(wait=Wait.SOAK, message=f"waits for {mark.stage.name} to soak until {until:%H:%MZ}", until=until)

    def _note_canaries(self, marks: Sequence[_Mark]) -> None:
        first = marks[0]
        if first.stage.wait is not Wait.CANARY or len(marks) == 1:
            return
        self.canaries.extend(one.target for one in first.stage.members)
        if first.soaked_at is not None and not first.waiting and not first.begun:
            self.soaked_at = max(first.soaked_at, self.soaked_at or first.soaked_at)

    def _note_order(self, place: int, stage: Stage) -> None:
        while len(self._order) <= place + 1:
            self._order.append([])
        self._order[place + 1].extend(stage.members)

    def _progress(self, halt: Halt | None) -> Progress:
        done: list[str] = []
        in_flight: list[str] = []
        failed: list[str] = []
        out: list[str] = []
        for one in chain.from_iterable(self._order):
            if one.standing is _SETTLED:
                done.append(one.target)
            elif one.standing is _BEGUN or (one.standing is _WAITS and one.target not in self.held):
                in_flight.append(one.target)
            elif one.standing is _FAILED:
                failed.append(one.target)
            elif one.standing is _OUT:
                out.append(one.target)
        return Progress(
            revision=self.revision,
            done=tuple(done),
            in_flight=tuple(in_flight),
            failed=tuple(failed),
            out=tuple(out),
            held=self.held,
            soaking_until=self.soaking_until,
            halt=halt,
            steps=max(self.steps, int(bool(in_flight or self.held))),
            canaries=tuple(self.canaries),
            soaked_at=self.soaked_at,
        )


@dataclass(slots=True)
class _Mark:
    """How far a stage is: who waits and who is on its way, and when what is over has soaked."""

    stage: Stage
    waiting: list[Member] = field(default_factory=list)
    begun: list[Member] = field(default_factory=list)
    soaked_at: datetime | None = None

    def soaks_at(self, now: datetime) -> bool:
        return self.soaked_at is not None and self.soaked_at > now


def _halted(halt: Halt) -> Hold:
    return Hold(wait=Wait.HALTED, message=f"{halt.target} stopped the rollout of {halt.revision} ({halt.code})")
