"""A forge in memory that keeps ports.Forge, for injecting failures; tests/doors/test_forge.py keeps it honest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from clusterops.errors import TerminalError, TransientError
from clusterops.model.commit_status import CommitStatus
from clusterops.model.request import ChangeRequest, Comment

BOT = "clusterops"
_BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class FakeForge:
    """``before`` is called with the name of each method, and may raise or wait no longer than it takes to raise."""

    comment_limit: int = 65_000
    me: str = BOT
    writers: set[str] = field(default_factory=lambda: {BOT, "alice"})
    """Accounts that may write to the repository."""
    branches: dict[str, str] | None = None
    """Their heads; None: any branch is there."""
    before: Callable[[str], None] = lambda method: None
    losing: int = 0
    """Comments that are taken while the answer gets lost."""
    posted: list[tuple[str, CommitStatus]] = field(default_factory=list)
    """Every status that was taken, in order."""
    written: list[tuple[int, str]] = field(default_factory=list)
    """Every body that was taken, new or anew, in order."""
    _open: dict[int, ChangeRequest] = field(default_factory=dict)
    _merged: dict[str, tuple[ChangeRequest, ...]] = field(default_factory=dict)
    _comments: dict[int, dict[str, Comment]] = field(default_factory=dict)
    _count: int = 0
    _last: int = 0
    """Number of a request: none is given twice."""

    def open(self, request: ChangeRequest) -> None:
        """A person opens a request, or pushes to its branch."""
        self._open[request.number] = request
        self._last = max(self._last, request.number)

    def close(self, number: int, *, merged_as: str = "") -> None:
        """``merged_as`` is the commit of the branch that has it now."""
        request = self._open.pop(number)
        if merged_as:
            self._merged[merged_as] = (*self._merged.get(merged_as, ()), request)

    def say(self, number: int, body: str, *, author: str = "alice", id: str = "") -> Comment:
        """A person comments, or edits a comment."""
        return self._keep(number, body, author, id)

    def heard(self, commit: str) -> dict[str, tuple[str, str]]:
        """State and text by context, as the commit has them now."""
        return {status.context: (str(status.state), status.text) for at, status in self.posted if at == commit}

    def bodies(self, number: int) -> list[str]:
        """Of our own comments, oldest first."""
        return [each.body for each in self._comments.get(number, {}).values() if each.author == self.me]

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        for status in statuses:
            self.before("write_statuses")
            self.posted.append((commit, status))

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        self.before("read_statuses")
        newest = {
            status.context: replace(status, at=_BEGAN + timedelta(seconds=second))
            for second, (at, status) in enumerate(self.posted)
            if at == commit
        }
        return tuple(newest[context] for context in sorted(newest))

    async def open_requests(self, branch: str) -> tuple[ChangeRequest, ...]:
        self.before("open_requests")
        return tuple(each for _, each in sorted(self._open.items()) if each.base == branch)

    async def requests_of(self, commit: str) -> tuple[ChangeRequest, ...]:
        self.before("requests_of")
        return self._merged.get(commit, ())

    async def comments(self, number: int) -> tuple[Comment, ...]:
        self.before("comments")
        return tuple(self._comments.get(number, {}).values())

    async def write_comment(self, number: int, body: str, *, id: str = "") -> Comment:
        self.before("write_comment")
        assert len(body) <= self.comment_limit
        if id and id not in self._comments.get(number, {}):
            raise TerminalError("forge-missing", f"request {number}", f"has no comment {id}")
        self.written.append((number, body))
        comment = self._keep(number, body, self.me, id)
        if self.losing:
            self.losing -= 1
            raise TransientError("forge-unreachable", "forge", "the connection was cut")
        return comment

    async def delete_comment(self, number: int, id: str) -> None:
        self.before("delete_comment")
        self._comments.get(number, {}).pop(id, None)

    async def trusts(self, author: str) -> bool:
        self.before("trusts")
        return author in self.writers

    async def open_request(self, *, branch: str, base: str, title: str, body: str) -> ChangeRequest:
        self.before("open_request")
        for request in self._open.values():
            if (request.branch, request.base, request.fork) == (branch, base, False):
                return request
        if self.branches is not None and branch not in self.branches:
            raise TerminalError("forge-missing", branch, "is not a branch")
        head = (self.branches or {}).get(branch, "0" * 40)
        self._last = number = self._last + 1
        request = ChangeRequest(
            number=number, head=head, ref=f"refs/pull/{number}/head", base=base, branch=branch, title=title
        )
        self._open[number] = replace(request, author=self.me)
        return self._open[number]

    def _keep(self, number: int, body: str, author: str, id: str) -> Comment:
        self._count += 1
        there = self._comments.setdefault(number, {})
        known = there.get(id)
        at = known.at if known is not None else _BEGAN + timedelta(seconds=self._count)
        comment = Comment(id=id or str(self._count), body=body, author=author, mine=author == self.me, at=at)
        there[comment.id] = comment
        return comment
