"""A proxy before a real API server that harms watches: cuts them at any byte, silences them, says 410 in mid-stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Final, Literal

from clusterops.sandbox import Sandbox
from tests.doors.flaky_api import FlakyApi, Seen, listening

How = Literal["cut", "cut in a chunk", "end", "silence", "expire"]
HOWS: Final[tuple[How, ...]] = ("cut", "cut in a chunk", "end", "silence", "expire")
EXPIRED: Final = (
    json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "harm"}})
    + "\n"
).encode()


@dataclass(frozen=True, slots=True)
class Harm:
    """What happens to one watch once ``after`` bytes of its events have passed; "expire" waits for the line's end."""

    how: How
    after: int


class CuttingApi(FlakyApi):
    """``harm`` is asked once per watch; None lets it live. ``harmed`` lists (path, harm) of those that met theirs."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.harm: Callable[[Seen], Harm | None] = lambda seen: None
        self.harmed: list[tuple[str, Harm]] = []
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.get_running_loop().create_task(super().serve(reader, writer), name="serving")
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        await asyncio.wait([serving])

    async def close(self) -> None:
        """Cuts what is open and waits for its end."""
        self.cut_all()
        for serving in tuple(self._serving):
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.sleep(0)

    async def _forward(self, seen: Seen, writer: asyncio.StreamWriter | None) -> None:
        harm = self.harm(seen) if writer is not None and "watch=true" in seen.path else None
        if harm is None or writer is None:
            await super()._forward(seen, writer)
            return
        pipe, reading = asyncio.StreamReader(), asyncio.get_running_loop()
        feeding = reading.create_task(self._feed(seen, pipe), name=f"upstream-{seen.number}")
        try:
            if await _harmed(pipe, writer, harm):
                self.harmed.append((seen.path, harm))
            if harm.how == "silence":
                await writer.wait_closed()
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _feed(self, seen: Seen, pipe: asyncio.StreamReader) -> None:
        try:
            await super()._forward(seen, _Sink(pipe))  # type: ignore[arg-type]
        finally:
            pipe.feed_eof()


class _Sink:
    """As much of a StreamWriter as forwarding needs."""

    def __init__(self, pipe: asyncio.StreamReader) -> None:
        self._pipe = pipe

    def write(self, data: bytes) -> None:
        self._pipe.feed_data(data)

    async def drain(self) -> None:
        await asyncio.sleep(0)


async def _harmed(pipe: asyncio.StreamReader, writer: asyncio.StreamWriter, harm: Harm) -> bool:
    """Passes on until the harm is done (True), or the server ends the watch."""
    head = await pipe.readuntil(b"\r\n\r\n")
    writer.write(head)
    await writer.drain()
    if b"chunked" not in head.lower():
        while rest := await pipe.read(2**16):
            writer.write(rest)
        return False
    async with aclosing(_chunks(pipe)) as pieces:
        return await _harmed_pieces(pieces, writer, harm)


async def _harmed_pieces(pieces: AsyncIterator[bytes], writer: asyncio.StreamWriter, harm: Harm) -> bool:
    left = harm.after
    async for piece in pieces:
        line_open = not piece.endswith(b"\n")
        if harm.how == "expire":
            done, left = left < len(piece) and not line_open, left - len(piece)
            writer.write(_chunk(piece + EXPIRED if done else piece))
        elif left >= len(piece):
            left, done = left - len(piece), False
            writer.write(_chunk(piece))
        else:
            done = True
            await _end(writer, piece, left, harm.how)
        await writer.drain()
        if done:
            return True
    writer.write(b"0\r\n\r\n")
    return False


async def _end(writer: asyncio.StreamWriter, piece: bytes, left: int, how: How) -> None:
    if how == "cut in a chunk":
        writer.write(_chunk(piece)[: left + len(f"{len(piece):x}\r\n")])
    elif left:
        writer.write(_chunk(piece[:left]))
    if how == "end":
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def _chunks(pipe: asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    """The decoded pieces of a chunked body; nothing more where the server cut it."""
    while True:
        try:
            size = int((await pipe.readuntil(b"\r\n")).strip() or b"0", 16)
            data = await pipe.readexactly(size)
            await pipe.readexactly(2)
        except (asyncio.IncompleteReadError, ValueError):
            return
        if not size:
            return
        yield data


def cutting_api(sandbox: Sandbox) -> AbstractAsyncContextManager[CuttingApi]:
    return listening(CuttingApi(sandbox))
