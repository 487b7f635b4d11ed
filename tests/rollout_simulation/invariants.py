"""What holds at every instant, told apart from how it is decided: none of this asks plan/rollout."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from clusterops.model.fleet import Pace
from clusterops.model.rollout import Decision, Member, Reach, Standing, Wait
from tests.rollout_simulation.world import World

_ROLLING = frozenset({Reach.IN_PLACE, Reach.ROLLS})
_BLOCKED = frozenset({Wait.HALTED, Wait.WINDOW, Wait.TOO_LARGE})
_OVER = frozenset({Standing.SETTLED, Standing.FAILED, Standing.OUT})


class Violation(Exception):
    """An invariant that does not hold."""


@dataclass(slots=True)
class Ledger:
    """Machines and clusters on their way by lane, counted from the world's truth as it changes."""

    world: World
    machines: Counter[str] = field(default_factory=Counter)
    """Of all clusters, with those that an unfinished rollout may move yet."""
    paced: Counter[str] = field(default_factory=Counter)
    """On their way this instant, of clusters that pace let go."""
    clusters: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    alone: set[str] = field(default_factory=set)
    """Clusters that went at once, since their commit touches no other."""
    failures: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Revision to its failed clusters that neither a word nor another commit has answered."""
    halted: dict[str, set[str]] = field(default_factory=dict)
    """Revision to the clusters whose failures were too many: one of them settles, or a person says go on."""
    _known: dict[str, int] = field(default_factory=dict)
    _ours: dict[str, int] = field(default_factory=dict)

    def changed(self, name: str) -> None:
        """Counts a cluster anew, and checks that what pace let go keeps within the machines of its lane."""
        lane, machines, record = self.world.lanes[name], self.world.machines[name], self.world.records[name]
        moving = self.world.moving(name)
        self.machines[lane] += (moving.machines if moving else 0) - self._known.get(name, 0)
        self._known[name] = moving.machines if moving else 0
        ours = machines.ours if record.reach in _ROLLING and name not in self.alone else 0
        self.paced[lane] += ours - self._ours.get(name, 0)
        self._ours[name] = ours
        on_its_way = machines.rolling and record.reach in _ROLLING and record.phase is Standing.BEGUN
        (self.clusters[lane].add if on_its_way else self.clusters[lane].discard)(name)
        limit = self.pace(name).max_machines_in_flight
        if self.paced[lane] > limit:
            raise Violation(f"{self.paced[lane]} of {limit} machines of lane {lane!r} on their way, with {name}")

    def pace(self, name: str) -> Pace:
        site = self.world.site(name)
        return self.world.story.policy.lane(site.region, site.cloud)[1]

    def failed(self, name: str) -> None:
        revision = self.world.records[name].revision
        if self.world.resumed.get(revision) != self.world.at:
            # A word of the same moment counts for what has failed by then.
            self.failures[revision].add(name)
            self._halt()

    def settled(self, name: str) -> None:
        self.answered(name)
        self.halted = {revision: names for revision, names in self.halted.items() if name not in names}
        self._halt()

    def answered(self, name: str) -> None:
        """Something else is applied to it."""
        for names in self.failures.values():
            names.discard(name)

    def resumed(self, revision: str) -> None:
        self.failures.pop(revision, None)
        self.halted.pop(revision, None)

    def _halt(self) -> None:
        limit = self.world.story.policy.halt_after_failures
        for revision, names in self.failures.items():
            if len(names) >= limit:
                self.halted.setdefault(revision, set()).update(names)

    def check_begin(self, name: str, revision: str, *, alone: bool) -> None:
        """Before one begins."""
        reach, site = self.world.reach(name, revision), self.world.site(name)
        if reach is Reach.NOTHING:
            return
        if not site.windows.open_at(self.world.at):
            raise Violation(f"{name} begins in a closed window")
        if revision in self.halted:
            raise Violation(f"{name} begins, and {min(self.halted[revision])} has halted {revision}")
        if reach in _ROLLING and not alone:
            self._check_room(name, site.timeline.at_once if reach is Reach.ROLLS else 0)

    def _check_room(self, name: str, at_once: int) -> None:
        lane, pace = self.world.lanes[name], self.pace(name)
        machines = self.machines[lane] - self._known.get(name, 0) + max(at_once, self._known.get(name, 0))
        if at_once > 0 and machines > max(pace.max_machines_in_flight, self.machines[lane]):
            raise Violation(f"{name} begins, {machines} of {pace.max_machines_in_flight} machines in lane {lane!r}")
        clusters = len(self.clusters[lane] | {name})
        if clusters > max(pace.max_concurrent_clusters, len(self.clusters[lane])):
            raise Violation(f"{name} begins, {clusters} of {pace.max_concurrent_clusters} clusters in lane {lane!r}")


def check_stages(world: World, ledger: Ledger, members: Iterable[Member], go: Sequence[str]) -> None:
    """No stage before the one before it has settled and soaked: of what begins now, by lane and commit."""
    begin = set(go)
    keys = {(world.newest[name], world.lanes[name]) for name in go}
    groups: dict[tuple[str, str], list[Member]] = {key: [] for key in keys if world.touched[key[0]] > 1}
    for one in members if groups else ():
        group = groups.get((one.revision, world.lanes[one.target]))
        if group is not None and one.paced:
            group.append(one)
    for group in groups.values():
        beginners = [one for one in group if one.target in begin]
        if beginners:
            _check_group(world, ledger, group, beginners)


def _check_group(world: World, ledger: Ledger, group: Sequence[Member], beginners: Sequence[Member]) -> None:
    pace = ledger.pace(group[0].target)
    ranks = _ranks(world, pace, group)
    least, most = min(ranks[one.target] for one in beginners), max(ranks[one.target] for one in beginners)
    if least != most:
        raise Violation(f"{beginners[0].target} and {beginners[-1].target} begin together, and are of two stages")
    for one in group:
        if ranks[one.target] < least and (one.standing is Standing.WAITS or one.standing is Standing.BEGUN):
            raise Violation(f"{beginners[0].target} begins before {one.target} ({one.standing})")
        if ranks[one.target] < least and one.reach is Reach.ROLLS and one.standing is Standing.SETTLED:
            assert one.since is not None
            if one.since + timedelta(seconds=pace.soak_s) > world.at:
                raise Violation(f"{beginners[0].target} begins while {one.target} soaks")


def _ranks(world: World, pace: Pace, group: Sequence[Member]) -> dict[str, int]:
    """0 for canaries; else by the ring."""
    rings = world.story.policy.rings
    here = [one for one in group if one.standing is not Standing.OUT]
    labels = pace.canaries
    canaries = {one.target for one in here if labels and all(one.labels.get(key) == labels[key] for key in labels)}
    if not canaries:
        # Whoever is over has gone before whoever has begun, and both before whoever waits, whatever they are called;
        # then whom an earlier commit broke.
        regions = {one.region for one in here}
        order = sorted(here, key=_canary_first)
        canaries = {next(one.target for one in order if one.region == region) for region in regions}
    canaries |= {one.target for one in here if one.disturbed}
    other = rings.index("*") if "*" in rings else len(rings)
    place = {ring: number for number, ring in enumerate(rings)}
    return {
        one.target: 0 if one.target in canaries else 1 + place.get(one.labels.get("ring", ""), other) for one in group
    }


def _canary_first(one: Member) -> tuple[bool, bool, bool, float, str]:
    waits, begun = one.standing is Standing.WAITS, one.standing is Standing.BEGUN
    went_at = one.since.timestamp() if one.since is not None and not waits else 0.0
    return waits, begun, waits and not one.disturbed, went_at, one.target


def check_whole(members: Iterable[Member], decision: Decision) -> None:
    """Everybody who waits either goes or is held; nobody does both."""
    waiting = {one.target for one in members if one.standing is Standing.WAITS}
    go, held = set(decision.go), decision.held.keys()
    if go & held or waiting != go | held or len(go) != len(decision.go):
        raise Violation(f"forgotten or told twice: {sorted(waiting ^ (go | held) | (go & held))[:3]}")


def check_starved(decision: Decision, *, busy: bool) -> None:
    """Where nothing is on its way and nothing soaks, something goes, or a person is waited for."""
    if busy or decision.go or not decision.held or decision.again_at is not None:
        return
    for rollout in decision.rollouts:
        reasons = {hold.wait for hold in rollout.held.values()}
        if rollout.held and not reasons & _BLOCKED:
            raise Violation(f"{rollout.revision} stands still: {sorted(reasons)}")


def check_end(world: World, decision: Decision) -> Iterator[str]:
    """No cluster is forgotten: each is at the newest commit that changes it, or held with a reason, or paused."""
    for name, revision in world.newest.items():
        record = world.records[name]
        if record.revision == revision and record.phase in _OVER:
            continue
        if name not in world.paused and (record.revision == revision or name not in decision.held):
            yield f"{name} ends {record.phase} at {record.revision or 'no commit'}, not at {revision}"
