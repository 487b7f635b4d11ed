"""What a real gitea sends, held against its own description, and the head that needs no right to write."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.forge.client import ForgeClient
from clusterops.forge.gitea import Gitea
from clusterops.forge.wire import Call
from clusterops.http import Answer, HttpTransport, system_tls
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.secret import SecretText
from clusterops.settings import NetworkSettings
from clusterops.telemetry import build_logger
from tests.doors.forge_stage import hosted, opened
from tests.gitea.repository import GiteaRepository
from tests.gitea.server import AUTHOR, BOT, GiteaServer
from tests.openapi.description import described


@pytest.fixture(scope="module")
def repository(gitea: GiteaServer, tmp_path_factory: pytest.TempPathFactory) -> GiteaRepository:
    return hosted(gitea, tmp_path_factory.mktemp("clones"))


@dataclass(slots=True, kw_only=True)
class Recording:
    """An HttpTransport that keeps what came back."""

    transport: HttpTransport
    answered: list[tuple[Call, Any]] = field(default_factory=list)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        answer = await self.transport.send(method, url, headers=headers, body=body)
        call = Call(method=method, path=urlsplit(url).path.removeprefix("/api/v1"))
        self.answered.append((call, json.loads(answer.body) if answer.body else None))
        return answer


async def test_every_answer_of_a_real_gitea_is_as_it_describes_it(repository: GiteaRepository) -> None:
    commit = repository.commit({"a.txt": b"a"}, branch="described")
    number = repository.propose("described")
    description = described("gitea")
    async with HttpTransport(tls=system_tls(), network=NetworkSettings(), clock=SystemClock()) as transport:
        recording = Recording(transport=transport)
        client = _client(repository, recording)
        for state in State:
            await client.write_statuses(commit, [CommitStatus(context=f"c/{state}", state=state, text="t")])
        assert len(await client.read_statuses(commit)) == len(State)
        comment = await client.write_comment(number, "a")
        await client.write_comment(number, "b", id=comment.id)
        assert [(each.body, each.mine) for each in await client.comments(number)] == [("b", True)]
        await client.delete_comment(number, comment.id)
        assert [each.number for each in await client.open_requests("main")] == [number]
        assert await client.trusts(AUTHOR)
        repository.commit({"b.txt": b"b"}, branch="opened")
        opened_one = await client.open_request(branch="opened", base="main", title="t", body="b")
        merged = repository.merge(opened_one.number)
        assert [each.number for each in await client.requests_of(merged)] == [opened_one.number]
    met = set()
    for call, body in recording.answered:
        operation, _ = description.operation(call)
        met.add(operation.name)
        # Swagger 2 has no word for what may be null.
        faults = description.answer_faults(operation, body) if body is not None else []
        assert [fault for fault in faults if ": None is not of type" not in fault] == []
    assert met == description.operations.keys()


def _client(repository: GiteaRepository, recording: Recording) -> ForgeClient:
    async def token() -> SecretText:
        return SecretText(repository.server.tokens[BOT])

    return ForgeClient(
        wire=Gitea(url=repository.server.url, repository=repository.name),
        transport=recording,  # type: ignore[arg-type]
        token=token,
        clock=SystemClock(),
        logger=build_logger(level="critical"),
    )


async def test_what_a_stranger_pushes_to_gitea_for_review_is_a_fork_s(repository: GiteaRepository) -> None:
    """AGit: ``refs/for/main`` makes a request whose head is in this repository, and takes no right to write."""
    server = repository.server
    if "reviewer" not in server.tokens:
        server.add_account("reviewer")
    head = _pushed_for_review(repository.clone, server.git_url(repository.name, "reviewer"))
    async with opened(repository) as forge:
        [request] = [each for each in await forge.open_requests("main") if each.author == "reviewer"]
    assert (request.head, request.fork) == (head, True)


def _pushed_for_review(clone: Path, url: str) -> str:
    """One more commit on main, of nobody's branch."""
    git = ["git", "-C", str(clone), "-c", "user.name=r", "-c", "user.email=r@example.invalid"]
    made = [*git, "commit-tree", "-p", "main", "-m", "theirs", "main^{tree}"]
    head = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
    pushed = [*git, "push", "-q", "-o", "topic=theirs", url, f"{head}:refs/for/main"]
    subprocess.run(pushed, check=True, capture_output=True)
    return head
