"""A fleet of one target on an API server in memory that is followed, with drift noticed, told and healed for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from clusterops.controller.clock import Ticks
from clusterops.controller.drift_look import Rules
from clusterops.controller.drift_telling import Telling
from clusterops.controller.drifting import Drifting
from clusterops.controller.reconcile import reconcile
from clusterops.controller.records import Records
from clusterops.controller.work import Doors, Work
from clusterops.model.drift import NO_HEALING, Healing, TargetDrift
from clusterops.model.fleet import DriftPolicy, Target
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome
from clusterops.model.revision import Snapshot
from clusterops.ports import Followed
from clusterops.telemetry import Metrics, build_logger
from tests.fake_clock import FakeClock
from tests.fleet_objects import NORTH_ALPHA, rendered, target
from tests.model_cluster import ModelCluster
from tests.unit.controller.works import revision, work


class WatchedCluster(ModelCluster):
    """Its watches tell at once, and of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.followed: frozenset[Followed] = frozenset()
        self.problems: dict[Followed, Problem] = {}
        self._changed: asyncio.Queue[ObjectKey] = asyncio.Queue()

    def follow(self, kinds: Collection[Followed]) -> None:
        self.followed = frozenset(kinds)

    async def synced(self) -> None:
        await asyncio.sleep(0)

    async def changes(self) -> AsyncIterator[ObjectKey]:
        while True:
            yield await self._changed.get()

    def peek(self, key: ObjectKey, version: str = "") -> LiveObject | None:
        found = self._read(key)
        kinds = {(kind.group, kind.kind) for kind in self.followed}
        return found if isinstance(found, LiveObject) and (key.group, key.kind) in kinds else None

    def keys(self) -> Iterator[ObjectKey]:
        return iter(tuple(self.objects))

    async def replace(self, body: Mapping[str, Any]) -> LiveObject:
        key = ObjectKey.of(body)
        self._store(key, {**body, "metadata": {**body["metadata"]}})
        self.writes.append(("replace", key))
        return LiveObject.of(self.objects[key])

    def take_away(self, key: ObjectKey) -> None:
        """As a person deletes it."""
        del self.objects[key]
        self._changed.put_nowait(key)

    def _store(self, key: ObjectKey, body: dict[str, Any]) -> None:
        super()._store(key, body)
        self._changed.put_nowait(key)


@dataclass(slots=True)
class Rendering:
    """Git, as far as a render of it goes."""

    bodies: list[dict[str, Any]]
    renders: int = 0

    def fingerprint(self, snapshot: Snapshot, target: Target) -> str:
        return "tree"

    async def render(self, snapshot: Snapshot, target: Target) -> RenderedSet:
        self.renders += 1
        return rendered(self.bodies)


@dataclass(slots=True)
class Alone:
    """A commit of one target that nobody stops, unless ``stopped`` says why."""

    stopped: Problem | None = None
    paced: bool = False

    async def rendered(self, rendered: RenderedSet) -> Mapping[ObjectKey, Manifest]:
        return {}

    async def verdict(self, outcome: Outcome) -> Problem | None:
        return self.stopped

    def progress(self, outcome: Outcome) -> None: ...

    def settled(self, outcome: Outcome) -> None: ...


@dataclass(slots=True)
class Passes:
    """The daemon, as drift sees it; a pass waits for no health."""

    doors: Doors
    policy: DriftPolicy = DriftPolicy.REPORT
    rules: Rules = field(default_factory=Rules)
    stopped: Problem | None = None
    paused: bool = False
    knows_git: bool = True
    asked: list[frozenset[ObjectKey]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    drifting: Drifting | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def work_on(self, name: str) -> Work | None:
        return replace(work(target(name), revision("1")), settle_timeout_s=0.0) if self.knows_git else None

    def is_gone(self, name: str) -> bool:
        return False

    def rules_for(self, target: Target) -> Rules:
        return replace(self.rules, policy=self.policy)

    def may_heal(self, name: str) -> bool:
        return not self.paused

    def heal(self, name: str, keys: Iterable[ObjectKey]) -> None:
        self.asked.append(frozenset(keys))
        task = asyncio.create_task(self.run(Healing(keys=self.asked[-1])))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self, healing: Healing = NO_HEALING) -> None:
        wanted = self.work_on(NORTH_ALPHA)
        assert wanted is not None
        outcome = await reconcile(
            replace(wanted, healing=healing), self.doors, Alone(self.stopped), interrupted=asyncio.Event()
        )
        self.outcomes.append(outcome)
        if self.drifting is not None and healing is not NO_HEALING:
            self.drifting.passed(NORTH_ALPHA, outcome, healing)


@dataclass(slots=True)
class Scene:
    """Everything of one test."""

    cluster: WatchedCluster
    git: Rendering
    clock: FakeClock
    doors: Doors
    passes: Passes
    telling: Telling

    @property
    def drift(self) -> TargetDrift:
        return self.telling.drifts.get(NORTH_ALPHA, TargetDrift(target=NORTH_ALPHA))

    @property
    def stored(self) -> dict[str, Any]:
        """status.drift of the FleetTarget."""
        found = [body for key, body in self.cluster.objects.items() if key.kind == "FleetTarget"]
        return dict(found[0].get("status", {}).get("drift") or {}) if found else {}

    def key(self, kind: str) -> ObjectKey:
        return next(key for key in self.cluster.objects if key.kind == kind)

    def edit(self, kind: str, change: Callable[[dict[str, Any]], None], manager: str = "kubectl-edit") -> None:
        self.cluster.edit(self.key(kind), change, manager=manager)

    async def settle(self) -> None:
        """Lets everything go on that need not wait for time."""
        for _ in range(10):
            await self.clock.settle()
            await asyncio.sleep(0.001)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """One process' life, once it leads."""
        self.telling = telling(self.doors)
        await self.doors.records.every()
        drifting = Drifting(doors=self.doors, cache=self.cluster, healer=self.passes, telling=self.telling)
        self.passes.drifting = drifting
        task = asyncio.create_task(drifting.follow())
        try:
            await self.settle()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def telling(doors: Doors) -> Telling:
    return Telling(records=doors.records, logger=doors.logger, metrics=doors.metrics)


async def scene(bodies: list[dict[str, Any]], policy: DriftPolicy = DriftPolicy.REPORT) -> Scene:
    """Applied once."""
    cluster, git, clock = WatchedCluster(), Rendering(bodies), FakeClock()
    records = Records(cluster=cluster, clock=clock, namespace="clusterops-system", identity="test", fleet="demo")
    logger, metrics = build_logger(level="critical"), Metrics()
    doors = Doors(
        renderer=git,
        cluster=cluster,
        records=records,
        clock=clock,
        ticks=Ticks(clock, 1.0),
        logger=logger,
        metrics=metrics,
        slots=asyncio.Semaphore(1),
    )
    passes = Passes(doors, policy)
    await records.every()
    await passes.run()
    return Scene(cluster, git, clock, doors, passes, telling(doors))
