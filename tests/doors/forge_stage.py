"""What the suite of ports.Forge arranges behind the forge's back; tests/doors/test_forge.py is the suite."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from clusterops.controller.clock import SystemClock
from clusterops.forge import open_forge
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.model.request import ChangeRequest
from clusterops.model.secret import SecretText
from clusterops.ports import Forge
from clusterops.settings import ForgeSettings, NetworkSettings
from clusterops.telemetry import build_logger
from tests.fake_forge import FakeForge
from tests.gitea.repository import GiteaRepository
from tests.gitea.server import BOT, GiteaServer


class Stage(Protocol):
    """A repository with branch ``main``, its people and ``forge``, whose own account is called clusterops."""

    @property
    def forge(self) -> Forge: ...

    def commit(self, branch: str) -> str:
        """One more commit on a branch, which begins at main."""

    def propose(self, branch: str, *, base: str = "main", fork: bool = False) -> int:
        """An open request from a branch with a commit, of somebody called author or, from a fork, of stranger."""

    def merge(self, number: int, style: str) -> tuple[str, ...]:
        """``merge``, ``rebase`` or ``squash``; the commits that main has gained, oldest first."""

    def close(self, number: int) -> None: ...

    def say(self, number: int, body: str) -> None:
        """A comment of somebody else."""

    def permit(self, account: str, permission: str) -> None:
        """``read`` or ``write``."""


@dataclass(slots=True, kw_only=True)
class FakeStage:
    """Stage, in memory."""

    forge: FakeForge = field(default_factory=lambda: FakeForge(branches={"main": _new_commit()}, writers={"author"}))
    _requests: dict[int, ChangeRequest] = field(default_factory=dict)
    _last: int = 0

    def commit(self, branch: str) -> str:
        head = self._branches[branch] = _new_commit()
        for number, request in self._requests.items():
            if request.branch == branch and not request.fork:
                self._opened(replace(request, number=number, head=head))
        return head

    def propose(self, branch: str, *, base: str = "main", fork: bool = False) -> int:
        self._last = number = self._last + 1
        request = ChangeRequest(
            number=number,
            head=_new_commit() if fork else self._branches[branch],
            ref=f"refs/pull/{number}/head",
            base=base,
            branch=branch,
            title=branch,
            author="stranger" if fork else "author",
            fork=fork,
        )
        self._opened(request)
        return number

    def merge(self, number: int, style: str) -> tuple[str, ...]:
        made = self._branches["main"] = _new_commit()
        self.forge.close(number, merged_as=made)
        del self._requests[number]
        return (made,)

    def close(self, number: int) -> None:
        self.forge.close(number)
        self._requests.pop(number, None)

    def say(self, number: int, body: str) -> None:
        self.forge.say(number, body, author="author")

    def permit(self, account: str, permission: str) -> None:
        if permission == "write":
            self.forge.writers.add(account)

    def _opened(self, request: ChangeRequest) -> None:
        self._requests[request.number] = request
        self.forge.open(request)

    @property
    def _branches(self) -> dict[str, str]:
        assert self.forge.branches is not None
        return self.forge.branches


def _new_commit() -> str:
    return secrets.token_hex(20)


@dataclass(slots=True, kw_only=True)
class GiteaStage:
    """Stage, on a real Gitea."""

    repository: GiteaRepository
    forge: Forge

    @property
    def server(self) -> GiteaServer:
        return self.repository.server

    def commit(self, branch: str) -> str:
        return self.repository.commit({f"{branch}.txt": uuid.uuid4().hex.encode()}, branch=branch)

    def propose(self, branch: str, *, base: str = "main", fork: bool = False) -> int:
        if not fork:
            return self.repository.propose(branch, base=base)
        owner = self.account("stranger")
        name = self.repository.name.partition("/")[2]
        self.server.api("POST", f"{self.repository.path}/forks", {}, account=owner)
        into = self.server.git_url(f"{owner}/{name}", owner)
        self.repository.commit({"theirs.txt": b"theirs"}, branch=branch, into=into)
        return self.repository.propose(branch, base=base, account=owner, head=f"{owner}:{branch}")

    def merge(self, number: int, style: str) -> tuple[str, ...]:
        before = self.repository.fetch()
        after = self.repository.merge(number, style=style)
        return self.repository.between(before, after)

    def close(self, number: int) -> None:
        self.repository.close(number)

    def say(self, number: int, body: str) -> None:
        self.server.api("POST", f"{self.repository.path}/issues/{number}/comments", {"body": body}, account="author")

    def permit(self, account: str, permission: str) -> None:
        self.repository.invite(self.account(account), permission)

    def account(self, name: str) -> str:
        """There, with a token."""
        if name not in self.server.tokens:
            self.server.add_account(name)
        return name


def hosted(server: GiteaServer, home: Path) -> GiteaRepository:
    """A repository of its own."""
    name = f"fleet-{uuid.uuid4().hex[:8]}"
    return GiteaRepository.create(server, name, home / f"{name}.git", {"README.md": b"a fleet\n"})


@asynccontextmanager
async def opened(repository: GiteaRepository, **other: Any) -> AsyncIterator[Forge]:
    """As the bot; ``token`` and ``name`` in place of its own."""
    file = ForgeFile(kind=ForgeKind.GITEA, repository=other.get("name", repository.name))
    token = SecretText(other.get("token", repository.server.tokens[BOT]))
    settings = ForgeSettings(url=repository.server.url, token=token, attempts=2)
    logger = build_logger(level="critical")
    async with open_forge(file, settings, NetworkSettings(), clock=SystemClock(), logger=logger) as forge:
        yield forge
