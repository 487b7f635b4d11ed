"""A program that stays: its output goes to a file, and it outlives its caller unless stopped."""

import asyncio
import contextlib
import os
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

from clusterops.process.identity import ProcessId, identify
from clusterops.process.spawn import kill_group, spawn


class Running:
    """A started program that leads its own process group."""

    def __init__(self, process: Process, identity: ProcessId) -> None:
        self._process = process
        self.identity = identity

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return await self._process.wait()

    async def stop(self, *, grace_s: float = 10) -> int:
        """Ask it to end, and kill its whole group when it has not after ``grace_s``."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
            except TimeoutError:
                self.kill()
        return await self._process.wait()

    def kill(self) -> None:
        """Kill its whole group at once; `wait` or `stop` says when it is gone."""
        if self._process.returncode is None:
            kill_group(self._process)


async def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path | None = None,
    stdin_fd: int | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Running:
    """Start ``argv`` in its own session, both outputs appended to ``log``; nothing stops it when the caller ends.

    ``stdin_fd`` becomes its standard input (closed when None). Raises TerminalError ``program-missing``.
    """
    command = tuple(os.fspath(part) for part in argv)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = await spawn(
            command,
            cwd=cwd,
            env=env,
            stdin=DEVNULL if stdin_fd is None else stdin_fd,
            stdout=output,
            stderr=STDOUT,
            pass_fds=pass_fds,
        )
    finally:
        os.close(output)
    # Until it is reaped its pid is its own, so a missing identity means it has ended already.
    return Running(process, identify(process.pid) or ProcessId(pid=process.pid, started_ticks=0))
