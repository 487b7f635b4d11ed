"""Shows 1, 2, 3 and 5 of drift and scale: what a fleet of a thousand costs, beside the floor of the same run.

usage: python -m tests.scale.thousand [--clusters 1000] [--minutes 10]     (from the project's root)
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterops.cli.tools import toolchain_settings
from clusterops.sandbox import Sandbox, Spec, held, tools_for
from clusterops.toolchain import Silent, ensure
from tests.scale.controllers import settle
from tests.scale.fleet import fleet_files, overlay, overlay_path
from tests.scale.floors import Floor, decoded_render_floor
from tests.scale.processes import cpu_s, resident_mb
from tests.scale.replay import replay
from tests.scale.request_log import Sent, read_sent
from tests.stage import Api, Audit, Daemon, Repository, folder, until

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


def steady(fleet: Fleet, seconds: float) -> bool:
    audit, before = Audit.from_now(fleet.audit_log), fleet.spent()
    time.sleep(seconds)
    spent = fleet.spent() - before
    asked = audit.requests()
    leases = sum("leases" in one for one in asked)
    others = [one for one in asked if "leases" not in one]
    writes = [one for one in others if not one.startswith(("get ", "list ", "watch "))]
    print(f"3 steady, {seconds:.0f} s      {spent.text}")
    print(
        f"  {100 * spent.ours_s / seconds:.2f} % of a core (aim: under 1), {leases} requests for the Lease, "
        f"{len(others) - len(writes)} other reads, {len(writes)} other writes (aim: 0)"
    )
    for one in sorted(set(others))[:12]:
        print(f"    {others.count(one):5d} {one}")
    return not writes and spent.ours_s < 0.01 * seconds


@asynccontextmanager
async def fleet_of(clusters: int, home: Path, tools: dict[str, Path], *, log: Path) -> AsyncIterator[Fleet]:
    """Its daemon writes every request down in ``log``."""
    async with held(_spec(home, tools)) as holder:
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


def _spec(home: Path, tools: dict[str, Path]) -> Spec:
    home.mkdir()
    return Spec(
        name="scale",
        mode="crds",
        directory=home / "sandbox",
        tools={name: tools[name] for name in tools_for("crds")},
        audit_log=home / "audit.log",
    )


async def replay_floor(home: Path, tools: dict[str, Path], sent: list[Sent]) -> tuple[Floor, Spent]:
    async with held(_spec(home, tools)) as holder:
        pids = holder.sandbox.pids

        def spent() -> Spent:
            return Spent(
                wall_s=time.monotonic(),
                ours_s=0.0,
                server_s=cpu_s(pids["kube-apiserver"]),
                etcd_s=cpu_s(pids["etcd"]),
            )

        before = spent()
        floor = await replay(holder.sandbox, sent)
        return floor, spent() - before


def small(fleet: Fleet) -> tuple[float, float]:
    """Of a smaller fleet: median seconds of a one-cluster commit, and MB."""
    first = fleet.first_sync()
    fleet.settled()
    resident = resident_mb(fleet.pid)
    taken, _ = fleet.edits()
    print(f"{fleet.clusters} clusters: first sync {first.text}")
    fetched_s = statistics.median(one for one, _ in taken)
    print(f"  one cluster {fetched_s:.3f} s median since its fetch, {resident:.0f} MB", flush=True)
    return fetched_s, resident


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """A large fleet's way to settled: what its first sync asked is the start of the request log."""

    first: Spent
    recorded_bytes: int
    edit_s: float
    resident_mb: float


def synced(fleet: Fleet, log: Path) -> Synced:
    first = fleet.first_sync()
    recorded_bytes, applied_mb = log.stat().st_size, resident_mb(fleet.pid)
    print(f"1 first sync           {first.text}", flush=True)
    settled = fleet.settled()
    settled_mb = resident_mb(fleet.pid)
    print(f"  until all is settled {settled.text}")
    print(
        f"  memory of all our processes: {applied_mb:.0f} MB when applied, {settled_mb:.0f} MB when settled", flush=True
    )
    taken, spent = fleet.edits()
    median_s, whole_s = (statistics.median(each) for each in zip(*taken, strict=True))
    print(
        f"2 one cluster          {median_s:.3f} s median, {max(taken)[0]:.3f} s worst of {EDITS} since its fetch "
        f"(aim: under 1 s); {whole_s:.3f} s since before the commit was made"
    )
    print(f"  {EDITS} commits          {spent.text}", flush=True)
    return Synced(first=first, recorded_bytes=recorded_bytes, edit_s=median_s, resident_mb=settled_mb)


def restarts(fleet: Fleet) -> None:
    for cache in (True, False):
        ready_s, compared_s, spent = fleet.restarted(cache=cache)
        how = "with" if cache else "without"
        print(f"5 restart {how:>7} cache {ready_s:.2f} s until ready, {compared_s:.2f} s until drift is known")
        print(f"  until then           {spent.text}")
        time.sleep(20)
        print(f"  {resident_mb(fleet.pid):.0f} MB 20 s later", flush=True)


async def main(clusters: int, minutes: float) -> bool:
    settings = toolchain_settings()
    tools = await ensure([*tools_for("crds"), "kustomize", "helm"], settings, Silent())
    with folder("thousand") as home:
        found: dict[int, tuple[float, float]] = {}
        for number in sorted({min(100, clusters // 2), min(200, clusters // 2)}):
            async with fleet_of(number, home / f"of-{number}", tools, log=home / f"sent-{number}") as fleet:
                found[number] = await asyncio.to_thread(small, fleet)
        log = home / "sent"
        async with fleet_of(clusters, home / "large", tools, log=log) as fleet:
            large = await asyncio.to_thread(synced, fleet, log)
            # The daemon and its API server have nothing to do meanwhile.
            ratio = await beside_floor(home, tools, fleet, large, log)
            quiet = await asyncio.to_thread(steady, fleet, minutes * 60)
            await asyncio.to_thread(restarts, fleet)
    least, most = min(found), max(found)
    print(f"one cluster: {found[least][0]:.3f} s at {least}, {large.edit_s:.3f} s at {clusters}")
    print(f"memory: {found[most][1]:.0f} MB at {most} (aim: 150), {large.resident_mb:.0f} MB at {clusters} (aim: 350)")
    small_enough = found[most][1] <= 150 and large.resident_mb <= 350
    return ratio <= 1.3 and large.edit_s < 1 and quiet and small_enough


async def beside_floor(home: Path, tools: dict[str, Path], fleet: Fleet, large: Synced, log: Path) -> float:
    """The first sync's wall time over the floor's."""
    checkout = await asyncio.to_thread(_checkout, fleet.repository, home / "checkout")
    renders = await asyncio.to_thread(decoded_render_floor, tools["kustomize"], checkout, fleet.clusters)
    print(f"floor: renders         {renders.wall_s:7.2f} s wall  {renders.cpu_s:7.2f} s CPU, decoded", flush=True)
    sent = list(read_sent(log, until_bytes=large.recorded_bytes))
    applies, server = await replay_floor(home / "replay", tools, sent)
    print(
        f"floor: {len(sent)} requests  {applies.wall_s:7.2f} s wall  {applies.cpu_s:7.2f} s CPU of the client  "
        f"{server.server_s:7.2f} s of kube-apiserver  {server.etcd_s:6.2f} s of etcd  load {os.getloadavg()[0]:.1f}"
    )
    first, cpu_floor_s = large.first, renders.cpu_s + applies.cpu_s
    ratio = first.wall_s / (renders.wall_s + applies.wall_s)
    servers_s, floor_servers_s = first.server_s + first.etcd_s, server.server_s + server.etcd_s
    print(
        f"first sync / floor: {ratio:.2f} of wall time (aim: 1.3), {first.ours_s / cpu_floor_s:.2f} of our CPU, "
        f"{(first.ours_s + servers_s) / (cpu_floor_s + floor_servers_s):.2f} of all CPU",
        flush=True,
    )
    return ratio


def _checkout(repository: Repository, folder: Path) -> Path:
    subprocess.run(["git", "clone", "-q", str(repository.directory), str(folder)], check=True)
    return folder


def run() -> int:
    """The exit code: 0 when every aim is met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10)
    asked = parser.parse_args()
    return 0 if asyncio.run(main(asked.clusters, asked.minutes)) else 1


if __name__ == "__main__":
    sys.exit(run())
