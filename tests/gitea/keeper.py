"""Runs a program for as long as somebody holds this process's standard input: ``python -m tests.gitea.keeper ARGV...``

A killed test run cannot stop what it started; its end of the pipe closes all the same.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

_GRACE_S = 5.0


def keep(argv: list[str]) -> int:
    """Its exit code, after its whole group is gone."""
    kept = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_holder, args=(kept,), daemon=True).start()
    code = kept.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(kept.pid, signal.SIGKILL)
    return code


def _end_with_holder(kept: "subprocess.Popen[bytes]") -> None:
    sys.stdin.buffer.read()
    kept.terminate()
    try:
        kept.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(kept.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
