"""500 destructive mistakes on a 200-cluster repository, with the guards on and off, and a share on a real API server.

usage: python -m tests.shows.show_8_fuzz [COUNT] [SHARE]      (500 and 40; several minutes; from the project's root)

One table: mistake, runs, objects of the fleet deleted, deleted with the guards off (a switch that only tests have).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from clusterops.controller.clock import SystemClock
from clusterops.controller.lease import Gate
from clusterops.kube import KubeCluster
from clusterops.model.key import ObjectKey
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.doors.flaky_api import FlakyApi, flaky_api
from tests.fuzz.fleet import fleet_files
from tests.fuzz.guards import guards_off
from tests.fuzz.mistakes import COUNT, mistakes
from tests.fuzz.run import Row, lost, play, play_in_memory, table
from tests.fuzz.running import running
from tests.shows.place import place

SHARE = 40
AT_LEAST = 300


def main(count: int, share: int) -> bool:
    with place("crds") as (home, sandbox, tools):
        began_s = time.monotonic()
        rows = asyncio.run(play_in_memory(home / "on", tools, mistakes(fleet_files(), count)))
        with guards_off():
            unguarded = asyncio.run(play_in_memory(home / "off", tools, mistakes(fleet_files(), count)))
        print("\n".join(table(rows, unguarded)))
        print(f"{count} mistakes twice in {time.monotonic() - began_s:.0f} s, on a model of an API server\n")
        (home / "real").mkdir()
        real = asyncio.run(play_for_real(home / "real", tools, sandbox, share))
        print("\n".join(table(real, {})))
        print(f"the first {share} of them on a real API server, deletes counted from the wire")
    whole = not lost(rows) and not lost(real) and lost(unguarded) >= min(AT_LEAST, count)
    print("all as it has to be" if whole else "NOT as it has to be")
    return whole


async def play_for_real(home: Path, tools: Mapping[str, Path], sandbox: Sandbox, share: int) -> dict[str, Row]:
    """Every request goes through a proxy that remembers it and changes nothing."""
    clock, logger = SystemClock(), build_logger(level="critical")
    gate = Gate(clock=clock)
    async with flaky_api(sandbox) as proxy:
        settings = ClusterSettings(kubeconfig=proxy.kubeconfig(home))
        connected = KubeCluster.connect(
            settings, NetworkSettings(), logger=logger, metrics=Metrics(), clock=clock, gate=gate
        )
        async with connected as cluster, running(cluster, home, tools, gate=gate) as run:
            made = list(mistakes(fleet_files()))[:share]
            return await play(run, made, lambda: _deleted(proxy), lambda: frozenset(_applied(proxy)))


def _deleted(proxy: FlakyApi) -> list[ObjectKey]:
    return [_key(path) for path in proxy.paths("DELETE")]


def _applied(proxy: FlakyApi) -> list[ObjectKey]:
    return [_key(path) for path in proxy.paths("PATCH") if "dryRun" not in path]


def _key(path: str) -> ObjectKey:
    """Of a request; its plural stands for the kind."""
    parts = path.partition("?")[0].strip("/").split("/")
    group, rest = (parts[1], parts[3:]) if parts[0] == "apis" else ("", parts[2:])
    namespace, rest = (rest[1], rest[2:]) if rest[0] == "namespaces" and len(rest) > 2 else (None, rest)
    return ObjectKey(group=group, kind=rest[0], namespace=namespace, name=rest[1])


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(0 if main(*(numbers + [COUNT, SHARE][len(numbers) :])) else 1)
