"""Plays Cluster API: every object of a fleet is as healthy as its controllers would say, of its present generation."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, Final

import aiohttp

from clusterops.sandbox import Sandbox
from tests.scale.floors import IN_FLIGHT

_KINDS: Final = (
    "infrastructure.cluster.x-k8s.io/v1beta2/devclusters",
    "controlplane.cluster.x-k8s.io/v1beta2/kubeadmcontrolplanes",
    "cluster.x-k8s.io/v1beta2/machinedeployments",
    "cluster.x-k8s.io/v1beta2/clusters",
)
_OURS: Final = "labelSelector=clusterops.io/fleet"
_FALSE: Final = ("RollingOut", "ScalingUp", "ScalingDown", "Remediating", "Deleting")
_TRUE: Final = (
    "Available",
    "CertificatesAvailable",
    "ControlPlaneComponentsHealthy",
    "ControlPlaneMachinesUpToDate",
    "EtcdClusterHealthy",
    "Initialized",
    "MachinesReady",
    "MachinesUpToDate",
    "Ready",
    "WorkerMachinesUpToDate",
)


async def settle(sandbox: Sandbox, *, pool: str = "") -> int:
    """Writes the status of all objects, or of the MachineDeployment of that name, whose generation it is not of yet.

    Returns how many that were.
    """
    tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
    tls.load_cert_chain(sandbox.cert_file, sandbox.key_file)
    kinds, query = (_KINDS, _OURS) if not pool else (_KINDS[2:3], f"fieldSelector=metadata.name%3D{pool}")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=IN_FLIGHT)) as session:
        written = [await _settle_kind(session, sandbox.server, kind, query) for kind in kinds]
    return sum(written)


async def _settle_kind(session: aiohttp.ClientSession, server: str, kind: str, query: str) -> int:
    api, _, plural = kind.rpartition("/")
    async with session.get(f"{server}/apis/{kind}?{query}") as answer:
        found = json.loads(await answer.read()).get("items") or []
    pending = [one for one in found if _lags(one)]

    async def worker() -> None:
        while pending:
            one = pending.pop()
            place = f"namespaces/{one['metadata']['namespace']}/{plural}/{one['metadata']['name']}"
            await _patch(session, f"{server}/apis/{api}/{place}/status", {"status": _status(one)})

    count = len(pending)
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT // 2)))
    return count


async def _patch(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/merge-patch+json", "User-Agent": "manager"}
    async with session.patch(url, data=json.dumps(body).encode(), headers=headers) as answer:
        text = await answer.text()
        assert answer.status == 200, text[:500]


def _lags(one: dict[str, Any]) -> bool:
    """A DevCluster has no observedGeneration, and its spec is never edited here."""
    status = one.get("status") or {}
    if one["kind"] == "DevCluster":
        return not status.get("initialization")
    return bool(status.get("observedGeneration") != one["metadata"]["generation"])


def _status(one: dict[str, Any]) -> dict[str, Any]:
    generation = one["metadata"]["generation"]
    conditions = [
        {
            "type": kind,
            "status": "False" if kind in _FALSE else "True",
            "observedGeneration": generation,
            "lastTransitionTime": "2026-11-20T08:00:00Z",
            "reason": kind,
            "message": "",
        }
        for kind in (*_FALSE, *_TRUE)
    ]
    replicas = (one.get("spec") or {}).get("replicas")
    names = ("replicas", "readyReplicas", "availableReplicas", "upToDateReplicas")
    counts = {} if replicas is None else dict.fromkeys(names, replicas)
    initialization = {
        "DevCluster": {"provisioned": True},
        "KubeadmControlPlane": {"controlPlaneInitialized": True},
        "Cluster": {"infrastructureProvisioned": True, "controlPlaneInitialized": True},
    }.get(one["kind"])
    begun = {"initialization": initialization} if initialization else {}
    observed = {} if one["kind"] == "DevCluster" else {"observedGeneration": generation}
    return {**observed, "conditions": conditions, **begun, **counts}
