"""Those who wake together go on one by one."""

from __future__ import annotations

import asyncio

from clusterops.controller.clock import Turnstile


async def test_between_two_that_wake_together_the_loop_has_time_for_others() -> None:
    turnstile, seen = Turnstile(), list[str]()
    together = asyncio.Event()

    async def target(name: str) -> None:
        await together.wait()
        await turnstile.passed()
        seen.append(name)

    async def lease() -> None:
        while len(seen) < 6:
            seen.append("lease")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(target(name))
        await asyncio.sleep(0)
        together.set()
        group.create_task(lease())
    between = [seen[seen.index(one) + 1 : seen.index(other)] for one, other in (("a", "b"), ("b", "c"))]
    assert all("lease" in each for each in between)
