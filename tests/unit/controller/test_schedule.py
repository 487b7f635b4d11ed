"""The schedule runs no name twice at once, loses no wake-up, and backs off."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterops.controller.schedule import Schedule
from tests.fake_clock import FakeClock


class Recorder:
    """Runs that last until released; counts starts and how many run at once."""

    def __init__(self) -> None:
        self.starts: Counter[str] = Counter()
        self.at_once: Counter[str] = Counter()
        self.worst = 0
        self.release = asyncio.Event()
        self.fail = False

    async def __call__(self, name: str, interrupted: asyncio.Event) -> bool:
        self.starts[name] += 1
        self.at_once[name] += 1
        self.worst = max(self.worst, self.at_once[name])
        try:
            await self.release.wait()
            return self.fail
        finally:
            self.at_once[name] -= 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_a_wake_up_during_a_run_runs_the_name_once_more(clock: FakeClock) -> None:
    runs = Recorder()
    schedule = Schedule(run=runs, clock=clock)
    for _ in range(3):
        schedule.wake("north/alpha")
        await clock.settle()
    assert runs.starts["north/alpha"] == 1
    runs.release.set()
    await clock.settle()
    assert runs.starts["north/alpha"] == 2
    assert runs.worst == 1


async def test_a_wake_up_interrupts_the_waiting_of_the_present_run(clock: FakeClock) -> None:
    seen: list[bool] = []

    async def waits(name: str, interrupted: asyncio.Event) -> bool:
        if not seen:
            seen.append(False)
            await interrupted.wait()
            seen.append(True)
        return False

    schedule = Schedule(run=waits, clock=clock)
    schedule.wake("a")
    await clock.settle()
    schedule.wake("a")
    await clock.settle()
    assert seen == [False, True]


async def test_a_failed_name_comes_back_later_each_time(clock: FakeClock) -> None:
    runs = Recorder()
    runs.release.set()
    runs.fail = True
    schedule = Schedule(run=runs, clock=clock, backoff_first_s=1, backoff_max_s=8)
    schedule.wake("a")
    counts = []
    for _ in range(4):
        await clock.advance(8)
        counts.append(runs.starts["a"])
    assert counts[0] >= 3, "1, 2 and 4 seconds at most fit into 8"
    assert counts[3] - counts[2] <= 2, "the delay grew to at least half of the ceiling"


async def test_drain_cancels_what_does_not_end_in_time(clock: FakeClock) -> None:
    runs = Recorder()
    schedule = Schedule(run=runs, clock=clock)
    schedule.wake("a")
    await clock.settle()
    await schedule.drain(0.01)
    assert runs.at_once["a"] == 0
    schedule.wake("a")
    await clock.settle()
    assert runs.starts["a"] == 1, "a drained schedule starts nothing"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["wake a", "wake b", "release", "step"]), max_size=30))
def test_after_the_last_wake_up_a_run_always_begins(moves: list[str]) -> None:
    """Level-triggered: whatever the interleaving, the last wake-up of a name is followed by a start of it."""

    async def play() -> None:
        clock, started_after = FakeClock(), dict.fromkeys("ab", True)
        release = asyncio.Event()

        async def run(name: str, interrupted: asyncio.Event) -> bool:
            started_after[name] = True
            await release.wait()
            return False

        schedule = Schedule(run=run, clock=clock)
        for move in moves:
            if move.startswith("wake"):
                name = move[-1]
                started_after[name] = False
                schedule.wake(name)
            elif move == "release":
                release.set()
                await clock.settle()
                release.clear()
            else:
                await clock.settle()
        release.set()
        await clock.settle()
        assert started_after == {"a": True, "b": True}
        assert not schedule.running

    asyncio.run(play())


async def test_a_name_that_failed_for_days_comes_back(clock: FakeClock) -> None:
    runs = Recorder()
    runs.fail = True
    runs.release.set()
    schedule = Schedule(run=runs, clock=clock, backoff_max_s=1.0)
    schedule.wake("a")
    await clock.advance(1100.0)
    assert runs.starts["a"] > 1100
    await schedule.drain(0)
