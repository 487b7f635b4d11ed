"""Open requests, followed: each is planned when it comes, and again when its plan may be another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from clusterops.controller.board import Board
from clusterops.controller.preview import Base, Merge, Previewer, with_rivals
from clusterops.controller.reconcile import unforeseen
from clusterops.controller.request_statuses import request_statuses
from clusterops.errors import ClusterOpsError
from clusterops.model.key import ObjectKey
from clusterops.model.preview import Preview
from clusterops.model.request import ChangeRequest, Comment
from clusterops.plan.comment import comment_parts, marker
from clusterops.ports import Forge
from clusterops.status import Contexts, plan_pending


@dataclass(slots=True, kw_only=True)
class Shown:
    """What stands on a request: of which merge, and the preview made of it."""

    merge: Merge | None
    preview: Preview

    def compares(self, key: ObjectKey) -> bool:
        plans = (outcome.plan for outcome in self.preview.outcomes if outcome.plan is not None)
        return any(change.key == key for plan in plans for change in plan.changes)


@dataclass(slots=True, kw_only=True)
class Previews:
    """``base`` is the head as the daemon has taken it, None before that."""

    forge: Forge
    board: Board
    previewer: Previewer
    base: Callable[[], Base | None]
    branch: str
    poll_s: float
    shown: dict[int, Shown] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stale: set[int] = field(default_factory=set)
    """Requests whose live objects moved."""

    async def run(self) -> None:
        """Until cancelled."""
        doors = self.previewer.doors
        while True:
            self._wake.clear()
            try:
                await self.look()
            except ClusterOpsError as error:
                doors.logger.warning("requests not looked at", code=error.code, error=str(error))
            except Exception as error:
                unforeseen(error, "requests", doors.logger)
            try:
                async with asyncio.timeout(self.poll_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def look_now(self) -> None:
        """A webhook came, or the branch moved."""
        self._wake.set()

    def object_moved(self, key: ObjectKey) -> None:
        """A live object changed in more than its status."""
        hit = {number for number, shown in self.shown.items() if shown.compares(key)}
        if hit:
            self._stale |= hit
            self._wake.set()

    async def look(self) -> None:
        """One round over all open requests. Raises what the forge's list raises."""
        base = self.base()
        if base is None:
            return
        requests = await self.forge.open_requests(self.branch)
        for number in self.shown.keys() - {request.number for request in requests}:
            del self.shown[number]
        for request in requests:
            await self._request(request, base)

    async def _request(self, request: ChangeRequest, base: Base) -> None:
        stale = request.number in self._stale
        self._stale.discard(request.number)
        shown = self.shown.get(request.number)
        try:
            merge = await self.previewer.merge(request, base)
        except ClusterOpsError as error:
            return await self._show(Shown(merge=None, preview=self.previewer.stopped(request, base, error)))
        if shown is not None and shown.merge is not None and shown.merge.same_work == merge.same_work and not stale:
            return None
        if shown is None or shown.preview.request.head != request.head:
            await self._announce(request, merge)
        preview = with_rivals(await self.previewer.preview(merge), self._others(request))
        if shown is not None and stale and shown.preview.plan_id == preview.plan_id:
            return None
        return await self._show(Shown(merge=merge, preview=preview))

    async def _announce(self, request: ChangeRequest, merge: Merge) -> None:
        count, total = len(merge.changed) + len(merge.gone), len(merge.fleet.targets)
        await self.board.write_statuses(request.head, [plan_pending(count, total, contexts=self._contexts)])

    async def _show(self, shown: Shown) -> None:
        preview = shown.preview
        await self._comment(preview)
        await self.board.write_statuses(preview.request.head, request_statuses(preview, self._contexts))
        self.shown[preview.request.number] = shown

    async def _comment(self, preview: Preview) -> None:
        """One, edited in place; what an older plan needed more is taken away."""
        number, management = preview.request.number, self.previewer.management
        parts = comment_parts(preview, management=management, limit=self.forge.comment_limit)
        standing = self._ours(await self.forge.comments(number), preview.fleet.file.name)
        for part, body in enumerate(parts, start=1):
            known = standing.pop(part, None)
            if known is None or known.body != body:
                await self.forge.write_comment(number, body, id=known.id if known else "")
        for known in standing.values():
            await self.forge.delete_comment(number, known.id)

    def _ours(self, comments: tuple[Comment, ...], fleet: str) -> dict[int, Comment]:
        found: dict[int, Comment] = {}
        for part in range(1, 20):
            line = marker(fleet, self.previewer.management, part=part)
            for comment in comments:
                if comment.mine and comment.body.startswith(line):
                    found.setdefault(part, comment)
        return found

    def _others(self, request: ChangeRequest) -> Mapping[int, frozenset[str]]:
        return {
            number: frozenset(outcome.target for outcome in shown.preview.outcomes)
            for number, shown in self.shown.items()
            if number != request.number
        }

    @property
    def _contexts(self) -> Contexts:
        return Contexts(management=self.previewer.management)
