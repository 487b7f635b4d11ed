"""The intake of webhooks against senders that mean no good, over raw sockets, on a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, TCPConnector
from prometheus_client import CollectorRegistry

from clusterops.model.request import Called, Delivery
from clusterops.telemetry import Metrics
from clusterops.web import webhooks
from tests.stage import WITHIN_S
from tests.unit.web.webhook_calls import PUSH, Writing, encoded, github, taking

BODY = encoded(PUSH)
MAIN = Delivery(kind=Called.PUSH, branch="main")
LIMIT = webhooks.LIMIT_BYTES


class Raw:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def head(self, headers: Mapping[str, str], first: str = "POST /webhooks/github HTTP/1.1") -> None:
        lines = [first, "host: clusterops", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode())

    async def send(self, data: bytes) -> None:
        """What the server no longer takes is of no concern here."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def status(self) -> int:
        async with asyncio.timeout(WITHIN_S):
            line = await self.reader.readline()
            length = 0
            while (header := await self.reader.readline()) not in {b"\r\n", b""}:
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            await self.reader.readexactly(length)
        return int(line.split()[1])

    async def ended(self) -> bool:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WITHIN_S):
                return await self.reader.read() == b""
        return True


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def port(metrics: Metrics, listener: Writing) -> AsyncIterator[int]:
    async with taking(listener, metrics=metrics) as port:
        yield port
    assert listener.heard in ([], [MAIN])


@pytest.fixture
def listener() -> Writing:
    return Writing()


def counted(registry: CollectorRegistry, result: str) -> int:
    labels = {"kind": "github", "result": result}
    return int(registry.get_sample_value("clusterops_webhook_deliveries_total", labels) or 0)


async def until_counted(metrics: Metrics, result: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not counted(metrics.registry, result):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_says_that_it_is_too_large_is_refused_before_it_is_sent(port: int) -> None:
    async with connection(port) as raw:
        raw.head(github(BODY) | {"content-length": str(LIMIT + 1)})
        assert await raw.status() == 413
        assert await raw.ended()


async def test_what_does_not_say_it_is_read_to_the_limit_and_no_further(port: int) -> None:
    async with connection(port) as raw:
        raw.head(github(BODY) | {"transfer-encoding": "chunked"})
        piece = b"x" * (1 << 20)
        for _ in range(LIMIT // len(piece) + 2):
            await raw.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        assert await raw.status() == 413
        assert await raw.ended()


async def test_one_without_a_signature_is_refused_before_its_body_is_sent(port: int) -> None:
    async with connection(port) as raw:
        raw.head({"x-github-event": "push", "content-length": str(LIMIT)})
        assert await raw.status() == 401


async def test_the_largest_that_is_allowed_is_verified_and_taken(port: int, listener: Writing) -> None:
    body = BODY[:-1] + b', "commits": "' + b"x" * (LIMIT - len(BODY) - 15) + b'"}'
    assert len(body) == LIMIT
    async with connection(port) as raw:
        raw.head(github(body) | {"content-length": str(LIMIT)})
        await raw.send(body)
        assert await raw.status() == 202
    assert listener.heard == [MAIN]


async def test_a_slow_body_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_READ_S", 0.2)
    async with connection(port) as raw:
        raw.head(github(BODY) | {"content-length": str(len(BODY))})
        await raw.send(BODY[:3])
        assert await raw.status() == 408
        assert await raw.ended()


async def test_a_chunked_body_is_taken(port: int, listener: Writing) -> None:
    async with connection(port) as raw:
        raw.head(github(BODY) | {"transfer-encoding": "chunked"})
        for byte in BODY:
            await raw.send(b"1\r\n%c\r\n" % byte)
        await raw.send(b"0\r\n\r\n")
        assert await raw.status() == 202
    assert listener.heard == [MAIN]


async def test_a_body_that_ends_early_is_dropped(port: int, metrics: Metrics) -> None:
    async with connection(port) as raw:
        raw.head(github(BODY) | {"content-length": str(len(BODY) + 1)})
        await raw.send(BODY)
        raw.writer.close()
    await until_counted(metrics, "cut")


@pytest.mark.parametrize("signed", [BODY, BODY + b"canary\r\n\r\n"], ids=["the body", "all of it"])
async def test_what_follows_a_body_is_a_broken_request_and_not_quoted(
    port: int, signed: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with connection(port) as raw:
            raw.head(github(signed) | {"content-length": str(len(BODY))})
            await raw.send(BODY)
            assert await raw.status() == (202 if signed == BODY else 401)
            await raw.send(b"canary\r\n\r\n")
            assert await raw.status() == 400
            assert await raw.ended()
    assert "canary" not in caplog.text + "".join(capfd.readouterr())


async def test_a_broken_chunk_is_dropped_and_not_quoted(
    port: int, metrics: Metrics, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with connection(port) as raw:
            raw.head(github(BODY) | {"transfer-encoding": "chunked"})
            await raw.send(b"5\r\nabcdecanary\r\n")
            assert await raw.status() == 400
    assert "canary" not in caplog.text + "".join(capfd.readouterr())


async def test_two_lengths_are_no_request(port: int) -> None:
    """Whoever smuggles a request behind another one by them."""
    async with connection(port) as raw:
        raw.head(github(BODY) | {"content-length": str(len(BODY)), "transfer-encoding": "chunked"})
        await raw.send(BODY)
        assert await raw.status() == 400


async def test_what_is_packed_is_not_unpacked(port: int) -> None:
    """A few kilobytes may hold a gigabyte."""
    async with connection(port) as raw:
        raw.head(github(BODY) | {"content-encoding": "gzip", "content-length": "20"})
        await raw.send(b"\x1f\x8b" + b"\0" * 18)
        assert await raw.status() == 401


async def test_forged_ones_cost_no_memory_and_harm_no_true_one(port: int, listener: Writing, metrics: Metrics) -> None:
    forged = github(BODY, secret="guess")
    async with ClientSession(connector=TCPConnector(limit=20)) as session:
        statuses = await asyncio.gather(*(_post(session, port, forged, BODY) for _ in range(500)))
        assert set(statuses) == {401}
        assert await _post(session, port, github(BODY), BODY) == 202
    assert listener.heard == [MAIN]
    assert counted(metrics.registry, "unsigned") == 500


async def test_many_large_ones_at_once_do_not_fill_the_memory(
    port: int, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed or not is known at the end alone: until then all together are bounded, and what was held is given back."""
    monkeypatch.setattr(webhooks, "TOGETHER_BYTES", 3 << 20)
    headers = github(BODY) | {"content-length": str(2 << 20)}
    async with connection(port) as first, connection(port) as second:
        first.head(headers)
        await first.send(b"x" * ((2 << 20) - 1))
        second.head(headers)
        await second.send(b"x" * ((2 << 20) - 1))
        answered = {asyncio.create_task(first.status()), asyncio.create_task(second.status())}
        done, waiting = await asyncio.wait(answered, timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [503]
        await first.send(b"x")
        await second.send(b"x")
        assert [await task for task in waiting] == [401]
    async with connection(port) as third:
        third.head(headers)
        await third.send(b"x" * (2 << 20))
        assert await third.status() == 401
    assert counted(metrics.registry, "busy") == 1


async def test_a_thousand_deliveries_at_once_are_answered_and_wake_us_once_a_second(
    port: int, listener: Writing, metrics: Metrics
) -> None:
    """Of an id each, one behind the other on twenty connections."""
    headers = github(BODY) | {"content-length": str(len(BODY))}
    loop = asyncio.get_running_loop()

    async def fifty(first: int) -> list[int]:
        async with connection(port) as raw:
            for number in range(first, first + 50):
                raw.head(headers | {"x-github-delivery": str(number)})
                await raw.send(BODY)
            return [await raw.status() for _ in range(50)]

    began_s = loop.time()
    statuses = await asyncio.gather(*(fifty(first) for first in range(0, 1000, 50)))
    took_s = loop.time() - began_s
    print(f"1,000 deliveries answered in {took_s:.2f} s: {len(listener.heard)} hints")
    assert {status for each in statuses for status in each} == {202}
    assert counted(metrics.registry, "accepted") == 1000
    assert set(listener.heard) == {MAIN}
    assert len(listener.heard) <= 2 + took_s
    listener.heard.clear()


async def test_the_other_endpoints_answer_while_bodies_are_slow(port: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            raw = await stack.enter_async_context(connection(port))
            raw.head(github(BODY) | {"content-length": str(LIMIT)})
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200


async def _post(session: ClientSession, port: int, headers: Mapping[str, str], body: bytes) -> int:
    async with session.post(f"http://127.0.0.1:{port}/webhooks/github", data=body, headers=headers) as answer:
        await answer.read()
        return answer.status
