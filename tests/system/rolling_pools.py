"""Clusters with one pool each on a plain API server, and a stand-in for Cluster API that rolls their machines."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.fleet_objects import cluster_bodies
from tests.machine_objects import machine_set, worker
from tests.scale.controllers import _status as settled_status
from tests.stage import Api

_PARTS = ("DevMachineTemplate", "KubeadmConfigTemplate", "Cluster", "DevCluster", "MachineDeployment")
_MACHINE_CONDITIONS = (
    "InfrastructureReady",
    "BootstrapConfigReady",
    "NodeReady",
    "NodeHealthy",
    "Ready",
    "Available",
    "UpToDate",
)


def rolling(name: str, version: str, notes: str = "") -> str:
    """The files of a cluster; another version replaces its one worker, other notes do nothing to it."""
    bodies = [one for one in cluster_bodies(name, workers=1, version=version) if one["kind"] in _PARTS]
    for one in bodies:
        one["metadata"] = {"name": one["metadata"]["name"], "annotations": {"notes": notes}}
        if one["kind"] == "Cluster":
            del one["spec"]["controlPlaneRef"]
        if one["kind"] == "DevMachineTemplate" and one["metadata"]["name"].endswith("-cp"):
            one["metadata"]["annotations"] = {}
    return "---\n".join(json.dumps(one) + "\n" for one in bodies)


@dataclass(slots=True)
class Pools:
    """Plays in one namespace, whenever it is told to."""

    api: Api
    namespace: str
    stuck: set[str] = field(default_factory=set)
    """Clusters whose machines never come."""

    def play(self) -> None:
        for kind, group in (("devclusters", "infrastructure.cluster.x-k8s.io"), ("clusters", "cluster.x-k8s.io")):
            for one in self.api.items(self._of(kind, group)):
                self._say(self._of(kind, group), one)
        for pool in self.api.items(self._of("machinedeployments")):
            if pool["metadata"]["name"].rpartition("-")[0] not in self.stuck:
                self._roll(pool)

    def _roll(self, pool: dict[str, Any]) -> None:
        if (pool.get("status") or {}).get("observedGeneration") == pool["metadata"]["generation"]:
            return
        name, version = pool["metadata"]["name"], pool["spec"]["template"]["spec"]["version"]
        cluster, made = name.rpartition("-")[0], f"{name}-{version.replace('.', '-')}"
        for kind in ("machines", "machinesets"):
            for one in self.api.items(self._of(kind)):
                old = one["metadata"]["name"]
                if old.startswith(f"{name}-") and not old.startswith(made):
                    self.api.send("DELETE", f"{self._of(kind)}/{old}")
        members = machine_set(made, cluster, version=version, replicas=1)
        members["spec"]["selector"] = {"matchLabels": {"pool": "general"}}
        members["spec"]["template"]["metadata"] = {"labels": {"pool": "general"}}
        self._make("machinesets", members, pool, {})
        machine = worker(f"{made}-0", made, cluster)
        machine["spec"] = members["spec"]["template"]["spec"]
        conditions = [_condition(kind) for kind in _MACHINE_CONDITIONS]
        self._make("machines", machine, pool, {"observedGeneration": 1, "conditions": conditions})
        self._say(self._of("machinedeployments"), pool)

    def _make(self, kind: str, one: dict[str, Any], pool: dict[str, Any], status: dict[str, Any]) -> None:
        name = one["metadata"]["name"]
        if self.api.get(f"{self._of(kind)}/{name}") is not None:
            return
        owner = {**one["metadata"]["ownerReferences"][0], "uid": pool["metadata"]["uid"]}
        metadata = {"name": name, "labels": one["metadata"]["labels"], "ownerReferences": [owner]}
        there = self.api.send("POST", self._of(kind), {**one, "metadata": metadata})
        self._patch(f"{self._of(kind)}/{name}", status or settled_status(there))

    def _say(self, place: str, one: dict[str, Any]) -> None:
        """A status of its present generation."""
        status, generation = one.get("status") or {}, one["metadata"]["generation"]
        done = (
            status.get("initialization") if "devclusters" in place else status.get("observedGeneration") == generation
        )
        if not done:
            self._patch(f"{place}/{one['metadata']['name']}", settled_status(one))

    def _patch(self, path: str, status: dict[str, Any]) -> None:
        self.api.send("PATCH", f"{path}/status", {"status": status}, content_type="application/merge-patch+json")

    def _of(self, kind: str, group: str = "cluster.x-k8s.io") -> str:
        return f"/apis/{group}/v1beta2/namespaces/{self.namespace}/{kind}"


def _condition(kind: str) -> dict[str, Any]:
    times = {"lastTransitionTime": "2026-11-20T08:00:00Z", "observedGeneration": 1}
    return {"type": kind, "status": "True", "reason": kind, "message": "", **times}
