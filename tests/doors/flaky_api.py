"""A proxy before a real API server that can cut, delay or answer in its place; plain HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from clusterops.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached the proxy; ``number`` counts from 1."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that the proxy gives itself."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


PASS = "pass"
CUT_BEFORE = "cut before the server sees it"
CUT_AFTER = "cut after the server answered"

Rule = Callable[[Seen], str | Reply]


def status_reply(code: int, reason: str, message: str, **headers: str) -> Reply:
    body = {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}
    return Reply(status=code, headers=headers, body=json.dumps(body).encode())


@dataclass(slots=True)
class EachOnce:
    """A rule: every request is answered so the first time it is made, in turn, and goes on from then on.

    ``answered`` counts. Watches, which never end by themselves, go on at once.
    """

    action: str | Reply
    answered: int = 0
    _known: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, seen: Seen) -> str | Reply:
        call = seen.method, re.sub(r"(resourceVersion|timeoutSeconds|limit)=\d+&?", "", seen.path)
        if "watch=" in seen.path or call in self._known:
            return PASS
        self._known.add(call)
        self.answered += 1
        return self.action


class FlakyApi:
    """``rule`` decides per request; ``seen`` remembers all. ``extra`` headers go to the server with each.

    ``before`` may give something to wait for before a request goes on.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.rule: Rule = lambda seen: PASS
        self.seen: list[Seen] = []
        self.extra: dict[str, str] = {}
        self.before: Callable[[Seen], Awaitable[object] | None] = lambda seen: None
        self.port = 0
        self._upstream = urlsplit(sandbox.server)
        self._tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
        self._tls.load_cert_chain(sandbox.cert_file, sandbox.key_file)
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self, method: str) -> list[str]:
        return [seen.path for seen in self.seen if seen.method == method]

    def kubeconfig(self, folder: Path, user: dict[str, object] | None = None) -> Path:
        """Of a client that goes through the proxy; the proxy itself is the admin."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "flaky",
            "contexts": [{"name": "flaky", "context": {"cluster": "flaky", "user": "flaky"}}],
            "clusters": [{"name": "flaky", "cluster": {"server": self.server}}],
            "users": [{"name": "flaky", "user": user or {}}],
        }
        path = folder / "flaky.kubeconfig"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def cut_all(self) -> None:
        """Cuts what is open now: watches, say."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def close(self) -> None:
        self.cut_all()
        await asyncio.sleep(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seen = Seen(len(self.seen) + 1, method, path, headers, body)
        self.seen.append(seen)
        wait = self.before(seen)
        if wait is not None:
            await wait
        action = self.rule(seen)
        if isinstance(action, Reply):
            writer.write(_reply_bytes(action))
            await writer.drain()
            return True
        if action != CUT_BEFORE:
            await self._forward(seen, writer if action == PASS else None)
        return False

    async def _forward(self, seen: Seen, writer: asyncio.StreamWriter | None) -> None:
        """One upstream connection per request, closed after it: its end is the end of the answer."""
        there_reader, there = await asyncio.open_connection(
            self._upstream.hostname, self._upstream.port, ssl=self._tls, limit=2**20
        )
        headers = {**seen.headers, **self.extra, "host": self._upstream.netloc, "connection": "close"}
        headers.pop("authorization", None)
        lines = [f"{seen.method} {seen.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        try:
            there.write("\r\n".join([*lines, "", ""]).encode("latin-1") + seen.body)
            while chunk := await there_reader.read(2**16):
                if writer is not None:
                    writer.write(chunk)
                    await writer.drain()
        finally:
            there.transport.abort()


def _reply_bytes(reply: Reply) -> bytes:
    headers = {"content-type": "application/json", **reply.headers, "content-length": str(len(reply.body))}
    lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + reply.body


P = TypeVar("P", bound=FlakyApi)


def flaky_api(sandbox: Sandbox) -> AbstractAsyncContextManager[FlakyApi]:
    return listening(FlakyApi(sandbox))


@asynccontextmanager
async def listening(proxy: P) -> AsyncIterator[P]:
    """On a free port of loopback."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=2**20)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
