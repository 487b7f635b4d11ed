"""The forge that the head's fleet.yaml names: opened when it is first named, and anew when it is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from clusterops.controller.board import Board
from clusterops.controller.preview import Base, Previewer
from clusterops.controller.previews import Previews
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Fleet, ForgeFile
from clusterops.model.key import ObjectKey
from clusterops.model.request import Called, Delivery
from clusterops.ports import Forge

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
    taken: bool = False
    """Whether a fleet was read, so that ``file`` is known."""
    file: ForgeFile | None = None
    previews: Previews | None = None
    _serving: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, fleet: Fleet, group: asyncio.TaskGroup) -> None:
        """Before anything is told of the commit. A fleet that cannot be read names no other forge."""
        if fleet.problems:
            return
        self.taken = True
        if fleet.file.forge == self.file:
            return
        await self._close()
        self.file = fleet.file.forge
        if self.file is not None:
            self._ready.clear()
            self._serving = group.create_task(self._serve(self.file), name="requests-of-people")
            await self._ready.wait()

    def moved(self) -> None:
        """The branch has another head."""
        if self.previews is not None:
            self.previews.look_now()

    def object_moved(self, key: ObjectKey) -> None:
        if self.previews is not None:
            self.previews.object_moved(key)

    def called(self, delivery: Delivery) -> None:
        """A webhook that was verified."""
        if delivery.kind is Called.PUSH and delivery.branch == self.branch:
            self.look_now()
        if self.previews is not None and delivery.kind is not Called.OTHER:
            self.previews.look_now()

    async def _serve(self, file: ForgeFile) -> None:
        try:
            async with self.open(file) as forge:
                self.board.forge = forge
                self.previews = Previews(
                    forge=forge,
                    board=self.board,
                    previewer=self.previewer,
                    base=self.base,
                    branch=self.branch,
                    poll_s=self.poll_s,
                )
                self._ready.set()
                await self.previews.run()
        except ClusterOpsError as error:
            self.previewer.doors.logger.error("forge cannot be used", code=error.code, error=str(error))
        finally:
            self.board.forge = self.previews = None
            self._ready.set()

    async def _close(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
