"""Whether a topology's templates are copies of those that its ClusterClass names now.

An edit of a class raises no generation of its Clusters, and their TopologyReconciled stays True until the topology
controller comes to them: only the copies show that the edit has arrived.
**Source:** Cluster API v1.14 exp/topology/desiredstate/desired_state.go (templateToTemplate: cloned-from annotations).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.capi.conditions import Verdict, waiting
from clusterops.capi.kinds import CORE
from clusterops.health.topology import control_plane_key, pool_of, referenced
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet

_CLONED_FROM: Final = "cluster.x-k8s.io/cloned-from-name"


def class_key(cluster: LiveObject) -> ObjectKey | None:
    """The ClusterClass of a topology, as v1beta2 or v1beta1 name it."""
    topology = _topology(cluster)
    reference = topology.get("classRef") or {"name": topology.get("class"), "namespace": topology.get("classNamespace")}
    namespace = reference.get("namespace") or cluster.key.namespace
    name = reference.get("name")
    return ObjectKey(group=CORE, kind="ClusterClass", namespace=namespace, name=name) if name else None


def template_keys(cluster: LiveObject, live: LiveSet) -> set[ObjectKey]:
    """The copies in use, where class, control plane and pools are in ``live``."""
    return {key for _, key, _ in _uses(cluster, live)}


def not_copied(cluster: LiveObject, live: LiveSet) -> Verdict | None:
    """The first copy of a template that the class does not name any more; copies that were not read say nothing."""
    for what, key, wanted in _uses(cluster, live):
        copy = live.found(key)
        source = copy.annotations.get(_CLONED_FROM) if copy else None
        if source and source != wanted:
            return waiting("TopologyNotCarried", f"{what} still uses a copy of {source}, its class names {wanted}")
    return None


def _uses(cluster: LiveObject, live: LiveSet) -> Iterator[tuple[str, ObjectKey, str]]:
    """(whose, the copy, the name of its template in the class)."""
    named = class_key(cluster)
    used = live.found(named) if named else None
    plane = control_plane_key(cluster)
    control_plane = live.found(plane) if plane else None
    if used is None or control_plane is None:
        return
    spec = used.body.get("spec") or {}
    yield from _use("the control plane", control_plane, _machines_from(control_plane), _part(spec, "controlPlane"))
    classes = {one.get("class"): one for one in _part(spec, "workers").get("machineDeployments") or ()}
    for wanted in _part(_topology(cluster), "workers").get("machineDeployments") or ():
        name = str(wanted.get("name"))
        pool, worker = pool_of(cluster, name, live), classes.get(wanted.get("class")) or {}
        if pool is not None:
            # v1beta1 has the parts under ``template``.
            yield from _use(f"pool {name}", pool, _made_from(pool), {**_part(worker, "template"), **worker})


def _use(
    whose: str, owner: LiveObject, references: Mapping[str, Any], parts: Mapping[str, Any]
) -> Iterator[tuple[str, ObjectKey, str]]:
    for part, reference in references.items():
        key = referenced(owner, reference)
        template = _part(parts, part)
        name = (template.get("templateRef") or template.get("ref") or {}).get("name")
        if key is not None and name:
            yield whose, key, str(name)


def _machines_from(control_plane: LiveObject) -> Mapping[str, Any]:
    machine = _part(_part(control_plane.body, "spec"), "machineTemplate")
    reference = _part(machine, "spec").get("infrastructureRef") or machine.get("infrastructureRef")
    return {"machineInfrastructure": reference}


def _made_from(pool: LiveObject) -> Mapping[str, Any]:
    spec = _part(_part(_part(pool.body, "spec"), "template"), "spec")
    return {"infrastructure": spec.get("infrastructureRef"), "bootstrap": _part(spec, "bootstrap").get("configRef")}


def _topology(cluster: LiveObject) -> Mapping[str, Any]:
    return _part(_part(cluster.body, "spec"), "topology")


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = body.get(name)
    return found or {}
