"""A whole daemon in this process on a repository, a forge and an API server in memory, which all outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clusterops.app import build_doors, build_renderer
from clusterops.controller.board import Board
from clusterops.controller.clock import SystemClock
from clusterops.controller.daemon import Daemon
from clusterops.controller.forges import Forges
from clusterops.controller.lease import Gate
from clusterops.controller.preview import Previewer
from clusterops.controller.verdicts import Verdicts
from clusterops.model.fleet import ForgeFile
from clusterops.model.request import ChangeRequest
from clusterops.settings import DaemonSettings, RenderSettings, RepositorySettings, Settings
from clusterops.source.fleet.reader import FleetReader
from clusterops.telemetry import Metrics, build_logger
from tests.fake_forge import FakeForge
from tests.fuzz.memory import MemoryRepository, ServingCluster
from tests.stage import WITHIN_S


@dataclass(slots=True)
class Life:
    """What outlives a daemon. ``files`` are the branch's."""

    folder: Path
    files: dict[str, str]
    cluster: ServingCluster = field(default_factory=ServingCluster)
    repository: MemoryRepository = field(default_factory=MemoryRepository)
    forge: FakeForge = field(default_factory=FakeForge)
    daemon: Daemon | None = None

    def commit(self, changes: Mapping[str, str | None]) -> str:
        """Of the branch; whoever runs looks at it when it is told to."""
        self.files = self._with(changes)
        return self.repository.push({path: text.encode() for path, text in self.files.items()}, "a commit")

    def propose(self, number: int, changes: Mapping[str, str | None]) -> ChangeRequest:
        head = self.repository.propose({path: text.encode() for path, text in self._with(changes).items()})
        request = ChangeRequest(number=number, head=head, ref=f"refs/pull/{number}/head", base="main")
        self.forge.open(request)
        return request

    def merge(self, request: ChangeRequest, changes: Mapping[str, str | None]) -> str:
        """As an administrator does it, whatever the statuses say."""
        commit = self.commit(changes)
        self.forge.close(request.number, merged_as=commit)
        return commit

    def _with(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        return {path: text for path, text in {**self.files, **changes}.items() if text is not None}

    def state(self, commit: str, context: str = "clusterops/apply") -> str:
        return self.forge.heard(commit).get(context, ("", ""))[0]

    def text(self, commit: str, context: str = "clusterops/apply") -> str:
        return self.forge.heard(commit).get(context, ("", ""))[1]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():  # noqa: ASYNC110 - whatever comes to stand on the forge, the cluster or the daemon
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        """Killed at the end: nothing of it goes on, and nothing is tidied up."""
        clock, metrics, logger = SystemClock(), Metrics(), build_logger(level="critical")
        settings = Settings(
            repository=RepositorySettings(url="memory"),
            render=RenderSettings(cache_dir=self.folder, helm=Path("helm"), kustomize=Path("kustomize")),
            daemon=DaemonSettings(
                lease_duration_s=2, renew_deadline_s=1.5, renew_every_s=0.2, backoff_first_s=0.2, drain_s=1
            ),
            cache_dir=self.folder,
        )

        @asynccontextmanager
        async def opened(file: ForgeFile) -> AsyncIterator[FakeForge]:
            yield self.forge

        async with build_renderer(settings.render, logger=logger, metrics=metrics) as renderer:
            board = Board(repository=self.repository, clock=clock)
            doors = build_doors(settings, self.cluster, renderer, logger=logger, metrics=metrics)
            daemon = Daemon(
                repository=self.repository,
                doors=doors,
                reader=FleetReader(),
                verdicts=Verdicts(board=board, clock=clock, logger=logger, metrics=metrics),
                board=board,
                gate=Gate(clock=clock),
                settings=settings.daemon,
            )
            daemon.forges = Forges(
                open=opened,
                board=board,
                previewer=Previewer(
                    repository=self.repository,
                    reader=FleetReader(),
                    doors=doors,
                    management="default",
                    memories=lambda: daemon.memories,
                ),
                base=lambda: daemon.base,
                branch="main",
                poll_s=3600.0,
                look_now=daemon.look_now,
            )
            self.daemon = daemon
            run = asyncio.create_task(daemon.run(asyncio.Event()), name="daemon")
            try:
                yield daemon
            finally:
                run.cancel()
                await asyncio.gather(run, return_exceptions=True)
