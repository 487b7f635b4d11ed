"""Control planes and pools: their live Machines against what the owner will say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from clusterops.capi.kinds import CONTROL_PLANE
from clusterops.capi.references import cluster_of
from clusterops.capi.rollout.control_planes import config_of, expiring, machine_differences
from clusterops.capi.rollout.difference import Body, Difference, at, differing
from clusterops.capi.rollout.pools import outdated
from clusterops.capi.rollout.spelling import (
    is_on_delete,
    is_paused,
    machine_template_of,
    moment,
    named,
    replicas_of,
    surge_of,
    unavailable_of,
)
from clusterops.model.impact import Cause, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.problem import Problem
from clusterops.plan.impact.around import (
    KUBEADM_CONFIG,
    MACHINE,
    MACHINE_SET,
    Around,
    home_of,
    made_from,
    owned_by,
    owner_name,
)

TOPOLOGY_POOL_LABEL: Final = "topology.cluster.x-k8s.io/deployment-name"
TOPOLOGY_MACHINE_POOL_LABEL: Final = "topology.cluster.x-k8s.io/pool-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A control plane or pool as it is and as it will be; ``paused`` tells why nothing would happen, "" if nothing."""

    key: ObjectKey
    cluster: ObjectKey | None
    role: Role
    pool: str
    live: LiveObject
    after: Body
    paused: str = ""


def owner_of(live: LiveObject, after: Body, clusters: Iterable[Body] = ()) -> Owner:
    """``clusters`` are the Clusters as they will be: one of them may be the owner's home, and paused."""
    known = tuple(clusters)
    home = home_of(live.body, known)
    paused = [one for one in known if ObjectKey.of(one) == home and is_paused(one)]
    return Owner(
        key=live.key,
        cluster=home,
        role=role_of(live.key),
        pool=pool_name(live.key, live.body),
        live=live,
        after=after,
        paused=f"{(home or live.key).label} is paused"
        if paused
        else (f"{live.key.label} is paused" if is_paused(after) else ""),
    )


def role_of(key: ObjectKey) -> Role:
    return Role.CONTROL_PLANE if key.group == CONTROL_PLANE else Role.WORKER


def pool_name(key: ObjectKey, body: Body) -> str:
    """``general`` for MachineDeployment ``alpha-general`` of Cluster ``alpha``, and for a topology's pool."""
    labels = at(body, "metadata", "labels") or {}
    of_topology = labels.get(TOPOLOGY_POOL_LABEL) or labels.get(TOPOLOGY_MACHINE_POOL_LABEL)
    if of_topology:
        return str(of_topology)
    cluster = cluster_of(body)
    return key.name.removeprefix(f"{cluster.name}-" if cluster else "") or key.name


def impact_of_owner(owner: Owner, around: Around) -> PoolImpact:
    """By the kind of the owner; whatever has no comparator of Cluster API's own is unknown, but for its count."""
    if owner.key.kind == "KubeadmControlPlane":
        found = _of_control_plane(owner, around)
    elif owner.key.kind == "MachineDeployment":
        found = _of_pool(owner, around)
    else:
        found = _of_stranger(owner)
    return _blocked(found, owner.paused) if owner.paused else found


def counted(owner: Owner, outdated_uids: Mapping[str, tuple[Difference, ...]], now: int) -> PoolImpact:
    """How many Machines are added, removed and replaced, given those that do not match.

    A scale-down takes the outdated ones first, and they are not followed by others.
    """
    had, then = replicas_of(owner.live.body), replicas_of(owner.after)
    removed = max(had - then, 0)
    replaced = max(len(outdated_uids) - removed, 0)
    added = max(then - had, 0)
    return PoolImpact(
        cluster=owner.cluster,
        owner=owner.key,
        role=owner.role,
        pool=owner.pool,
        kind=_kind(replaced, added + removed, changed=dict(owner.after) != dict(owner.live.body)),
        added=added,
        removed=removed,
        replaced=replaced,
        now=now,
        then=then,
        surge=surge_of(owner.after, then) if replaced else 0,
        unavailable=unavailable_of(owner.after, then) if replaced else 0,
        going=tuple(sorted(outdated_uids)),
        causes=(*_causes(owner.key, outdated_uids.values()), *_scaling(owner, had, then)),
    )


def unknown(owner: Owner, why: str, *, now: int | None = None, causes: Iterable[Cause] = ()) -> PoolImpact:
    """Every Machine may be replaced."""
    had, then = replicas_of(owner.live.body), replicas_of(owner.after)
    count = had if now is None else now
    return PoolImpact(
        cluster=owner.cluster,
        owner=owner.key,
        role=owner.role,
        pool=owner.pool,
        kind=ImpactClass.UNKNOWN,
        added=max(then - had, 0),
        removed=max(had - then, 0),
        replaced=max(count - max(had - then, 0), 0),
        now=count,
        then=then,
        causes=(*causes, *_scaling(owner, had, then)),
        note=why,
    )


def _kind(replaced: int, scaled: int, *, changed: bool) -> ImpactClass:
    if replaced:
        return ImpactClass.ROLLING
    if scaled:
        return ImpactClass.SCALING
    return ImpactClass.IN_PLACE if changed else ImpactClass.NONE


def _of_pool(owner: Owner, around: Around) -> PoolImpact:
    machines, sets = around.of_cluster(MACHINE, owner.cluster), around.of_cluster(MACHINE_SET, owner.cluster)
    if isinstance(machines, Problem):
        return unknown(owner, machines.text)
    if isinstance(sets, Problem):
        return unknown(owner, sets.text)
    ours = {one.key.name: one for one in owned_by(sets, "MachineDeployment", owner.key.name)}
    members = [(owner_name(one, "MachineSet"), one) for one in machines if not one.deleting]
    held = [(name, one) for name, one in members if name in ours]
    found = counted(owner, outdated(owner.after, ours, held), len(held))
    return _on_delete(found) if is_on_delete(owner.after) else found


def _on_delete(found: PoolImpact) -> PoolImpact:
    if not found.replaced:
        return found
    scaled = bool(found.added or found.removed)
    note = f"strategy OnDelete: none is replaced now, {found.replaced} are as somebody deletes them"
    kind = ImpactClass.SCALING if scaled else ImpactClass.IN_PLACE
    # A scale-down takes the outdated ones first, but how many of them is Cluster API's choice.
    return replace(found, kind=kind, replaced=0, going=(), surge=0, unavailable=0, note=note)


def _of_control_plane(owner: Owner, around: Around) -> PoolImpact:
    machines = around.of_cluster(MACHINE, owner.cluster)
    configs = around.of_cluster(KUBEADM_CONFIG, owner.cluster)
    made = around.of_cluster(made_from(owner.live.body), owner.cluster)
    if isinstance(machines, Problem):
        return unknown(owner, machines.text)
    if isinstance(configs, Problem):
        return unknown(owner, configs.text)
    if isinstance(made, Problem):
        return unknown(owner, made.text)
    members = owned_by(machines, "KubeadmControlPlane", owner.key.name)
    configured, made_of = _by_machine(configs), _by_machine(made)
    now = _at_least(members)
    gone = {}
    for one in members:
        config, infrastructure = configured.get(one.key.name), made_of.get(one.key.name)
        differences = machine_differences(owner.after, one.body, config=config, infrastructure=infrastructure)
        differences += expiring(owner.after, one.body, now)
        if differences:
            gone[one.uid] = differences
    stays = [one.key.name for one in members if one.uid not in gone]
    unseen = [name for name in stays if name not in configured or name not in made_of]
    if unseen and _rolling_fields_change(owner):
        why = f"what Machine {unseen[0]} was made from was not found"
        return unknown(owner, why, now=len(members))
    return counted(owner, gone, len(members))


def _at_least(machines: Iterable[LiveObject]) -> datetime | None:
    """The latest moment that any of them was written at: it is that late, at least, and a plan has no clock."""
    written = (moment(manager.time) for one in machines for manager in one.managers)
    return max((each for each in written if each is not None), default=None)


def _by_machine(objects: Iterable[LiveObject]) -> dict[str, LiveObject]:
    """By the name of the Machine that owns them, or that they are named after."""
    return {owner_name(one, "Machine") or one.key.name: one for one in objects}


def _rolling_fields_change(owner: Owner) -> bool:
    before, after = machine_template_of(owner.live.body), machine_template_of(owner.after)
    return named(before) != named(after) or config_of(owner.live.body) != config_of(owner.after)


def _of_stranger(owner: Owner) -> PoolImpact:
    """MachinePools and control planes of other providers: the count is known, the rest is the provider's affair."""
    changed = [
        Cause(object=owner.key, pointer=f"/spec{pointer}", before=before, after=after, rule="no-comparator")
        for pointer, before, after in differing(owner.live.body.get("spec") or {}, owner.after.get("spec") or {})
        if pointer not in {"/replicas", "/paused"}
    ]
    if not changed or owner.key.kind == "MachineSet":
        found = counted(owner, {}, replicas_of(owner.live.body))
        return replace(found, note="a MachineSet replaces no Machine when its template changes") if changed else found
    return unknown(owner, f"what {provider_of(owner)} makes of it is not known to Cluster API", causes=changed)


def provider_of(owner: Owner) -> str:
    """The provider that decides, by the kind that it brings: ``DevMachinePool``."""
    if owner.role is Role.CONTROL_PLANE:
        return f"the provider of {owner.key.kind}"
    kind = at(owner.after, "spec", "template", "spec", "infrastructureRef", "kind")
    return f"the provider of {kind}" if kind else "its provider"


def _blocked(found: PoolImpact, why: str) -> PoolImpact:
    """Nothing happens until somebody lifts the pause; then this does."""
    if not (found.added or found.removed or found.replaced):
        return found
    parts = [
        f"{word} {count}"
        for word, count in (("replaces", found.replaced), ("adds", found.added), ("removes", found.removed))
        if count
    ]
    note = f"{why}: {', '.join(parts)} once that is lifted"
    return replace(
        found,
        kind=ImpactClass.BLOCKED,
        added=0,
        removed=0,
        replaced=0,
        surge=0,
        unavailable=0,
        going=(),
        then=found.now,
        note=note,
    )


def _causes(key: ObjectKey, found: Iterable[Sequence[Difference]]) -> tuple[Cause, ...]:
    told: dict[tuple[str, str], Cause] = {}
    for differences in found:
        for one in differences:
            cause = Cause(object=key, pointer=one.pointer, before=one.before, after=one.after, rule=one.rule)
            told.setdefault((one.pointer, repr(one.before)), cause)
    return tuple(told[each] for each in sorted(told))


def _scaling(owner: Owner, had: int, then: int) -> tuple[Cause, ...]:
    if had == then:
        return ()
    return (Cause(object=owner.key, pointer="/spec/replicas", before=had, after=then, rule="replicas"),)


def overlaid(live: Any, desired: Any) -> Any:
    """A body as an apply would leave it, where no dry run could tell."""
    if not (isinstance(live, Mapping) and isinstance(desired, Mapping)):
        return desired
    merged = dict(live)
    for field, value in desired.items():
        merged[field] = overlaid(live.get(field), value) if field in live else value
    return merged
