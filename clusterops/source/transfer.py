"""Fetches, pushes and signs with the git of the person at the desk: their keys, agents, helpers and hooks, not ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clusterops.errors import TerminalError, TransientError
from clusterops.process import Finished, Limits, run

_LIMITS: Final = Limits(timeout_s=120, output_bytes=4 * 1024 * 1024)
_CREDENTIALS: Final = re.compile(r"://[^/@\s]*@")
_STALE: Final = re.compile(r"^!.*\((?:fetch first|non-fast-forward|stale info)\)", re.MULTILINE)
_REFUSED: Final = re.compile(r"^!\t\S+\t(.*)$", re.MULTILINE)
_OWN: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE")
"""Where a hook or an alias runs us, git says with these what it works on itself."""


class Transfer:
    """``environ`` is the person's: what git and its helpers find keys by. Nobody can be asked for a password."""

    def __init__(self, root: Path, remote: str, environ: Mapping[str, str]) -> None:
        self.remote = remote
        self._root = root
        kept = {key: value for key, value in environ.items() if key not in _OWN and not key.startswith("CLUSTEROPS_")}
        self._environ = {**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}

    async def fetch(self) -> None:
        """The remote's branches. Raises TransientError ``fetch-failed``, ``process-timeout``."""
        ended = await self._git("fetch", "--quiet", self.remote)
        if ended.exit_code != 0:
            raise TransientError(
                "fetch-failed",
                f"remote {self.remote}",
                f"cannot be fetched: {_said(ended)}",
                hint=f"does `git fetch {self.remote}` work here? --no-push commits without it",
            )

    async def push(self, branch: str) -> None:
        """Never by force. Raises TransientError ``push-failed``, ``process-timeout``, TerminalError ``push-rejected``.

        The commit stays on the branch here, whatever comes.
        """
        refspec = f"refs/heads/{branch}:refs/heads/{branch}"
        ended = await self._git("push", "--porcelain", "--set-upstream", self.remote, refspec)
        if ended.exit_code == 0:
            return
        told = ended.stdout.decode(errors="replace")
        kept = f"the commit is kept on {branch} here"
        if _STALE.search(told):
            raise TerminalError(
                "push-rejected",
                f"branch {branch}",
                f"somebody else pushed to it at {self.remote} meanwhile; {kept}",
                hint=f"`git switch {branch} && git pull --rebase {self.remote} {branch} && git push`",
            )
        if refused := _REFUSED.search(told):
            raise TerminalError(
                "push-rejected",
                f"branch {branch}",
                f"{self.remote} refuses it: {_clean(refused[1])}; {kept}",
                hint="take another branch where that one is protected",
            )
        raise TransientError(
            "push-failed",
            f"branch {branch}",
            f"cannot be pushed: {_said(ended)}; {kept}",
            hint=f"`git push {self.remote} {branch}`, or the same command again",
        )

    async def sign(self, tree: str, parent: str, message: str) -> str:
        """A signed commit of the tree, on no branch yet. Raises TerminalError ``signing-failed``, TransientError
        ``process-timeout``.
        """
        ended = await self._git("commit-tree", "-S", "-p", parent, tree, stdin=message.encode())
        if ended.exit_code != 0:
            raise TerminalError(
                "signing-failed",
                "git",
                f"cannot sign the commit, as commit.gpgsign asks for: {_said(ended)}",
                hint="is the key's agent unlocked? `git config commit.gpgsign false` commits without",
            )
        return ended.stdout.decode().strip()

    async def _git(self, *arguments: str, stdin: bytes | None = None) -> Finished:
        return await run(["git", *arguments], cwd=self._root, env=self._environ, limits=_LIMITS, stdin=stdin)


def _said(ended: Finished) -> str:
    lines = [line for line in ended.stderr.decode(errors="replace").splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
    return _clean(told) or f"git ended with {ended.exit_code}"


def _clean(text: str) -> str:
    return _CREDENTIALS.sub("://", text).strip()[:300]
