"""N clusters on one API server of their own, followed by one daemon that writes down what it asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterops.sandbox import Sandbox, Spec, held, tools_for
from tests.scale.controllers import settle
from tests.scale.fleet import fleet_files, overlay, overlay_path
from tests.scale.processes import cpu_s
from tests.stage import Api, Daemon, Repository, until

WITHIN_S = 900.0
KINDS = 6
"""Of the objects of ``tests.scale.fleet``."""
EDITS = 11
"""One-cluster commits of which the median counts."""
DEFAULT_LEASE = {
    "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "15",
    "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "10",
    "CLUSTEROPS_DAEMON_RENEW_EVERY_S": "2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds of wall time, and CPU seconds of our processes, of kube-apiserver and of etcd."""

    wall_s: float
    ours_s: float
    server_s: float
    etcd_s: float = 0.0

    def __sub__(self, before: Spent) -> Spent:
        return Spent(
            wall_s=self.wall_s - before.wall_s,
            ours_s=self.ours_s - before.ours_s,
            server_s=self.server_s - before.server_s,
            etcd_s=self.etcd_s - before.etcd_s,
        )

    @property
    def text(self) -> str:
        return (
            f"{self.wall_s:7.2f} s wall  {self.ours_s:7.2f} s CPU of ours  "
            f"{self.server_s:7.2f} s of kube-apiserver  {self.etcd_s:6.2f} s of etcd  load {os.getloadavg()[0]:.1f}"
        )


@dataclass(slots=True)
class News:
    """What a daemon's log says that it had not said before: reading all of it again would be a load of its own."""

    log: Path
    offset: int = 0

    def of(self, event: str) -> list[dict[str, Any]]:
        with self.log.open("rb") as lines:
            lines.seek(self.offset)
            whole, newline, _ = lines.read().rpartition(b"\n")
        self.offset += len(whole) + len(newline)
        return [json.loads(line) for line in whole.splitlines() if f'"event": "{event}"'.encode() in line]


@dataclass(slots=True, kw_only=True)
class Fleet:
    """N clusters on one API server, followed by one daemon."""

    clusters: int
    home: Path
    sandbox: Sandbox
    repository: Repository
    daemon: Daemon
    audit_log: Path

    @property
    def pid(self) -> int:
        assert self.daemon.process is not None
        return self.daemon.process.pid

    def spent(self) -> Spent:
        running = self.daemon.process is not None and self.daemon.process.poll() is None
        return Spent(
            wall_s=time.monotonic(),
            ours_s=cpu_s(self.pid) if running else 0.0,
            server_s=cpu_s(self.sandbox.pids["kube-apiserver"]),
            etcd_s=cpu_s(self.sandbox.pids["etcd"]),
        )

    def until_applied(self, targets: int, commit: str, every_s: float = 0.02) -> float:
        """Seconds since the daemon had the commit, as it counts them."""
        news = News(self.daemon.log)

        def probe() -> list[float]:
            self.daemon.must_run()
            found = news.of("commit applied")
            return [one["seconds"] for one in found if (one["commit"], one["targets"]) == (commit[:7], targets)]

        return until(f"{targets} targets applied", probe, within_s=WITHIN_S, every_s=every_s)[0]

    def first_sync(self) -> Spent:
        before = self.spent()
        self.daemon.start()
        self.until_applied(self.clusters, self.repository.head, every_s=0.1)
        spent = self.spent() - before
        api = Api(self.sandbox)
        kind = "/apis/cluster.x-k8s.io/v1beta2/machinedeployments?labelSelector=clusterops.io/fleet"
        assert len(api.items(kind)) == self.clusters, "not every cluster is there"
        return spent

    def settled(self) -> Spent:
        """What it costs until every target is settled, the controllers' writes included in the server's."""
        before, news, done = self.spent(), News(self.daemon.log), set[str]()
        asyncio.run(settle(self.sandbox))

        def probe() -> bool:
            self.daemon.must_run()
            done.update(one["target"] for one in news.of("pass") if one["stage"] == "done")
            return len(done) >= self.clusters

        until("every target settled", probe, within_s=WITHIN_S, every_s=1.0)
        return self.spent() - before

    def edit(self, number: int) -> tuple[float, float]:
        """Resizes one cluster: seconds from its fetch to the object applied, and from before the commit was made."""
        began = time.monotonic()
        commit = self.repository.commit({overlay_path(number): overlay(number, replicas=4).encode()}, f"c{number:04d}")
        fetched_s = self.until_applied(1, commit, every_s=0.005)
        return fetched_s, time.monotonic() - began

    def edits(self) -> tuple[list[tuple[float, float]], Spent]:
        before, taken = self.spent(), list[tuple[float, float]]()
        for number in range(EDITS):
            taken.append(self.edit(number * self.clusters // EDITS))
            asyncio.run(settle(self.sandbox, pool=f"c{number * self.clusters // EDITS:04d}-md-0"))
            time.sleep(1.0)
        return taken, self.spent() - before

    def restarted(self, *, cache: bool) -> tuple[float, float, Spent]:
        """Seconds until the branch's head is taken, which is when /readyz says so, and until drift is known."""
        self.daemon.stop()
        if not cache:
            shutil.rmtree(self.daemon.home / "cache", ignore_errors=True)
        before = self.spent()
        began = time.monotonic()
        self.daemon.start()
        self.daemon.until_event("commit taken", due=0)
        ready_s = time.monotonic() - began
        self.daemon.until_event("drift compared", kinds=KINDS)
        return ready_s, time.monotonic() - began, self.spent() - before


@asynccontextmanager
async def fleet_of(clusters: int, home: Path, tools: dict[str, Path], *, log: Path) -> AsyncIterator[Fleet]:
    """Its daemon writes every request down in ``log``."""
    async with held(sandbox_spec(home, tools)) as holder:
        repository = Repository(home / "fleet.git")
        repository.create(fleet_files(clusters))
        environment = {
            **DEFAULT_LEASE,
            "CLUSTEROPS_RENDER_HELM": str(tools["helm"]),
            "CLUSTEROPS_RENDER_KUSTOMIZE": str(tools["kustomize"]),
            "SCALE_RECORD": str(log),
        }
        daemon = Daemon(
            repository.directory,
            holder.sandbox.kubeconfig,
            home / "daemon",
            environment=environment,
            module="tests.scale.recorded",
        )
        try:
            yield Fleet(
                clusters=clusters,
                home=home,
                sandbox=holder.sandbox,
                repository=repository,
                daemon=daemon,
                audit_log=home / "audit.log",
            )
        finally:
            with contextlib.suppress(Exception):
                daemon.stop()
            daemon.kill()


def sandbox_spec(home: Path, tools: dict[str, Path]) -> Spec:
    """In a folder that is made for it."""
    home.mkdir()
    return Spec(
        name="scale",
        mode="crds",
        directory=home / "sandbox",
        tools={name: tools[name] for name in tools_for("crds")},
        audit_log=home / "audit.log",
    )
