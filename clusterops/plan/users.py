"""Who else refers to what goes with a Cluster: Clusters and their infrastructure beyond the target."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from clusterops.capi.deletion import is_control_plane_machine
from clusterops.capi.kinds import CORE, is_class, is_cluster, is_identity, of_cluster
from clusterops.capi.references import names, references
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet
from clusterops.model.neighbours import Neighbours, Query
from clusterops.model.problem import Problem


def queries(
    wanted: Collection[ObjectKey], live: LiveSet, inventory: Inventory, neighbours: Neighbours
) -> frozenset[Query]:
    """The lists that a deletion looks at; none before a Cluster that git dropped is gone or on its way.

    Ask again with the answers: the first ones tell which kinds of infrastructure there are.
    """
    dropped = [key for key in inventory.entries if key not in wanted]
    asked: set[Query] = set()
    if any(isinstance(live.objects.get(key), Absent) for key in dropped if is_cluster(key)):
        for key in dropped:
            if live.found(key) is not None and (key.is_secret or is_identity(key) or is_class(key)):
                asked.update(_of_users(key, neighbours))
    elif any(is_class(key) and live.found(key) is not None for key in dropped):
        asked.add(_clusters(None))
    for key in dropped:
        found = live.found(key)
        if found is not None and is_cluster(key) and found.deleting:
            asked.update(_of_machines(key, neighbours))
    return frozenset(asked)


def users_beyond(key: ObjectKey, neighbours: Neighbours, *, ours: Collection[ObjectKey]) -> ObjectKey | Problem | None:
    """The first object outside the target that refers to ``key``; a Problem when that could not be looked at."""
    for query in sorted(_of_users(key, neighbours)):
        if query not in neighbours:
            return Problem(code="not-listed", subject=query.kind, message=f"{query.kind}s were not listed")
        answer = neighbours[query]
        if isinstance(answer, Problem):
            return answer
        for one in answer:
            if one.key not in ours and any(names(reference, key) for reference in references(one.body)):
                return one.key
    return None


def machines_of(cluster: ObjectKey, neighbours: Neighbours) -> tuple[tuple[LiveObject, ...], tuple[LiveObject, ...]]:
    """(control-plane machines, workers) as far as they were listed."""
    query = machines_query(cluster)
    answer = _known(query, neighbours)
    found = () if isinstance(answer, Problem) else answer
    control_plane = tuple(one for one in found if is_control_plane_machine(one.labels))
    return control_plane, tuple(one for one in found if one not in control_plane)


def infrastructure_of(cluster: ObjectKey, neighbours: Neighbours) -> Iterator[LiveObject]:
    """The infrastructure machines of a cluster in deletion, as far as they were listed."""
    for query in sorted(_infrastructure_queries(cluster, neighbours)):
        answer = _known(query, neighbours)
        if not isinstance(answer, Problem):
            yield from answer


def _known(query: Query, neighbours: Neighbours) -> tuple[LiveObject, ...] | Problem:
    return neighbours.answers.get(query, ())


def machines_query(cluster: ObjectKey) -> Query:
    return Query(group=CORE, kind="Machine", namespace=cluster.namespace, labels=of_cluster(cluster.name))


def _of_machines(cluster: ObjectKey, neighbours: Neighbours) -> Iterator[Query]:
    yield machines_query(cluster)
    yield from _infrastructure_queries(cluster, neighbours)


def _infrastructure_queries(cluster: ObjectKey, neighbours: Neighbours) -> frozenset[Query]:
    control_plane, workers = machines_of(cluster, neighbours)
    refs = {_reference(one.body) for one in (*control_plane, *workers)} - {None}
    return frozenset(
        Query(group=ref[0], kind=ref[1], namespace=cluster.namespace, labels=of_cluster(cluster.name))
        for ref in refs
        if ref
    )


def _of_users(key: ObjectKey, neighbours: Neighbours) -> frozenset[Query]:
    clusters = _clusters(None if is_class(key) else key.namespace)
    if is_class(key) or clusters not in neighbours:
        return frozenset({clusters})
    answer = neighbours[clusters]
    found = () if isinstance(answer, Problem) else answer
    kinds = {_reference(one.body) for one in found} - {None}
    more = {Query(group=kind[0], kind=kind[1], namespace=key.namespace) for kind in kinds if kind}
    return frozenset({clusters, *more})


def _clusters(namespace: str | None) -> Query:
    return Query(group=CORE, kind="Cluster", namespace=namespace)


def _reference(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """(group, kind) of ``spec.infrastructureRef``, in v1beta1 or v1beta2."""
    raw = (body.get("spec") or {}).get("infrastructureRef") or {}
    group = raw.get("apiGroup") or str(raw.get("apiVersion") or "").rpartition("/")[0]
    return (str(group), str(raw["kind"])) if group and raw.get("kind") else None
