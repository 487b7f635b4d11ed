"""The machine's clock, as the engine sees time, and a coarser one."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from clusterops.ports import Clock


class SystemClock:
    """Wall clock, boot-time clock (it also counts suspend, as a Lease does on the server), and asyncio's sleep."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boottime_s(self) -> float:
        boottime = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boottime is None else time.clock_gettime(boottime)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Turnstile:
    """Lets those who wake at the same moment go on one by one.

    A thousand targets that go on together hold the loop for seconds, and the Lease is not renewed meanwhile.
    """

    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def passed(self) -> None:
        """Returns in another turn of the loop for each caller."""
        async with self._gate:
            await asyncio.sleep(0)


AT_EVERY_TICK: Final = 50
"""Targets that may wait before ticks get longer: looking at 50 takes 50 ms of CPU, a tenth of a tick."""


@dataclass(slots=True)
class Ticks:
    """Another clock whose sleeps end on multiples of ``every_s``, never early; longer ones while many wait.

    Who waits at the same ticks reads at the same moments, so the reads share lists, and their cost stays a fixed
    share of one core however many there are.
    """

    clock: Clock
    every_s: float
    waiting: int = 0
    _turnstile: Turnstile = field(default_factory=Turnstile)

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """While somebody waits."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def now(self) -> datetime:
        return self.clock.now()

    def boottime_s(self) -> float:
        return self.clock.boottime_s()

    async def sleep(self, seconds: float) -> None:
        tick_s = self.every_s * max(1, math.ceil(self.waiting / AT_EVERY_TICK))
        now_s = self.clock.boottime_s()
        end_s = math.ceil((now_s + seconds) / tick_s) * tick_s
        await self.clock.sleep(end_s - now_s)
        await self._turnstile.passed()

    async def sleep_unless(self, stopped: asyncio.Event, seconds: float) -> bool:
        """As ``sleep``, over at once when the event is set; whether it is."""
        return await sleep_unless(stopped, self.sleep(seconds))


async def sleep_unless(stopped: asyncio.Event, sleeping: Coroutine[Any, Any, object]) -> bool:
    """Until ``sleeping`` is over, or the event is set; whether it is."""
    waits = [asyncio.ensure_future(each) for each in (sleeping, stopped.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return stopped.is_set()
    finally:
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
