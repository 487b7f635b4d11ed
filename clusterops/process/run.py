"""A program that is started, read to its end and reaped, whatever happens to its caller."""

import asyncio
import contextlib
import os
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusterops.errors import TerminalError, TransientError
from clusterops.process.spawn import kill_and_reap, spawn

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a program may run, and how much it may say on both outputs together."""

    timeout_s: float = 60
    output_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A program that ended by itself; ``exit_code`` is negative for the signal that ended it.

    ``cpu_s`` is 0 when unknown: asyncio reaps children without asking for their usage.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes
    duration_s: float
    cpu_s: float = 0.0


_DEFAULT_LIMITS = Limits()


async def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str],
    limits: Limits = _DEFAULT_LIMITS,
    stdin: bytes | None = None,
    pass_fds: tuple[int, ...] = (),
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Run ``argv`` in its own process group to its end; a non-zero exit is returned, not raised.

    ``env`` is the whole environment of the child. ``stdin`` None means closed. ``on_line`` sees each line of
    standard error as it comes. On cancellation, timeout or too much output the whole group is killed.

    Raises TerminalError ``program-missing`` and ``process-output-limit``, TransientError ``process-timeout``.
    """
    command = tuple(os.fspath(part) for part in argv)
    begun = time.monotonic()
    process = await spawn(
        command,
        cwd=cwd,
        env=env,
        stdin=DEVNULL if stdin is None else PIPE,
        stdout=PIPE,
        stderr=PIPE,
        pass_fds=pass_fds,
    )
    budget = _OutputBudget(command[0], limits.output_bytes)
    try:
        async with asyncio.timeout(limits.timeout_s):
            stdout, stderr = await _communicate(process, budget, stdin=stdin, on_line=on_line)
            exit_code = await process.wait()
    except TimeoutError as error:
        await asyncio.shield(kill_and_reap(process))
        raise TransientError(
            "process-timeout", command[0], f"did not finish within {limits.timeout_s:g} s and was stopped"
        ) from error
    except BaseException:
        await asyncio.shield(kill_and_reap(process))
        raise
    return Finished(
        argv=command, exit_code=exit_code, stdout=stdout, stderr=stderr, duration_s=time.monotonic() - begun
    )


class _OutputBudget:
    """Counts what both outputs of one program have said so far."""

    def __init__(self, program: str, limit_bytes: int) -> None:
        self._program = program
        self._limit_bytes = limit_bytes
        self._used_bytes = 0

    def take(self, count: int) -> None:
        self._used_bytes += count
        if self._used_bytes > self._limit_bytes:
            raise TerminalError(
                "process-output-limit", self._program, f"wrote more than {self._limit_bytes} bytes and was stopped"
            )


async def _communicate(
    process: Process, budget: _OutputBudget, *, stdin: bytes | None, on_line: Callable[[str], None] | None
) -> tuple[bytes, bytes]:
    # Not a TaskGroup: its ExceptionGroup would hide the one error that callers match on.
    tasks = (
        asyncio.create_task(_drain(process.stdout, budget, None), name="stdout"),
        asyncio.create_task(_drain(process.stderr, budget, on_line), name="stderr"),
        asyncio.create_task(_feed(process.stdin, stdin), name="stdin"),
    )
    try:
        stdout, stderr, _ = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return stdout, stderr


async def _drain(
    stream: asyncio.StreamReader | None, budget: _OutputBudget, on_line: Callable[[str], None] | None
) -> bytes:
    assert stream is not None
    parts: list[bytes] = []
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        budget.take(len(chunk))
        parts.append(chunk)
        if on_line is not None:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                on_line(line.decode(errors="replace"))
    if on_line is not None and rest:
        on_line(rest.decode(errors="replace"))
    return b"".join(parts)


async def _feed(stream: asyncio.StreamWriter | None, content: bytes | None) -> None:
    if stream is None or content is None:
        return
    # A program may stop reading early; what it thinks of that is in its exit code.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
    stream.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await stream.wait_closed()
