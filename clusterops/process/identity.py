"""What a process is for longer than its pid: pids are used again, a pid with its start time is not."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """``started_ticks`` is the start time since boot in clock ticks, as the kernel counts it."""

    pid: int
    started_ticks: int


def identify(pid: int) -> ProcessId | None:
    """The identity of the process that has this pid now; None when there is none, or only its zombie.

    **Source:** proc_pid_stat(5), fields 3 and 22; the program's name, field 2, may hold blanks and parentheses.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else ProcessId(pid=pid, started_ticks=int(fields[19]))


def is_alive(process: ProcessId) -> bool:
    """Whether exactly this process still runs."""
    return identify(process.pid) == process


def send_signal(process: ProcessId, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it is gone already."""
    if not is_alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


async def wait_gone(process: ProcessId, *, timeout_s: float) -> bool:
    """Wait for a process that need not be our child; False when it is still there after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True
