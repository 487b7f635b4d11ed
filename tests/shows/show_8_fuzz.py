"""500 destructive mistakes on a 200-cluster repository, with the guards on and off, and a share on a real API server.

usage: python -m tests.shows.show_8_fuzz [COUNT] [SHARE]      (500 and 40; several minutes; from the project's root)

One table: mistake, runs, objects of the fleet deleted, deleted with the guards off (a switch that only tests have).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clusterops.controller.clock import SystemClock
from clusterops.controller.lease import Gate
from clusterops.kube import KubeCluster
from clusterops.model.key import ObjectKey
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.fuzz.fleet import fleet_files
from tests.fuzz.guards import guards_off
from tests.fuzz.mistakes import COUNT, mistakes
from tests.fuzz.run import Row, lost, play, play_in_memory, table
from tests.fuzz.running import running
from tests.shows.place import place
from tests.stage import Audit

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
        print(f"the first {share} of them on a real API server, deletes counted from its audit log")
    whole = not lost(rows) and not lost(real) and lost(unguarded) >= min(AT_LEAST, count)
    print("all as it has to be" if whole else "NOT as it has to be")
    return whole


async def play_for_real(home: Path, tools: Mapping[str, Path], sandbox: Sandbox, share: int) -> dict[str, Row]:
    clock, logger = SystemClock(), build_logger(level="critical")
    gate, log = Gate(clock=clock), RequestLog.of(sandbox)
    settings = ClusterSettings(kubeconfig=sandbox.kubeconfig)
    connected = KubeCluster.connect(
        settings, NetworkSettings(), logger=logger, metrics=Metrics(), clock=clock, gate=gate
    )
    async with connected as cluster, running(cluster, home, tools, gate=gate) as run:
        return await play(run, list(mistakes(fleet_files()))[:share], log.deleted, log.applied)


@dataclass(slots=True)
class RequestLog:
    """What the API server's audit log says of our requests; a key's kind is the request's plural."""

    audit: Audit
    _deleted: list[ObjectKey] = field(default_factory=list)
    _applied: set[ObjectKey] = field(default_factory=set)

    @classmethod
    def of(cls, sandbox: Sandbox) -> RequestLog:
        assert sandbox.audit_log is not None
        return cls(Audit.from_now(sandbox.audit_log))

    def deleted(self) -> list[ObjectKey]:
        self._read()
        return self._deleted

    def applied(self) -> frozenset[ObjectKey]:
        self._read()
        return frozenset(self._applied)

    def _read(self) -> None:
        """What is new; nothing is under way when it is called, so the file ends with a whole line."""
        end = self.audit.path.stat().st_size
        for verb, plural, place_of, code in (line.split() for line in self.audit.writes()):
            namespace, _, name = place_of.partition("/")
            key = ObjectKey(group="", kind=plural, namespace=namespace or None, name=name)
            if verb == "delete" and code.startswith("2"):
                self._deleted.append(key)
            elif verb == "patch":
                self._applied.add(key)
        self.audit.offset = end


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(0 if main(*(numbers + [COUNT, SHARE][len(numbers) :])) else 1)
