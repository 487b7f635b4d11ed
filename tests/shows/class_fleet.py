"""A fleet of clusters in two regions on one class that a shared target renders, and a second client on its Machines."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.kube import KubeCluster
from clusterops.model.live import LiveObject
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics
from tests.shows.impact_clusters import Bodies, cluster_class, with_class
from tests.shows.impact_lane import CLOCK, LOGGER, one_of
from tests.system.plain_fleet import FleetStage

CLASS_HOME: Final = "classes"
REGIONS: Final = ("east", "west")
CLUSTERS_AT_ONCE, MACHINES_AT_ONCE = 3, 4
_FLEET: Final = f"""apiVersion: clusterops.io/v1alpha1
kind: FleetFile
name: classy
mode: apply
clouds: {{dev: {{chart: {{path: charts/unused}}}}}}
policy: {{budgets: {{machinesReplaced: 100%}}}}
rollout: {{soak: SOAK, maxConcurrentClusters: {CLUSTERS_AT_ONCE}, maxMachinesInFlight: MACHINES}}
"""
_REGION: Final = "cloud: dev\ncredentials: {secret: none, cloud: dev}\n"


@dataclass(slots=True)
class ClassFleet:
    """``pools`` by cluster (``east/e00``): each of one worker. ``bodies`` are the class and its templates as git has
    them.
    """

    stage: FleetStage
    pools: Mapping[str, int]
    soak: str = "5s"
    machines: int = MACHINES_AT_ONCE
    bodies: Bodies = field(default_factory=lambda: cluster_class("web"))

    @classmethod
    def of(cls, stage: FleetStage, count: int, machines: int = MACHINES_AT_ONCE) -> ClassFleet:
        """Every second cluster has two pools, so that machines are the narrower limit at times."""
        names = [f"{REGIONS[number % 2]}/{REGIONS[number % 2][0]}{number:02}" for number in range(count)]
        return cls(stage, {name: 1 + number // 2 % 2 for number, name in enumerate(names)}, machines=machines)

    @property
    def workers(self) -> int:
        return sum(self.pools.values())

    def create(self) -> str:
        ground = {
            "fleet.yaml": _FLEET.replace("SOAK", self.soak).replace("MACHINES", str(self.machines)),
            "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
            **{
                f"regions/{name}/region.yaml": "cloud: dev\ncredentials: {secret: none, cloud: dev}\n"
                for name in REGIONS
            },
        }
        clusters = {f"clusters/{name}/objects.yaml": self._cluster(name) for name in self.pools}
        files = {path: text.encode() for path, text in {**ground, **clusters}.items()}
        return self.stage.repository.create({**files, **self._class()})

    def other_workers(self, note: str) -> str:
        """Another content of the machine template of the pools."""
        template = one_of(self.bodies, "DevMachineTemplate", "web-worker")
        template["spec"]["template"]["metadata"] = {"labels": {"note": note}}
        return self.commit(f"workers {note}")

    def other_planes(self) -> str:
        """Another content of the control planes' template."""
        kubeadm = one_of(self.bodies, "KubeadmControlPlaneTemplate")["spec"]["template"]["spec"]["kubeadmConfigSpec"]
        kubeadm["clusterConfiguration"]["apiServer"]["certSANs"] = ["localhost", "one.example"]
        return self.commit("control planes")

    def other_workers_in_place(self) -> str:
        """The class itself says that all of its clusters take the edit at once."""
        one = one_of(self.bodies, "ClusterClass")
        one["metadata"]["annotations"] = {**one["metadata"]["annotations"], "clusterops.io/rotate": "disabled"}
        return self.other_workers("in-place")

    def commit(self, message: str) -> str:
        """The class as ``bodies`` have it."""
        return self.stage.repository.commit(self._class(), message)

    def classes(self) -> list[str]:
        found = self.stage.api.items(f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{CLASS_HOME}/clusterclasses")
        return sorted(one["metadata"]["name"] for one in found)

    def templates(self) -> list[str]:
        path = f"/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/{CLASS_HOME}/devmachinetemplates"
        return sorted(one["metadata"]["name"] for one in self.stage.api.items(path))

    def _class(self) -> dict[str, bytes]:
        found = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CLASS_HOME}}]
        found += [_unstamped(one, CLASS_HOME) for one in self.bodies]
        return {"shared/classes/objects.yaml": "---\n".join(json.dumps(one) + "\n" for one in found).encode()}

    def _cluster(self, name: str) -> str:
        region, _, cluster = name.partition("/")
        pools = {f"p{number}": 1 for number in range(self.pools[name])}
        one = _unstamped(with_class(cluster, "web", pools=pools), region)
        one["spec"]["topology"]["classRef"]["namespace"] = CLASS_HOME
        return json.dumps(one)


def _unstamped(one: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """As a person writes it."""
    found = copy.deepcopy(dict(one))
    kept = {key: text for key, text in found["metadata"]["annotations"].items() if key != "clusterops.io/target"}
    found["metadata"] = {"name": found["metadata"]["name"], "namespace": namespace, "annotations": kept}
    return found


@dataclass(slots=True)
class Machines:
    """Every Machine as a watch tells it, and how many move at each moment, since ``begin``.

    A Machine moves while it is not ready or going; where a cluster has more ready ones than it is to have, one of
    them is about to go.
    """

    wanted: Mapping[str, int]
    """Machines that each cluster has at rest."""
    now: dict[str, LiveObject] = field(default_factory=dict)
    peak: int = 0
    peak_clusters: int = 0
    worst: str = ""
    born: set[str] = field(default_factory=set)
    samples: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        with self._lock:
            self.peak = self.peak_clusters = self.samples = 0
            self.worst, self.born = "", set()

    def watch(self, kubeconfig: Any) -> threading.Thread:
        """Until the process ends."""
        thread = threading.Thread(target=lambda: asyncio.run(self._watch(kubeconfig)), daemon=True, name="machines")
        thread.start()
        return thread

    def uids(self, *, control_plane: bool) -> set[str]:
        label = "cluster.x-k8s.io/control-plane"
        with self._lock:
            return {uid for uid, one in self.now.items() if (label in one.labels) is control_plane}

    def moving(self) -> dict[str, int]:
        found: dict[str, list[LiveObject]] = defaultdict(list)
        for one in self.now.values():
            found[f"{one.key.namespace}/{one.labels.get('cluster.x-k8s.io/cluster-name', '')}"].append(one)
        counts = {name: _moving(members, self.wanted.get(name, 0)) for name, members in found.items()}
        return {name: count for name, count in counts.items() if count}

    async def _watch(self, kubeconfig: Any) -> None:
        settings = ClusterSettings(kubeconfig=kubeconfig)
        async with KubeCluster.connect(
            settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
        ) as cluster:
            async for event in cluster.watch("cluster.x-k8s.io", "Machine"):
                if event.object is not None:
                    self._take(event.kind, event.object)

    def _take(self, kind: str, one: LiveObject) -> None:
        with self._lock:
            if kind == "DELETED":
                self.now.pop(one.uid, None)
            else:
                self.born |= {one.uid} - self.now.keys()
                self.now[one.uid] = one
            moving = self.moving()
            self.samples += 1
            if sum(moving.values()) > self.peak:
                self.peak, self.worst = sum(moving.values()), f"{time.strftime('%T')} {moving}"
            self.peak_clusters = max(self.peak_clusters, len(moving))


def _moving(members: list[LiveObject], wanted: int) -> int:
    steady = sum(_is_ready(one) and not one.deleting for one in members)
    return len(members) - steady + max(steady - wanted, 0)


def _is_ready(one: LiveObject) -> bool:
    conditions = (one.body.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
