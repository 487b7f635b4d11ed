"""Level-triggered scheduling: names, never events or objects.

A name runs at most once at a time; a wake-up that comes while it runs is kept and runs it once more; a failed name
comes back after exponential backoff with full jitter. **Source:** the contract of client-go's util/workqueue.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from clusterops.ports import Clock

_DOUBLED: Final = 16
"""How often the backoff is doubled, at the most: an outage may last for days."""


class Runs(Protocol):
    """One run of a name; ``interrupted`` is set when a newer wake-up wants its waiting to end.

    Returns True when the name should come back after backoff.
    """

    def __call__(self, name: str, interrupted: asyncio.Event) -> Awaitable[bool]: ...


@dataclass(slots=True)
class _Slot:
    interrupted: asyncio.Event
    task: asyncio.Task[None]
    again: bool = False


@dataclass(slots=True)
class Schedule:
    """Owns one task per running name. ``backoff_first_s`` doubles up to ``backoff_max_s`` per failed name."""

    run: Runs
    clock: Clock
    backoff_first_s: float = 1.0
    backoff_max_s: float = 300.0
    on_depth: Callable[[int], None] = lambda depth: None
    _running: dict[str, _Slot] = field(default_factory=dict)
    _delayed: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)
    _closed: bool = False

    def wake(self, name: str) -> None:
        """Runs the name now, or once more as soon as its present run ends; that run's waiting is interrupted."""
        if self._closed:
            return
        self._failures.pop(name, None)
        self._cancel_delay(name)
        self._start(name)

    @property
    def running(self) -> frozenset[str]:
        return frozenset(self._running)

    async def drain(self, seconds: float) -> None:
        """Starts nothing more, interrupts what waits, gives the rest ``seconds``, then cancels it."""
        self._closed = True
        for name in tuple(self._delayed):
            self._cancel_delay(name)
        for slot in self._running.values():
            slot.interrupted.set()
        tasks = [slot.task for slot in self._running.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, name: str) -> None:
        slot = self._running.get(name)
        if slot is not None:
            slot.again = True
            slot.interrupted.set()
            return
        interrupted = asyncio.Event()
        task = asyncio.create_task(self._run(name, interrupted), name=f"target:{name}")
        self._running[name] = _Slot(interrupted=interrupted, task=task)
        self.on_depth(len(self._running))

    async def _run(self, name: str, interrupted: asyncio.Event) -> None:
        failed = True
        try:
            failed = await self.run(name, interrupted)
        finally:
            slot = self._running.pop(name)
            self.on_depth(len(self._running))
            self._follow_up(name, again=slot.again, failed=failed)

    def _follow_up(self, name: str, *, again: bool, failed: bool) -> None:
        if self._closed:
            return
        if again:
            self._start(name)
        elif failed:
            self._retry(name)
        else:
            self._failures.pop(name, None)

    def _retry(self, name: str) -> None:
        failures = self._failures.get(name, 0)
        self._failures[name] = min(failures + 1, _DOUBLED)
        ceiling_s = min(self.backoff_max_s, self.backoff_first_s * 2**failures)
        delay_s = ceiling_s / 2 + random.uniform(0, ceiling_s / 2)
        self._delayed[name] = asyncio.create_task(self._later(name, delay_s), name=f"retry:{name}")

    async def _later(self, name: str, delay_s: float) -> None:
        await self.clock.sleep(delay_s)
        self._delayed.pop(name, None)
        if not self._closed:
            self._start(name)

    def _cancel_delay(self, name: str) -> None:
        delayed = self._delayed.pop(name, None)
        if delayed is not None:
            delayed.cancel()
