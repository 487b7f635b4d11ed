"""A whole daemon in this process, driven commit by commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterops.app import build_doors, build_renderer
from clusterops.controller.clock import SystemClock
from clusterops.controller.daemon import Daemon
from clusterops.controller.lease import Gate
from clusterops.controller.verdicts import Verdicts
from clusterops.ports import Cluster
from clusterops.settings import DaemonSettings, RenderSettings, RepositorySettings, Settings
from clusterops.source.fleet.reader import FleetReader
from clusterops.telemetry import Metrics
from tests.fuzz.memory import Files, MemoryRepository

_PATIENCE_S = 600.0


class Heard:
    """A logger that remembers which targets had a pass under which commit."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.broken: dict[str, int] = {}
        self.passes: dict[str, dict[str, str]] = {}
        self.failed: list[str] = []
        self.changed = asyncio.Event()

    def bind(self, **fields: Any) -> Heard:
        return self

    def debug(self, event: str, **fields: Any) -> None:
        pass

    def info(self, event: str, **fields: Any) -> None:
        if event == "commit taken":
            self.taken[fields["commit"]] = fields["due"]
            self.broken[fields["commit"]] = fields["problems"]
        if event == "pass":
            self.passes.setdefault(fields["revision"].rpartition("@")[2], {})[fields["target"]] = fields["code"]
        self.changed.set()

    warning = info

    def error(self, event: str, **fields: Any) -> None:
        self.failed.append(f"{event}: {fields}")
        self.changed.set()


@dataclass(slots=True, kw_only=True)
class Running:
    """``push`` commits, lets the daemon look, and returns once every target that the commit touches had its pass."""

    daemon: Daemon
    repository: MemoryRepository
    heard: Heard
    end: asyncio.Task[None] = field(repr=False)

    async def push(self, files: Files, subject: str, *, parent: str | None = None) -> str:
        commit = self.repository.push(files, subject, parent=parent)
        await self.daemon.look()
        short = commit[:7]
        async with asyncio.timeout(_PATIENCE_S):
            while not self._done(short):
                self.heard.changed.clear()
                await self.heard.changed.wait()
        assert not self.heard.failed, self.heard.failed
        return commit

    def code_of(self, commit: str) -> str:
        """Why the commit was not taken, or the most frequent code of its passes, "" when all went well."""
        passes = self.heard.passes.get(commit[:7], {})
        if self.daemon.problem is not None:
            return self.daemon.problem.code
        if not passes:
            return "commit stopped" if self.heard.broken.get(commit[:7]) else ""
        codes = [code for code in passes.values() if code]
        return max(set(codes), key=codes.count) if codes else ""

    def passes_of(self, commit: str) -> int:
        return self.heard.taken.get(commit[:7], 0)

    def _done(self, short: str) -> bool:
        """A commit that is not taken is done at once: the daemon has said why."""
        if self.end.done():
            self.end.result()
        due = self.heard.taken.get(short)
        return due is None or len(self.heard.passes.get(short, {})) >= due


@asynccontextmanager
async def running(
    cluster: Cluster,
    home: Path,
    tools: Mapping[str, Path],
    *,
    gate: Gate | None = None,
    repository: MemoryRepository | None = None,
    backoff_s: float = 30.0,
    renew_every_s: float = 60.0,
) -> AsyncIterator[Running]:
    """The daemon on ``cluster``, with the repository in memory. ``backoff_s`` is between passes of a stuck target.

    ``renew_every_s`` is between tries to take the Lease, too.
    """
    clock, metrics, heard = SystemClock(), Metrics(), Heard()
    logger: Any = heard
    repository = repository or MemoryRepository()
    settings = Settings(
        repository=RepositorySettings(url="memory"),
        render=RenderSettings(cache_dir=home / "cache", helm=tools["helm"], kustomize=tools["kustomize"]),
        daemon=DaemonSettings(
            lease_duration_s=600,
            renew_deadline_s=500,
            renew_every_s=renew_every_s,
            backoff_first_s=backoff_s,
            drain_s=1,
        ),
        cache_dir=home / "cache",
    )
    stop = asyncio.Event()
    async with build_renderer(settings.render, logger=logger, metrics=metrics) as renderer:
        daemon = Daemon(
            repository=repository,
            doors=build_doors(settings, cluster, renderer, logger=logger, metrics=metrics),
            reader=FleetReader(),
            verdicts=Verdicts(board=repository, clock=clock, logger=logger),
            board=repository,
            gate=gate or Gate(clock=clock),
            settings=settings.daemon,
        )
        if not repository.head:
            repository.push({}, "nothing yet")
        end = asyncio.create_task(daemon.run(stop), name="daemon")
        try:
            yield Running(daemon=daemon, repository=repository, heard=heard, end=end)
        finally:
            stop.set()
            await asyncio.gather(end, return_exceptions=True)
