"""First sync, a one-cluster commit and an unrelated commit, beside the floors of the same run.

usage: python -m tests.scale.first_sync [CLUSTERS]      (200; from the project's root, with its virtual environment)
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from clusterops.cli.tools import toolchain_settings
from clusterops.sandbox import Sandbox, Spec, held, tools_for
from clusterops.toolchain import Silent, ensure
from tests.scale.fleet import fleet_files, overlay, overlay_path
from tests.scale.floors import NAMESPACE, Floor, apply_floor, render_floor
from tests.scale.large_fleet import News
from tests.scale.processes import cpu_s, resident_mb
from tests.stage import Api, Audit, Daemon, Repository, folder, until


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Seconds of wall time and CPU (daemon with its children), requests to the API server, renders."""

    name: str
    wall_s: float
    cpu_s: float
    writes: int
    renders: int

    @property
    def text(self) -> str:
        return (
            f"{self.name:<22} {self.wall_s:6.2f} s wall  {self.cpu_s:6.2f} s CPU  "
            f"{self.writes:5d} API writes  {self.renders:4d} renders"
        )


class Run:
    """One daemon on one API server, measured from outside."""

    def __init__(self, daemon: Daemon, repository: Repository, audit: Path, api: Api) -> None:
        self.daemon = daemon
        self.api = api
        self.repository = repository
        self.audit = audit

    @property
    def pid(self) -> int:
        assert self.daemon.process is not None
        return self.daemon.process.pid

    def first_sync(self, targets: int) -> Figures:
        audit, started = Audit.from_now(self.audit), time.monotonic()
        self.daemon.start()
        self._applied(targets, self.repository.head, within_s=300)
        wall = time.monotonic() - started
        deployments = self.api.items(
            "/apis/cluster.x-k8s.io/v1beta2/machinedeployments?labelSelector=clusterops.io/fleet"
        )
        assert len(deployments) == targets, f"{len(deployments)} of {targets} clusters are there"
        return self._figures("first sync", wall, cpu_s(self.pid), audit, 0.0)

    def one_cluster(self) -> Figures:
        self._as_controllers_look()
        audit, cpu, renders = Audit.from_now(self.audit), cpu_s(self.pid), self._renders()
        started = time.monotonic()
        commit = self.repository.commit({overlay_path(7): overlay(7, replicas=4).encode()}, "c0007: 2 -> 4")
        self._applied(1, commit)
        return self._figures("one cluster resized", time.monotonic() - started, cpu_s(self.pid) - cpu, audit, renders)

    def unrelated(self) -> Figures:
        audit, cpu, renders = Audit.from_now(self.audit), cpu_s(self.pid), self._renders()
        started = time.monotonic()
        commit = self.repository.commit({"README.md": b"still nobody\n"}, "words")
        until("the verdict", lambda: self.repository.verdict(commit, "clusterops/plan"), every_s=0.01)
        return self._figures("unrelated commit", time.monotonic() - started, cpu_s(self.pid) - cpu, audit, renders)

    def _as_controllers_look(self) -> None:
        """An API server takes a second over the first list of a kind; elsewhere controllers have asked long ago."""
        for kind in ("machinedeployments", "machinesets", "machines"):
            self.api.items(f"/apis/cluster.x-k8s.io/v1beta2/{kind}")
        self.api.items("/apis/bootstrap.cluster.x-k8s.io/v1beta2/kubeadmconfigs")

    def _applied(self, targets: int, commit: str, *, within_s: float = 60) -> None:
        news = News(self.daemon.log)

        def probe() -> bool:
            self.daemon.must_run()
            found = news.of("commit applied")
            return any(event["commit"] == commit[:7] and event["targets"] == targets for event in found)

        until(f"{targets} targets applied", probe, within_s=within_s, every_s=0.02)

    def _figures(self, name: str, wall_s: float, cpu: float, audit: Audit, renders_before: float) -> Figures:
        writes = [write for write in audit.writes() if " leases " not in write]
        renders = int(self._renders() - renders_before)
        return Figures(name=name, wall_s=wall_s, cpu_s=cpu, writes=len(writes), renders=renders)

    def _renders(self) -> float:
        with urllib.request.urlopen(f"{self.daemon.base_url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        wanted = 'clusterops_renders_total{how="process"}'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))


async def main(clusters: int) -> bool:
    settings = toolchain_settings()
    tools = await ensure([*tools_for("crds"), "kustomize", "helm"], settings, Silent())
    with folder("scale") as home:
        spec = Spec(
            name="scale",
            mode="crds",
            directory=home / "sandbox",
            tools={name: tools[name] for name in tools_for("crds")},
            audit_log=home / "audit.log",
        )
        async with held(spec) as holder:
            return await asyncio.to_thread(measure, clusters, home, holder.sandbox, tools)


def measure(clusters: int, home: Path, sandbox: Sandbox, tools: dict[str, Path]) -> bool:
    """Prints the figures; False when an aim of the house is missed."""
    repository = Repository(home / "fleet.git")
    repository.create(fleet_files(clusters))
    checkout = home / "checkout"
    subprocess.run(["git", "clone", "-q", str(repository.directory), str(checkout)], check=True)
    Api(sandbox).send(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    )
    daemon = Daemon(
        repository.directory,
        sandbox.kubeconfig,
        home / "daemon",
        environment={
            "CLUSTEROPS_RENDER_HELM": str(tools["helm"]),
            "CLUSTEROPS_RENDER_KUSTOMIZE": str(tools["kustomize"]),
            "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "15",
            "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "10",
            "CLUSTEROPS_DAEMON_RENEW_EVERY_S": "2",
        },
    )
    run = Run(daemon, repository, home / "audit.log", Api(sandbox))
    renders = render_floor(tools["kustomize"], checkout, clusters)
    applies = apply_floor(tools["kustomize"], checkout, sandbox, clusters)
    try:
        first = run.first_sync(clusters)
        resident = resident_mb(run.pid)
        time.sleep(1.5)
        one = run.one_cluster()
        time.sleep(1.5)
        unrelated = run.unrelated()
    finally:
        with contextlib.suppress(Exception):
            daemon.stop()
        daemon.kill()
    return report(clusters, renders, applies, (first, one, unrelated), resident)


def report(
    clusters: int, renders: Floor, applies: Floor, figures: tuple[Figures, Figures, Figures], resident: float
) -> bool:
    first, one, unrelated = figures
    floor_s = renders.wall_s + applies.wall_s
    print(f"{clusters} clusters = {clusters * 7} objects, two cores")
    print(f"floor: renders         {renders.wall_s:6.2f} s wall  {renders.cpu_s:6.2f} s CPU")
    print(f"floor: bare applies    {applies.wall_s:6.2f} s wall  {applies.cpu_s:6.2f} s client CPU")
    for each in figures:
        print(each.text)
    print(f"resident after the first sync: {resident:.0f} MB")
    print(f"first sync / floor: {first.wall_s / floor_s:.2f} (aim: at most 2), start of the process included")
    print(f"one-cluster commit: {one.wall_s:.2f} s (aim: under 1 s)")
    print(f"unrelated commit: {unrelated.renders} renders, {unrelated.writes} API writes (aim: none)")
    return first.wall_s <= 2 * floor_s and one.wall_s < 1 and not unrelated.renders and not unrelated.writes


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)) else 1)
