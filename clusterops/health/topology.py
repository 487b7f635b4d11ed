"""Whether a Cluster's topology has reached the objects that the topology controller makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.capi.conditions import Verdict, waiting
from clusterops.capi.kinds import is_control_plane, is_pool
from clusterops.capi.references import cluster_of
from clusterops.model.key import ObjectKey, group_of
from clusterops.model.live import LiveObject, LiveSet

_POOL_LABELS: Final = {
    "machineDeployments": "topology.cluster.x-k8s.io/deployment-name",
    "machinePools": "topology.cluster.x-k8s.io/pool-name",
}
"""**Source:** Cluster API api/core/v1beta2/common_types.go."""


def not_carried(cluster: LiveObject, live: LiveSet) -> Verdict | None:
    """Why the topology is not carried yet: a control plane or pool with another version or count, or none at all."""
    topology = (cluster.body.get("spec") or {}).get("topology")
    if not topology:
        return None
    found = [one for key in live if (one := live.found(key)) is not None]
    return next(_differences(cluster, topology, found), None)


def pool_of(cluster: LiveObject, name: str, live: LiveSet) -> LiveObject | None:
    """The MachineDeployment that the topology controller made for a pool."""
    label = _POOL_LABELS["machineDeployments"]
    found = (one for key in live if (one := live.found(key)) is not None)
    return next((one for one in found if _is_pool_of(one, cluster.key, label, name)), None)


def _differences(cluster: LiveObject, topology: Mapping[str, Any], found: list[LiveObject]) -> Iterator[Verdict]:
    control_plane = control_plane_key(cluster)
    there = next((one for one in found if one.key == control_plane), None)
    wanted = topology.get("controlPlane") or {}
    yield from _compared("the control plane", there, _version(there, pool=False), topology.get("version"), wanted)
    for kind, label in _POOL_LABELS.items():
        for pool in (topology.get("workers") or {}).get(kind) or ():
            name = str(pool.get("name"))
            there = next((one for one in found if _is_pool_of(one, cluster.key, label, name)), None)
            yield from _compared(f"pool {name}", there, _version(there, pool=True), topology.get("version"), pool)


def _compared(
    what: str, there: LiveObject | None, version: Any, wanted_version: Any, wanted: Mapping[str, Any]
) -> Iterator[Verdict]:
    if there is None:
        yield waiting("TopologyNotCarried", f"{what} is not there yet")
        return
    if version != wanted_version:
        yield waiting("TopologyNotCarried", f"{what} is still told {version}, {wanted_version} is wanted")
    replicas = (there.body.get("spec") or {}).get("replicas")
    if wanted.get("replicas") is not None and replicas != wanted["replicas"]:
        yield waiting(
            "TopologyNotCarried", f"{what} is still told {replicas} replicas, {wanted['replicas']} are wanted"
        )


def control_plane_key(cluster: LiveObject) -> ObjectKey | None:
    return _reference(cluster, "controlPlaneRef")


def infrastructure_key(cluster: LiveObject) -> ObjectKey | None:
    return _reference(cluster, "infrastructureRef")


def _reference(cluster: LiveObject, field: str) -> ObjectKey | None:
    return referenced(cluster, (cluster.body.get("spec") or {}).get(field))


def referenced(one: LiveObject, reference: Mapping[str, Any] | None) -> ObjectKey | None:
    """What a reference in a body means, in the spelling of either version; None when it is not set."""
    if not reference or not (reference.get("kind") and reference.get("name")):
        return None
    group = reference.get("apiGroup") or group_of(str(reference.get("apiVersion", "")))
    namespace = reference.get("namespace") or one.key.namespace
    return ObjectKey(group=group, kind=reference["kind"], namespace=namespace, name=reference["name"])


def _version(there: LiveObject | None, *, pool: bool) -> Any:
    spec = (there.body.get("spec") or {}) if there else {}
    return ((spec.get("template") or {}).get("spec") or {}).get("version") if pool else spec.get("version")


def _is_pool_of(one: LiveObject, cluster: ObjectKey, label: str, name: str) -> bool:
    mine = is_pool(one.key) and not is_control_plane(one.key) and cluster_of(one.body) == cluster
    return mine and one.key.kind != "MachineSet" and one.labels.get(label) == name
