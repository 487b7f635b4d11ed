"""Three endpoints on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from clusterops.errors import TerminalError
from clusterops.model.problem import Problem


class Facts(Protocol):
    """What the daemon says of itself."""

    @property
    def ready(self) -> bool: ...

    @property
    def problem(self) -> Problem | None: ...


@asynccontextmanager
async def serve(facts: Facts, registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[int]:
    """Serves until the block ends and yields the port in use (``port`` 0 picks a free one).

    Raises TerminalError ``port-in-use``.
    """
    runner = web.AppRunner(_application(facts, registry), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise TerminalError(
            "port-in-use",
            f"{host}:{port}",
            error.strerror or str(error),
            hint="choose another with --listen HOST:PORT, or CLUSTEROPS_DAEMON_LISTEN_PORT",
        ) from error
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _application(facts: Facts, registry: CollectorRegistry) -> web.Application:
    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        if facts.ready:
            return web.Response(text="ok\n")
        why = facts.problem.text if facts.problem else "the fleet repository has not been read yet"
        return web.Response(status=503, text=f"{why}\n")

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), content_type="text/plain", charset="utf-8")

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return application
