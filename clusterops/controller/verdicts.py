"""Writes the verdicts of commits: what changed since the last write, soon, and again when it could not be written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from clusterops.controller.board import is_news
from clusterops.controller.commits import Commit
from clusterops.controller.resume import read_standing
from clusterops.controller.statuses import statuses_of
from clusterops.errors import ClusterOpsError, TransientError
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.problem import Problem
from clusterops.model.revision import Revision
from clusterops.ports import Clock, StatusBoard
from clusterops.status import Contexts
from clusterops.telemetry import Logger, Metrics

PROGRESS_S: Final = 1.0
"""Least time between two writes that only report progress; a verdict is written at once."""
TARGETS_A_PROGRESS: Final = 100
"""Of a commit with more targets progress is told more seldom: that looks at each of them (0.2 ms, measured)."""
RETRY_S: Final = 10.0
RETRY_SLOWLY_S: Final = 300.0
"""What a person has to mend first, a token or a right, is tried again all the same."""


@dataclass(slots=True)
class Verdicts:
    """One task writes, everyone else only says which commit moved. What cannot be written now is written later."""

    board: StatusBoard
    clock: Clock
    logger: Logger
    management: str = "default"
    metrics: Metrics | None = None
    _moved: dict[str, Commit] = field(default_factory=dict)
    _refused: dict[str, CommitStatus] = field(default_factory=dict)
    """Commits that are not taken at all have no facts but this one."""
    _again: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _written: dict[str, dict[str, CommitStatus]] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def moved(self, commit: Commit) -> None:
        if not commit.silent:
            self._moved[commit.revision.commit] = commit
            self._idle.clear()
            self._wake.set()

    async def write_forever(self) -> None:
        try:
            while True:
                if not self._moved and not self._again:
                    self._idle.set()
                await self._wake.wait()
                self._wake.clear()
                moved, self._moved = self._moved, {}
                for commit in moved.values():
                    if commit.revision.commit not in self._again:
                        await self._write_safely(commit)
                for refused in tuple(self._refused):
                    await self._refuse_safely(refused)
                if moved and not any(commit.finished for commit in moved.values()):
                    await self._pause(max(len(commit.works) for commit in moved.values()))
        finally:
            for again in self._again.values():
                again.cancel()

    def refuse(self, revision: Revision, problem: Problem) -> None:
        """A commit that is not taken at all has no facts but this one."""
        self._refused[revision.commit] = CommitStatus(
            context=Contexts(management=self.management).plan,
            state=State.FAILURE,
            text=problem.text,
            at=self.clock.now(),
        )
        self._wake.set()

    async def flush(self, seconds: float) -> None:
        """Gives the last verdicts a chance before the process ends."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            self.logger.warning("verdicts not written before the end", commits=sorted(self._moved))

    async def _pause(self, targets: int) -> None:
        """Progress comes in bursts: collect it, unless a commit is judged or finishes meanwhile."""
        end_s = self.clock.boottime_s() + PROGRESS_S * max(1.0, targets / TARGETS_A_PROGRESS)
        while self.clock.boottime_s() < end_s and not any(map(self._has_verdict, self._moved.values())):
            await self.clock.sleep(0.05)

    def _has_verdict(self, commit: Commit) -> bool:
        """One that is not written yet."""
        if commit.finished:
            return True
        plan = self._written.get(commit.revision.commit, {}).get(Contexts(management=self.management).plan)
        return commit.judged and not commit.planned and (plan is None or plan.state is State.PENDING)

    async def _write_safely(self, commit: Commit) -> None:
        """A defect of ours is only said."""
        try:
            await self._write(commit)
        except ClusterOpsError as error:
            self._put_off(commit.revision.commit, error, lambda: self.moved(commit))
        except Exception as error:
            self.logger.error("verdict not written", commit=commit.revision.short, exc_info=error)

    async def _refuse_safely(self, commit: str) -> None:
        status = self._refused.pop(commit)

        def again() -> None:
            self._refused.setdefault(commit, status)
            self._wake.set()

        try:
            await self.board.write_statuses(commit, [status])
        except ClusterOpsError as error:
            self._put_off(commit, error, again)
        except Exception as error:
            self.logger.error("verdict not written", commit=commit[:7], exc_info=error)

    def _put_off(self, commit: str, error: ClusterOpsError, again: Callable[[], None]) -> None:
        """One timer for each commit: the others are not held up by it."""
        self.logger.warning(
            "verdict not written", commit=commit[:7], code=error.code, error=str(error), hint=error.hint
        )
        if self.metrics is not None:
            self.metrics.forge_errors.labels(code=error.code).inc()
        delay_s = RETRY_S if isinstance(error, TransientError) else RETRY_SLOWLY_S

        async def later() -> None:
            await self.clock.sleep(delay_s)
            self._again.pop(commit, None)
            again()

        if commit not in self._again:
            self._again[commit] = asyncio.create_task(later(), name=f"verdict-again:{commit[:7]}")

    async def _write(self, commit: Commit) -> None:
        if commit.unasked:
            noted = await read_standing(self.board, commit.revision.commit, self.management)
            commit.unasked, commit.planned = noted.applied, noted.planned
        if commit.unasked:
            return
        statuses = statuses_of(commit, self.management, self.clock.now())
        before = self._written.setdefault(commit.revision.commit, {})
        changed = [status for status in statuses if is_news(before.get(status.context), status)]
        if not changed:
            return
        await self.board.write_statuses(commit.revision.commit, changed)
        before.update({status.context: status for status in changed})
        for status in changed:
            if status.state is not State.PENDING:
                self.logger.info(
                    "verdict",
                    commit=commit.revision.short,
                    context=status.context,
                    state=str(status.state),
                    text=status.text,
                )
        if commit.finished:
            self._written.pop(commit.revision.commit)
            self._written[commit.revision.commit] = before
            while len(self._written) > 32:
                self._written.pop(next(iter(self._written)))
