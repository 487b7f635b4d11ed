"""A forge of a few lines on loopback: answers what the test wrote down, in order, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from clusterops.forge.client import ForgeClient, Token
from clusterops.forge.gitea import Gitea
from clusterops.forge.sender import LONGEST_ANSWER_BYTES
from clusterops.forge.wire import Wire
from clusterops.http import HttpTransport, system_tls
from clusterops.model.secret import SecretText
from clusterops.settings import NetworkSettings
from clusterops.telemetry import build_logger
from tests.skipping_clock import SkippingClock

CANARY = "canary-5b1e0f7d-never-in-words"
ME = {"login": "clusterops", "username": "clusterops"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """``cut``: the connection ends in the middle."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def says(body: Any = None, status: int = 200, **headers: str) -> Answered:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Answered(status=status, body=raw, headers={"content-type": "application/json", **named})


CUT = Answered(cut=True)
Answers = Sequence[Answered] | Callable[[Asked], Awaitable[Answered]]


@dataclass(slots=True, kw_only=True)
class Scripted:
    """The last answer is given from then on."""

    answers: Answers
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await _read(reader)
            self.asked.append(asked)
            answer = await self._answer(asked)
            writer.write(_raw(answer))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, asked: Asked) -> Answered:
        if callable(self.answers):
            return await self.answers(asked)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method=method, path=path, headers=headers, body=body)


def _raw(answer: Answered) -> bytes:
    if answer.cut:
        return b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"
    headers = {"content-length": str(len(answer.body)), "connection": "close", **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + answer.body


@asynccontextmanager
async def scripted(
    *answers: Answered, by: Callable[[Asked], Awaitable[Answered]] | None = None
) -> AsyncIterator[Scripted]:
    forge = Scripted(answers=by or answers)
    server = await asyncio.start_server(forge.serve, "127.0.0.1", 0)
    forge.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield forge
    finally:
        server.close()


@dataclass(slots=True, kw_only=True)
class Room:
    """A client before a scripted forge, on a clock that only jumps; ``log`` holds every level."""

    client: ForgeClient
    clock: SkippingClock
    log: io.StringIO


@asynccontextmanager
async def opened(
    forge: Scripted,
    wire: Callable[[str], Wire] | None = None,
    *,
    token: Token | None = None,
    refused: Callable[[], None] = lambda: None,
    max_bytes: int = LONGEST_ANSWER_BYTES,
) -> AsyncIterator[Room]:
    clock, log = SkippingClock(), io.StringIO()

    async def canary() -> SecretText:
        return SecretText(CANARY)

    async with HttpTransport(
        tls=_tls(), network=NetworkSettings(), clock=clock, max_in_flight=4, max_bytes=max_bytes
    ) as transport:
        client = ForgeClient(
            wire=wire(forge.url) if wire else gitea(forge.url),
            transport=transport,
            token=token or canary,
            refused=refused,
            clock=clock,
            logger=build_logger(level="debug", stream=log),
        )
        yield Room(client=client, clock=clock, log=log)


@cache
def _tls() -> ssl.SSLContext:
    """Reading the authorities takes longer than a test."""
    return system_tls()


def gitea(url: str) -> Wire:
    return Gitea(url=url, repository="platform/fleet")
