"""The way to one API server: an HTTP transport with credentials that can be renewed under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from structlog.stdlib import BoundLogger

from clusterops.errors import TerminalError, TransientError
from clusterops.http import Answer, HttpTransport
from clusterops.kube.credentials import Credentials
from clusterops.kube.wire import Request
from clusterops.ports import Clock
from clusterops.settings import ClusterSettings, NetworkSettings

USER_AGENT: Final = "clusterops"
RELOAD_FIRST_S: Final = 1.0
RELOAD_MAX_S: Final = 60.0
"""Between two reloads while the server goes on answering 401: an exec plugin may open a browser or call a cloud."""


@dataclass(frozen=True, slots=True)
class _Line:
    credentials: Credentials
    transport: HttpTransport


class Connection:
    """Loads credentials at the first request, and again after a 401; requests under way are not disturbed by that."""

    def __init__(
        self,
        load: Callable[[], Credentials],
        *,
        settings: ClusterSettings,
        network: NetworkSettings,
        logger: BoundLogger,
        clock: Clock,
    ) -> None:
        self._load = load
        self._settings = settings
        self._network = network
        self._logger = logger
        self._clock = clock
        self._line: _Line | None = None
        self._retired: HttpTransport | None = None
        self._lock = asyncio.Lock()
        self._reload_wait_s = 0.0
        self._reloaded_at_s = float("-inf")

    async def close(self) -> None:
        line, self._line = self._line, None
        for transport in (line.transport if line else None, self._retired):
            if transport is not None:
                await transport.close()

    async def send(self, request: Request) -> tuple[Answer, Credentials]:
        """The answer, whatever its status, and the credentials it was asked with. Raises ``api-unreachable``."""
        line = await self._open()
        try:
            answer = await line.transport.send(
                request.method,
                line.credentials.server + request.path,
                headers=_headers(request, line.credentials),
                body=request.body,
                urgent=request.urgent,
            )
        except TransientError as error:
            raise _unreachable(request, error) from error
        self._accepted(answer)
        return answer, line.credentials

    @asynccontextmanager
    async def stream(
        self, request: Request, *, inactivity_s: float
    ) -> AsyncIterator[tuple[Answer, Credentials, AsyncIterator[bytes]]]:
        """As ``send``, with the chunks of the body; a cut stream is ``api-unreachable`` too."""
        line = await self._open()
        url, headers = line.credentials.server + request.path, _headers(request, line.credentials)
        try:
            async with line.transport.stream(request.method, url, headers=headers, inactivity_s=inactivity_s) as (
                head,
                chunks,
            ):
                self._accepted(head)
                yield head, line.credentials, chunks
        except TransientError as error:
            raise (_unreachable(request, error) if error.code == "http-unreachable" else error) from error

    async def renew(self, refused: Credentials) -> bool:
        """Loads credentials again unless somebody did since ``refused`` were read. False: too soon after the last time.

        Raises TransientError ``credentials-unavailable``: they worked once, so they are being replaced right now.
        """
        async with self._lock:
            if self._line is None or self._line.credentials is not refused:
                return True
            now_s = self._clock.boottime_s()
            if now_s - self._reloaded_at_s < self._reload_wait_s:
                return False
            self._reloaded_at_s = now_s
            self._reload_wait_s = min(RELOAD_MAX_S, max(RELOAD_FIRST_S, 2 * self._reload_wait_s))
            await self._replace(await self._load_again())
            self._logger.info("credentials reloaded", server=self._line.credentials.server)
            return True

    async def _load_again(self) -> Credentials:
        try:
            return await asyncio.to_thread(self._load)
        except TerminalError as error:
            raise TransientError(
                "credentials-unavailable", error.subject, error.message, hint=error.hint, path=error.path
            ) from error

    def _accepted(self, answer: Answer) -> None:
        if answer.status < 400:
            self._reload_wait_s = 0.0

    async def _open(self) -> _Line:
        if self._line is None:
            async with self._lock:
                if self._line is None:
                    await self._replace(await asyncio.to_thread(self._load))
        assert self._line is not None
        return self._line

    async def _replace(self, credentials: Credentials) -> None:
        """A new token keeps the connections; new certificates get new ones, and the ones before the last are closed."""
        old = self._line
        if old is not None and old.credentials.identity == credentials.identity:
            self._line = _Line(credentials, old.transport)
            return
        transport = HttpTransport(
            tls=credentials.tls,
            network=self._network,
            clock=self._clock,
            max_in_flight=self._settings.max_in_flight,
            max_per_second=self._settings.max_per_second,
            timeout_s=self._settings.timeout_s,
            proxy=credentials.proxy,
            tls_server_name=credentials.tls_server_name,
        )
        if self._retired is not None:
            await self._retired.close()
        self._retired = old.transport if old else None
        self._line = _Line(credentials, transport)


def _headers(request: Request, credentials: Credentials) -> dict[str, str]:
    headers = {"Accept": request.accept, "User-Agent": USER_AGENT}
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    if credentials.authorization:
        headers["Authorization"] = credentials.authorization.reveal()
    return headers


def _unreachable(request: Request, error: TransientError) -> TransientError:
    return TransientError(
        "api-unreachable",
        request.subject,
        f"{request.verb} got no answer from {error.subject}: {error.message}",
        hint=error.hint or "is it running, and is the way there open?",
    )
