"""Sends calls to one forge: again where that does no harm, at the pace that it asks for, and never a token in words."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from clusterops.errors import ClusterOpsError, TransientError
from clusterops.forge.answers import asked_to_wait_s, is_throttled, problem_of
from clusterops.forge.wire import Call, Reply
from clusterops.http import HttpTransport
from clusterops.model.secret import MASK, SecretText
from clusterops.ports import Clock
from clusterops.telemetry import Logger

LONGEST_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""A hundred requests are three megabytes, fifty comments of the greatest length thirteen."""
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 60.0
"""A forge that asks for more patience than that is asked again by whoever called."""
_QUOTA_S: Final = 3900.0
"""No quota is counted over more than an hour: what asks for longer is asked again after that."""
_KEPT: Final = 128
_KEPT_BYTES: Final = 16 * 1024 * 1024
"""Of all that is kept together: five lists of a hundred requests."""
_SHORTEST_SECRET: Final = 8
"""What is shorter is a word that answers are made of, and no forge gives out."""
Stands = Callable[[Call, Reply], bool]


def never(call: Call, reply: Reply) -> bool:
    return False


@dataclass(slots=True, kw_only=True)
class Sender:
    """``headers`` are those of every request, given the token. Writes go one by one, as forges ask for.

    An answer that has an ETag is kept, so that asking again costs no quota where nothing changed.
    **Source:** GitHub, "Best practices for using the REST API".
    """

    root: str
    headers: Callable[[str], Mapping[str, str]]
    transport: HttpTransport
    clock: Clock
    logger: Logger
    attempts: int = 5
    deadline_s: float = 120.0
    """Of one call with all its attempts."""
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _resumes_s: float = 0.0
    """By the boot-time clock: before that the forge wants to hear nothing."""
    _kept: dict[str, Reply] = field(default_factory=dict, repr=False)

    async def send(self, call: Call, token: SecretText, *, stands: Stands = never) -> Reply:
        """The answer that says yes, or the refusal that ``stands`` takes for one. Raises what ports.Forge says."""
        async with self._turn(call):
            ends_s, attempt = self.clock.boottime_s() + self.deadline_s, 1
            while True:
                await self._wait_for_quota(call, ends_s)
                reply, problem = await self._once(call, token)
                if reply is not None and (problem is None or stands(call, reply)):
                    return reply
                assert problem is not None
                pause_s = self._pause_s(reply, attempt)
                if not self._again(call, reply, problem) or attempt >= self.attempts:
                    raise problem
                if pause_s > _LONGEST_S or self.clock.boottime_s() + pause_s > ends_s:
                    raise problem
                self.logger.debug("forge asked again", path=call.path, attempt=attempt, pause_s=round(pause_s, 1))
                await self.clock.sleep(pause_s)
                attempt += 1

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncIterator[None]:
        if call.method == "GET":
            yield
        else:
            async with self._writing:
                yield

    async def _wait_for_quota(self, call: Call, ends_s: float) -> None:
        left_s = self._resumes_s - self.clock.boottime_s()
        if left_s <= 0:
            return
        if left_s > _LONGEST_S or self._resumes_s > ends_s:
            raise TransientError(
                "forge-throttled",
                self.root,
                f"{call.method} {call.path} is not sent: its quota is used up for {left_s:.0f}s more",
                hint="tried again by itself",
            )
        await self.clock.sleep(left_s)

    async def _once(self, call: Call, token: SecretText) -> tuple[Reply | None, ClusterOpsError | None]:
        url = f"{self.root}{call.path}" + (f"?{urlencode(call.query)}" if call.query else "")
        kept = self._kept.get(url) if call.method == "GET" else None
        try:
            reply = await self._sent(call, url, token, kept)
        except TransientError as error:
            return None, _unreachable(self.root, error)
        self._note_quota(reply)
        if reply.status == 304 and kept is not None:
            return kept, None
        problem = problem_of(self.root, call, reply)
        if problem is None and call.method == "GET":
            self._keep(url, reply)
        return reply, problem

    def _note_quota(self, reply: Reply) -> None:
        """Of a refusal for the pace, or of the last answer that the quota pays for."""
        if is_throttled(reply) or reply.status < 400:
            asks_s = min(asked_to_wait_s(reply, self.clock.now().timestamp()), _QUOTA_S)
            if asks_s > 0:
                self._resumes_s = max(self._resumes_s, self.clock.boottime_s() + asks_s)

    async def _sent(self, call: Call, url: str, token: SecretText, kept: Reply | None) -> Reply:
        headers = {"Accept": "application/json", "User-Agent": "clusterops", **self.headers(token.reveal())}
        if kept is not None:
            headers["If-None-Match"] = kept.headers["etag"]
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(call.body).encode()
        answer = await self.transport.send(call.method, url, headers=headers, body=body)
        return masked(Reply(status=answer.status, headers=answer.headers, body=answer.body), token)

    def _again(self, call: Call, reply: Reply | None, problem: ClusterOpsError) -> bool:
        """What was refused for its pace, or lost a race, was not done; anything else may have been."""
        if not isinstance(problem, TransientError):
            return False
        return call.repeatable or (reply is not None and (is_throttled(reply) or reply.status == 409))

    def _pause_s(self, reply: Reply | None, attempt: int) -> float:
        asked_s = asked_to_wait_s(reply, self.clock.now().timestamp()) if reply is not None else 0.0
        return asked_s or _FIRST_S * 2**attempt * random.random()

    def _keep(self, url: str, reply: Reply) -> None:
        self._kept.pop(url, None)
        if reply.status == 200 and reply.headers.get("etag"):
            self._kept[url] = reply
            while len(self._kept) > _KEPT or sum(len(each.body) for each in self._kept.values()) > _KEPT_BYTES:
                del self._kept[next(iter(self._kept))]


def masked(reply: Reply, token: SecretText) -> Reply:
    """A forge, or a proxy before it, that repeats what we sent must not bring the token into words."""
    secret = token.reveal()
    if len(secret) < _SHORTEST_SECRET:
        return reply
    headers = {name: value.replace(secret, MASK) for name, value in reply.headers.items()}
    return Reply(status=reply.status, headers=headers, body=reply.body.replace(secret.encode(), MASK.encode()))


def _unreachable(root: str, error: TransientError) -> TransientError:
    hint = error.hint
    if "certificate" in hint:
        hint = "its certificate is not trusted: name the CA that signed it in CLUSTEROPS_NETWORK_CA_FILE"
    problem = TransientError("forge-unreachable", root, error.message, hint=hint)
    problem.__cause__ = error
    return problem
