"""Which lists a prediction needs, in rounds: none for objects that are made, nor for those that hold no machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from clusterops.capi.kinds import is_cluster, is_control_plane, is_pool
from clusterops.capi.rollout.spelling import is_paused
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.neighbours import Neighbours, Query
from clusterops.plan.impact.around import KUBEADM_CONFIG, MACHINE, MACHINE_SET, cluster_query, home_of, made_from
from clusterops.plan.impact.classes import Reach, topology_queries
from clusterops.plan.wanted import Wanted


def queries(
    changed: Iterable[ObjectKey],
    wanted: Mapping[ObjectKey, Wanted],
    live: LiveSet,
    neighbours: Neighbours,
    coming: Mapping[ObjectKey, Manifest] = MappingProxyType({}),
) -> frozenset[Query]:
    """The lists that ``impacts`` looks at, given what is known; ask again with the answers until it is empty.

    ``changed`` are the keys that an apply would change, and those that git no longer has; ``coming`` is as for
    ``impacts``.
    """
    asked: set[Query] = set()
    keys = tuple(changed)
    reach = Reach(
        changed=frozenset(keys),
        live=live,
        neighbours=neighbours,
        after=lambda key: wanted[key].manifest.body if key in wanted else None,
        coming=coming,
    )
    asked.update(topology_queries(reach))
    for key in keys:
        there = live.found(key)
        if there is not None:
            asked.update(_of_object(there, wanted, live))
    return frozenset(asked)


def _of_object(there: LiveObject, wanted: Mapping[ObjectKey, Wanted], live: LiveSet) -> Iterator[Query]:
    if is_cluster(there.key):
        if there.key not in wanted:
            yield cluster_query(MACHINE, there.key)
        elif is_paused(there.body):
            for owner in owners_in(there.key, wanted, live):
                yield from _of_owner(owner, wanted)
    elif is_pool(there.key) or is_control_plane(there.key):
        yield from _of_owner(there, wanted)


def _of_owner(there: LiveObject, wanted: Mapping[ObjectKey, Wanted]) -> Iterator[Query]:
    cluster = home_of(there.body, clusters_in(wanted))
    if cluster is None or there.key.kind not in {"MachineDeployment", "KubeadmControlPlane"}:
        return
    yield cluster_query(MACHINE, cluster)
    if there.key.kind == "MachineDeployment":
        yield cluster_query(MACHINE_SET, cluster)
    else:
        yield cluster_query(KUBEADM_CONFIG, cluster)
        if made_from(there.body)[1]:
            yield cluster_query(made_from(there.body), cluster)


def owners_in(cluster: ObjectKey, wanted: Mapping[ObjectKey, Wanted], live: LiveSet) -> Iterator[LiveObject]:
    """The live control planes and pools of a cluster that git has, by key."""
    for key in sorted(wanted):
        there = live.found(key) if is_pool(key) or is_control_plane(key) else None
        if there is not None and home_of(there.body, clusters_in(wanted)) == cluster:
            yield there


def clusters_in(wanted: Mapping[ObjectKey, Wanted]) -> tuple[Mapping[str, Any], ...]:
    return tuple(one.manifest.body for key, one in sorted(wanted.items()) if is_cluster(key))
