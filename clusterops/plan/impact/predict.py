"""One Impact per change of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from clusterops.capi.kinds import CORE, is_class, is_cluster, is_control_plane, is_pool, is_template
from clusterops.capi.rollout.difference import Body, at
from clusterops.capi.rollout.spelling import is_paused, replicas_of
from clusterops.capi.rollout.topology import has_topology
from clusterops.model.impact import Impact, ImpactClass, PoolImpact
from clusterops.model.key import ObjectKey, group_of
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.neighbours import Neighbours, Query
from clusterops.model.plan import MISSING, Action, Change
from clusterops.model.problem import Problem
from clusterops.plan.impact.around import MACHINE, Around, home_of
from clusterops.plan.impact.classes import ALL_CLUSTERS, Reach, class_keys
from clusterops.plan.impact.lists import owners_in
from clusterops.plan.impact.notes import notes
from clusterops.plan.impact.overlay import overlaid_with
from clusterops.plan.impact.owners import impact_of_owner, owner_of, pool_name, role_of
from clusterops.plan.impact.topologies import Topology, impact_of_topology, pools_of_new
from clusterops.plan.wanted import Wanted

_EDITS: Final = frozenset({Action.UPDATE, Action.ADOPT, Action.ROTATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """All that a prediction may look at. ``after`` is each changed object as it will be, by key."""

    changes: tuple[Change, ...]
    wanted: Mapping[ObjectKey, Wanted]
    live: LiveSet
    around: Around
    after: Mapping[ObjectKey, Body]
    coming: Mapping[ObjectKey, Manifest]

    @property
    def reach(self) -> Reach:
        def after(key: ObjectKey) -> Body | None:
            known = self.wanted.get(key)
            return self.after.get(key) or (known.manifest.body if known else None)

        return Reach(
            changed=frozenset(self.after),
            live=self.live,
            neighbours=self.around.neighbours,
            after=after,
            coming=self.coming,
        )

    @property
    def clusters(self) -> tuple[Body, ...]:
        """The target's Clusters as they will be."""
        return tuple(
            self.after.get(key, one.manifest.body) for key, one in sorted(self.wanted.items()) if is_cluster(key)
        )


def impacts(
    changes: Iterable[Change],
    wanted: Mapping[ObjectKey, Wanted],
    live: LiveSet,
    neighbours: Neighbours,
    predictions: Mapping[ObjectKey, LiveObject | Problem],
    *,
    coming: Mapping[ObjectKey, Manifest] = MappingProxyType({}),
) -> Mapping[ObjectKey, Impact]:
    """By the key of the change. What cannot be predicted is UNKNOWN with a note, never none.

    A change that is held or refused writes nothing and is BLOCKED; only the deletion of a Cluster or pool still
    tells which Machines it is about. Each pool stands in one change alone. ``coming`` are classes and templates of
    other targets that will be there before. O(changes + machines).
    """
    rows = tuple(changes)
    outlook = Outlook(
        changes=rows,
        wanted=wanted,
        live=live,
        around=Around(neighbours),
        after={row.key: _after(row, predictions.get(row.key)) for row in rows if row.writes and row.desired},
        coming=coming,
    )
    of_topologies = _by_change(outlook)
    return {row.key: _impact(row, outlook, of_topologies.get(row.key, ())) for row in rows}


def _by_change(outlook: Outlook) -> dict[ObjectKey, list[PoolImpact]]:
    """Pools of topologies by the change that tells them: the Cluster's own, else its class's, else a template's."""
    reach = outlook.reach
    found: dict[ObjectKey, list[PoolImpact]] = {}
    for key, live in sorted(reach.clusters().items()):
        teller = next(iter(_tellers(key, live, reach)), None)
        if teller is not None:
            after = outlook.after.get(key) or live.body
            topology = Topology(live=live, after=after, reach=reach, around=outlook.around)
            found.setdefault(teller, []).extend(impact_of_topology(topology))
    return found


def _tellers(key: ObjectKey, live: LiveObject, reach: Reach) -> Iterator[ObjectKey]:
    if key in reach.changed:
        yield key
    classes = class_keys(live, reach)
    yield from (each for each in classes if each in reach.changed)
    yield from sorted(each for each in reach.changed if is_template(each) and reach.live.found(each) is not None)


def _after(change: Change, predicted: LiveObject | Problem | None) -> Body:
    assert change.desired is not None
    if change.live is None:
        return change.desired.body
    if isinstance(predicted, LiveObject):
        return predicted.body
    merged: Body = overlaid_with(change.live.body, change.desired.body, change.fields)
    return merged


def _impact(change: Change, outlook: Outlook, of_topologies: Sequence[PoolImpact]) -> Impact:
    if change.desired is None and change.live is not None:
        return _of_deletion(change, change.live, outlook)
    if not change.writes:
        kind = ImpactClass.NONE if change.stands else ImpactClass.BLOCKED
        return Impact(kind=kind)
    if change.live is None:
        return Impact.of(_of_creation(change, outlook) if change.desired is not None else ())
    pools = (*of_topologies, *_of_edit(change, change.live, outlook))
    if is_cluster(change.key) and _rehomed(change):
        return Impact.of(pools, least=ImpactClass.UNKNOWN, notes=["another control plane or infrastructure object"])
    unseen = _unseen(change, outlook)
    if unseen is not None:
        return Impact.of(pools, least=ImpactClass.UNKNOWN, notes=[f"whom it reaches is not known: {unseen.text}"])
    least = ImpactClass.IN_PLACE if change.action in _EDITS else ImpactClass.NONE
    return Impact.of(pools, least=least, notes=notes(change, pools))


def _unseen(change: Change, outlook: Outlook) -> Problem | None:
    """Why nobody can say which clusters a class, or which classes a template, is for."""
    answers = outlook.around.neighbours.answers
    if is_class(change.key):
        found = answers.get(ALL_CLUSTERS, ())
    elif is_template(change.key):
        found = answers.get(Query(group=CORE, kind="ClusterClass", namespace=change.key.namespace), ())
    else:
        return None
    return found if isinstance(found, Problem) else None


def _rehomed(change: Change) -> bool:
    """The references that Cluster API expects never to change."""
    places = ("/spec/controlPlaneRef", "/spec/infrastructureRef")
    return any(field.pointer.startswith(places) and field.before is not MISSING for field in change.fields)


def _of_edit(change: Change, live: LiveObject, outlook: Outlook) -> Iterator[PoolImpact]:
    if is_pool(change.key) or is_control_plane(change.key):
        yield impact_of_owner(owner_of(live, outlook.after[change.key], outlook.clusters), outlook.around)
    elif is_cluster(change.key) and is_paused(live.body) and not is_paused(outlook.after[change.key]):
        yield from _of_unpausing(live, outlook)


def _of_unpausing(cluster: LiveObject, outlook: Outlook) -> Iterator[PoolImpact]:
    """What was held back by the pause happens now; owners that change themselves tell it themselves."""
    changed = {change.key for change in outlook.changes if change.writes}
    for owner in owners_in(cluster.key, outlook.wanted, outlook.live):
        if owner.key not in changed:
            yield impact_of_owner(owner_of(owner, owner.body, outlook.clusters), outlook.around)


def _of_creation(change: Change, outlook: Outlook) -> Iterator[PoolImpact]:
    assert change.desired is not None
    body = change.desired.body
    if is_cluster(change.key) and has_topology(body):
        yield from pools_of_new(body)
    if is_pool(change.key) or is_control_plane(change.key):
        count = replicas_of(body)
        home = home_of(body, outlook.clusters)
        paused = is_paused(body) or any(is_paused(one) for one in outlook.clusters if ObjectKey.of(one) == home)
        kind = ImpactClass.BLOCKED if paused else ImpactClass.SCALING
        yield PoolImpact(
            cluster=home,
            owner=change.key,
            role=role_of(change.key),
            pool=pool_name(change.key, body),
            kind=kind,
            added=0 if paused else count,
            then=0 if paused else count,
            note=f"paused: adds {count} once that is lifted" if paused else "",
        )


def _of_deletion(change: Change, live: LiveObject, outlook: Outlook) -> Impact:
    if change.action not in {Action.PRUNE, Action.REFUSE}:
        return Impact(kind=ImpactClass.NONE if change.stands else ImpactClass.BLOCKED)
    if is_cluster(change.key):
        return Impact.of(_all_of(live, outlook), least=ImpactClass.DELETE)
    if is_pool(change.key) or is_control_plane(change.key):
        return Impact.of([_gone_owner(live, outlook)], least=ImpactClass.DELETE)
    return Impact(kind=ImpactClass.NONE if change.writes else ImpactClass.BLOCKED)


def _all_of(cluster: LiveObject, outlook: Outlook) -> Iterator[PoolImpact]:
    machines = outlook.around.of_cluster(MACHINE, cluster.key)
    if isinstance(machines, Problem):
        yield PoolImpact(
            cluster=cluster.key,
            owner=cluster.key,
            role=role_of(cluster.key),
            pool="",
            kind=ImpactClass.UNKNOWN,
            note=f"how many machines it has is not known: {machines.text}",
        )
        return
    pools: dict[ObjectKey, list[LiveObject]] = {}
    for one in machines:
        pools.setdefault(_holder(one), []).append(one)
    for owner, members in sorted(pools.items()):
        yield PoolImpact(
            cluster=cluster.key,
            owner=owner,
            role=role_of(owner),
            pool=pool_name(owner, members[0].body),
            kind=ImpactClass.DELETE,
            removed=len(members),
            now=len(members),
            going=tuple(sorted(one.uid for one in members)),
        )


def _holder(machine: LiveObject) -> ObjectKey:
    """The control plane or pool of a Machine, itself if it stands alone."""
    pool = machine.labels.get("cluster.x-k8s.io/deployment-name")
    owners = at(machine.body, "metadata", "ownerReferences") or ()
    if pool:
        return ObjectKey(group=machine.key.group, kind="MachineDeployment", namespace=machine.key.namespace, name=pool)
    for owner in owners:
        if owner.get("controller"):
            group = group_of(str(owner.get("apiVersion", "")))
            return ObjectKey(
                group=group, kind=str(owner["kind"]), namespace=machine.key.namespace, name=str(owner["name"])
            )
    return machine.key


def _gone_owner(live: LiveObject, outlook: Outlook) -> PoolImpact:
    home = home_of(live.body, outlook.clusters)
    machines = outlook.around.of_cluster(MACHINE, home)
    count = replicas_of(live.body)
    going: tuple[str, ...] = ()
    if not isinstance(machines, Problem) and live.key.kind != "MachinePool":
        going = tuple(sorted(one.uid for one in machines if _holder(one) == live.key and not one.deleting))
        count = len(going)
    return PoolImpact(
        cluster=home,
        owner=live.key,
        role=role_of(live.key),
        pool=pool_name(live.key, live.body),
        kind=ImpactClass.DELETE,
        removed=count,
        now=count,
        going=going,
    )
