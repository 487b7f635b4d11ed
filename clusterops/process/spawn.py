"""The one place where a child process comes to life."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import Mapping, Sequence
from pathlib import Path

from clusterops.errors import TerminalError

_REAP_S = 5.0
_CHUNK_BYTES = 64 * 1024


async def spawn(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str],
    stdin: int = DEVNULL,
    stdout: int,
    stderr: int,
    pass_fds: tuple[int, ...],
) -> Process:
    """Start ``argv`` as the leader of a session of its own; cancelled, it leaves no child behind.

    Raises TerminalError ``program-missing``.
    """
    # Shielded: asyncio, cancelled here, kills the leader alone and then waits for as long as anybody of its group
    # keeps the output open.
    task = asyncio.create_task(
        create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,
        ),
        name=f"spawn {argv[0]}",
    )
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # A task of its own: a second cancellation does not reach it.
        await asyncio.shield(asyncio.create_task(_end_late(task), name="end late child"))
        raise
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise _program_missing(argv[0], error) from error


def kill_group(process: Process) -> None:
    """Kill the process and everything that it started and did not send away."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def kill_and_reap(process: Process) -> None:
    """Kill the whole group, also when its leader has ended: a child may still hold the output open."""
    kill_group(process)
    # Bounded: a grandchild that left the group may hold the output.
    task = asyncio.create_task(_see_off(process), name="reap")
    await asyncio.wait({task}, timeout=_REAP_S)
    task.cancel()


async def _see_off(process: Process) -> None:
    """Wait for the end of its output, upon which asyncio closes its side, and of the process."""
    # In this order: wait() would wait for output that nobody takes.
    for stream in (process.stdout, process.stderr):
        while stream and await stream.read(_CHUNK_BYTES):
            pass
    await process.wait()


async def _end_late(spawning: asyncio.Task[Process]) -> None:
    await asyncio.wait({spawning})
    if not spawning.cancelled() and spawning.exception() is None:
        await kill_and_reap(spawning.result())


def _program_missing(program: str, error: OSError) -> TerminalError:
    named = os.fsdecode(error.filename or program)
    reason = "was not found or is not executable" if named == program else f"its working folder {named} is not there"
    return TerminalError("program-missing", program, reason)
