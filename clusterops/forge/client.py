"""ports.Forge over an adapter: sends its calls, follows pages, and says what went wrong in our words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from clusterops.errors import TerminalError, TransientError
from clusterops.forge.sender import Sender
from clusterops.forge.wire import Call, Reply, Wire
from clusterops.http import HttpTransport
from clusterops.model.commit_status import CommitStatus
from clusterops.model.request import ChangeRequest, Comment
from clusterops.model.secret import SecretText
from clusterops.ports import Clock
from clusterops.telemetry import Logger

T = TypeVar("T")
Token = Callable[[], Awaitable[SecretText]]
"""Asked for each request, since a token may rotate. Raises TerminalError ``forge-unauthorized`` where there is none."""
_PAGES: Final = 40
"""Of one list, at the most: a repository with more has no person who reads them either."""
NO_TOKEN: Final = "set CLUSTEROPS_FORGE_TOKEN, `forge.token_file` or `forge.token_secret`, or an App for GitHub"


def read_anew() -> None:
    """Of a token that is read each time anyhow."""


@dataclass(slots=True, kw_only=True)
class ForgeClient:
    """``refused`` is told of a token that is taken no longer: another one that ``token`` gives then is tried once.

    ``account`` says who we are where the token cannot ask for it (a GitHub App).
    """

    wire: Wire
    transport: HttpTransport = field(repr=False)
    token: Token = field(repr=False)
    clock: Clock = field(repr=False)
    logger: Logger = field(repr=False)
    attempts: int = 5
    refused: Callable[[], None] = field(default=read_anew, repr=False)
    account: Callable[[], Awaitable[str]] | None = field(default=None, repr=False)
    _sender: Sender = field(init=False, repr=False)
    _me: tuple[SecretText, str] = (SecretText(""), "")

    def __post_init__(self) -> None:
        self._sender = Sender(
            root=self.wire.root,
            headers=self.wire.headers,
            transport=self.transport,
            clock=self.clock,
            logger=self.logger,
            attempts=self.attempts,
        )

    @property
    def comment_limit(self) -> int:
        return self.wire.comment_limit

    async def open_requests(self, branch: str) -> tuple[ChangeRequest, ...]:
        found = await self._all(self.wire.open_requests(branch), self.wire.read_requests)
        numbered = {each.number: each for each in found if each.base == branch}
        return tuple(numbered[number] for number in sorted(numbered))

    async def requests_of(self, commit: str) -> tuple[ChangeRequest, ...]:
        try:
            return tuple(await self._all(self.wire.requests_of(commit), self.wire.read_requests))
        except TerminalError as error:
            if error.code == "forge-missing":
                return ()
            raise

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        for status in statuses:
            await self._send(self.wire.post_status(commit, status))

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        found = await self._all(self.wire.statuses(commit), self.wire.read_statuses)
        newest = _first_of_each(found, lambda status: status.context)
        return tuple(sorted(newest, key=lambda status: status.context))

    async def comments(self, number: int) -> tuple[Comment, ...]:
        me = await self._whoami()
        found = await self._all(self.wire.comments(number), lambda body: self.wire.read_comments(body, me))
        return tuple(_first_of_each(found, lambda comment: comment.id))

    async def write_comment(self, number: int, body: str, *, id: str = "") -> Comment:
        me = await self._whoami()
        call = self.wire.edit_comment(number, id, body) if id else self.wire.post_comment(number, body)
        return self._read(await self._send(call), lambda found: self.wire.read_comments(found, me))[0]

    async def delete_comment(self, number: int, id: str) -> None:
        try:
            await self._send(self.wire.delete_comment(number, id))
        except TerminalError as error:
            if error.code != "forge-missing":
                raise

    async def trusts(self, author: str) -> bool:
        """False too where the forge does not tell us: nobody is trusted on a guess."""
        if not author:
            return False
        try:
            pages = await self._all(
                self.wire.permission(author), lambda body: [self.wire.read_permission(body, author)]
            )
        except TerminalError as error:
            if error.code not in {"forge-missing", "forge-forbidden"}:
                raise
            if error.code == "forge-forbidden":
                hint = "let the token read who may write: an admin of the repository on Gitea"
                self.logger.warning("commands of people are not answered", code=error.code, error=str(error), hint=hint)
            return False
        return any(pages)

    async def open_request(self, *, branch: str, base: str, title: str, body: str) -> ChangeRequest:
        for request in await self.open_requests(base):
            if request.branch == branch and not request.fork:
                return request
        reply = await self._send(self.wire.open_request(branch=branch, base=base, title=title, body=body))
        return self._read(reply, self.wire.read_requests)[0]

    async def _whoami(self) -> str:
        if self.account is not None:
            return await self.account()
        token = await self.token()
        if self._me[0] != token or not self._me[1]:
            self._me = token, self._read(await self._send(self.wire.whoami()), self.wire.read_whoami)
        return self._me[1]

    async def _all(self, first: Call, read: Callable[[Any], list[T]]) -> list[T]:
        """Every page. Raises TransientError ``forge-unavailable`` for one that was there already."""
        found: list[T] = []
        call: Call | None = first
        seen: set[Hashable] = set()
        while call is not None and len(seen) < _PAGES:
            page = frozenset(call.query.items())
            if page in seen:
                raise self._foreign(f"page {dict(call.query)} of {call.path} leads to itself")
            seen.add(page)
            reply = await self._send(call)
            found.extend(self._read(reply, read))
            call = self.wire.next_page(call, reply)
        if call is not None:
            self.logger.warning("forge list cut", path=call.path, pages=_PAGES)
        return found

    def _read(self, reply: Reply, read: Callable[[Any], T]) -> T:
        try:
            return read(reply.json())
        except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError, IndexError) as error:
            raise self._foreign(f"{type(error).__name__}: {str(error)[:100]}") from error

    def _foreign(self, what: str) -> TransientError:
        return TransientError(
            "forge-unavailable",
            self.wire.root,
            f"answered what is not understood: {what}",
            hint="is this the address of a forge, and of the kind that fleet.yaml names?",
        )

    async def _send(self, call: Call) -> Reply:
        """Once more with another token, where there is one and the first was refused."""
        token = await self.token()
        try:
            return await self._sent(call, token)
        except TerminalError as error:
            if error.code != "forge-unauthorized":
                raise
            self.refused()
            other = await self.token()
            if other == token:
                raise
        return await self._sent(call, other)

    async def _sent(self, call: Call, token: SecretText) -> Reply:
        if not token:
            raise TerminalError("forge-unauthorized", self.wire.root, "no token is given", hint=NO_TOKEN)
        if not token.reveal().isprintable() or not token.reveal().isascii():
            raise TerminalError(
                "forge-unauthorized",
                self.wire.root,
                "the token has a line end or an odd character in it",
                hint=NO_TOKEN,
            )
        return await self._sender.send(call, token, stands=self.wire.stands)


def _first_of_each(found: Iterable[T], name: Callable[[T], Hashable]) -> list[T]:
    """In their order: a list that grows while its pages are read may show one twice."""
    first: dict[Hashable, T] = {}
    for each in found:
        first.setdefault(name(each), each)
    return list(first.values())
