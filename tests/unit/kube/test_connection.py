"""Credentials that change under way, against a server of a few lines that tells by whom it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from clusterops.errors import TerminalError, TransientError
from clusterops.http import system_tls
from clusterops.kube.connection import RELOAD_MAX_S, Connection
from clusterops.kube.credentials import Credentials
from clusterops.kube.wire import plain_request
from clusterops.model.secret import SecretText
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import build_logger
from tests.skipping_clock import SkippingClock

ASK = plain_request("/version")


@asynccontextmanager
async def server_that_accepts(token: str) -> AsyncIterator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = b"200 OK" if f"Authorization: {token}\r\n".encode() in head else b"401 Unauthorized"
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def credentials(server: str, token: str, identity: str = "same") -> Credentials:
    return Credentials(server=server, authorization=SecretText(token), tls=system_tls(), identity=identity)


def connection(load: Callable[[], Credentials], clock: SkippingClock) -> Connection:
    return Connection(
        load,
        settings=ClusterSettings(),
        network=NetworkSettings(),
        logger=build_logger(level="error"),
        clock=clock,
    )


@pytest.mark.parametrize("identity", ["same", "another"])
async def test_renewed_credentials_are_used_from_then_on(identity: str) -> None:
    async with server_that_accepts("Bearer new") as server:
        given = iter([credentials(server, "Bearer old"), credentials(server, "Bearer new", identity)])
        line = connection(lambda: next(given), SkippingClock())
        answer, used = await line.send(ASK)
        assert answer.status == 401
        assert await line.renew(used)
        assert (await line.send(ASK))[0].status == 200
        await line.close()


async def test_all_who_met_the_same_401_share_one_reload() -> None:
    loads = 0

    def load() -> Credentials:
        nonlocal loads
        loads += 1
        return credentials(server, f"Bearer {loads}")

    async with server_that_accepts("Bearer 2") as server:
        line = connection(load, SkippingClock())
        used = [(await line.send(ASK))[1] for _ in range(5)]
        assert all(await asyncio.gather(*(line.renew(each) for each in used)))
        await line.close()
    assert loads == 2


async def test_credentials_that_stay_bad_are_reloaded_ever_more_seldom() -> None:
    """An exec plugin may open a browser or call a cloud."""
    clock = SkippingClock()
    times: list[float] = []

    def load() -> Credentials:
        times.append(clock.elapsed_s)
        return credentials(server, "Bearer bad")

    async with server_that_accepts("Bearer good") as server:
        line = connection(load, clock)
        for _ in range(600):
            await line.renew((await line.send(ASK))[1])
            clock.elapsed_s += 1.0
        await line.close()
    assert 5 <= len(times) <= 20
    assert times[-1] - times[-2] >= RELOAD_MAX_S


async def test_a_reload_that_fails_is_transient_and_the_old_credentials_stay() -> None:
    async with server_that_accepts("Bearer old") as server:
        given = iter([credentials(server, "Bearer old")])

        def load() -> Credentials:
            found = next(given, None)
            if found is None:
                raise TerminalError("kubeconfig-invalid", "kubeconfig", "is being written")
            return found

        line = connection(load, SkippingClock())
        _, used = await line.send(ASK)
        with pytest.raises(TransientError, match="credentials-unavailable"):
            await line.renew(used)
        assert (await line.send(ASK))[0].status == 200
        await line.close()
