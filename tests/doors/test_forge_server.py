"""The Gitea of the tests itself."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from clusterops.process import ProcessId, identify, is_alive
from clusterops.toolchain import ToolchainSettings
from tests.conftest import Background
from tests.gitea.build import ensure_gitea
from tests.gitea.server import GiteaServer
from tests.stage import ROOT, until

_HOLDER = """
import sys, time
from pathlib import Path
from tests.gitea.server import serving
with serving(Path(sys.argv[1])) as server:
    print(server.url, server.pid, server.folder, flush=True)
    time.sleep(600)
"""


def test_gitea_ends_with_a_killed_test_run(
    gitea: GiteaServer, background: Background, toolchain_settings: ToolchainSettings
) -> None:
    program = background.run(ensure_gitea(toolchain_settings))
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(program)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout as told:
        url, pid, folder = told.readline().split()
    try:
        keeper = identify(int(pid))
        assert keeper is not None
        processes = [keeper, *_children(keeper.pid)]
        assert len(processes) == 2
        assert _answers(url)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    until("the end of gitea", lambda: not any(is_alive(each) for each in processes))
    assert not _answers(url)
    assert _answers(gitea.url), "another one goes on"
    shutil.rmtree(folder)


def _children(pid: int) -> list[ProcessId]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [child for each in found if (child := identify(int(each))) is not None]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/healthz", timeout=30) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False
