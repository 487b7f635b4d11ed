"""An API server that goes and comes back under a running daemon, on a sandbox of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Held, Spec, held, tools_for
from clusterops.toolchain import Silent, ToolchainSettings, ensure
from tests.conftest import Background
from tests.stage import WITHIN_S, folder, until
from tests.system.plain_fleet import claim, config, http, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture(scope="module")
def holder(background: Background, toolchain_settings: ToolchainSettings, tools: dict[str, Path]) -> Iterator[Held]:
    paths = background.run(ensure(tools_for("crds"), toolchain_settings, Silent()))
    with folder("outage") as home:
        spec = Spec(name="outage", mode="crds", directory=home / "sandbox", tools=paths, audit_log=home / "audit.log")
        stack = contextlib.AsyncExitStack()
        try:
            yield background.run(stack.enter_async_context(held(spec)))
        finally:
            background.run(stack.aclose())


def test_a_daemon_outlives_its_api_server(holder: Held, background: Background, tools: dict[str, Path]) -> None:
    """Gone for less than the Lease lasts while one target waits: the next commit converges, the old one settles."""
    with folder("outage-fleet") as home, staged("outage", home, holder.sandbox, tools) as stage:
        first = stage.create(a=config("a", "1"), b=claim("b"))
        daemon = stage.started(CLUSTEROPS_DAEMON_LEASE_DURATION_S="900", CLUSTEROPS_DAEMON_RENEW_DEADLINE_S="600")
        daemon.until_event("commit applied", commit=first[:7])
        background.run(holder.stop_process("kube-apiserver"))
        second = stage.commit(a=config("a", "2"))
        daemon.until_event("pass", target="outage/a", revision=f"main@{second[:7]}")
        assert http(daemon, "/healthz")[0] == 200
        assert stage.repository.verdict(second, "clusterops/plan") == "error"
        background.run(holder.start_process("kube-apiserver"))
        until("applied", lambda: stage.value("a") == "2")
        until("green", lambda: stage.repository.verdict(second) == "success")
        stage.settle("b")
        until("the old one", lambda: stage.repository.verdict(first) == "success")
        daemon.must_run()
        assert stage.command("pause", "outage/a").code == 0
        paused = stage.commit(a=config("a", "3"))
        stage.until_text(paused, "clusterops/apply", "1 suspended")


def test_an_outage_longer_than_the_lease_ends_the_daemon(
    holder: Held, background: Background, tools: dict[str, Path]
) -> None:
    """What cannot renew its Lease may not go on writing: it ends, and whoever starts it again gets a clean start."""
    with folder("outage-fleet") as home, staged("outage-long", home, holder.sandbox, tools) as stage:
        first = stage.create(a=config("a", "1"))
        daemon = stage.started(CLUSTEROPS_DAEMON_LEASE_DURATION_S="6", CLUSTEROPS_DAEMON_RENEW_DEADLINE_S="4")
        stage.until_verdict(first)
        background.run(holder.stop_process("kube-apiserver", kill=True))
        assert daemon.process is not None
        assert daemon.process.wait(timeout=WITHIN_S) == 1
        assert "lease-lost" in daemon.log.read_text()
        assert "Traceback" not in daemon.log.read_text()
        second = stage.commit(a=config("a", "2"))
        daemon.start()
        until("not ready", lambda: "api-unreachable" in http(daemon, "/readyz")[1])
        background.run(holder.start_process("kube-apiserver"))
        assert stage.until_verdict(second)["state"] == "success"
        assert http(daemon, "/readyz")[0] == 200
