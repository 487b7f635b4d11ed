"""Who takes part in a commit's way through the fleet, and how far each is, from what its FleetTarget has recorded.

What this process knows beyond that is only who was let go a moment ago, and who asks: both begin anew after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clusterops.capi.degraded import Degraded
from clusterops.controller.commits import Commit
from clusterops.controller.records import Records
from clusterops.model.fleet import Fleet, RolloutPolicy, Target, is_shared, region_of
from clusterops.model.report import Outcome, Stage
from clusterops.model.rollout import HELD_CODES, PACED, Halt, Member, Moving, Reach, Standing
from clusterops.model.windows import Windows
from clusterops.status import Phase, TargetStatus

CLUSTER_DEGRADED: Final = "cluster-degraded"
_OVER: Final = frozenset({Phase.SETTLED, Phase.ORPHANED, Phase.DELETED})
_NOT_MOVED: Final = Reach.NOTHING, 0
_NEW: Final = TargetStatus()


Span = tuple[datetime, datetime | None]
"""From when, and until when, or with no end yet."""


@dataclass(slots=True, kw_only=True)
class Roster:
    """Members of the commits under way.

    ``granted`` are revision and target of those that were let go and have not recorded it yet, ``asking`` of those
    whose pass wants to begin; ``degraded`` by target what was seen of its cluster last.
    """

    records: Records
    fleet: Callable[[], Fleet | None]
    granted: set[tuple[str, str]] = field(default_factory=set)
    asking: set[tuple[str, str]] = field(default_factory=set)
    degraded: Mapping[str, Degraded] = field(default_factory=dict)
    _windows: dict[str, Windows] = field(default_factory=dict)
    _windows_of: Fleet | None = None

    def members(self, commits: Iterable[Commit], now: datetime) -> list[Member]:
        """Of all commits, oldest first. Each target is what it is for the newest commit that has it.

        For an older one it only counts as settled. A commit that is not judged, or whose shared targets are not
        applied yet, has those members only that have begun. O(targets of the commits).
        """
        taken: set[str] = set()
        found: list[Member] = []
        for commit in reversed(tuple(commits)):
            decidable = commit.judged and commit.shared_applied
            for one in self._members_of(commit, now):
                if one.standing is Standing.WAITS and not decidable:
                    continue
                if one.target not in taken or one.standing is Standing.SETTLED:
                    found.append(one)
            taken |= commit.works.keys()
        return found

    def standing(self, commit: Commit, name: str, now: datetime) -> Standing:
        return self._standing(commit, name, commit.revision.text, now)[0]

    def status(self, name: str) -> TargetStatus:
        stored = self.records.known.get(name)
        return stored.status if stored is not None else _NEW

    def target(self, commit: Commit, name: str) -> Target | None:
        if name in commit.works:
            return commit.works[name].target
        fleet = self.fleet()
        return fleet.targets.get(name) if fleet is not None else None

    def windows(self, name: str) -> Windows:
        """Of the head's fleet.yaml, whatever commit asks."""
        fleet = self.fleet()
        if fleet is None:
            return Windows()
        if fleet is not self._windows_of:
            self._windows_of, self._windows = fleet, {}
        if name not in self._windows:
            self._windows[name] = Windows.of(name, fleet.file.windows)
        return self._windows[name]

    def watched(self, members: Iterable[Member], policy: RolloutPolicy) -> dict[str, Span]:
        """When a cluster's fate tells of a rollout: from when that began with it until it has soaked there."""
        found: dict[str, Span] = {}
        for one in members:
            begun_at = self.status(one.target).begun_at
            if not one.paced or begun_at is None or one.standing in {Standing.WAITS, Standing.OUT}:
                continue
            found[one.target] = begun_at, _soaked_at(one, policy) if one.standing is Standing.SETTLED else None
        return found

    def moving(self, seen: Mapping[str, Moving]) -> dict[str, Moving]:
        """``seen``, and at least what a rollout that was begun and has not settled may move at a time."""
        fleet, found = self.fleet(), dict(seen)
        for name, stored in self.records.known.items():
            target = fleet.targets.get(name) if fleet is not None else None
            at_once = moves_at_once(stored.status)
            if target is None or at_once is None:
                continue
            known = found.get(name)
            if known is None or known.machines < at_once:
                found[name] = Moving(target=name, machines=at_once, region=region_of(name), cloud=target.cloud)
        return found

    def failure(self, name: str) -> str:
        """What went wrong with it, for people."""
        degraded = self.degraded.get(name)
        return degraded.message if degraded is not None else self.status(name).message

    def evidence(self, commit: Commit) -> set[str]:
        """Clusters that an earlier process found the commit to change."""
        revision = commit.revision.text
        begun = {name for name, stored in self.records.known.items() if stored.status.begun_revision == revision}
        return begun | {name for name in commit.superseded if not is_shared(name) and name in self.records.known}

    def _members_of(self, commit: Commit, now: datetime) -> Iterator[Member]:
        revision = commit.revision.text
        for name in sorted((commit.works.keys() | commit.outcomes.keys()) - commit.superseded.keys()):
            target = self.target(commit, name)
            if target is not None and not commit.waits_for_shared(name):
                yield self._member(commit, target, revision, now)

    def _member(self, commit: Commit, target: Target, revision: str, now: datetime) -> Member:
        name, status = target.name, self.status(target.name)
        standing, since = self._standing(commit, name, revision, now)
        reach, at_once = commit.reaches.get(name, _NOT_MOVED)
        if reach not in PACED and standing is not Standing.WAITS:
            reach, at_once = recorded_reach(status, revision)
        degraded = self.degraded.get(name)
        if degraded is not None and reach in PACED and standing in {Standing.BEGUN, Standing.SETTLED}:
            standing, since = Standing.FAILED, degraded.since
        return Member(
            target=name,
            revision=revision,
            reach=reach,
            standing=standing,
            at_once=at_once,
            region=region_of(name),
            cloud=target.cloud,
            labels=target.labels,
            since=since,
            disturbed=is_disturbed(status, revision),
            windows=self.windows(name),
            code=CLUSTER_DEGRADED if degraded is not None and since == degraded.since else status.code,
            left=left_by(status, name, revision),
        )

    def _standing(self, commit: Commit, name: str, revision: str, now: datetime) -> tuple[Standing, datetime | None]:
        """With the moment at which it began, settled or failed."""
        stored, outcome = self.records.known.get(name), commit.outcomes.get(name)
        status = stored.status if stored is not None else _NEW
        if stored is not None and stored.suspend:
            return Standing.OUT, None
        if outcome is not None and outcome.ok and outcome.stage is Stage.APPLY and outcome.report is not None:
            # settleTimeout 0: nobody waits for its health.
            return Standing.SETTLED, outcome.finished_at
        recorded = recorded_standing(status, revision, commit.fleet.file.rollout.settle_timeout_s, now)
        if recorded is not None:
            return recorded
        if (revision, name) in self.granted:
            return Standing.BEGUN, status.begun_at
        if (revision, name) in self.asking or name in commit.held or outcome is None:
            return Standing.WAITS, None
        return _ended(outcome)


def _soaked_at(one: Member, policy: RolloutPolicy) -> datetime | None:
    soak_s = policy.lane(one.region, one.cloud)[1].soak_s if one.reach is Reach.ROLLS else 0.0
    return one.since + timedelta(seconds=soak_s) if one.since is not None else None


def recorded_standing(
    status: TargetStatus, revision: str, settle_timeout_s: float, now: datetime
) -> tuple[Standing, datetime | None] | None:
    """As the FleetTarget has it; None where it says nothing of a part in this commit.

    What is tried again by itself fails once its time to settle is over.
    """
    if status.observed_revision != revision:
        return None
    phase, begun = status.phase, status.begun_revision == revision
    if phase == Phase.HELD:
        return Standing.WAITS, None
    if phase in {Phase.APPLYING, Phase.APPLIED}:
        return Standing.BEGUN, status.begun_at
    if phase == Phase.SETTLED:
        return Standing.SETTLED, status.settled_at
    if phase in {Phase.FAILED, Phase.REFUSED} and begun:
        return _failed(status, settle_timeout_s, now)
    return None


def _failed(status: TargetStatus, settle_timeout_s: float, now: datetime) -> tuple[Standing, datetime | None]:
    if not status.retrying or status.begun_at is None:
        return Standing.FAILED, status.failed_at
    given_up_at = status.begun_at + timedelta(seconds=settle_timeout_s)
    return (Standing.FAILED, given_up_at) if given_up_at <= now else (Standing.BEGUN, status.begun_at)


def _ended(outcome: Outcome) -> tuple[Standing, datetime | None]:
    if outcome.stage is Stage.DONE:
        return Standing.SETTLED, outcome.finished_at
    return Standing.OUT, None


def recorded_reach(status: TargetStatus, revision: str) -> tuple[Reach, int]:
    """Of a target that has begun: its plan shows what is left only."""
    if status.observed_revision != revision:
        return _NOT_MOVED
    tally = status.machines
    if tally is not None and (tally.predicted or tally.at_once):
        return Reach.ROLLS, tally.at_once
    return (Reach.IN_PLACE, 0) if status.begun_revision == revision else _NOT_MOVED


def moves_at_once(status: TargetStatus) -> int | None:
    """Of a rollout that was begun and has not settled, whatever became of it; None where there is none."""
    if status.phase in _OVER or (status.machines is None and not status.is_unsettled):
        return None
    return status.machines.at_once if status.machines is not None else 0


def is_disturbed(status: TargetStatus, revision: str) -> bool:
    """Whether an earlier commit was applied to it and never settled."""
    return status.begun_revision != revision and status.is_unsettled


def left_by(status: TargetStatus, name: str, revision: str) -> Halt | None:
    """How it failed under an earlier commit; it stays so while it is held under this one."""
    if status.failed_at is None or status.retrying or not is_disturbed(status, revision):
        return None
    code = status.code if status.code not in HELD_CODES else "not-settled"
    return Halt(revision=status.begun_revision, target=name, code=code, at=status.failed_at)
