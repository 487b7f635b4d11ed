"""`run` and `start` on real children: small shell programs, no network."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from clusterops.errors import TerminalError, TransientError
from clusterops.process import Limits, ProcessId, identify, is_alive, run, send_signal, start, wait_gone

ENV = {"PATH": "/usr/bin:/bin"}


async def _gone(pid: int) -> bool:
    found = identify(pid)
    return found is None or await wait_gone(found, timeout_s=60)


async def test_outputs_and_exit_code_are_returned_not_raised() -> None:
    done = await run(["sh", "-c", "echo out; echo err >&2; exit 3"], env=ENV)
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert done.duration_s > 0


async def test_the_environment_is_exactly_what_was_given() -> None:
    done = await run(["/usr/bin/env"], env={"ONLY": "this"})
    assert done.stdout == b"ONLY=this\n"


async def test_stdin_is_closed_unless_given() -> None:
    assert (await run(["cat"], env=ENV)).stdout == b""
    assert (await run(["cat"], env=ENV, stdin=b"x" * 300_000)).stdout == b"x" * 300_000


async def test_a_program_that_ignores_its_input_is_no_error() -> None:
    assert (await run(["true"], env=ENV, stdin=b"x" * 1_000_000)).exit_code == 0


async def test_an_inherited_descriptor_is_readable_by_the_child() -> None:
    memory = os.memfd_create("values")
    try:
        os.write(memory, b"secret")
        done = await run(["cat", f"/dev/fd/{memory}"], env=ENV, pass_fds=(memory,))
    finally:
        os.close(memory)
    assert done.stdout == b"secret"


async def test_standard_error_is_seen_line_by_line() -> None:
    seen: list[str] = []
    await run(["sh", "-c", "printf 'a\\nb\\nc' >&2"], env=ENV, on_line=seen.append)
    assert seen == ["a", "b", "c"]


async def test_a_missing_program_is_named() -> None:
    with pytest.raises(TerminalError) as caught:
        await run(["no-such-program"], env=ENV)
    assert (caught.value.code, caught.value.subject) == ("program-missing", "no-such-program")


async def test_a_missing_working_folder_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="working folder"):
        await run(["true"], env=ENV, cwd=tmp_path / "missing")


async def test_a_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    script = f"sleep 600 & echo $$ $! > {note}; wait"
    with pytest.raises(TransientError) as caught:
        await run(["sh", "-c", script], env=ENV, limits=Limits(timeout_s=2))
    assert caught.value.code == "process-timeout"
    for pid in note.read_text().split():
        assert await _gone(int(pid))


async def test_a_child_that_outlives_its_parent_and_holds_the_output_is_killed_too(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(TransientError):
        await run(["sh", "-c", f"sleep 600 & echo $! > {note}"], env=ENV, limits=Limits(timeout_s=2))
    assert await _gone(int(note.read_text()))


async def test_too_much_output_stops_the_program() -> None:
    with pytest.raises(TerminalError) as caught:
        await run(["yes"], env=ENV, limits=Limits(output_bytes=1000))
    assert caught.value.code == "process-output-limit"


async def test_cancellation_kills_the_whole_group(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    os.mkfifo(note)
    task = asyncio.create_task(run(["sh", "-c", f"sleep 600 & echo $$ $! > {note}; wait"], env=ENV))
    pids = (await asyncio.to_thread(note.read_text)).split()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(pids) == 2
    for pid in pids:
        assert await _gone(int(pid))


async def test_cancellation_at_any_moment_of_the_start_leaves_nothing() -> None:
    before = _children()
    for turns in range(12):
        task = asyncio.create_task(run(["sh", "-c", "sleep 600 & wait"], env=ENV))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert _children() <= before


def _children() -> set[str]:
    """Servers of other tests may be among them."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split())


async def test_a_started_program_writes_to_its_log_and_is_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = await start([sys.executable, "-c", "print('up', flush=True); input()"], env=ENV, log=log)
    assert await running.wait() == 1
    assert log.read_text().startswith("up\n")
    assert await running.stop() == 1


async def test_a_program_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    running = await start(["sh", "-c", f"trap '' TERM; echo > {ready}; sleep 600"], env=ENV, log=tmp_path / "log")
    await asyncio.to_thread(ready.read_text)
    assert await running.stop(grace_s=0.1) == -signal.SIGKILL


async def test_a_signal_reaches_only_the_process_that_was_meant(tmp_path: Path) -> None:
    running = await start(["sleep", "600"], env=ENV, log=tmp_path / "log")
    stranger = ProcessId(pid=running.pid, started_ticks=running.identity.started_ticks + 1)
    assert not send_signal(stranger, signal.SIGKILL)
    assert is_alive(running.identity)
    assert send_signal(running.identity, signal.SIGKILL)
    assert await running.wait() == -signal.SIGKILL
    assert not is_alive(running.identity)
