"""A clock that moves only when the test, or somebody's sleep, moves it."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta


class FakeClock:
    """``advance`` wakes sleepers in the order of their times; nothing waits for real."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self._now_s)

    def boottime_s(self) -> float:
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now_s + seconds, self._count, event))
        await event.wait()

    async def advance(self, seconds: float) -> None:
        end_s = self._now_s + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            self._now_s, _, event = heapq.heappop(self._sleepers)
            event.set()
            await self.settle()
        self._now_s = end_s
        await self.settle()

    async def settle(self) -> None:
        """Lets every task that can run do so."""
        for _ in range(50):
            await asyncio.sleep(0)
