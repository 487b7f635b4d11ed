"""A fleet of plain YAML in memory whose requests are followed: real merges of files, renders and plans, no process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterops.controller.board import Board
from clusterops.controller.clock import Ticks
from clusterops.controller.differing import Sight
from clusterops.controller.due import Memory
from clusterops.controller.preview import Base, Previewer
from clusterops.controller.previews import Previews
from clusterops.controller.reconcile import reconcile
from clusterops.controller.records import Records
from clusterops.controller.work import Doors, Work
from clusterops.errors import TransientError
from clusterops.model.fleet import is_shared
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import Snapshot
from clusterops.render import ProcessRenderer
from clusterops.settings import RenderSettings
from clusterops.source.fleet.reader import FleetReader
from clusterops.telemetry import Metrics, build_logger
from tests.fake_clock import FakeClock
from tests.fake_forge import FakeForge
from tests.fleet_objects import cluster_bodies
from tests.fuzz.memory import MemoryRepository
from tests.unit.controller.watched import Alone, WatchedCluster

FLEET = """\
apiVersion: clusterops.io/v1alpha1
kind: FleetFile
name: demo
mode: apply
forge: {kind: gitea, repository: platform/fleet}
clouds: {dev: {chart: {path: charts/dev}}}
rollout: {settleTimeout: 0s}
"""
REGION = "cloud: dev\ncredentials: {}\n"
_PATIENCE_S = 60.0


def cluster(name: str, *, workers: int = 2, version: str = "v1.33.4", notes: str = "hello") -> str:
    """One cluster's objects, without their Secret."""
    bodies = [one for one in cluster_bodies(name, workers=workers, version=version) if one["kind"] != "Secret"]
    for one in bodies:
        if one["kind"] == "ConfigMap":
            one["data"]["text"] = notes
    return yaml_of(bodies)


def yaml_of(bodies: Sequence[Mapping[str, Any]]) -> str:
    """As a person writes them."""
    kept = ("name", "namespace")
    metadata = ({part: one["metadata"][part] for part in kept} for one in bodies)
    plain = ({**one, "metadata": each} for one, each in zip(bodies, metadata, strict=True))
    return "---\n".join(f"{json.dumps(one)}\n" for one in plain)


def fleet_of(*names: str, fleet: str = FLEET) -> dict[str, str]:
    """``north/alpha``, …, of plain YAML."""
    files = {"fleet.yaml": fleet, "charts/dev/Chart.yaml": "apiVersion: v2\nname: dev\nversion: 0.1.0\n"}
    for name in names:
        region, _, short = name.partition("/")
        files[f"regions/{region}/region.yaml"] = REGION
        files[f"clusters/{name}/objects.yaml"] = cluster(short)
    return files


class AwayCluster(WatchedCluster):
    """Answers nothing while it is ``away``; ``held_up`` is waited for before each read."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.held_up: Callable[[], Awaitable[None]] | None = None

    async def _check(self) -> None:
        if self.held_up is not None:
            await self.held_up()
        if self.away:
            raise TransientError("api-unreachable", "https://management", "connection refused")

    async def read_as(self, versions: Mapping[ObjectKey, str]) -> LiveSet:
        await self._check()
        return await super().read_as(versions)

    async def list_objects(self, group: str, kind: str, **how: Any) -> tuple[LiveObject, ...]:
        await self._check()
        return await super().list_objects(group, kind, **how)


@dataclass(slots=True)
class Merging(MemoryRepository):
    """``before_merge`` is called with each request, and may raise."""

    before_merge: Callable[[ChangeRequest], None] = lambda request: None

    async def merged(self, request: ChangeRequest, base: str) -> Snapshot:
        self.before_merge(request)
        return await MemoryRepository.merged(self, request, base)


@dataclass(slots=True)
class Proposals:
    """Everything of one test. ``files`` are the branch's."""

    folder: Path
    files: dict[str, str]
    management: str = "default"
    cluster: AwayCluster = field(default_factory=AwayCluster)
    clock: FakeClock = field(default_factory=FakeClock)
    forge: FakeForge = field(default_factory=FakeForge)
    repository: Merging = field(default_factory=Merging)
    metrics: Metrics = field(default_factory=Metrics)
    memories: dict[str, Memory] = field(default_factory=dict)
    base: Base | None = None
    queued: bool = False
    doors: Doors = field(init=False)
    renderer: ProcessRenderer = field(init=False)
    previews: Previews = field(init=False)

    def __post_init__(self) -> None:
        settings = RenderSettings(cache_dir=self.folder / "cache", helm=Path("helm"), kustomize=Path("kustomize"))
        logger = build_logger(level="critical")
        self.renderer = ProcessRenderer(settings, logger, self.metrics)
        self.doors = Doors(
            renderer=self.renderer,
            cluster=self.cluster,
            records=Records(
                cluster=self.cluster, clock=self.clock, namespace="clusterops-system", identity="test", fleet="demo"
            ),
            clock=self.clock,
            ticks=Ticks(self.clock, 1.0),
            logger=logger,
            metrics=self.metrics,
            slots=asyncio.Semaphore(4),
        )

    @property
    def renders(self) -> int:
        """Made so far, those from the cache not counted."""
        return int(self.metrics.renders.labels(how="process")._value.get())

    @property
    def previewed(self) -> int:
        return int(self.metrics.previews._value.get())

    async def apply(self) -> None:
        """The branch's head becomes what lives; the daemon has taken it."""
        await self.merge({})
        assert self.base is not None
        await self.doors.records.every()
        sight = Sight.of(self.base.fleet, self.base.fleet.targets, self.base.snapshot, self.renderer)
        for name in sorted(self.base.fleet.targets, key=lambda name: (not is_shared(name), name)):
            inputs = sight.due[name].inputs
            work = Work(
                target=self.base.fleet.targets[name],
                snapshot=self.base.snapshot,
                commit=self.base.commit,
                inputs=inputs,
                settle_timeout_s=0.0,
            ).keyed(self.base.fleet)
            outcome = await reconcile(work, self.doors, Alone(), interrupted=asyncio.Event())
            assert outcome.problem is None, outcome.problem
            self.memories[name] = Memory(inputs=inputs, revision=work.revision, settled=True, passed=True)

    async def merge(self, changes: Mapping[str, str | None]) -> str:
        """A commit of the branch, as the daemon has taken it; nothing of it is applied yet."""
        self.files = {path: text for path, text in {**self.files, **changes}.items() if text is not None}
        commit = self.repository.push({path: text.encode() for path, text in self.files.items()}, "merged")
        snapshot: Snapshot = await self.repository.snapshot(commit)
        self.base = Base(snapshot=snapshot, fleet=FleetReader().read(snapshot))
        return commit

    def propose(self, number: int, changes: Mapping[str, str | None], *, fork: bool = False) -> ChangeRequest:
        """A person opens a request, or pushes to it."""
        files = {path: text for path, text in {**self.files, **changes}.items() if text is not None}
        head = self.repository.propose({path: text.encode() for path, text in files.items()})
        request = ChangeRequest(number=number, head=head, ref=f"refs/pull/{number}/head", base="main", fork=fork)
        self.forge.open(request)
        return request

    def previewer(self) -> Previewer:
        return Previewer(
            repository=self.repository,
            reader=FleetReader(),
            doors=self.doors,
            management=self.management,
            memories=lambda: self.memories,
        )

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[Previews]:
        """One process' life."""
        board = Board(repository=self.repository, clock=self.clock, management=self.management)
        board.use(self.forge)
        self.previews = Previews(
            forge=self.forge,
            board=board,
            previewer=self.previewer(),
            base=lambda: self.base,
            branch="main",
            poll_s=60.0,
            queued=self.queued,
            watched=lambda: True,
        )
        tasks = [asyncio.create_task(self.previews.run()), asyncio.create_task(self._tell_changes())]
        try:
            await self.settle()
            yield self.previews
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> None:
        """Something called: until everything that need not wait for time is done."""
        self.previews.look_now()
        await self.settle()

    async def wait(self, seconds: float) -> None:
        await self.settle()
        await self.clock.advance(seconds)
        await self.settle()

    async def settle(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            await self.clock.settle()
            while self.previews._passes.running or self.previews._wake.is_set():
                await asyncio.sleep(0.001)
                await self.clock.settle()

    async def _tell_changes(self) -> None:
        async for key in self.cluster.changes():
            self.previews.object_moved(key)

    def edit(self, kind: str, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """A person edits a live object."""
        key = next(key for key in self.cluster.objects if (key.kind, key.name) == (kind, name))
        self.cluster.edit(key, change, manager="kubectl-edit")

    def heard(self, request: ChangeRequest) -> dict[str, tuple[str, str]]:
        return self.forge.heard(request.head)

    def plan(self, request: ChangeRequest) -> tuple[str, str]:
        return self.heard(request).get("clusterops/plan", ("", ""))

    def policy(self, request: ChangeRequest) -> tuple[str, str]:
        return self.heard(request).get("clusterops/policy", ("", ""))

    def states(self, request: ChangeRequest) -> list[str]:
        """Of ``clusterops/plan``, in order."""
        posted = (status for at, status in self.forge.posted if at == request.head)
        return [str(status.state) for status in posted if status.context.endswith("/plan")]


async def proposals(folder: Path, *names: str, fleet: str = FLEET) -> Proposals:
    """A fleet that is applied; ``north/alpha`` and ``north/beta`` unless told."""
    found = Proposals(folder, fleet_of(*(names or ("north/alpha", "north/beta")), fleet=fleet))
    await found.apply()
    while not found.cluster._changed.empty():
        with suppress(asyncio.QueueEmpty):
            found.cluster._changed.get_nowait()
    return found
