"""An API server that answers 422, 409, 429, 500 or nothing to each call in turn, while a fleet syncs, upgrades, prunes.

Nothing that git has is ever deleted, and once every call had its bad answer, the fleet is as git wants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.controller.lease import Gate
from clusterops.kube import KubeCluster
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.doors.flaky_api import CUT_BEFORE, EachOnce, FlakyApi, Reply, flaky_api, status_reply
from tests.fuzz.fleet import plain
from tests.fuzz.memory import Files
from tests.fuzz.running import Running, running
from tests.stage import Api

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]

PATIENCE_S = 600.0
NAMES = ("one", "two")
ANSWERS: Mapping[str, str | Reply] = {
    "422": status_reply(422, "Invalid", "spec.x: Invalid value: never"),
    "409": status_reply(409, "Conflict", "the object has been modified"),
    "429": status_reply(429, "TooManyRequests", "later", **{"retry-after": "0"}),
    "500": status_reply(500, "InternalError", "etcd is away"),
    "nothing": CUT_BEFORE,
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One fleet on a real API server behind the proxy; ``label`` keeps it apart from other scenes."""

    label: str
    api: Api
    proxy: FlakyApi
    run: Running

    def files(self, version: str, *, pruned: bool = False) -> Files:
        texts = {
            "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {self.label}\nmode: apply\n"
            "clouds: {dev: {chart: {path: charts/unused}}}\nrollout: {settleTimeout: 0s}\n",
            "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
            f"regions/{self.label}/region.yaml": "cloud: dev\ncredentials: {}\n",
        }
        for name in NAMES:
            parts = plain(name).replace("v1.34.0", version).split("---\n")
            kept = [part for part in parts if not (pruned and _goes(part))]
            texts[f"clusters/{self.label}/{name}/objects.yaml"] = "---\n".join(kept)
        return {path: text.encode() for path, text in texts.items()}

    async def reach(self, files: Files, action: str | Reply, done: Callable[[], bool]) -> int:
        """Pushes, and asks again as a person would, until it is so. Returns how many calls had the bad answer."""
        self.proxy.rule = rule = EachOnce(action)
        self.run.repository.push(files, "next")
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.run.daemon.look()
                await asyncio.sleep(0.3)
                if await asyncio.to_thread(done):
                    return rule.answered
                for name in NAMES:
                    self.run.daemon.asked(f"{self.label}/{name}")
                if self.run.end.done():
                    self.run.end.result()

    def at_version(self, version: str) -> bool:
        return all(self._version(name) == version for name in NAMES) and all(map(self._whole, NAMES))

    def pruned(self) -> bool:
        gone = [self._get(path.format(name)) is None for path in _GOING for name in NAMES]
        return all(gone) and all(self._record(name) == 8 for name in NAMES)

    def deletes(self) -> set[str]:
        """What was asked to be deleted, by path."""
        return {path.partition("?")[0] for path in self.proxy.paths("DELETE")}

    def meant(self) -> set[str]:
        return {self._place(path.format(name)) for path in _GOING for name in NAMES}

    def _version(self, name: str) -> str:
        plane = self._get(f"/apis/controlplane.cluster.x-k8s.io/v1beta2/{{}}/kubeadmcontrolplanes/{name}-cp") or {}
        pool = self._get(f"/apis/cluster.x-k8s.io/v1beta2/{{}}/machinedeployments/{name}-md-0") or {}
        spec = (pool.get("spec") or {}).get("template", {}).get("spec", {})
        versions = {(plane.get("spec") or {}).get("version", ""), spec.get("version", "")}
        return str(versions.pop()) if len(versions) == 1 else ""

    def _whole(self, name: str) -> bool:
        return self._record(name) == 10

    def _record(self, name: str) -> int:
        """Objects that the inventory holds for good."""
        found = self._get(f"/apis/clusterops.io/v1alpha1/{{}}/fleettargets/{name}") or {}
        entries = ((found.get("inventory") or (found.get("spec") or {}).get("inventory")) or {}).get("entries") or []
        return sum(entry.get("state") == "applied" for entry in entries)

    def _get(self, path: str) -> Any:
        return self.api.get(self._place(path))

    def _place(self, path: str) -> str:
        return path.format(f"namespaces/{self.label}")


_GOING = (
    "/api/v1/{{}}/configmaps/{}-notes",
    "/apis/cluster.x-k8s.io/v1beta2/{{}}/machinehealthchecks/{}-health",
)


def _goes(part: str) -> bool:
    return "kind: ConfigMap" in part or "kind: MachineHealthCheck" in part


async def test_fuzz_of_answers_deletes_nothing_and_ends_as_git_wants_it(
    apiserver: Sandbox, tools: dict[str, Path], tmp_path: Path
) -> None:
    """Every answer has a fleet and a daemon of its own; they wait far more than they work, so all run at once."""
    async with asyncio.TaskGroup() as group:
        for answer in ANSWERS:
            (home := tmp_path / answer).mkdir()
            group.create_task(_survives(answer, apiserver, tools, home), name=answer)


async def _survives(answer: str, apiserver: Sandbox, tools: dict[str, Path], home: Path) -> None:
    clock, logger = SystemClock(), build_logger(level="critical")
    gate = Gate(clock=clock)
    action = ANSWERS[answer]
    async with flaky_api(apiserver) as proxy:
        settings = ClusterSettings(kubeconfig=proxy.kubeconfig(home), timeout_s=10)
        connected = KubeCluster.connect(
            settings, NetworkSettings(), logger=logger, metrics=Metrics(), clock=clock, gate=gate
        )
        async with (
            connected as cluster,
            running(cluster, home, tools, gate=gate, backoff_s=0.2, renew_every_s=1.0) as run,
        ):
            scene = Scene(f"answers-{answer}", Api(apiserver), proxy, run)
            counts = [
                await scene.reach(scene.files("v1.34.0"), action, lambda: scene.at_version("v1.34.0")),
                await scene.reach(scene.files("v1.34.1"), action, lambda: scene.at_version("v1.34.1")),
            ]
            assert scene.deletes() == set(), answer
            counts.append(await scene.reach(scene.files("v1.34.1", pruned=True), action, scene.pruned))
            assert scene.deletes() == scene.meant(), answer
            assert min(counts) >= 10, (answer, counts)
