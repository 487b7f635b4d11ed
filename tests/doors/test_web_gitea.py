"""The intake of webhooks as a real Gitea calls it: signed by it, read as a hint, and silent about statuses."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.model.request import Called, Delivery
from clusterops.telemetry import Metrics
from tests.gitea.repository import GiteaRepository
from tests.gitea.server import ADMIN, GiteaServer
from tests.stage import WITHIN_S
from tests.unit.web.webhook_calls import SECRET, Writing, taking

EVENTS = ("push", "pull_request", "pull_request_sync", "pull_request_comment", "issue_comment", "status", "create")
pytestmark = pytest.mark.tools


@dataclass(slots=True, kw_only=True)
class Calling:
    """A repository on a Gitea, and what came from there."""

    repository: GiteaRepository
    listener: Writing
    metrics: Metrics

    async def does(self, act: Callable[..., Any], *arguments: Any, hint: Delivery | None = None, **how: Any) -> Any:
        """Done beside the loop, since the server answers the call on it. With ``hint``: until that came."""
        self.listener.heard.clear()
        found = await asyncio.to_thread(act, *arguments, **how)
        async with asyncio.timeout(WITHIN_S):
            while hint is not None and hint not in self.listener.heard:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found


def counted(metrics: Metrics, result: str) -> int:
    labels = {"kind": "gitea", "result": result}
    return int(metrics.registry.get_sample_value("clusterops_webhook_deliveries_total", labels) or 0)


async def until_counted(metrics: Metrics, result: str, *, more_than: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while counted(metrics, result) <= more_than:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.fixture
async def calling(gitea: GiteaServer, tmp_path: Path) -> AsyncIterator[Calling]:
    name = f"calls-{uuid.uuid4().hex[:6]}"
    listener = Writing(file=ForgeFile(kind=ForgeKind.GITEA, repository=f"{ADMIN}/{name}"))
    metrics = Metrics()
    repository = await asyncio.to_thread(GiteaRepository.create, gitea, name, tmp_path / "clone.git", {"a": b"1"})
    async with taking(listener, metrics=metrics) as port:
        url = f"http://127.0.0.1:{port}/webhooks/gitea"
        await asyncio.to_thread(repository.hook, url, SECRET, *EVENTS)
        yield Calling(repository=repository, listener=listener, metrics=metrics)


async def test_gitea_calls_out_pushes_requests_and_comments_and_its_statuses_wake_nobody(calling: Calling) -> None:
    repository, server = calling.repository, calling.repository.server
    await calling.does(repository.commit, {"a": b"2"}, branch="main", hint=Delivery(kind=Called.PUSH, branch="main"))
    branch = Delivery(kind=Called.PUSH, branch="team/more")
    head = await calling.does(repository.commit, {"a": b"3"}, branch="team/more", hint=branch)
    request, comment = Delivery(kind=Called.REQUEST, number=1), Delivery(kind=Called.COMMENT, number=1)
    number = await calling.does(repository.propose, "team/more", hint=request)
    await calling.does(repository.commit, {"a": b"4"}, branch="team/more", hint=request)
    issue = f"{repository.path}/issues/{number}"
    said = await calling.does(server.api, "POST", f"{issue}/comments", {"body": "clusterops plan"}, hint=comment)
    edit = f"{repository.path}/issues/comments/{said['id']}"
    await calling.does(server.api, "PATCH", edit, {"body": "clusterops help"}, hint=comment)
    await calling.does(server.api, "PATCH", issue, {"title": "another"}, hint=request)
    await calling.does(repository.close, number, hint=request)
    assert number == 1
    ignored = counted(calling.metrics, "ignored")
    status = {"context": "clusterops/plan", "state": "success", "description": "no change"}
    await calling.does(server.api, "POST", f"{repository.path}/statuses/{head}", status)
    await until_counted(calling.metrics, "ignored", more_than=ignored)
    assert set(calling.listener.heard) <= {request}
    refused = ("unsigned", "malformed", "not-configured", "not-ready", "repeated")
    assert [counted(calling.metrics, result) for result in refused] == [0] * len(refused)


async def test_gitea_with_another_secret_is_refused(calling: Calling) -> None:
    repository, metrics, listener = calling.repository, Metrics(), Writing(file=calling.listener.file)
    async with taking(listener, metrics=metrics, secret="another") as port:
        await asyncio.to_thread(repository.hook, f"http://127.0.0.1:{port}/webhooks/gitea", SECRET, "push")
        await calling.does(
            repository.commit, {"a": b"2"}, branch="main", hint=Delivery(kind=Called.PUSH, branch="main")
        )
        await until_counted(metrics, "unsigned", more_than=0)
    assert listener.heard == []
