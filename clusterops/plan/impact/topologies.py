"""A Cluster with a topology: what its class generates before and after, and what that does to its live Machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from clusterops.capi.kinds import CLUSTER_NAME_LABEL
from clusterops.capi.rollout.difference import Body, IncomputableError, at, differing
from clusterops.capi.rollout.patches import opaque_in
from clusterops.capi.rollout.regenerate import NEXT, next_control_plane, next_pool, rotates
from clusterops.capi.rollout.spelling import Named, is_paused, machine_template_of, named
from clusterops.capi.rollout.topology import (
    Blueprint,
    Generated,
    GeneratedPool,
    class_key,
    generated,
    has_topology,
)
from clusterops.model.impact import Cause, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.problem import Problem
from clusterops.plan.impact.around import Around, not_listed
from clusterops.plan.impact.classes import MACHINE_DEPLOYMENT, MACHINE_POOL, Reach, template_kinds
from clusterops.plan.impact.owners import (
    TOPOLOGY_MACHINE_POOL_LABEL,
    TOPOLOGY_POOL_LABEL,
    Owner,
    impact_of_owner,
    unknown,
)

_LABELS: Final = {"MachineDeployment": TOPOLOGY_POOL_LABEL, "MachinePool": TOPOLOGY_MACHINE_POOL_LABEL}
_FIELDS: Final = {"MachineDeployment": "machineDeployments", "MachinePool": "machinePools"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """One live Cluster as it is and as it will be, with its generated objects as listed."""

    live: LiveObject
    after: Body
    reach: Reach
    around: Around

    @property
    def key(self) -> ObjectKey:
        return self.live.key

    def listed(self, kind: tuple[str, str]) -> tuple[LiveObject, ...]:
        """Raises Unlisted when nobody can say."""
        found = self.around.of_cluster(kind, self.key)
        if isinstance(found, Problem):
            raise _UnlistedError(found)
        return tuple(one for one in found if not one.deleting)


class _UnlistedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)


def impact_of_topology(topology: Topology) -> tuple[PoolImpact, ...]:
    """Its control plane and pools; all unknown when what is generated cannot be computed."""
    try:
        return tuple(_pools(topology))
    except (IncomputableError, _UnlistedError) as error:
        return tuple(_all_unknown(topology, str(error)))


def pools_of_new(cluster: Body) -> Iterator[PoolImpact]:
    """What a Cluster that is made with a topology will have; needs nothing but its own words."""
    key, topology = ObjectKey.of(cluster), at(cluster, "spec", "topology")
    plane = at(topology, "controlPlane") or {}
    if not is_paused(cluster):
        count = plane.get("replicas")
        yield _added(key, "KubeadmControlPlane", "control-plane", 1 if count is None else int(count))
        for kind, field in _FIELDS.items():
            for pool in at(topology, "workers", field) or ():
                count = pool.get("replicas")
                yield _added(key, kind, str(pool.get("name")), 1 if count is None else int(count))


def _pools(topology: Topology) -> Iterator[PoolImpact]:
    before, after = _generations(topology)
    paused = f"{topology.key.label} is paused" if is_paused(topology.after) else ""
    yield from _control_plane(topology, before, after, paused)
    for kind, name in sorted({*before.pools, *after.pools}):
        pool = after.pools.get((kind, name))
        live = _live_pool(topology, kind, name)
        if pool is None:
            yield from _dropped(topology, live)
        elif live is None:
            known = before.pools.get((kind, name))
            if known is None:
                yield _added(topology.key, kind, name, 1 if pool.replicas is None else pool.replicas)
        else:
            yield _pool(topology, live, before.pools.get((kind, name)), pool, paused)


def _generations(topology: Topology) -> tuple[Generated, Generated]:
    names = dict(_names(topology))
    before = _blueprint(topology, topology.live.body, topology.reach.class_before, changed=False)
    after = _blueprint(topology, topology.after, topology.reach.class_after, changed=True)
    return generated(before, names), generated(after, names)


def _blueprint(topology: Topology, cluster: Body, class_of: Any, *, changed: bool) -> Blueprint:
    key = class_key(cluster)
    cluster_class = class_of(key)
    if key is None or cluster_class is None:
        raise IncomputableError(f"ClusterClass {key.name if key else ''} was not found")
    kinds = template_kinds(topology.live, topology.reach)
    templates = topology.reach.templates(key.namespace, kinds)
    return Blueprint(
        cluster=cluster,
        cluster_class=cluster_class,
        templates=topology.reach.templates_after(key.namespace, templates) if changed else templates,
    )


def _names(topology: Topology) -> Iterator[tuple[str, str]]:
    yield "ControlPlane", named(at(topology.live.body, "spec", "controlPlaneRef"))[2]
    plane = _live_control_plane(topology)
    if plane is not None:
        yield "machines", named(machine_template_of(plane.body))[2]
    for kind, listed in (("MachineDeployment", MACHINE_DEPLOYMENT), ("MachinePool", MACHINE_POOL)):
        for one in topology.listed(listed):
            yield f"{kind}/{one.labels.get(_LABELS[kind], '')}", one.key.name


def _live_control_plane(topology: Topology) -> LiveObject | None:
    group, kind, name = named(at(topology.live.body, "spec", "controlPlaneRef"))
    if not kind:
        return None
    return next((one for one in topology.listed((group, kind)) if one.key.name == name), None)


def _live_pool(topology: Topology, kind: str, name: str) -> LiveObject | None:
    listed = topology.listed(MACHINE_DEPLOYMENT if kind == "MachineDeployment" else MACHINE_POOL)
    return next((one for one in listed if one.labels.get(_LABELS[kind]) == name), None)


def _control_plane(topology: Topology, before: Generated, after: Generated, paused: str) -> Iterator[PoolImpact]:
    live = _live_control_plane(topology)
    if live is None:
        return
    reference = named(machine_template_of(live.body))
    rotated = rotates(before.machines, after.machines, _live_spec(topology, reference))
    wanted = next_control_plane(live.body, before, after, rotated=rotated)
    owner = _owner(topology, live, wanted, role=Role.CONTROL_PLANE, pool="control-plane", paused=paused)
    doubts = _opaque(before.machines, after.machines) or _opaque(before.control_plane, after.control_plane)
    causes = []
    if rotated:
        causes = _template_causes(before.machines or {}, after.machines or {}, after.sources["machines"], topology)
    yield _told(owner, topology, doubts, causes)


def _pool(
    topology: Topology, live: LiveObject, before: GeneratedPool | None, after: GeneratedPool, paused: str
) -> PoolImpact:
    template = at(live.body, "spec", "template", "spec") or {}
    if after.deferred and template.get("version") != after.version:
        owner = _owner(topology, live, live.body, role=Role.WORKER, pool=after.name, paused=paused)
        note = f"the upgrade of {after.name} is deferred by its annotation, and so is all else in it"
        return replace(impact_of_owner(owner, topology.around), note=note)
    old_bootstrap = before.bootstrap if before else None
    old_machines = before.infrastructure if before else None
    bootstrap = _live_spec(topology, named(at(template, "bootstrap", "configRef")))
    machines = _live_spec(topology, named(template.get("infrastructureRef")))
    new_bootstrap = rotates(old_bootstrap, after.bootstrap, bootstrap)
    new_machines = rotates(old_machines, after.infrastructure, machines)
    wanted = next_pool(live.body, after, bootstrap_rotates=new_bootstrap, machines_rotate=new_machines)
    owner = _owner(topology, live, wanted, role=Role.WORKER, pool=after.name, paused=paused)
    causes = []
    if new_bootstrap:
        causes += _template_causes(old_bootstrap or {}, after.bootstrap, after.sources["bootstrap"], topology)
    if new_machines:
        causes += _template_causes(old_machines or {}, after.infrastructure, after.sources["infrastructure"], topology)
    doubts = _opaque(old_bootstrap, after.bootstrap) or _opaque(old_machines, after.infrastructure)
    return _told(owner, topology, doubts, causes)


def _owner(topology: Topology, live: LiveObject, after: Body, *, role: Role, pool: str, paused: str = "") -> Owner:
    own = f"{live.key.label} is paused" if is_paused(live.body) else ""
    return Owner(key=live.key, cluster=topology.key, role=role, pool=pool, live=live, after=after, paused=paused or own)


def _told(owner: Owner, topology: Topology, doubts: str, causes: list[Cause]) -> PoolImpact:
    if doubts:
        return unknown(owner, doubts, causes=causes)
    found = impact_of_owner(owner, topology.around)
    told = [_in_the_topology(cause, owner, topology) for cause in found.causes if cause.after != NEXT]
    fresh = [cause for cause in told if not str(cause.after).endswith(f"/{NEXT}")]
    return replace(found, causes=(*fresh, *(causes if found.replaced or found.note else ())))


def _in_the_topology(cause: Cause, owner: Owner, topology: Topology) -> Cause:
    """The field that a person edits, where it is one of the Cluster's."""
    place = "/spec/topology"
    if cause.rule in {"control-plane-version", "pool-version"}:
        return replace(cause, object=topology.key, pointer=f"{place}/version")
    if cause.rule != "replicas":
        return cause
    if owner.role is Role.CONTROL_PLANE:
        return replace(cause, object=topology.key, pointer=f"{place}/controlPlane/replicas")
    field = _FIELDS.get(owner.key.kind, "machineDeployments")
    pools = [str(one.get("name")) for one in at(topology.after, "spec", "topology", "workers", field) or ()]
    index = pools.index(owner.pool) if owner.pool in pools else 0
    return replace(cause, object=topology.key, pointer=f"{place}/workers/{field}/{index}/replicas")


def _template_causes(before: Body, after: Body, source: Named, topology: Topology) -> list[Cause]:
    key = class_key(topology.after)
    home = key.namespace if key else topology.key.namespace
    template = ObjectKey(group=source[0], kind=source[1], namespace=home, name=source[2])
    return [
        Cause(object=template, pointer=f"/spec{pointer}", before=old, after=new, rule="topology-template")
        for pointer, old, new in differing(before, after)
    ]


def _opaque(before: Any, after: Any) -> str:
    """A template that this program cannot render, and whose fields changed."""
    changed = [new for _, _, new in differing(before or {}, after or {})]
    return "a patch's template cannot be rendered here, and what it reads changes" if opaque_in(changed) else ""


def _live_spec(topology: Topology, reference: Named) -> Body | None:
    found = topology.around.of_cluster((reference[0], reference[1]), topology.key)
    if isinstance(found, Problem):
        raise _UnlistedError(found)
    return next((one.body.get("spec") or {} for one in found if one.key.name == reference[2]), None)


def _dropped(topology: Topology, live: LiveObject | None) -> Iterator[PoolImpact]:
    if live is None:
        return
    label = TOPOLOGY_POOL_LABEL if live.key.kind == "MachineDeployment" else TOPOLOGY_MACHINE_POOL_LABEL
    pool = live.labels.get(label, live.key.name)
    machines = [one for one in topology.listed(("cluster.x-k8s.io", "Machine")) if one.labels.get(label) == pool]
    count = len(machines) or int(at(live.body, "spec", "replicas") or 0)
    yield PoolImpact(
        cluster=topology.key,
        owner=live.key,
        role=Role.WORKER,
        pool=pool,
        kind=ImpactClass.DELETE,
        removed=count,
        now=count,
        going=tuple(sorted(one.uid for one in machines)),
    )


def _added(cluster: ObjectKey, kind: str, pool: str, count: int) -> PoolImpact:
    role = Role.CONTROL_PLANE if kind == "KubeadmControlPlane" else Role.WORKER
    group = "controlplane.cluster.x-k8s.io" if role is Role.CONTROL_PLANE else "cluster.x-k8s.io"
    owner = ObjectKey(group=group, kind=kind, namespace=cluster.namespace, name=f"{cluster.name}-{pool}")
    return PoolImpact(
        cluster=cluster, owner=owner, role=role, pool=pool, kind=ImpactClass.SCALING, added=count, then=count
    )


def _all_unknown(topology: Topology, why: str) -> Iterator[PoolImpact]:
    note = f"cannot be computed: {why}"
    group, kind, _ = named(at(topology.live.body, "spec", "controlPlaneRef"))
    named_any = False
    for listed in ((group, kind), MACHINE_DEPLOYMENT, MACHINE_POOL):
        found = topology.around.of_cluster(listed, topology.key) if listed[1] else not_listed("", None)
        for one in () if isinstance(found, Problem) else found:
            if one.deleting or one.labels.get(CLUSTER_NAME_LABEL) != topology.key.name:
                continue
            named_any = True
            role = Role.CONTROL_PLANE if listed[0] == group and listed[1] == kind else Role.WORKER
            label = _LABELS.get(listed[1], "")
            pool = "control-plane" if role is Role.CONTROL_PLANE else one.labels.get(label, one.key.name)
            yield unknown(_owner(topology, one, one.body, role=role, pool=pool), note)
    if not named_any and has_topology(topology.live.body):
        yield PoolImpact(
            cluster=topology.key,
            owner=topology.key,
            role=Role.WORKER,
            pool="",
            kind=ImpactClass.UNKNOWN,
            note=note,
        )
