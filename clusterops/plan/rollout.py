"""Pace: which clusters of which commits may begin now, and what every other one waits for. Pure.

A commit that touches one cluster goes at once. One that touches more goes in stages: canaries first (and clusters that
an earlier commit left unsettled, which are the best canaries of all), then ring after ring. A stage begins when the
one before it has settled and, where machines moved, has soaked. Within a stage clusters follow one another as long as
neither clusters nor machines on their way are too many. What is decided follows from what git says and from what the
FleetTargets and the Fleet have recorded, so every process decides the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clusterops.model.fleet import Pace, RolloutPolicy, is_shared
from clusterops.model.impact import Impact, ImpactClass, PoolImpact
from clusterops.model.plan import Plan
from clusterops.model.rollout import Decision, Halt, Hold, Member, Moving, Progress, Reach, Resumed, Standing, Wait
from clusterops.plan.machines import whole

RING_LABEL: Final = "ring"
_OTHERS: Final = "*"


def reach_of(plan: Plan | None, target: str) -> tuple[Reach, int]:
    """What a plan does as pace sees it, and how many machines change at a time at the most."""
    if plan is None or not plan.writes or is_shared(target):
        return Reach.NOTHING, 0
    clusters = [change for change in plan.changes if change.key.kind == "Cluster" and change.desired is not None]
    if clusters and all(change.live is None for change in clusters):
        return Reach.CREATES, 0
    impact = whole(plan)
    if impact.kind in {ImpactClass.NONE, ImpactClass.IN_PLACE} and not at_once(impact):
        return Reach.IN_PLACE, 0
    return Reach.ROLLS, at_once(impact)


def at_once(impact: Impact) -> int:
    """Machines that change at the same time at the most: control planes before pools, pools all at once."""
    steps = [sum(map(_replaced_at_once, step)) for step in impact.order]
    return max(steps, default=0) + impact.added + impact.removed


def _replaced_at_once(pool: PoolImpact) -> int:
    return min(pool.replaced, max(pool.surge, 1))


def decide(
    members: Iterable[Member],
    policy: RolloutPolicy,
    now: datetime,
    *,
    order: Sequence[str],
    moving: Mapping[str, Moving] | None = None,
    halted: Halt | None = None,
    resumed: Resumed | None = None,
) -> Decision:
    """``members`` of every commit under way, each target once; ``order`` are their revisions, oldest first.

    ``moving`` is what moves now, members or not; ``halted`` and ``resumed`` are what the Fleet has recorded.
    O(members * log(members)).
    """
    everyone = tuple(members)
    street = _Street.of(everyone, policy, moving or {})
    rollouts = [
        _Rollout(
            revision=revision,
            members=tuple(one for one in everyone if one.revision == revision),
            policy=policy,
            now=now,
            halt=_halt(revision, everyone, policy, halted, resumed),
        )
        for revision in order
    ]
    told = [rollout.advance(street) for rollout in rollouts]
    waits = [hold.until for one in told for hold in one.held.values() if hold.until is not None]
    return Decision(
        go=tuple(street.go),
        held={name: hold for one in told for name, hold in one.held.items()},
        rollouts=tuple(told),
        again_at=min(waits, default=None),
    )


def _halt(
    revision: str, members: Sequence[Member], policy: RolloutPolicy, halted: Halt | None, resumed: Resumed | None
) -> Halt | None:
    since = resumed.at if resumed is not None and resumed.revision == revision else None
    failed = [
        one
        for one in members
        if one.revision == revision and one.standing is Standing.FAILED and (since is None or _after(one, since))
    ]
    if halted is not None and halted.revision == revision and _stands(halted, members, since):
        return halted
    if len(failed) < policy.halt_after_failures:
        return None
    last = max(failed, key=lambda one: (one.since is not None, one.since, one.target))
    return Halt(revision=revision, target=last.target, code=last.code, at=last.since)


def _after(member: Member, since: datetime) -> bool:
    return member.since is not None and member.since > since


def _stands(halted: Halt, members: Sequence[Member], resumed_at: datetime | None) -> bool:
    """Until a person says go on, or the cluster has settled since."""
    if resumed_at is not None and (halted.at is None or halted.at <= resumed_at):
        return False
    return not any(
        one.target == halted.target
        and one.standing is Standing.SETTLED
        and halted.at is not None
        and _after(one, halted.at)
        for one in members
    )


@dataclass(slots=True)
class _Lane:
    pace: Pace
    clusters: set[str] = field(default_factory=set)
    machines: dict[str, int] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        return sum(self.machines.values())

    def obstacle(self, one: Member) -> Hold | None:
        pace = self.pace
        if one.at_once > pace.max_machines_in_flight:
            message = f"moves {one.at_once} machines at a time, maxMachinesInFlight is {pace.max_machines_in_flight}"
            return Hold(wait=Wait.TOO_LARGE, message=message)
        if len(self.clusters | {one.target}) > pace.max_concurrent_clusters:
            count = len(self.clusters)
            return Hold(wait=Wait.CLUSTERS, message=f"{count} of {pace.max_concurrent_clusters} clusters on their way")
        own = self.machines.get(one.target, 0)
        if self.in_flight - own + max(own, one.at_once) > pace.max_machines_in_flight:
            message = f"{self.in_flight} of {pace.max_machines_in_flight} machines on their way, it moves {one.at_once}"
            return Hold(wait=Wait.MACHINES, message=message)
        return None

    def enter(self, one: Member) -> None:
        self.clusters.add(one.target)
        self.machines[one.target] = max(self.machines.get(one.target, 0), one.at_once)


@dataclass(slots=True)
class _Street:
    """What is on its way, by lane; filled as members are let go."""

    policy: RolloutPolicy
    lanes: dict[str, _Lane] = field(default_factory=dict)
    go: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, members: Iterable[Member], policy: RolloutPolicy, moving: Mapping[str, Moving]) -> _Street:
        street = cls(policy)
        for each in moving.values():
            street.lane(each.region, each.cloud).machines[each.target] = each.machines
        for one in members:
            lane = street.lane(one.region, one.cloud)
            if one.standing is Standing.BEGUN and one.reach is not Reach.CREATES:
                lane.enter(one)
            elif one.standing is Standing.WAITS and one.target in moving:
                lane.clusters.add(one.target)
        return street

    def lane(self, region: str, cloud: str) -> _Lane:
        name, pace = self.policy.lane(region, cloud)
        return self.lanes.setdefault(name, _Lane(pace))

    def let_go(self, one: Member) -> None:
        self.go.append(one.target)
        if one.reach is not Reach.CREATES:
            self.lane(one.region, one.cloud).enter(one)


@dataclass(slots=True, kw_only=True)
class _Rollout:
    revision: str
    members: tuple[Member, ...]
    policy: RolloutPolicy
    now: datetime
    halt: Halt | None
    held: dict[str, Hold] = field(default_factory=dict)
    soaking_until: datetime | None = None

    def advance(self, street: _Street) -> Progress:
        paced = [one for one in self.members if one.paced]
        alone = len(paced) == 1
        for one in self.members:
            if one.standing is Standing.WAITS and (alone or not one.paced):
                self._begin_unpaced(one, street)
        if not alone:
            for name in sorted({self._lane(one) for one in paced}):
                self._advance_lane([one for one in paced if self._lane(one) == name], street)
        return self._progress(street)

    def _lane(self, one: Member) -> str:
        return self.policy.lane(one.region, one.cloud)[0]

    def _begin_unpaced(self, one: Member, street: _Street) -> None:
        closed = self._closed(one) if one.reach is not Reach.NOTHING else None
        if closed is not None:
            self.held[one.target] = closed
        else:
            street.let_go(one)

    def _advance_lane(self, members: Sequence[Member], street: _Street) -> None:
        pace = self.policy.lane(members[0].region, members[0].cloud)[1]
        before: Hold | None = self._halted()
        for stage in _stages(members, pace, self.policy.rings):
            if before is not None:
                self._hold(stage, before)
                continue
            self._begin(stage, street)
            before = self._after_stage(stage, pace)

    def _halted(self) -> Hold | None:
        if self.halt is None:
            return None
        return Hold(wait=Wait.HALTED, message=f"{self.halt.target} stopped the rollout ({self.halt.code})")

    def _hold(self, stage: Iterable[Member], hold: Hold) -> None:
        self.held |= {one.target: hold for one in stage if one.standing is Standing.WAITS}

    def _begin(self, stage: Iterable[Member], street: _Street) -> None:
        full: Hold | None = None
        for one in stage:
            if one.standing is not Standing.WAITS:
                continue
            hold = self._closed(one) or full or street.lane(one.region, one.cloud).obstacle(one)
            if hold is None:
                street.let_go(one)
                continue
            self.held[one.target] = hold
            if hold.wait in {Wait.CLUSTERS, Wait.MACHINES}:
                full = hold

    def _closed(self, one: Member) -> Hold | None:
        if one.windows.open_at(self.now):
            return None
        return Hold(
            wait=Wait.WINDOW, message="its maintenance window is closed", until=one.windows.next_opening(self.now)
        )

    def _after_stage(self, stage: Sequence[Member], pace: Pace) -> Hold | None:
        """What the next stage waits for."""
        open_ = [one.target for one in stage if one.standing in {Standing.WAITS, Standing.BEGUN}]
        if open_:
            more = f" and {len(open_) - 1} more" if len(open_) > 1 else ""
            return Hold(wait=Wait.CANARY, message=f"waits for {open_[0]}{more}")
        ends = [one.since for one in stage if one.standing is Standing.SETTLED and one.reach is Reach.ROLLS]
        until = max((end for end in ends if end is not None), default=None)
        if until is None or until + timedelta(seconds=pace.soak_s) <= self.now:
            return None
        until += timedelta(seconds=pace.soak_s)
        self.soaking_until = max(until, self.soaking_until or until)
        return Hold(wait=Wait.SOAK, message="what went before soaks", until=until)

    def _progress(self, street: _Street) -> Progress:
        def named(*standings: Standing) -> tuple[str, ...]:
            return tuple(one.target for one in self.members if one.standing in standings)

        going = {one.target for one in self.members} & set(street.go)
        return Progress(
            revision=self.revision,
            done=named(Standing.SETTLED),
            in_flight=tuple(name for name in (*named(Standing.BEGUN), *sorted(going))),
            failed=named(Standing.FAILED),
            out=named(Standing.OUT),
            held=self.held,
            soaking_until=self.soaking_until,
            halt=self.halt,
        )


def _stages(members: Sequence[Member], pace: Pace, rings: Sequence[str]) -> Iterator[tuple[Member, ...]]:
    """Canaries, then ring by ring; each in the order in which its members go. Empty ones are left out."""
    first = _canaries(members, pace)
    rest = [one for one in members if one.target not in first]
    stages = [[one for one in members if one.target in first]]
    stages += [[one for one in rest if _ring(one, rings) == place] for place in range(len(rings) + 1)]
    return (tuple(sorted(stage, key=lambda one: (not one.disturbed, one.target))) for stage in stages if stage)


def _canaries(members: Sequence[Member], pace: Pace) -> frozenset[str]:
    taking_part = [one for one in members if one.standing is not Standing.OUT]
    labelled = [one.target for one in taking_part if pace.canaries and pace.canaries.items() <= one.labels.items()]
    regions = {one.region: one.target for one in sorted(taking_part, key=lambda one: one.target, reverse=True)}
    disturbed = [one.target for one in taking_part if one.disturbed and one.standing is Standing.WAITS]
    return frozenset(labelled or regions.values()) | frozenset(disturbed)


def _ring(one: Member, rings: Sequence[str]) -> int:
    label = one.labels.get(RING_LABEL, "")
    if label in rings:
        return rings.index(label)
    return rings.index(_OTHERS) if _OTHERS in rings else len(rings)
