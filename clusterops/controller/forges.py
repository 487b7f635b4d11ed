"""The forge that the head's fleet.yaml names: opened when it is first named, and anew when it is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final

from clusterops.controller.board import Board
from clusterops.controller.preview import Base, Previewer
from clusterops.controller.previews import Previews
from clusterops.controller.reconcile import unforeseen
from clusterops.errors import ClusterOpsError
from clusterops.model.commit_status import State
from clusterops.model.fleet import Fleet, ForgeFile, ForgeKind
from clusterops.model.key import ObjectKey
from clusterops.model.request import Called, Delivery
from clusterops.model.revision import Revision
from clusterops.ports import Forge
from clusterops.status import Contexts

LOOKED_BACK: Final = 20
"""Commits of the branch, at a request each."""
LOOK_BACK_S: Final = 60.0
"""Between two tries, while the forge cannot be asked."""
OPEN_AGAIN_S: Final = 300.0
"""Until a forge that cannot be used is opened again: a person mends a file first, or us."""
OpenForge = Callable[[ForgeFile], AbstractAsyncContextManager[Forge]]


@dataclass(slots=True, kw_only=True)
class Forges:
    """Only the watched branch names the forge: a request that changes it is told on the old one."""

    open: OpenForge
    board: Board
    previewer: Previewer
    base: Callable[[], Base | None]
    branch: str
    poll_s: float
    look_now: Callable[[], None] = lambda: None
    """At the branch."""
    watched: Callable[[], bool] = lambda: False
    """Whether live objects are told of."""
    taken: bool = False
    """Whether a fleet was read, so that ``file`` is known."""
    file: ForgeFile | None = None
    previews: Previews | None = None
    _serving: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, fleet: Fleet, group: asyncio.TaskGroup) -> None:
        """Before anything is told of the commit.

        A fleet that cannot be read names no other forge, at most the first: a request that mends it is to be planned.
        """
        file = fleet.file.forge
        if fleet.problems and (file is None or self.file is not None):
            return
        self.taken, known, self.file = True, self.file, file
        if _place(known) == _place(file):
            return
        await self._close()
        if self.file is not None:
            self._ready.clear()
            self._serving = group.create_task(self._serve(self.file), name="requests-of-people")
            await self._ready.wait()

    def moved(self) -> None:
        """The branch has another head."""
        if self.previews is not None:
            self.previews.look_now()

    def rekeyed(self) -> None:
        """Other keys open what is encrypted."""
        if self.previews is not None:
            self.previews.rekeyed()

    def object_moved(self, key: ObjectKey) -> None:
        if self.previews is not None:
            self.previews.object_moved(key)

    def called(self, delivery: Delivery) -> None:
        """A webhook that was verified."""
        if delivery.kind is Called.PUSH and delivery.branch == self.branch:
            self.look_now()
        if self.previews is not None:
            self.previews.called(delivery)

    async def passed_over(self, head: Revision, last: str) -> None:
        """Commits of the branch that were taken together with the head."""
        if self.file is not None and last:
            self.board.carry(head.commit, await self.previewer.repository.passed_over(head.commit, last))

    async def look_back(self, head: Revision, busy: Collection[str]) -> None:
        """Of a process that has just begun: what an earlier one left pending is judged with the head.

        ``busy`` are commits that get a verdict of their own.
        """
        doors = self.previewer.doors
        while self.file is not None:
            try:
                self.board.carry(head.commit, await self._left_pending(head, busy))
                await self.board.settle(head.commit)
                return
            except ClusterOpsError as error:
                doors.forge_failed("not looked back", error)
            except Exception as error:
                unforeseen(error, "look back", doors.logger)
            await doors.clock.sleep(LOOK_BACK_S)

    async def _left_pending(self, head: Revision, busy: Collection[str]) -> list[Revision]:
        apply = Contexts(management=self.previewer.management).apply
        earlier = await self.previewer.repository.passed_over(head.commit, "")
        asked = [each for each in earlier[:LOOKED_BACK] if each.commit not in busy]
        standing = [(await self.board.standing(each.commit)).get(apply) for each in asked]
        pairs = zip(asked, standing, strict=True)
        return [each for each, status in pairs if status is not None and status.state is State.PENDING]

    async def _serve(self, file: ForgeFile) -> None:
        """Until cancelled."""
        doors = self.previewer.doors
        while True:
            try:
                await self._served(file)
            except ClusterOpsError as error:
                doors.logger.error("forge cannot be used", code=error.code, error=str(error), hint=error.hint)
            except Exception as error:
                unforeseen(error, "forge", doors.logger)
            await doors.clock.sleep(OPEN_AGAIN_S)

    async def _served(self, file: ForgeFile) -> None:
        """Raises what opening raises."""
        try:
            async with self.open(file) as forge:
                self.board.use(forge)
                self.previews = Previews(
                    forge=forge,
                    board=self.board,
                    previewer=self.previewer,
                    base=self.base,
                    branch=self.branch,
                    poll_s=self.poll_s,
                    queued=file.kind is ForgeKind.GITHUB,
                    watched=self.watched,
                )
                self._ready.set()
                await self.previews.run()
        finally:
            self.previews = None
            self.board.use(None)
            self._ready.set()

    async def _close(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def _place(file: ForgeFile | None) -> tuple[str, str] | None:
    return (file.kind, file.repository) if file is not None else None
