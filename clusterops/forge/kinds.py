"""From what fleet.yaml and the settings say to a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from clusterops.errors import TerminalError
from clusterops.forge.client import ForgeClient
from clusterops.forge.gitea import Gitea
from clusterops.forge.github import PUBLIC as GITHUB
from clusterops.forge.github import Github
from clusterops.forge.github_app import AppWire, GithubApp
from clusterops.forge.gitlab import PUBLIC as GITLAB
from clusterops.forge.gitlab import Gitlab
from clusterops.forge.sender import LONGEST_ANSWER_BYTES, Sender
from clusterops.forge.tokens import Tokens
from clusterops.forge.wire import Wire
from clusterops.http import HttpTransport, system_tls
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.ports import Clock
from clusterops.settings import ForgeSettings, NetworkSettings
from clusterops.telemetry import Logger

_PUBLIC: Final = {ForgeKind.GITHUB: GITHUB, ForgeKind.GITLAB: GITLAB}
_IN_FLIGHT: Final = 4
"""Requests to one forge at once. **Source:** GitHub asks for few, and for writes one by one."""


def build_wire(file: ForgeFile, settings: ForgeSettings) -> Wire:
    """Raises TerminalError ``forge-url``."""
    url, repository = _url(file.kind, settings), _repository(file)
    if file.kind is ForgeKind.GITHUB:
        return Github(url=url, repository=repository)
    if file.kind is ForgeKind.GITLAB:
        return Gitlab(url=url, repository=repository)
    return Gitea(url=url, repository=repository)


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
    """Connects lazily. Without ``tokens`` no Secret is read. Raises TerminalError ``forge-url``, ``forge-token``,
    ``tls-file``.
    """
    wire = build_wire(file, settings)
    async with HttpTransport(
        tls=await asyncio.to_thread(system_tls, network.ca_file),
        network=network,
        clock=clock,
        max_in_flight=_IN_FLIGHT,
        timeout_s=settings.timeout_s,
        max_bytes=LONGEST_ANSWER_BYTES,
    ) as transport:
        app = _app(
            wire,
            settings,
            Sender(
                root=wire.root,
                headers=wire.headers,
                transport=transport,
                clock=clock,
                logger=logger,
                attempts=settings.attempts,
            ),
        )
        source = app or tokens or Tokens(settings=settings, clock=clock)
        yield ForgeClient(
            wire=wire,
            transport=transport,
            token=source.token,
            refused=source.refused,
            account=app.account if app is not None else None,
            clock=clock,
            logger=logger,
            attempts=settings.attempts,
        )


def _app(wire: Wire, settings: ForgeSettings, sender: Sender) -> GithubApp | None:
    """A token of a person goes last: whoever names an App means it."""
    if not settings.app_id and settings.app_key_file is None:
        return None
    if not isinstance(wire, Github):
        raise TerminalError(
            "forge-token", settings.app_id, "is a GitHub App, and fleet.yaml names another forge", hint="give a token"
        )
    if not settings.app_id or settings.app_key_file is None:
        raise TerminalError(
            "forge-token",
            "GitHub App",
            "is named by half",
            hint="set both CLUSTEROPS_FORGE_APP_ID and CLUSTEROPS_FORGE_APP_KEY_FILE",
        )
    return GithubApp(
        app_id=settings.app_id,
        key_file=settings.app_key_file,
        wire=AppWire(repository=wire.repository),
        sender=sender,
        clock=sender.clock,
    )


def _url(kind: ForgeKind, settings: ForgeSettings) -> str:
    """Without a slash at its end."""
    url = settings.url.rstrip("/") or _PUBLIC.get(kind, "")
    if not url:
        raise TerminalError(
            "forge-url", kind, "has no public address", hint="set CLUSTEROPS_FORGE_URL, https://git.example.org"
        )
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment:
        raise TerminalError(
            "forge-url", "forge.url", "is not a web address", hint="the forge's own: https://git.example.org"
        )
    if "/api/v" in parts.path or (kind is ForgeKind.GITHUB and (parts.path or parts.hostname == "api.github.com")):
        raise TerminalError(
            "forge-url",
            "forge.url",
            "is not the forge's first page",
            hint=f"without its API and without a repository: {parts.scheme}://{parts.hostname.removeprefix('api.')}",
        )
    if "@" in parts.netloc:
        raise TerminalError(
            "forge-url",
            "forge.url",
            "has a user or a password in it",
            hint="set CLUSTEROPS_FORGE_TOKEN or `forge.token_file` instead",
        )
    return url


def _repository(file: ForgeFile) -> str:
    parts = file.repository.strip("/").split("/")
    nested = file.kind is ForgeKind.GITLAB
    if len(parts) < 2 or (len(parts) > 2 and not nested) or any(part in {"", ".", ".."} for part in parts):
        raise TerminalError(
            "forge-url",
            f"forge.repository {file.repository!r}",
            "is not the path of a repository",
            hint="GROUP/[SUBGROUP/]NAME" if nested else "OWNER/NAME",
        )
    return "/".join(parts)
