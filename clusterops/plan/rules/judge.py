"""The rules in their order, and what has to be read for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from clusterops.capi.kinds import is_capi, is_cluster, is_control_plane, is_pool
from clusterops.capi.references import cluster_of
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change
from clusterops.model.problem import Problem
from clusterops.plan.fields import diff, ownership_differs
from clusterops.plan.rules.immutable import fixed_field
from clusterops.plan.rules.references import clusters_among, missing_reference, outward, to_read
from clusterops.plan.rules.replicas import TOPOLOGY_REPLICAS, plane_count, template_of_class
from clusterops.plan.rules.topology import undefined_by_class
from clusterops.plan.rules.versions import beside_the_plane, wrong_way
from clusterops.plan.rules.view import View, at, class_of, key_of
from clusterops.plan.wanted import Wanted

Rule = Callable[[View, Change], Problem | None]

RULES: Final[tuple[Rule, ...]] = (
    wrong_way,
    beside_the_plane,
    plane_count,
    fixed_field,
    undefined_by_class,
    missing_reference,
)
"""The first that refuses a row speaks."""


def also_looked_at(manifests: Sequence[Manifest], live: LiveSet) -> frozenset[ObjectKey]:
    """Keys outside the target that the rules have to see: what a new or changed object refers to.

    Ask again once they are read; a target that is as git wants it needs none. O(objects * references).
    """
    inside = {manifest.key for manifest in manifests}
    asked = ((manifest, _wanted_of(manifest, inside, live)) for manifest in manifests if is_capi(manifest.key))
    return frozenset(key for manifest, keys in asked if keys and _changes(manifest, live) for key in keys)


def _wanted_of(manifest: Manifest, inside: set[ObjectKey], live: LiveSet) -> set[ObjectKey]:
    """What one object leads to beyond the target, as far as it is not read yet."""
    named = outward(manifest.key, manifest.body, clusters_among(inside))
    keys = {*named, *_around(manifest, inside, live)}
    outside = (key for key in keys if key not in inside and _without_namespace(key) not in inside)
    return {key for reference in outside if (key := to_read(reference, live)) is not None}


def _around(manifest: Manifest, inside: set[ObjectKey], live: LiveSet) -> Iterator[ObjectKey]:
    """A pool's control plane, by way of its Cluster; a moved Cluster's old class; an even control plane's template."""
    if is_pool(manifest.key):
        cluster = cluster_of(manifest.body)
        there = live.found(cluster) if cluster is not None and cluster not in inside else None
        plane = key_of(at(there.body, ("spec", "controlPlaneRef")), there.key.namespace) if there else None
        if plane is not None and is_control_plane(plane):
            yield plane
    if is_cluster(manifest.key):
        yield from _of_class(manifest, live)


def _of_class(manifest: Manifest, live: LiveSet) -> Iterator[ObjectKey]:
    there, namespace = live.found(manifest.key), manifest.key.namespace
    new = class_of(manifest.body, namespace)
    old = class_of(there.body, namespace) if there is not None else None
    if old is not None and old != new:
        yield old
    count = at(manifest.body, TOPOLOGY_REPLICAS)
    body = live.found(new) if new is not None and isinstance(count, int) and count % 2 == 0 else None
    template = template_of_class(body.body, body.key.namespace) if body is not None else None
    if template is not None:
        yield template


def _changes(manifest: Manifest, live: LiveSet) -> bool:
    there = live.found(manifest.key)
    if there is None:
        return isinstance(live.objects.get(manifest.key), Absent)
    return bool(diff(manifest.body, there.body, there.managers)) or ownership_differs(manifest.body, there)


def _without_namespace(key: ObjectKey) -> ObjectKey:
    return ObjectKey(group=key.group, kind=key.kind, namespace=None, name=key.name)


def refusals(
    rows: Sequence[Change],
    wanted: Mapping[ObjectKey, Wanted],
    live: LiveSet,
    coming: Mapping[ObjectKey, Manifest],
) -> Mapping[ObjectKey, Problem]:
    """Why an object is not written, by the key that it would be sent under. Pools are judged last: they follow.

    ``coming`` is what targets of the same commit render that are applied before this one. O(rows * references).
    """
    blocked = frozenset(row.key for row in rows if not row.writes and not row.stands)
    view = View(wanted=wanted, live=live, coming=coming, blocked=blocked)
    judged = [row for row in rows if _is_judged(row)]
    found = _found(view, (row for row in judged if not is_pool(row.key)))
    after = replace(view, blocked=blocked | found.keys())
    return found | _found(after, (row for row in judged if is_pool(row.key)))


def _is_judged(row: Change) -> bool:
    """What would be written, and what the API server calls invalid: the rule may know what to do instead."""
    invalid = row.action is Action.REFUSE and row.reason is not None and row.reason.code == "object-invalid"
    return row.desired is not None and (row.writes or invalid)


def _found(view: View, rows: Iterable[Change]) -> dict[ObjectKey, Problem]:
    found = ((row.key, next((problem for rule in RULES if (problem := rule(view, row))), None)) for row in rows)
    return {key: problem for key, problem in found if problem is not None}
