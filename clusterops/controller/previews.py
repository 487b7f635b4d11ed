"""Open requests, followed: each is planned when it comes, and again when its plan may be another one.

Each is looked at by itself, so that one that breaks holds up no other. What stands on a request is written only where
it is news, also after a restart; what could not be written is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from clusterops.controller.answers import Answers
from clusterops.controller.board import Board
from clusterops.controller.clock import sleep_unless
from clusterops.controller.followed import Followed, is_away, passes, without_cluster
from clusterops.controller.preview import Base, Merge, Previewer, with_rivals
from clusterops.controller.reconcile import unforeseen
from clusterops.controller.schedule import Schedule
from clusterops.controller.told_requests import Teller, trying
from clusterops.errors import ClusterOpsError
from clusterops.model.key import ObjectKey
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.model.request import Called, ChangeRequest, Delivery
from clusterops.ports import Forge

AT_ONCE: Final = 2
"""Previews, so that commits have the cores."""
DEBOUNCE_S: Final = 2.0
"""What lives moves in bursts."""
ACQUAINTED_S: Final = 20.0
"""Longest that one request waits for what the others touch, so that it is told of its rivals at once."""
AGAIN_S: Final = 60.0
"""Longest between two tries of one request."""
DOUBT_S: Final = 10.0
"""Until a request that changes nothing any more is told so: by then the forge knows whether it is merged."""
LISTENED: Final = 10
"""Requests whose comments are read with each look, whatever webhooks say."""
_DOUBLED: Final = 16
"""How often the pause after a look that failed is doubled, at the most: an outage may last for days."""
_LOST: Final = 3
"""Tries before a reference that is not where the forge says is told."""


@dataclass(slots=True, kw_only=True)
class Previews:
    """``base`` is the head as the daemon has taken it, None before that; ``watched`` whether live objects are told of.

    ``queued``: the branch may have a merge queue.
    """

    forge: Forge
    board: Board
    previewer: Previewer
    base: Callable[[], Base | None]
    branch: str
    poll_s: float
    queued: bool = False
    watched: Callable[[], bool] = lambda: False
    open: dict[str, Followed] = field(default_factory=dict)
    """By reference."""
    _groups: tuple[ChangeRequest, ...] = ()
    _listened: list[str] = field(default_factory=list)
    _day: date | None = None
    _refreshed_s: float = 0.0
    _listened_s: float = 0.0
    _away_since: datetime | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _acquainted: asyncio.Event = field(default_factory=asyncio.Event)
    _merging: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _planning: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _passes: Schedule = field(init=False)
    _teller: Teller = field(init=False)
    _answers: Answers = field(init=False)

    def __post_init__(self) -> None:
        self._passes = Schedule(run=self._pass, clock=self.previewer.doors.clock, backoff_max_s=AGAIN_S)
        self._teller = Teller(forge=self.forge, board=self.board, management=self.previewer.management)
        self._answers = Answers(forge=self.forge, previewer=self.previewer)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            failures = 0
            while True:
                self._wake.clear()
                failures = 0 if await self._looked() else min(failures + 1, _DOUBLED)
                pause_s = min(self.poll_s, 2.0**failures) if failures else self.poll_s
                await sleep_unless(self._wake, self.previewer.doors.clock.sleep(pause_s))
        finally:
            for timer in self._timers.values():
                timer.cancel()
            await self._passes.drain(0)

    def called(self, delivery: Delivery) -> None:
        """A hint where to look."""
        if delivery.kind is Called.COMMENT:
            for followed in self.open.values():
                if followed.request.number == delivery.number:
                    followed.unread = True
                    self._passes.wake(followed.name)
        if delivery.kind is not Called.OTHER:
            self._wake.set()

    def look_now(self) -> None:
        """The branch has another head, perhaps: requests are listed first, as one of them may be what was merged."""
        self._wake.set()

    def rekeyed(self) -> None:
        """Other keys open what is encrypted: what requests change is compared anew, and planned where it is another."""
        self.previewer.forget()
        for followed in self.open.values():
            followed.merge = None
            self._passes.wake(followed.name)

    def object_moved(self, key: ObjectKey) -> None:
        """A live object changed in more than its status."""
        for followed in self.open.values():
            if followed.moved is not None:
                followed.moved.add(key)
            elif followed.compares((key,)):
                self._later(followed)

    async def look(self) -> None:
        """One round over the list of open requests. Raises what the forge's list raises."""
        base = self.base()
        if base is None:
            return
        found = (*await self.forge.open_requests(self.branch), *await self._queue())
        self._close({request.ref for request in found})
        for request in found:
            self._take(request)
        for followed in self.open.values():
            merged = followed.merge is not None and followed.merge.base.commit == base.commit
            if not merged or followed.doubted_until_s is not None:
                self._passes.wake(followed.name)
        self._refresh()
        for name in self._to_listen():
            self.open[name].unread = True
            self._passes.wake(name)

    async def _looked(self) -> bool:
        doors = self.previewer.doors
        try:
            await self.look()
        except ClusterOpsError as error:
            doors.forge_failed("requests not looked at", error)
        except Exception as error:
            unforeseen(error, "requests", doors.logger)
        else:
            return True
        return False

    async def _queue(self) -> tuple[ChangeRequest, ...]:
        """A queue that cannot be listed is as it was."""
        if not self.queued:
            return ()
        try:
            self._groups = await self.previewer.repository.merge_groups()
        except ClusterOpsError as error:
            logger = self.previewer.doors.logger
            logger.warning("merge queue not listed", code=error.code, error=str(error), hint=error.hint)
        return self._groups

    def _take(self, request: ChangeRequest) -> None:
        known = self.open.get(request.ref)
        if known is None:
            self.open[request.ref] = Followed(request=request)
            self._acquainted.clear()
        elif known.is_still(request):
            known.request = request
            return
        else:
            known.request, known.lost, known.announced = request, 0, False
        self._passes.wake(request.ref)

    def _close(self, still: set[str]) -> None:
        for name in self.open.keys() - still:
            left = self.open.pop(name)
            if name in self._timers:
                self._timers.pop(name).cancel()
            self._wake_rivals(left, left.touches or frozenset())
        self._acquaint()

    def _refresh(self) -> None:
        """Plans that another day, or something that nobody tells of, may have changed."""
        clock = self.previewer.doors.clock
        today, due = clock.now().date(), clock.boottime_s() - self._refreshed_s >= self.poll_s
        if self._day not in {None, today} or (due and not self.watched()):
            self._refreshed_s = clock.boottime_s()
            for followed in self.open.values():
                if followed.preview is not None:
                    followed.stale = True
                    self._passes.wake(followed.name)
        self._day = today

    def _to_listen(self) -> Iterable[str]:
        """Those whose comments were not read for longest, once a poll: a webhook names its own."""
        now_s = self.previewer.doors.clock.boottime_s()
        if now_s - self._listened_s < self.poll_s:
            return ()
        self._listened_s = now_s
        known = {name for name, followed in self.open.items() if followed.request.number}
        self._listened = [name for name in self._listened if name in known]
        self._listened += sorted(known.difference(self._listened))
        now, self._listened = self._listened[:LISTENED], self._listened[LISTENED:]
        self._listened += now
        return now

    def _later(self, followed: Followed, seconds: float = DEBOUNCE_S) -> None:
        """One timer for each request, however much moves meanwhile."""

        async def wake() -> None:
            await self.previewer.doors.clock.sleep(seconds)
            self._timers.pop(followed.name, None)
            if followed.doubted_until_s is not None or followed.lost:
                self._wake.set()
            else:
                followed.stale = True
                self._passes.wake(followed.name)

        if followed.name not in self._timers:
            self._timers[followed.name] = asyncio.create_task(wake(), name=f"preview-later:{followed.name}")

    async def _pass(self, name: str, interrupted: asyncio.Event) -> bool:
        """True: come back after backoff."""
        followed, base, doors = self.open.get(name), self.base(), self.previewer.doors
        if followed is None or base is None:
            return False
        try:
            return await self._follow(followed, base)
        except ClusterOpsError as error:
            doors.forge_failed("request not told", error, request=followed.request.name)
        except Exception as error:
            unforeseen(error, followed.request.name, doors.logger)
        return True

    async def _follow(self, followed: Followed, base: Base) -> bool:
        """What cannot be read or written on the forge stops nothing else, and is raised at the end."""
        failed: list[ClusterOpsError] = []
        await trying(self._answers.listen(followed, base.fleet), failed)
        request = followed.request
        followed.stale = followed.stale or any(asked.plans for asked in followed.asked)
        preview = await self._made(followed, base)
        if preview is None or not followed.is_still(request) or self.open.get(followed.name) is not followed:
            return False
        await self._teller.tell(followed, with_rivals(preview, self._others(followed)), failed)
        await trying(self._answers.answer(followed, base.fleet), failed)
        for error in failed[:1]:
            raise error
        followed.stale = followed.stale or passes(preview)
        return passes(preview)

    async def _made(self, followed: Followed, base: Base) -> Preview | None:
        """Of the branch as it is when it is made. None: nothing is to be told now."""
        request = followed.request
        while True:
            try:
                made = await self._make(followed, base)
            except ClusterOpsError as error:
                return self._unmerged(followed, base, Problem.of(error))
            except Exception as error:
                return self._unmerged(followed, base, unforeseen(error, request.name, self.previewer.doors.logger))
            now = self.base()
            if not made or now is None or now.commit == base.commit or not followed.is_still(request):
                return followed.preview if made else None
            base = now

    async def _make(self, followed: Followed, base: Base) -> bool:
        """False where the request is another one by now, or may be merged. Raises what merging raises."""
        request = followed.request
        merge = await self._merge(followed, base)
        if not followed.is_still(request) or (followed.vanishes(merge) and self._doubts(followed)):
            return False
        if followed.planned is None or not followed.planned.same_work(merge):
            self._touch(followed, merge.names)
        await self._others_touch()
        if followed.needs(merge):
            await self._teller.announce(followed, merge)
            await self._plan(followed, merge)
        followed.planned = merge
        return True

    def _unmerged(self, followed: Followed, base: Base, problem: Problem) -> Preview | None:
        """A reference that moved is most often news that the forge's list does not have yet."""
        self._touch(followed, frozenset())
        followed.lost += problem.code == "request-moved"
        if problem.code == "request-moved" and followed.lost < _LOST:
            self._later(followed)
            return None
        followed.planned, followed.preview = None, self.previewer.stopped(followed.request, base, problem)
        return followed.preview

    def _doubts(self, followed: Followed) -> bool:
        """Most often it was merged a moment ago: what stands on it stays, unless it is still open in a while."""
        now_s = self.previewer.doors.clock.boottime_s()
        if followed.doubted_until_s is None:
            followed.doubted_until_s = now_s + DOUBT_S
            self._later(followed, DOUBT_S)
        return followed.is_doubted(now_s)

    async def _merge(self, followed: Followed, base: Base) -> Merge:
        request, known = followed.request, followed.merge
        if known is not None and known.is_of(request, base):
            return known
        async with self._merging:
            followed.merge = await self.previewer.merge(request, base)
        followed.lost = 0
        return followed.merge

    async def _plan(self, followed: Followed, merge: Merge) -> None:
        async with self._planning:
            followed.stale, followed.moved = False, set()
            try:
                preview = await self.previewer.preview(merge)
            finally:
                moved, followed.moved = followed.moved, None
        self.previewer.doors.metrics.previews.inc()
        if is_away(preview):
            self._away_since = self._away_since or preview.planned_at
            preview = without_cluster(preview, self._away_since)
        elif preview.outcomes:
            self._away_since = None
        followed.made(preview, merge)
        self._touch(followed, merge.names | {outcome.target for outcome in preview.outcomes})
        followed.doubted_until_s = None
        if followed.compares(moved):
            self._later(followed)

    def _touch(self, followed: Followed, names: frozenset[str]) -> None:
        """Whoever touches the same is told of it, and of its end."""
        before, followed.touches = followed.touches or frozenset(), names
        self._acquaint()
        self._wake_rivals(followed, before ^ names)

    def _acquaint(self) -> None:
        if all(each.touches is not None for each in self.open.values()):
            self._acquainted.set()

    async def _others_touch(self) -> None:
        try:
            async with asyncio.timeout(ACQUAINTED_S):
                await self._acquainted.wait()
        except TimeoutError:
            pass

    def _wake_rivals(self, followed: Followed, names: frozenset[str]) -> None:
        for other in self.open.values():
            if other is not followed and followed.request.number and (other.touches or frozenset()) & names:
                self._passes.wake(other.name)

    def _others(self, followed: Followed) -> Mapping[int, frozenset[str]]:
        return {
            other.request.number: other.touches or frozenset()
            for other in self.open.values()
            if other is not followed and other.request.number
        }
