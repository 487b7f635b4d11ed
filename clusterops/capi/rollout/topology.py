"""What a Cluster's topology generates from its ClusterClass, as far as machines are concerned.

**Source:** Cluster API v1.14.0 exp/topology/desiredstate/desired_state.go (Generate, computeControlPlane,
computeMachineDeployment), core/reconcilers/topology/cluster/blueprint.go, patches/variables/variables.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.capi.kinds import CORE
from clusterops.capi.rollout.difference import Body, IncomputableError, at
from clusterops.capi.rollout.patches import Holder, patched
from clusterops.capi.rollout.spelling import Named, named
from clusterops.model.key import ObjectKey

DEFER: Final = "topology.cluster.x-k8s.io/defer-upgrade"
HOLD_SEQUENCE: Final = "topology.cluster.x-k8s.io/hold-upgrade-sequence"

Templates = Mapping[Named, Body]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedPool:
    """One pool. ``bootstrap`` and ``infrastructure`` are the specs of its generated templates."""

    name: str
    kind: str
    pool_class: str
    version: str
    replicas: int | None
    failure_domain: str
    rollout: Mapping[str, Any]
    bootstrap: Mapping[str, Any]
    infrastructure: Mapping[str, Any]
    sources: Mapping[str, Named] = field(default_factory=dict)
    deferred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A whole topology. ``control_plane`` is the spec of its object, ``machines`` of its machine template."""

    version: str
    replicas: int | None
    rollout_after: Any
    control_plane: Mapping[str, Any]
    machines: Mapping[str, Any] | None
    sources: Mapping[str, Named]
    pools: Mapping[tuple[str, str], GeneratedPool]
    """By (kind, name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A Cluster, its class, and the class's templates by reference."""

    cluster: Body
    cluster_class: Body
    templates: Templates


def has_topology(cluster: Body) -> bool:
    return isinstance(at(cluster, "spec", "topology"), Mapping)


def class_key(cluster: Body) -> ObjectKey | None:
    """The ClusterClass that a Cluster names, in either version's spelling."""
    topology = at(cluster, "spec", "topology")
    reference = at(topology, "classRef")
    name = at(reference, "name") or at(topology, "class")
    home = at(reference, "namespace") or at(topology, "classNamespace") or at(cluster, "metadata", "namespace")
    return ObjectKey(group=CORE, kind="ClusterClass", namespace=home or None, name=str(name)) if name else None


def with_class(cluster: Body, name: str) -> dict[str, Any]:
    """The Cluster with another class of the same namespace, in the spelling that it has; shares what stays."""
    spec, topology = cluster["spec"], cluster["spec"]["topology"]
    if at(topology, "classRef", "name"):
        moved = {**topology, "classRef": {**topology["classRef"], "name": name}}
    else:
        moved = {**topology, "class": name}
    return {**cluster, "spec": {**spec, "topology": moved}}


def class_templates(cluster_class: Body) -> Iterator[Named]:
    """Every template that a class refers to."""
    spec = cluster_class.get("spec") or {}
    yield _reference(spec.get("infrastructure"))
    yield _reference(spec.get("controlPlane"))
    if at(spec, "controlPlane", "machineInfrastructure"):
        yield _reference(at(spec, "controlPlane", "machineInfrastructure"))
    for kind in ("machineDeployments", "machinePools"):
        for one in at(spec, "workers", kind) or ():
            yield _reference(_part(one, "bootstrap"))
            yield _reference(_part(one, "infrastructure"))


def generated(blueprint: Blueprint, names: Mapping[str, str]) -> Generated:
    """``names`` are those of the live generated objects, by role, for builtin variables.

    Raises IncomputableError for what only a controller or a runtime extension could tell.
    """
    topology, spec = at(blueprint.cluster, "spec", "topology"), blueprint.cluster_class.get("spec") or {}
    patches = spec.get("patches") or ()
    plane = topology.get("controlPlane") or {}
    variables = _variables(blueprint, plane, {"controlPlane": _plane_builtin(topology, plane, names)})
    planes, machines = _reference(spec.get("controlPlane")), at(spec, "controlPlane", "machineInfrastructure")
    holder = Holder(kind="ControlPlane")
    sources = {"control-plane": planes}
    made: Body | None = None
    if machines:
        sources["machines"] = _reference(machines)
        made = patched(_template(blueprint, sources["machines"]), holder, patches, variables)
    control_plane = patched(_template(blueprint, planes), holder, patches, variables)
    return Generated(
        version=str(topology.get("version", "")),
        replicas=plane.get("replicas"),
        rollout_after=at(plane, "rollout", "after") or topology.get("rolloutAfter"),
        control_plane=at(control_plane, "template", "spec") or {},
        machines=made,
        sources=sources,
        pools=dict(_pools(blueprint, patches, names)),
    )


def _pools(
    blueprint: Blueprint, patches: Sequence[Body], names: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str], GeneratedPool]]:
    workers = at(blueprint.cluster, "spec", "topology", "workers")
    for kind, field_name in (("MachineDeployment", "machineDeployments"), ("MachinePool", "machinePools")):
        pools = at(workers, field_name) or ()
        for place, pool in enumerate(pools):
            one = _pool(blueprint, kind, pool, patches, names, before=pools[: place + 1])
            yield (kind, one.name), one


def _pool(
    blueprint: Blueprint,
    kind: str,
    pool: Body,
    patches: Sequence[Body],
    names: Mapping[str, str],
    *,
    before: Sequence[Body],
) -> GeneratedPool:
    name, pool_class, topology = (
        str(pool.get("name")),
        str(pool.get("class")),
        at(blueprint.cluster, "spec", "topology"),
    )
    definition = _class_of(blueprint, kind, pool_class)
    builtin = {
        "version": topology.get("version"),
        "class": pool_class,
        "name": names.get(f"{kind}/{name}", ""),
        "topologyName": name,
        "replicas": pool.get("replicas"),
    }
    variables = _variables(
        blueprint, pool, {"machineDeployment" if kind == "MachineDeployment" else "machinePool": builtin}
    )
    holder = Holder(kind=kind, pool_class=pool_class)
    sources = {part: _reference(_part(definition, part)) for part in ("bootstrap", "infrastructure")}
    return GeneratedPool(
        name=name,
        kind=kind,
        pool_class=pool_class,
        version=str(topology.get("version", "")),
        replicas=pool.get("replicas"),
        failure_domain=str(pool.get("failureDomain") or definition.get("failureDomain") or ""),
        rollout=_rollout(pool) or _rollout(definition),
        bootstrap=patched(_template(blueprint, sources["bootstrap"]), holder, patches, variables),
        infrastructure=patched(_template(blueprint, sources["infrastructure"]), holder, patches, variables),
        sources=sources,
        deferred=_is_deferred(pool, before),
    )


def _rollout(part: Body) -> Mapping[str, Any]:
    found = part.get("rollout")
    return found or ({"strategy": part["strategy"]} if part.get("strategy") else {})


def _is_deferred(pool: Body, before: Sequence[Body]) -> bool:
    """Its upgrade waits for a person; a hold also stops the pools behind it."""
    own = at(pool, "metadata", "annotations") or {}
    return DEFER in own or any(HOLD_SEQUENCE in (at(one, "metadata", "annotations") or {}) for one in before)


def _class_of(blueprint: Blueprint, kind: str, pool_class: str) -> Body:
    field_name = "machineDeployments" if kind == "MachineDeployment" else "machinePools"
    for one in at(blueprint.cluster_class, "spec", "workers", field_name) or ():
        if one.get("class") == pool_class:
            return one  # type: ignore[no-any-return]
    raise IncomputableError(
        f"class {pool_class} is not in ClusterClass {at(blueprint.cluster_class, 'metadata', 'name')}"
    )


def _part(definition: Body, part: str) -> Any:
    """v1beta1 keeps a pool class's references one level deeper."""
    return definition.get(part) or at(definition, "template", part)


def _reference(holder: Any) -> Named:
    return named(at(holder, "templateRef") or at(holder, "ref"))


def _template(blueprint: Blueprint, reference: Named) -> Body:
    found = blueprint.templates.get(reference)
    if found is None:
        raise IncomputableError(f"{reference[1]} {reference[2]} of the class was not found")
    return found


def _plane_builtin(topology: Body, plane: Body, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "version": topology.get("version"),
        "replicas": plane.get("replicas"),
        "name": names.get("ControlPlane", ""),
        "machineTemplate": {"infrastructureRef": {"name": names.get("machines", "")}},
    }


def _variables(blueprint: Blueprint, part: Body, builtin: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults of the class, then the topology's values, then the part's own, and ``builtin``."""
    topology = at(blueprint.cluster, "spec", "topology")
    defined = {str(one.get("name")): one for one in at(blueprint.cluster_class, "spec", "variables") or ()}
    found = {
        name: at(one, "schema", "openAPIV3Schema", "default")
        for name, one in defined.items()
        if at(one, "schema", "openAPIV3Schema", "default") is not None
    }
    overrides = part.get("variables")
    for source in (topology.get("variables") or (), at(overrides, "overrides") or ()):
        found.update({str(one.get("name")): one.get("value") for one in source if one.get("name") in defined})
    return {**found, "builtin": {"cluster": _cluster_builtin(blueprint), **builtin}}


def _cluster_builtin(blueprint: Blueprint) -> dict[str, Any]:
    cluster, metadata = blueprint.cluster, blueprint.cluster.get("metadata") or {}
    network, home = at(cluster, "spec", "clusterNetwork") or {}, class_key(cluster)
    class_name = home.name if home else ""
    class_namespace = home.namespace if home else None
    return {
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
        "uid": metadata.get("uid"),
        "metadata": {"labels": metadata.get("labels") or {}, "annotations": metadata.get("annotations") or {}},
        "topology": {
            "version": at(cluster, "spec", "topology", "version"),
            "class": class_name,
            "classNamespace": class_namespace,
            "classRef": {"name": class_name, "namespace": class_namespace},
        },
        "network": {
            "serviceDomain": network.get("serviceDomain"),
            "services": at(network, "services", "cidrBlocks"),
            "pods": at(network, "pods", "cidrBlocks"),
        },
    }
