"""Starts other programs, holds them to limits and leaves none behind.

*Knows:* process groups, output and time limits, what identifies a process for longer than its pid does.
*Gives:* `run` for a program that finishes, `start` for one that stays, `ProcessId` to find it again later.
*Never:* a shell, an inherited environment, a terminal, a signal to a process that it did not start.
*Read first:* run.py.
"""

from clusterops.process.identity import ProcessId, identify, is_alive, send_signal, wait_gone
from clusterops.process.run import Finished, Limits, run
from clusterops.process.start import Running, start

__all__ = [
    "Finished",
    "Limits",
    "ProcessId",
    "Running",
    "identify",
    "is_alive",
    "run",
    "send_signal",
    "start",
    "wait_gone",
]
