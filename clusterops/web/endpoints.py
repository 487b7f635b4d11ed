"""What stands on one port: three endpoints for machines, and the intake of webhooks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web
from aiohttp.http import HttpProcessingError
from prometheus_client import CollectorRegistry, generate_latest

from clusterops.errors import TerminalError
from clusterops.model.problem import Problem


class Facts(Protocol):
    """What the daemon says of itself."""

    @property
    def ready(self) -> bool: ...

    @property
    def problem(self) -> Problem | None: ...


class Intake(Protocol):
    """What takes requests that bring something."""

    def routes(self) -> list[web.RouteDef]: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def serve(
    facts: Facts, registry: CollectorRegistry, host: str, port: int, *, intake: Intake | None = None
) -> AsyncIterator[int]:
    """Serves until the block ends and yields the port in use (``port`` 0 picks a free one).

    Raises TerminalError ``port-in-use``.
    """
    application = _application(facts, registry)
    application.add_routes(intake.routes() if intake is not None else [])
    # Whoever sends too much is not listened to for long, and what is packed is not unpacked before it is verified.
    runner = web.AppRunner(application, access_log=None, logger=_discreet(), lingering_time=1.0, auto_decompress=False)
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
        if intake is not None:
            await intake.close()


def _discreet() -> logging.Logger:
    """Of aiohttp, for defects: what it says of broken requests quotes them."""
    logger = logging.Logger("clusterops.web")
    logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return logger


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
