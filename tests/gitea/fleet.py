"""A fleet whose repository is on a Gitea, and a daemon that speaks with it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from clusterops.sandbox import Sandbox
from tests.gitea.repository import GiteaRepository
from tests.gitea.server import ADMIN, BOT, GiteaServer
from tests.stage import WITHIN_S, Api, Daemon, until

PLAN, POLICY, APPLY = "clusterops/plan", "clusterops/policy", "clusterops/apply"


@dataclass(slots=True, kw_only=True)
class GiteaFleet:
    """One fleet called ``name``; its repository is ADMIN/``hosted_as``, which fleet.yaml has to name.

    ``environment`` goes to every daemon; ``module`` is what is run as one.
    """

    name: str
    home: Path
    server: GiteaServer
    sandbox: Sandbox
    tools: Mapping[str, Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    module: str = "clusterops"
    hosted_as: str = field(init=False)
    repository: GiteaRepository = field(init=False)
    daemon: Daemon = field(init=False)

    def __post_init__(self) -> None:
        self.hosted_as = f"{self.name}-{uuid.uuid4().hex[:6]}"
        self.daemon = Daemon(
            Path(),
            self.sandbox.kubeconfig,
            self.home / f"daemon-{self.name}",
            environment={
                "CLUSTEROPS_REPOSITORY_URL": self.server.git_url(f"{ADMIN}/{self.hosted_as}"),
                "CLUSTEROPS_REPOSITORY_TOKEN": self.server.tokens[BOT],
                "CLUSTEROPS_REPOSITORY_USERNAME": BOT,
                "CLUSTEROPS_REPOSITORY_POLL_S": "1",
                "CLUSTEROPS_FORGE_URL": self.server.url,
                "CLUSTEROPS_FORGE_TOKEN": self.server.tokens[BOT],
                "CLUSTEROPS_FORGE_POLL_S": "1",
                "CLUSTEROPS_RENDER_HELM": str(self.tools["helm"]),
                "CLUSTEROPS_RENDER_KUSTOMIZE": str(self.tools["kustomize"]),
                "CLUSTEROPS_DAEMON_BACKOFF_FIRST_S": "0.2",
                "CLUSTEROPS_DAEMON_BACKOFF_MAX_S": "1",
                **self.environment,
            },
            after_kill=lambda: self.api.forget(self.name),
            module=self.module,
        )

    @property
    def forge(self) -> str:
        """The line of fleet.yaml."""
        return f"forge: {{kind: gitea, repository: {ADMIN}/{self.hosted_as}}}\n"

    @property
    def api(self) -> Api:
        return Api(self.sandbox)

    def create(self, files: Mapping[str, bytes | None]) -> str:
        """The first commit."""
        clone = self.home / f"{self.hosted_as}.git"
        self.repository = GiteaRepository.create(self.server, self.hosted_as, clone, files)
        return self.repository.fetch()

    def propose(self, branch: str, files: Mapping[str, bytes | None]) -> tuple[int, str]:
        """A request of one commit on top of main: its number and head."""
        head = self.repository.commit(files, branch=branch)
        return self.repository.propose(branch), head

    def until_status(self, commit: str, context: str, *, within_s: float = WITHIN_S) -> dict[str, str]:
        """{state, text} once it is no longer pending; the daemon must not end meanwhile."""

        def probe() -> dict[str, str] | None:
            self.daemon.must_run()
            found = self.repository.statuses(commit).get(context)
            return found if found and found["state"] != "pending" else None

        return until(f"{context} of {commit[:7]}", probe, within_s=within_s, every_s=0.2) or {}

    def until_comment(self, number: int, *parts: str, within_s: float = WITHIN_S) -> str:
        """Our comment once it has all the parts."""

        def probe() -> str:
            self.daemon.must_run()
            text = "\n".join(self.comments(number))
            return text if text and all(part in text for part in parts) else ""

        return until(f"{parts} in the comment of request {number}", probe, within_s=within_s, every_s=0.2)

    def comments(self, number: int) -> list[str]:
        """Bodies of the bot's."""
        return [each["body"] for each in self.repository.comments(number) if each["user"]["login"] == BOT]

    def postings(self, commit: str) -> list[tuple[str, str, str]]:
        """Context, state and text of every status ever posted on a commit, oldest first."""
        return [(each["context"], each["status"], each["description"]) for each in self.repository.posted(commit)][::-1]

    def object(self, path: str) -> dict[str, Any]:
        """{} where it is not there."""
        return dict(self.api.get(path) or {})


def doubled(postings: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Statuses of one commit that were posted though they stood there already."""
    by_context = sorted(postings, key=lambda posting: posting[0])
    return [later for earlier, later in pairwise(by_context) if earlier == later]


@contextmanager
def gitea_fleet(
    name: str, home: Path, server: GiteaServer, sandbox: Sandbox, tools: Mapping[str, Path], **how: Any
) -> Iterator[GiteaFleet]:
    fleet = GiteaFleet(name=name, home=home, server=server, sandbox=sandbox, tools=tools, **how)
    try:
        yield fleet
    finally:
        fleet.daemon.kill()
