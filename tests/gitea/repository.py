"""A repository on a Gitea, and a person's clone of it: branches, requests, merges, and what stands on commits."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pygit2
from pygit2.enums import FileMode

from tests.gitea.server import ADMIN, AUTHOR, BOT, GiteaServer, Refused
from tests.stage import until

_AUTHOR: Final = pygit2.Signature("tests", "tests@example.invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class GiteaRepository:
    """OWNER/NAME with branch ``main``: its author may write, its bot do all. ``clone`` is bare and on this machine."""

    server: GiteaServer
    name: str
    clone: Path

    @classmethod
    def create(cls, server: GiteaServer, name: str, clone: Path, files: Mapping[str, bytes | None]) -> GiteaRepository:
        """``files`` are its first commit."""
        server.api("POST", "/user/repos", {"name": name, "default_branch": "main"})
        repository = cls(server=server, name=f"{ADMIN}/{name}", clone=clone)
        repository.invite(AUTHOR, "write")
        # Gitea tells who may write to those alone who administrate the repository.
        repository.invite(BOT, "admin")
        pygit2.init_repository(str(clone), bare=True, initial_head="main")
        repository.commit(files, branch="main")
        return repository

    @property
    def path(self) -> str:
        """Of the API."""
        return f"/repos/{self.name}"

    @property
    def url(self) -> str:
        return self.server.git_url(self.name)

    def invite(self, account: str, permission: str) -> None:
        self.server.api("PUT", f"{self.path}/collaborators/{account}", {"permission": permission})

    def commit(
        self,
        files: Mapping[str, bytes | None],
        *,
        branch: str,
        base: str = "main",
        message: str = "change",
        account: str = ADMIN,
        into: str = "",
    ) -> str:
        """One more commit on a branch, pushed; a new branch begins at ``base`` as it was last fetched or pushed.

        None removes a file. ``into`` is another repository's URL, a fork's.
        """
        git = pygit2.Repository(str(self.clone))
        known = git.branches.local.get(branch) or git.branches.local.get(base)
        index, parents = pygit2.Index(), []
        if known is not None:
            head = known.peel(pygit2.Commit)
            index.read_tree(head.tree)
            parents = [head.id]
        for path, content in files.items():
            if content is None:
                index.remove(path)
            else:
                index.add(pygit2.IndexEntry(path, git.create_blob(content), FileMode.BLOB))
        tree = index.write_tree(git)
        commit = str(git.create_commit(None, _AUTHOR, _AUTHOR, message, tree, parents))
        git.references.create(f"refs/heads/{branch}", commit, force=True)
        self._git("push", "-q", "-f", into or self.server.git_url(self.name, account), branch)
        return commit

    def fetch(self, branch: str = "main") -> str:
        """The branch's head as the server has it."""
        self._git("fetch", "-q", "-f", self.server.git_url(self.name, ADMIN), f"{branch}:{branch}")
        return self._git("rev-parse", branch).strip()

    def between(self, before: str, after: str) -> tuple[str, ...]:
        """What a branch gained along its own line, oldest first."""
        return tuple(self._git("rev-list", "--reverse", "--first-parent", f"{before}..{after}").split())

    def read(self, commit: str, path: str) -> str:
        return self._git("show", f"{commit}:{path}")

    def propose(
        self, branch: str, title: str = "", *, base: str = "main", account: str = AUTHOR, head: str = ""
    ) -> int:
        """A request's number; ``head`` is OWNER:BRANCH for one of a fork. A branch takes Gitea a moment, too."""
        form = {"head": head or branch, "base": base, "title": title or branch}

        def proposed() -> int:
            try:
                return int(self.server.api("POST", f"{self.path}/pulls", form, account=account)["number"])
            except Refused as refused:
                if refused.status == 404:
                    return 0
                raise

        return until(f"a request of {branch}", proposed)

    def request(self, number: int) -> dict[str, Any]:
        return dict(self.server.api("GET", f"{self.path}/pulls/{number}"))

    def merge(self, number: int, *, style: str = "merge", account: str = AUTHOR) -> str:
        """The commit of main that it made. Raises Refused; whether it can be merged at all takes Gitea a moment."""

        def merged() -> bool:
            try:
                self.server.api("POST", f"{self.path}/pulls/{number}/merge", {"Do": style}, account=account)
            except Refused as refused:
                if refused.status == 405 and "try again later" in refused.said:
                    return False
                raise
            return True

        until(f"merge of request {number}", merged)
        return self.fetch()

    def close(self, number: int) -> None:
        self.server.api("PATCH", f"{self.path}/pulls/{number}", {"state": "closed"})

    def protect(self, *contexts: str) -> None:
        """Nobody merges into main, nor pushes there, before these are green. Admins too."""
        rule = {
            "rule_name": "main",
            "enable_status_check": True,
            "status_check_contexts": list(contexts),
            "block_admin_merge_override": True,
        }
        self.server.api("POST", f"{self.path}/branch_protections", rule)

    def comments(self, number: int) -> list[dict[str, Any]]:
        """Oldest first."""
        return list(self.server.api("GET", f"{self.path}/issues/{number}/comments"))

    def posted(self, commit: str) -> list[dict[str, Any]]:
        """Every status ever posted, newest first."""
        return self.server.everything(f"{self.path}/commits/{commit}/statuses?sort=leastindex")

    def statuses(self, commit: str) -> dict[str, dict[str, str]]:
        """Context to {state, text} of the newest."""
        newest: dict[str, dict[str, str]] = {}
        for each in self.posted(commit):
            newest.setdefault(each["context"], {"state": each["status"], "text": each["description"]})
        return newest

    def refs(self) -> bytes:
        """Names of all that the server has beside branches and requests, and the notes of ClusterOps in full."""
        listed = self._git("ls-remote", self.server.git_url(self.name, ADMIN)).splitlines()
        found = [line for line in listed if "refs/heads/" not in line and "refs/pull/" not in line]
        if any(line.endswith("refs/notes/clusterops") for line in found):
            ref = "refs/notes/clusterops"
            self._git("fetch", "-q", "-f", self.server.git_url(self.name, ADMIN), f"{ref}:{ref}")
            found.append(self._git("log", "-p", ref))
        return "\n".join(found).encode()

    def hook(self, url: str, secret: str, *events: str) -> None:
        form = {
            "type": "gitea",
            "active": True,
            "events": list(events),
            "config": {"url": url, "content_type": "json", "secret": secret},
        }
        self.server.api("POST", f"{self.path}/hooks", form)

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(self.clone), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"git {arguments[0]}: {done.stderr}"
        return done.stdout
