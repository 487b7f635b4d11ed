"""From what fleet.yaml and the settings say to a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clusterops.errors import TerminalError
from clusterops.forge.client import ForgeClient
from clusterops.forge.gitea import Gitea
from clusterops.forge.tokens import Tokens
from clusterops.forge.wire import Wire
from clusterops.http import HttpTransport, system_tls
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.ports import Clock
from clusterops.settings import ForgeSettings, NetworkSettings
from clusterops.telemetry import Logger


def build_wire(file: ForgeFile, settings: ForgeSettings) -> Wire:
    """Raises TerminalError ``forge-url``."""
    if file.kind in {ForgeKind.GITEA, ForgeKind.FORGEJO}:
        if not settings.url:
            raise TerminalError(
                "forge-url", file.kind, "has no public address", hint="set `forge.url`, https://git.example.org"
            )
        return Gitea(url=settings.url, repository=file.repository)
    raise TerminalError("forge-url", file.kind, "is not spoken yet")


@asynccontextmanager
async def open_forge(
    file: ForgeFile,
    settings: ForgeSettings,
    network: NetworkSettings,
    *,
    clock: Clock,
    logger: Logger,
    tokens: Tokens | None = None,
) -> AsyncIterator[ForgeClient]:
    """Connects lazily. Without ``tokens`` no Secret is read. Raises TerminalError ``forge-url``, ``tls-file``."""
    tokens = tokens or Tokens(settings=settings, clock=clock)
    async with HttpTransport(
        tls=system_tls(network.ca_file), network=network, clock=clock, max_in_flight=4, timeout_s=settings.timeout_s
    ) as transport:
        yield ForgeClient(
            wire=build_wire(file, settings),
            transport=transport,
            token=tokens.token,
            clock=clock,
            logger=logger,
            attempts=settings.attempts,
        )
