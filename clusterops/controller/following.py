"""Following the branch: looked at whenever it may have moved, and again with backoff after what failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from clusterops.controller.reconcile import unforeseen
from clusterops.errors import ClusterOpsError
from clusterops.model.problem import Problem
from clusterops.ports import Clock, Repository
from clusterops.settings import DaemonSettings
from clusterops.telemetry import Logger


@dataclass(slots=True, kw_only=True)
class Following:
    """``look`` fetches and takes what is new; it is never called twice at once."""

    repository: Repository
    take: Callable[[], Awaitable[None]]
    clock: Clock
    logger: Logger
    settings: DaemonSettings
    problem: Problem | None = None
    """Why the branch cannot be followed at the moment; None when it is."""
    _group: asyncio.TaskGroup | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _failures: int = 0
    _again: asyncio.Task[None] | None = None

    async def follow(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled; ``group`` owns what looks again later."""
        self._group = group
        await self.look()
        async for _ in self.repository.moved():
            await self.look()

    async def look(self) -> None:
        """What fails is tried again with backoff."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        try:
            await self.take()
        except ClusterOpsError as error:
            self._note(Problem.of(error))
        except Exception as error:
            self._note(unforeseen(error, self.repository.url, self.logger))
        else:
            self.problem, self._failures = None, 0

    def look_now(self) -> None:
        """Somebody removed what stood in the way, or knows of something new. Said often, it is one look."""
        self._failures = 0
        self._look_again(0)

    def _note(self, problem: Problem) -> None:
        if self.problem is None or self.problem.text != problem.text:
            self.logger.warning("branch not followed", code=problem.code, error=problem.text)
        self.problem = problem
        self._look_again(min(self.settings.backoff_first_s * 2**self._failures, self.settings.backoff_max_s))
        self._failures = min(self._failures + 1, 16)

    def _look_again(self, delay_s: float) -> None:
        """One look ahead at most: polls fail too, and must not multiply."""

        async def again() -> None:
            await self.clock.sleep(delay_s)
            async with self._looking:
                self._again = None
                await self._look()

        assert self._group is not None
        if self._again is not None:
            self._again.cancel()
        self._again = self._group.create_task(again(), name="look-again")
