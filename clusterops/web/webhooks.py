"""The intake of webhooks: bounded, verified, answered at once. What they set off is done by others, later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import ClientError, web

from clusterops.errors import Defect, TerminalError
from clusterops.forge import is_signed, read_delivery
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.model.request import Called, Delivery
from clusterops.model.secret import SecretText
from clusterops.ports import Clock
from clusterops.telemetry import Metrics
from clusterops.web.deliveries import Deliveries

LIMIT_BYTES: Final = 25 * 1024 * 1024
"""Of one body. **Source:** GitHub, "Webhook events and payloads", payload cap."""
TOGETHER_BYTES: Final = 64 * 1024 * 1024
"""Of all bodies that are read at the same moment."""
_READ_S: Final = 10.0
"""For one body; GitHub gives up after as long."""
_AT_ONCE_BYTES: Final = 256 * 1024
"""Larger bodies are verified and decoded beside the event loop."""

ANSWERS: Final[Mapping[str, tuple[int, str]]] = {
    "accepted": (202, "ok"),
    "repeated": (202, "ok, it came before"),
    "ignored": (202, "ok, it changes nothing here"),
    "malformed": (400, "the body is not understood: let the forge send application/json"),
    "cut": (400, "the body ended early"),
    "unsigned": (401, "the signature is missing or wrong"),
    "not-configured": (404, "no webhooks of this forge are taken here"),
    "slow": (408, "the body took too long"),
    "too-large": (413, "the body is too large"),
    "not-ready": (503, "the fleet repository has not been read yet"),
    "busy": (503, "too much at once"),
}
"""Status and text by result, which is also the metric's label. Whatever is wrong with a signature reads the same."""


class Listener(Protocol):
    """The daemon, as webhooks see it."""

    @property
    def taken(self) -> bool:
        """Whether the fleet was read, so that ``file`` is known."""

    @property
    def file(self) -> ForgeFile | None:
        """The forge that fleet.yaml names."""

    def called(self, delivery: Delivery) -> None:
        """Returns at once."""


class _Refused(Exception):
    """``args[0]`` is the result."""


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """``secrets`` are those that are valid at the moment, none when no webhook is taken."""

    listener: Listener
    secrets: Callable[[], Awaitable[tuple[SecretText, ...]]]
    deliveries: Deliveries
    clock: Clock
    metrics: Metrics
    _reading_bytes: int = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.post(f"/webhooks/{kind}", self._handler(kind)) for kind in ForgeKind]

    async def close(self) -> None:
        await self.deliveries.close()

    def _handler(self, kind: ForgeKind) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                result = await self._take(kind, request)
            except _Refused as refusal:
                result = str(refusal)
            except Exception as error:
                raise Defect.of(error) from None
            self.metrics.webhook_deliveries.labels(kind=str(kind), result=result).inc()
            status, text = ANSWERS[result]
            return web.Response(status=status, text=f"{text}\n")

        return handle

    async def _take(self, kind: ForgeKind, request: web.Request) -> str:
        """The result. Raises _Refused."""
        file, headers = self._forge(kind), {name.lower(): value for name, value in request.headers.items()}
        secrets = await self.secrets()
        if not secrets:
            raise _Refused("not-configured")
        if not is_signed(kind, headers):
            raise _Refused("unsigned")
        with self._room() as room:
            body = await _body(request, room)
            delivery = await self._read(file, headers, body, secrets)
        if not self.deliveries.take(delivery):
            return "repeated"
        return "ignored" if delivery.kind is Called.OTHER else "accepted"

    def _forge(self, kind: ForgeKind) -> ForgeFile:
        if not self.listener.taken:
            raise _Refused("not-ready")
        file = self.listener.file
        if file is None or file.kind is not kind:
            raise _Refused("not-configured")
        return file

    async def _read(
        self, file: ForgeFile, headers: Mapping[str, str], body: bytes, secrets: tuple[SecretText, ...]
    ) -> Delivery:
        def read() -> Delivery:
            return read_delivery(file.kind, headers, body, secrets, repository=file.repository, now_s=now_s)

        now_s = self.clock.now().timestamp()
        try:
            return read() if len(body) <= _AT_ONCE_BYTES else await asyncio.to_thread(read)
        except TerminalError as error:
            raise _Refused("unsigned" if error.code == "webhook-unsigned" else "malformed") from error

    @contextmanager
    def _room(self) -> Iterator[Callable[[int], None]]:
        """What is called for each piece that was read, and raises _Refused when there are too many."""
        mine = 0

        def take(count: int) -> None:
            nonlocal mine
            mine += count
            self._reading_bytes += count
            if mine > LIMIT_BYTES:
                raise _Refused("too-large")
            if self._reading_bytes > TOGETHER_BYTES:
                raise _Refused("busy")

        try:
            yield take
        finally:
            self._reading_bytes -= mine


async def _body(request: web.Request, room: Callable[[int], None]) -> bytes:
    """As it was sent: signatures are of that. Nothing is read of one that says itself that it is too large."""
    if (request.content_length or 0) > LIMIT_BYTES:
        raise _Refused("too-large")
    body = bytearray()
    try:
        async with asyncio.timeout(_READ_S):
            async for piece in request.content.iter_any():
                room(len(piece))
                body += piece
    except TimeoutError as error:
        raise _Refused("slow") from error
    except (ClientError, web.RequestPayloadError, ConnectionError) as error:
        raise _Refused("cut") from error
    return bytes(body)
