"""One client session: a request goes out, its answer comes back whole or as a stream."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from clusterops.errors import TransientError
from clusterops.http.pace import Pace
from clusterops.http.proxy import proxy_for
from clusterops.ports import Clock
from clusterops.settings import NetworkSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``headers`` have lower-case names; of a repeated one the first counts."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class HttpTransport:
    """Owns one connection pool. Redirects are not followed: a credential never travels to another host.

    ``max_in_flight`` and ``max_bytes`` (of an answer, 0: any) bound ``send`` only, since a stream lasts. Both methods
    raise TransientError ``http-unreachable`` when no whole answer came, whatever the reason (refused, cut, timed out,
    TLS).
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        network: NetworkSettings,
        clock: Clock,
        max_in_flight: int = 32,
        max_per_second: float = 0.0,
        timeout_s: float = 30.0,
        connect_timeout_s: float = 10.0,
        proxy: str = "",
        tls_server_name: str = "",
        max_bytes: int = 0,
    ) -> None:
        self._tls = tls
        self._network = network
        self._proxy = proxy
        self._tls_server_name = tls_server_name or None
        self._slots = asyncio.Semaphore(max_in_flight)
        self._pace = Pace(max_per_second, clock)
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
        urgent: bool = False,
    ) -> Answer:
        """``url`` is encoded already. Waiting its turn is no part of ``timeout_s``; ``urgent`` does not wait."""
        timeout = aiohttp.ClientTimeout(
            total=self._timeout_s if timeout_s is None else timeout_s, sock_connect=self._connect_timeout_s
        )
        if urgent:
            return await self._send(method, url, headers, body, timeout)
        async with self._slots:
            await self._pace.take()
            return await self._send(method, url, headers, body, timeout)

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        timeout: aiohttp.ClientTimeout,
    ) -> Answer:
        try:
            async with self._request(method, url, headers, body, timeout) as reply:
                return Answer(status=reply.status, headers=_lower(reply.headers), body=await self._whole(reply))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(url, error) from error

    async def _whole(self, reply: aiohttp.ClientResponse) -> bytes:
        """Raises OSError for an answer that is too long, without reading the rest of it."""
        if not self._max_bytes:
            return await reply.read()
        body = bytearray()
        async for piece in reply.content.iter_any():
            body += piece
            if len(body) > self._max_bytes:
                raise OSError(f"the answer is longer than {self._max_bytes} bytes")
        return bytes(body)

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, inactivity_s: float
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """The answer's head (with the whole body unless 200) and the chunks as they arrive.

        No byte for ``inactivity_s`` seconds ends the stream with ``http-unreachable``.
        """
        await self._pace.take()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s, sock_read=inactivity_s)
        try:
            async with self._request(method, url, headers, None, timeout) as reply:
                body = b"" if reply.status == 200 else await reply.read()
                head = Answer(status=reply.status, headers=_lower(reply.headers), body=body)
                try:
                    yield head, reply.content.iter_any()
                finally:
                    _abort(reply)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(url, error) from error

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.client._RequestContextManager:
        return self._open().request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=body,
            timeout=timeout,
            ssl=self._tls,
            proxy=self._proxy or proxy_for(url, self._network),
            server_hostname=self._tls_server_name,
            allow_redirects=False,
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent",),
                trust_env=False,
            )
        return self._session


def _abort(reply: aiohttp.ClientResponse) -> None:
    """A stream that is left in the middle need not be taken leave of: TLS would wait for the other side's word."""
    if reply.connection is not None and reply.connection.transport is not None:
        reply.connection.transport.abort()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    lower: dict[str, str] = {}
    for name, value in headers.items():
        lower.setdefault(name.lower(), value)
    return lower


def _unreachable(url: str, error: Exception) -> TransientError:
    host = urlsplit(url).netloc.rpartition("@")[2]
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        hint = "its certificate is not trusted: check the CA file (certificate-authority in the kubeconfig)"
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        hint = "the proxy did not answer: check the proxy and no_proxy settings"
    else:
        hint = ""
    return TransientError("http-unreachable", host, _words(error), hint=hint)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "the connection was cut"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection was cut in the middle of the answer"
    cause = getattr(error, "os_error", None) or error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
