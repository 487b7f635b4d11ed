"""The HTTP client against a server of a few lines on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.errors import TerminalError, TransientError
from clusterops.http import HttpTransport, client_tls, system_tls
from clusterops.http.pace import Pace
from clusterops.settings import NetworkSettings
from tests.skipping_clock import SkippingClock

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def transport(network: NetworkSettings | None = None, **settings: float) -> HttpTransport:
    return HttpTransport(
        tls=system_tls(),
        network=network or NetworkSettings(),
        clock=SystemClock(),
        **settings,  # type: ignore[arg-type]
    )


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("302 Found", b"", "Location: http://192.0.2.1/elsewhere"))

    async with served(redirect) as url, transport() as client:
        got = await client.send("GET", url)
    assert (got.status, got.headers["location"]) == (302, "http://192.0.2.1/elsewhere")


async def test_the_url_is_sent_as_it_is_encoded() -> None:
    seen: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("200 OK"))

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        await echo(reader, writer)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server, transport() as client:
        await client.send("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a%3Ab?q=x%3Dy")
    assert seen == [b"GET /a%3Ab?q=x%3Dy HTTP/1.1\r\n"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [(b"", "cut"), (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "middle of the answer")],
)
async def test_half_an_answer_is_none(sent: bytes, words: str) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    async with served(cut) as url, transport() as client:
        with pytest.raises(TransientError, match=words) as caught:
            await client.send("GET", url)
    assert caught.value.code == "http-unreachable"


async def test_a_server_that_does_not_answer_in_time_is_unreachable() -> None:
    released = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()

    async with served(silent) as url, transport(timeout_s=0.05) as client:
        with pytest.raises(TransientError, match="no answer in time"):
            await client.send("GET", url)
        released.set()


async def test_a_stream_without_a_byte_ends_after_its_inactivity() -> None:
    released = asyncio.Event()

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        await released.wait()

    got = b""
    async with served(stalls) as url, transport() as client:
        with pytest.raises(TransientError, match="no answer in time"):  # noqa: PT012
            async with client.stream("GET", url, inactivity_s=0.05) as (_, chunks):
                async for chunk in chunks:
                    got += chunk
        released.set()
    assert got == b"abc"


async def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way, most = 0, 0
    gate = asyncio.Event()

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            gate.set()
        await gate.wait()
        await asyncio.sleep(0)
        under_way -= 1
        writer.write(answer("200 OK"))

    async with served(count) as url, transport(max_in_flight=3) as client:
        await asyncio.gather(*(client.send("GET", url) for _ in range(12)))
    assert most == 3


async def test_a_proxy_gets_the_whole_url_and_no_proxy_goes_past_it() -> None:
    lines: list[bytes] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(answer("200 OK"))
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    network = NetworkSettings(
        http_proxy=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", no_proxy=("nowhere.invalid",)
    )
    async with server, transport(network) as client:
        await client.send("GET", "http://git.example.org/x")
        with pytest.raises(TransientError):
            await client.send("GET", "http://nowhere.invalid/x")
    assert lines == [b"GET http://git.example.org/x HTTP/1.1\r\n"]


async def test_the_pace_lets_a_second_s_worth_through_and_then_spreads() -> None:
    clock = SkippingClock()
    pace = Pace(10.0, clock)
    for _ in range(30):
        await pace.take()
    assert clock.elapsed_s == pytest.approx(2.0)
    assert sum(slept > 0.001 for slept in clock.slept) == 20


async def test_a_pace_of_less_than_one_a_second_holds() -> None:
    clock = SkippingClock()
    pace = Pace(0.5, clock)
    for _ in range(3):
        await pace.take()
    assert clock.elapsed_s == pytest.approx(4.0)


async def test_no_pace_never_waits() -> None:
    clock = SkippingClock()
    pace = Pace(0.0, clock)
    for _ in range(1000):
        await pace.take()
    assert not clock.slept


def test_a_bad_ca_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no PEM", encoding="ascii")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(TerminalError, match=str(path)) as caught:
            client_tls(ca_file=path)
        assert caught.value.code == "tls-file"


@pytest.mark.parametrize("length", ["content-length: 50000000", "x-no-length: 1"])
async def test_an_answer_that_is_too_long_is_not_read_to_its_end(length: str) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\nconnection: close\r\n{length}\r\n\r\n".encode())
        try:
            while sent < 50_000_000:
                writer.write(b"x" * 100_000)
                await writer.drain()
                sent += 100_000
        except ConnectionError:
            pass

    async with served(flood) as url, transport(max_bytes=1_000_000) as client:
        with pytest.raises(TransientError, match="longer than 1000000 bytes") as caught:
            await client.send("GET", url)
    assert caught.value.code == "http-unreachable"
    assert sent < 40_000_000


async def test_an_answer_of_the_greatest_length_is_whole() -> None:
    async def just_so(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("200 OK", b"x" * 1000))

    async with served(just_so) as url, transport(max_bytes=1000) as client:
        assert (await client.send("GET", url)).body == b"x" * 1000
