"""ports.Forge over an adapter: sends its calls, follows pages, tries again, and says what went wrong in our words."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.forge.wire import Call, Reply, Wire
from clusterops.http import HttpTransport
from clusterops.model.commit_status import CommitStatus
from clusterops.model.request import ChangeRequest, Comment
from clusterops.model.secret import SecretText
from clusterops.ports import Clock
from clusterops.telemetry import Logger

T = TypeVar("T")
_PAGES: Final = 40
"""Of one list, at the most: a repository with more has no person who reads them either."""
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 60.0
"""A forge that asks for more patience than that is asked again by whoever called."""


@dataclass(slots=True, kw_only=True)
class ForgeClient:
    """``token`` is asked for each request, since it may rotate."""

    wire: Wire
    transport: HttpTransport
    token: Callable[[], Awaitable[SecretText]]
    clock: Clock
    logger: Logger
    attempts: int = 5
    _me: str = ""

    @property
    def comment_limit(self) -> int:
        return self.wire.comment_limit

    async def open_requests(self, branch: str) -> tuple[ChangeRequest, ...]:
        found = await self._all(self.wire.open_requests(branch), self.wire.read_requests)
        return tuple(sorted((each for each in found if each.base == branch), key=lambda each: each.number))

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
        newest: dict[str, CommitStatus] = {}
        for status in await self._all(self.wire.statuses(commit), self.wire.read_statuses):
            newest.setdefault(status.context, status)
        return tuple(newest[context] for context in sorted(newest))

    async def comments(self, number: int) -> tuple[Comment, ...]:
        me = await self._whoami()
        return tuple(await self._all(self.wire.comments(number), lambda body: self.wire.read_comments(body, me)))

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
        try:
            return self._read(await self._send(self.wire.permission(author)), self.wire.read_permission)
        except TerminalError as error:
            if error.code == "forge-missing":
                return False
            raise

    async def open_request(self, *, branch: str, base: str, title: str, body: str) -> ChangeRequest:
        for request in await self.open_requests(base):
            if request.branch == branch and not request.fork:
                return request
        reply = await self._send(self.wire.open_request(branch=branch, base=base, title=title, body=body))
        return self._read(reply, self.wire.read_requests)[0]

    async def _whoami(self) -> str:
        if not self._me:
            self._me = self._read(await self._send(self.wire.whoami()), self.wire.read_whoami)
        return self._me

    async def _all(self, call: Call | None, read: Callable[[Any], list[T]]) -> list[T]:
        found: list[T] = []
        for _ in range(_PAGES):
            if call is None:
                break
            reply = await self._send(call)
            found.extend(self._read(reply, read))
            call = self.wire.next_page(call, reply)
        return found

    def _read(self, reply: Reply, read: Callable[[Any], T]) -> T:
        try:
            return read(reply.json())
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise TransientError(
                "forge-unavailable",
                self.wire.root,
                f"answered what is not understood: {type(error).__name__}: {error}",
                hint="is this the address of its API's forge, and of the kind that fleet.yaml names?",
            ) from error

    async def _send(self, call: Call) -> Reply:
        """Tries again where that does no harm. Raises what ports.Forge says."""
        problem: ClusterOpsError | None = None
        for attempt in range(self.attempts):
            reply: Reply | None = None
            try:
                reply = await self._once(call)
                problem = problem_of(self.wire.root, call, reply)
            except TransientError as error:
                problem = TransientError("forge-unreachable", self.wire.root, error.message, hint=error.hint)
                if not call.repeatable:
                    break
            if problem is None and reply is not None:
                return reply
            if not isinstance(problem, TransientError):
                break
            pause_s = asked_to_wait_s(reply, self.clock.now().timestamp()) or _FIRST_S * 2**attempt * random.random()
            if attempt + 1 == self.attempts or pause_s > _LONGEST_S:
                break
            self.logger.debug("forge asked again", path=call.path, attempt=attempt + 1, pause_s=round(pause_s, 1))
            await self.clock.sleep(pause_s)
        assert problem is not None
        raise problem

    async def _once(self, call: Call) -> Reply:
        query = f"?{urlencode(call.query)}" if call.query else ""
        token = (await self.token()).reveal()
        headers = {"Accept": "application/json", "User-Agent": "clusterops", **self.wire.headers(token)}
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(call.body).encode()
        answer = await self.transport.send(
            call.method, f"{self.wire.root}{call.path}{query}", headers=headers, body=body
        )
        return Reply(status=answer.status, headers=answer.headers, body=answer.body)


def asked_to_wait_s(reply: Reply | None, now_s: float) -> float:
    """Of a refusal: ``Retry-After`` in seconds, or until the quota that is used up comes back; 0 where nothing is said.

    **Source:** GitHub, "Rate limits for the REST API"; GitLab, "Rate limits on ... response headers".
    """
    if reply is None:
        return 0.0
    headers: Mapping[str, str] = reply.headers
    after = headers.get("retry-after", "")
    if after.isdigit():
        return float(after)
    left = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining", ""))
    reset = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", ""))
    return max(1.0, float(reset) - now_s) if left == "0" and reset.isdigit() else 0.0


def problem_of(root: str, call: Call, reply: Reply) -> ClusterOpsError | None:
    """None for an answer that says yes. What the forge says goes into the message, without what we sent."""
    status = reply.status
    if 200 <= status < 300:
        return None
    said = f"{call.method} {call.path} answers {status}{_said(reply)}"
    if status == 429 or (status == 403 and asked_to_wait_s(reply, 0.0) > 0):
        return TransientError("forge-throttled", root, said, hint="its quota is used up; tried again by itself")
    if status >= 500 or status == 409:
        return TransientError("forge-unavailable", root, said, hint="tried again by itself")
    code, hint = _TERMINAL.get(status, ("forge-refused", ""))
    return TerminalError(code, root, said, hint=hint)


_TERMINAL: Final = {
    401: ("forge-unauthorized", "give a token that is valid: `forge.token_file`"),
    403: ("forge-forbidden", "the token needs to read requests and to write statuses and comments"),
    404: ("forge-missing", "is `forge.repository` in fleet.yaml right, and may the token see it?"),
}


def _said(reply: Reply) -> str:
    try:
        body = reply.json()
    except ValueError:
        return ""
    message = body.get("message") if isinstance(body, dict) else None
    return f": {str(message)[:200]}" if message else ""
