"""What there is beside the controller: git, what the FleetTargets and the Fleet have recorded, and live machines.

Nothing here knows how it is decided who goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clusterops.model.rollout import Halt, Member, Moving, Reach, Standing
from tests.rollout_simulation.fleets import START, Edit, Fault, Site, Story


def moment(second: int) -> datetime:
    return START + timedelta(seconds=second)


@dataclass(slots=True, kw_only=True)
class Record:
    """FleetTarget.status. ``revision`` is "" before the first commit that was applied."""

    revision: str = ""
    phase: Standing = Standing.SETTLED
    since: datetime | None = None
    reach: Reach = Reach.NOTHING
    at_once: int = 0
    disturbed: bool = False
    code: str = ""


@dataclass(slots=True)
class Machines:
    """Of one cluster, as they are. ``rolling``: what was applied last is not through."""

    epoch: int = 0
    ours: int = 0
    others: int = 0
    rolling: bool = False


@dataclass(slots=True)
class World:
    """``records``, ``halted`` and ``resumed`` are all that outlives a controller, with git and the live machines."""

    story: Story
    now: int = 0
    edits: dict[str, Mapping[str, Edit]] = field(default_factory=dict)
    """By revision, oldest first: what git says that each commit changed."""
    newest: dict[str, str] = field(default_factory=dict)
    """Target to the newest revision that changes it."""
    records: dict[str, Record] = field(default_factory=dict)
    machines: dict[str, Machines] = field(default_factory=dict)
    halted: dict[str, Halt] = field(default_factory=dict)
    resumed: dict[str, datetime] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    touched: dict[str, int] = field(default_factory=dict)
    """Clusters that were there and that git says each commit changes."""
    lanes: dict[str, str] = field(default_factory=dict)
    """Of every target."""

    def __post_init__(self) -> None:
        self.records = {name: Record() for name in self.story.sites}
        self.machines = {name: Machines() for name in self.story.sites}
        policy, sites = self.story.policy, self.story.sites
        self.lanes = {name: policy.lane(site.region, site.cloud)[0] for name, site in sites.items()}

    @property
    def at(self) -> datetime:
        return moment(self.now)

    def commit(self, edits: Mapping[str, Edit]) -> str:
        revision = f"main@{len(self.edits):07}"
        self.edits[revision] = edits
        self.newest |= dict.fromkeys(edits, revision)
        reaches = [self.reach(name, revision) for name in edits]
        self.touched[revision] = sum(reach is Reach.IN_PLACE or reach is Reach.ROLLS for reach in reaches)
        return revision

    def site(self, name: str) -> Site:
        return self.story.sites[name]

    def exists(self, name: str) -> bool:
        return self.site(name).at_first or bool(self.records[name].revision)

    def reach(self, name: str, revision: str) -> Reach:
        record = self.records[name]
        if record.revision == revision:
            return record.reach
        return self.edits[revision][name].reach if self.exists(name) else Reach.CREATES

    def member(self, name: str) -> Member:
        """From git, the record and the plan; the newest commit's."""
        revision, record, site = self.newest[name], self.records[name], self.site(name)
        begun = record.revision == revision
        reach = self.reach(name, revision)
        standing = record.phase if begun else Standing.WAITS
        return Member(
            target=name,
            revision=revision,
            reach=reach,
            standing=Standing.OUT if name in self.paused and standing is Standing.WAITS else standing,
            at_once=site.timeline.at_once if reach is Reach.ROLLS else 0,
            region=site.region,
            cloud=site.cloud,
            labels=site.labels,
            since=record.since if begun else None,
            disturbed=record.disturbed if begun else self.unsettled(name),
            windows=site.windows,
            code=record.code if begun else "",
            left=None if begun else self._left(name),
        )

    def _left(self, name: str) -> Halt | None:
        record = self.records[name]
        if record.phase is not Standing.FAILED:
            return None
        return Halt(revision=record.revision, target=name, code=record.code, at=record.since)

    def unsettled(self, name: str) -> bool:
        return self.records[name].phase in {Standing.BEGUN, Standing.FAILED}

    def moving(self, name: str) -> Moving | None:
        """As the API server and the record have it; a new cluster's machines replace none."""
        machines, record = self.machines[name], self.records[name]
        if record.reach is Reach.CREATES:
            count, rolling = machines.others, False
        else:
            count, rolling = machines.ours + machines.others, machines.rolling
        if not count and not rolling:
            return None
        site = self.site(name)
        reserved = record.at_once if rolling else 0
        return Moving(target=name, machines=max(count, reserved), region=site.region, cloud=site.cloud)

    def under_way(self) -> Iterator[str]:
        """Revisions of which some target waits or is on its way, oldest first."""
        open_: defaultdict[str, bool] = defaultdict(bool)
        for name, revision in self.newest.items():
            record = self.records[name]
            waits = record.revision != revision and name not in self.paused
            open_[revision] |= waits or (record.revision == revision and record.phase is Standing.BEGUN)
        return (revision for revision in self.edits if open_[revision])

    def begin(self, name: str) -> list[tuple[int, str, int]]:
        """Writes the record, then applies. Returns what comes of it: (seconds from now, event, machines)."""
        revision, record, machines = self.newest[name], self.records[name], self.machines[name]
        edit, reach = self.edits[revision][name], self.reach(name, revision)
        timeline = self.site(name).timeline
        record.disturbed = record.phase in {Standing.BEGUN, Standing.FAILED}
        record.revision, record.phase, record.reach, record.since = revision, Standing.BEGUN, reach, self.at
        record.at_once, record.code = timeline.at_once if reach is Reach.ROLLS else 0, ""
        machines.epoch, machines.ours, machines.rolling = machines.epoch + 1, 0, True
        if reach is Reach.NOTHING:
            return [(0, "settled", 0)]
        if reach is Reach.IN_PLACE:
            return list(_with(edit.fault, self.story, ((0, 0), (self.story.grid_s, 0)), self.now))
        return list(_with(edit.fault, self.story, timeline.counts, self.now))


def _with(fault: Fault, story: Story, counts: tuple[tuple[int, int], ...], now: int) -> Iterator[tuple[int, str, int]]:
    slow = 4 if fault is Fault.SLOW else 1
    timeout = int(story.policy.settle_timeout_s)
    end = counts[-1][0] * slow
    if fault is Fault.STUCK:
        counts = counts[: 1 + now // story.grid_s % max(len(counts) - 1, 1)]
    yield from ((t * slow, "moved", count) for t, count in counts)
    if fault is Fault.STUCK or end > timeout:
        yield timeout, "timeout", 0
    if fault is not Fault.STUCK:
        yield end, "differs" if fault is Fault.DIFFERS else "settled", 0
    if fault is Fault.DEGRADES:
        yield end + now % 7200, "degraded", 0
        if now % 3 == 0:
            yield end + 30000, "recovered", 0
