"""Shows 1, 2, 3 and 5 of drift and scale: what a fleet of a thousand costs, beside the floor of the same run.

usage: python -m tests.scale.thousand [--clusters 1000] [--minutes 10]     (from the project's root)
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from clusterops.cli.tools import toolchain_settings
from clusterops.sandbox import held, tools_for
from clusterops.toolchain import Silent, ensure
from tests.scale.floors import Floor, decoded_render_floor
from tests.scale.large_fleet import EDITS, Fleet, Spent, fleet_of, sandbox_spec
from tests.scale.processes import cpu_s, resident_mb
from tests.scale.replay import replay
from tests.scale.request_log import Sent, read_sent
from tests.stage import Audit, Repository, folder


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


async def replay_floor(home: Path, tools: dict[str, Path], sent: list[Sent]) -> tuple[Floor, Spent]:
    async with held(sandbox_spec(home, tools)) as holder:
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
