"""A proxy before a real API server that kills a process around its n-th request."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import aiohttp
from aiohttp import web

from clusterops.sandbox import Sandbox

When = Literal["before", "after"]
_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"})


@dataclass(slots=True)
class KillingProxy:
    """Plain HTTP on loopback, in a thread of its own; forwards as the sandbox's admin.

    ``kill`` is called at request ``at`` (1-based; watches and the Lease are not counted), before it is forwarded or
    after the server committed and before the answer goes back. ``seen`` lists ``METHOD path`` of counted requests.
    """

    sandbox: Sandbox
    at: int = 0
    when: When = "before"
    kill: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list)
    killed: bool = False
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __enter__(self) -> KillingProxy:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="proxy", daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *args: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def arm(self, at: int, when: When, kill: Callable[[], None]) -> None:
        self.seen, self.killed = [], False
        self.at, self.when, self.kill = at, when, kill

    def kubeconfig(self, path: Path) -> Path:
        """A kubeconfig that goes through this proxy."""
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "clusters": [{"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "proxy", "user": {}}],
        }
        path.write_text(json.dumps(body), encoding="utf-8")
        return path

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        tls = ssl.create_default_context(cafile=str(self.sandbox.ca_file))
        tls.load_cert_chain(self.sandbox.cert_file, self.sandbox.key_file)
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as client:
            application = web.Application(client_max_size=64 * 1024 * 1024)

            async def forward(request: web.Request) -> web.StreamResponse:
                try:
                    return await self._forward(client, request)
                except ConnectionError:
                    # Whoever asked was killed meanwhile.
                    return self._drop(request)

            application.router.add_route("*", "/{path:.*}", forward)
            runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            ready.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _forward(self, client: aiohttp.ClientSession, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        counted = "watch=" not in request.query_string and "/leases" not in request.path
        now = False
        if counted:
            self.seen.append(f"{request.method} {request.path}")
            now = len(self.seen) == self.at
        if self.killed:
            return self._drop(request)
        if now and self.when == "before":
            return await self._end(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = self.sandbox.server + request.raw_path
        async with client.request(request.method, url, data=body or None, headers=headers) as answer:
            if now:
                await answer.read()
                return await self._end(request)
            return await self._answer(request, answer)

    async def _answer(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _end(self, request: web.Request) -> web.StreamResponse:
        self.killed = True
        await asyncio.to_thread(self.kill)
        return self._drop(request)

    def _drop(self, request: web.Request) -> web.StreamResponse:
        """No answer: nobody is left to read one."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=502)
