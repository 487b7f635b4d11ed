"""What a webhook sets off: a look at the branch, or at the requests, and never more looks than are needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.controller.following import Following
from clusterops.controller.forges import Forges
from clusterops.errors import TransientError
from clusterops.model.request import Called, Delivery
from clusterops.ports import Repository
from clusterops.settings import DaemonSettings
from clusterops.telemetry import build_logger
from tests.stage import WITHIN_S
from tests.unit.web.test_webhooks import post
from tests.unit.web.webhook_calls import PUSH, Writing, encoded, github, taking


@dataclass(slots=True)
class Branch:
    """A remote branch that moves without a sign of its own."""

    url: str = "https://git.example.org/fleet.git"
    looks: int = 0
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    problem: TransientError | None = None

    async def moved(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    async def take(self) -> None:
        self.looks += 1
        self.looked.set()
        await self.may_end.wait()
        if self.problem is not None:
            raise self.problem


@asynccontextmanager
async def followed(branch: Branch) -> AsyncIterator[Following]:
    """After its first look has begun."""
    following = Following(
        repository=cast(Repository, branch),
        take=branch.take,
        clock=SystemClock(),
        logger=build_logger(level="critical"),
        settings=DaemonSettings(backoff_first_s=3600, backoff_max_s=3600),
    )

    async def follow() -> None:
        async with asyncio.TaskGroup() as group:
            await following.follow(group)

    task = asyncio.create_task(follow())
    await branch.looked.wait()
    try:
        yield following
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def forges(look_now: Callable[[], None]) -> Forges:
    """Nobody has opened a forge yet."""
    nothing = cast(Any, None)
    return Forges(
        open=nothing,
        board=nothing,
        previewer=nothing,
        base=lambda: None,
        branch="main",
        poll_s=60.0,
        look_now=look_now,
    )


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_however_often_the_branch_is_called_out_during_a_look_there_is_one_more() -> None:
    branch = Branch()
    async with followed(branch) as following:
        for _ in range(100):
            following.look_now()
            await settle()
        assert branch.looks == 1
        branch.may_end.set()
        await settle()
        assert branch.looks == 2


async def test_a_look_that_was_called_out_after_a_failure_does_not_wait_for_the_backoff() -> None:
    branch = Branch(problem=TransientError("repository-unreachable", "fleet", "is away"))
    branch.may_end.set()
    async with followed(branch) as following:
        await settle()
        assert (branch.looks, following.problem is not None) == (1, True)
        branch.problem = None
        following.look_now()
        await settle()
        assert (branch.looks, following.problem) == (2, None)


async def test_a_push_that_was_posted_is_looked_at_at_once() -> None:
    """Nothing else says that the branch moved."""
    branch, body = Branch(), encoded(PUSH)
    branch.may_end.set()
    async with followed(branch) as following:
        await settle()
        branch.looked.clear()
        listener = Writing(pass_on=forges(following.look_now).called)
        async with taking(listener) as port:
            assert (await post(port, "github", github(body), body))[0] == 202
            async with asyncio.timeout(WITHIN_S):
                await branch.looked.wait()
        assert branch.looks == 2


@pytest.mark.parametrize(
    ("delivery", "looks"),
    [
        (Delivery(kind=Called.PUSH, branch="main"), 1),
        (Delivery(kind=Called.PUSH, branch="another"), 0),
        (Delivery(kind=Called.REQUEST, number=4), 0),
        (Delivery(kind=Called.OTHER), 0),
    ],
)
def test_only_a_push_of_the_watched_branch_is_a_look_at_it(delivery: Delivery, looks: int) -> None:
    found: list[int] = []
    forges(lambda: found.append(1)).called(delivery)
    assert len(found) == looks
