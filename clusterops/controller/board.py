"""Where the verdicts on commits stand: on the forge that fleet.yaml names, else in git notes; and never twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from clusterops.model.commit_status import CommitStatus
from clusterops.ports import Forge, Repository

_REMEMBERED: Final = 512
"""Commits whose statuses are known without asking."""


@dataclass(slots=True, kw_only=True)
class Board:
    """ports.StatusBoard. What stands on a commit already, from before a restart too, is not posted again."""

    repository: Repository
    forge: Forge | None = None
    _standing: dict[str, dict[str, CommitStatus]] = field(default_factory=dict)

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Posts what differs in state or text; one that fails leaves the rest to the next try."""
        if self.forge is None:
            return await self.repository.write_statuses(commit, statuses)
        standing = await self._known(self.forge, commit)
        for status in statuses:
            if is_news(standing.get(status.context), status):
                await self.forge.write_statuses(commit, [status])
                standing[status.context] = status
        return None

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        return await (self.forge or self.repository).read_statuses(commit)

    async def _known(self, forge: Forge, commit: str) -> dict[str, CommitStatus]:
        if commit not in self._standing:
            self._standing[commit] = {each.context: each for each in await forge.read_statuses(commit)}
            while len(self._standing) > _REMEMBERED:
                self._standing.pop(next(iter(self._standing)))
        return self._standing[commit]


def is_news(before: CommitStatus | None, now: CommitStatus) -> bool:
    return before is None or (before.state, before.text) != (now.state, now.text)
