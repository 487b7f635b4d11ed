"""Commands of the product, each in a process of its own, without paying for its imports each time.

A server process imports clusterops once and forks for every command that it is given: one thread, so a fork is safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from types import TracebackType

from tests.stage import ROOT

_SERVERS = 2


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said and how it ended."""

    exit: int
    out: str
    err: str


class Commands:
    """Runs commands, a few at once; close it by leaving its ``with``."""

    def __init__(self) -> None:
        self._free: Queue[subprocess.Popen[str]] = Queue()

    def __enter__(self) -> Commands:
        for _ in range(_SERVERS):
            server = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
            self._free.put(server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._free.empty():
            server = self._free.get()
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.close()
            server.wait(10)
            server.stdout.close()

    def run(self, arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str], until: str = "") -> Said:
        """``environment`` is all that the command gets; it is stopped by SIGTERM once it has said ``until``."""
        server = self._free.get()
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            with tempfile.TemporaryDirectory(prefix="said-") as folder:
                out, err = Path(folder) / "out", Path(folder) / "err"
                order = {"argv": list(arguments), "cwd": str(cwd), "env": dict(environment)}
                server.stdin.write(json.dumps({**order, "out": str(out), "err": str(err), "until": until}) + "\n")
                server.stdin.flush()
                code = int(server.stdout.readline())
                return Said(code, out.read_text(errors="replace"), err.read_text(errors="replace"))
        finally:
            self._free.put(server)


def serve() -> None:
    with contextlib.suppress(ImportError):
        import kubernetes.client
        import kubernetes.config  # noqa: F401  # slow, and each command would import them again
    import clusterops.cli  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            _become(order)
        if order["until"]:
            _stop_when(child, order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _stop_when(child: int, order: Mapping[str, str]) -> None:
    """Looks at what it has said until it says so, ends, or a minute is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        said = [Path(order[name]) for name in ("out", "err")]
        if any(order["until"] in path.read_text(errors="replace") for path in said if path.exists()):
            break
        time.sleep(0.05)
    os.kill(child, signal.SIGTERM)


def _become(order: dict[str, object]) -> None:
    """Never returns: the process is the command from here on."""
    from clusterops.cli import main

    os.chdir(str(order["cwd"]))
    os.environ.clear()
    os.environ.update(order["env"])  # type: ignore[call-overload]
    for number, name in ((0, os.devnull), (1, str(order["out"])), (2, str(order["err"]))):
        opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["clusterops", *order["argv"]]  # type: ignore[misc]
    code = 70
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
