"""Which Clusters with a topology a plan reaches: changed ones, and those of a ClusterClass or template that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from clusterops.capi.kinds import CORE, is_class, is_cluster, is_template
from clusterops.capi.rollout.difference import Body, at
from clusterops.capi.rollout.spelling import Named, named
from clusterops.capi.rollout.topology import class_key, class_templates, has_topology
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.neighbours import Neighbours, Query
from clusterops.model.problem import Problem
from clusterops.plan.impact.around import KUBEADM_CONFIG, MACHINE, MACHINE_SET, cluster_query, fleet_query

ALL_CLUSTERS: Final = Query(group=CORE, kind="Cluster")
MACHINE_DEPLOYMENT, MACHINE_POOL = (CORE, "MachineDeployment"), (CORE, "MachinePool")
_ONE_BY_ONE: Final = 3
"""Clusters that are asked about singly; more are cheaper in one list for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What is known of classes and clusters. ``after`` gives an object of the target as it will be, None if it is not.

    ``changed`` are the keys that an apply would change, ``coming`` what other targets bring before that.
    """

    changed: frozenset[ObjectKey]
    live: LiveSet
    neighbours: Neighbours
    after: Callable[[ObjectKey], Body | None]
    coming: Mapping[ObjectKey, Manifest] = field(default_factory=dict)

    def clusters(self) -> Mapping[ObjectKey, LiveObject]:
        """The live Clusters with a topology whose generated objects may change, by key."""
        found = {key: there for key in self.changed if is_cluster(key) and (there := self._topology(key)) is not None}
        classes = self.changed_classes()
        every = self.neighbours.answers.get(ALL_CLUSTERS, ())
        if classes and not isinstance(every, Problem):
            found.update({one.key: one for one in every if has_topology(one.body) and class_key(one.body) in classes})
        return found

    def changed_classes(self) -> frozenset[ObjectKey]:
        """Classes that change, and those whose templates change in place."""
        direct = {key for key in self.changed if is_class(key) and self.live.found(key) is not None}
        edited = {key for key in self.changed if is_template(key) and self.live.found(key) is not None}
        for one in self.known_classes():
            uses = set(class_templates(one.body))
            if any((key.group, key.kind, key.name) in uses and key.namespace == one.key.namespace for key in edited):
                direct.add(one.key)
        return frozenset(direct)

    def known_classes(self) -> Iterator[LiveObject]:
        yield from (there for key in self.live if is_class(key) and (there := self.live.found(key)) is not None)
        yield from self.neighbours.of_kind("ClusterClass")

    def class_before(self, key: ObjectKey | None) -> Body | None:
        return next((one.body for one in self.known_classes() if one.key == key), None)

    def class_after(self, key: ObjectKey | None) -> Body | None:
        if key is None:
            return None
        known = self.after(key) or self.class_before(key)
        return known or (self.coming[key].body if key in self.coming else None)

    def templates_after(self, home: str | None, templates: Mapping[Named, Body]) -> dict[Named, Body]:
        """Live ones as they will be, and those that come."""
        arriving = {key: one.body for key, one in self.coming.items() if is_template(key)}
        changed = {key: body for key in self.changed if (body := self.after(key)) is not None}
        here = {key: body for key, body in {**arriving, **changed}.items() if key.namespace == home}
        return {**templates, **{(key.group, key.kind, key.name): body for key, body in here.items()}}

    def templates(self, home: str | None, kinds: Iterable[tuple[str, str]]) -> dict[Named, Body]:
        """The live templates of some kinds in a namespace."""
        found: dict[Named, Body] = {}
        for group, kind in kinds:
            answer = self.neighbours.answers.get(Query(group=group, kind=kind, namespace=home), ())
            for one in () if isinstance(answer, Problem) else answer:
                found[one.key.group, one.key.kind, one.key.name] = one.body
        return found

    def _topology(self, key: ObjectKey) -> LiveObject | None:
        there = self.live.found(key)
        return there if there is not None and has_topology(there.body) and self.after(key) is not None else None


def topology_queries(reach: Reach) -> Iterator[Query]:
    """What the next round has to list."""
    edited = [key for key in reach.changed if is_template(key) and reach.live.found(key) is not None]
    for key in edited:
        yield Query(group=CORE, kind="ClusterClass", namespace=key.namespace)
    if reach.changed_classes():
        yield ALL_CLUSTERS
    clusters = reach.clusters()
    for cluster in clusters.values():
        yield from _of_classes(cluster, reach)
        kinds = _generated_kinds(cluster, reach)
        for kind in sorted(kinds):
            yield cluster_query(kind, cluster.key) if len(clusters) <= _ONE_BY_ONE else fleet_query(kind)


def class_keys(cluster: LiveObject, reach: Reach) -> tuple[ObjectKey, ...]:
    """The class of a Cluster as it is, and as it will be."""
    found = (class_key(cluster.body), class_key(reach.after(cluster.key) or cluster.body))
    return tuple(dict.fromkeys(key for key in found if key is not None))


def template_kinds(cluster: LiveObject, reach: Reach) -> frozenset[tuple[str, str]]:
    """(group, kind) of every template of the Cluster's class, old and new."""
    bodies = [body for key in class_keys(cluster, reach) for body in (reach.class_before(key), reach.class_after(key))]
    return frozenset((group, kind) for body in bodies if body for group, kind, _ in class_templates(body) if kind)


def _of_classes(cluster: LiveObject, reach: Reach) -> Iterator[Query]:
    for key in class_keys(cluster, reach):
        if reach.live.found(key) is None:
            yield Query(group=CORE, kind="ClusterClass", namespace=key.namespace)
        for group, kind in template_kinds(cluster, reach):
            yield Query(group=group, kind=kind, namespace=key.namespace)


def _generated_kinds(cluster: LiveObject, reach: Reach) -> set[tuple[str, str]]:
    kinds = {MACHINE, MACHINE_SET, MACHINE_DEPLOYMENT, MACHINE_POOL, KUBEADM_CONFIG}
    group, kind, _ = named(at(cluster.body, "spec", "controlPlaneRef"))
    if kind:
        kinds.add((group, kind))
    for key in class_keys(cluster, reach):
        machines = at(reach.class_before(key) or {}, "spec", "controlPlane", "machineInfrastructure")
        group, kind, _ = named(at(machines, "templateRef") or at(machines, "ref"))
        if kind:
            kinds.add((group, kind.removesuffix("Template")))
    return kinds | {each for each in template_kinds(cluster, reach) if not each[1].endswith(_NOT_GENERATED)}


_NOT_GENERATED: Final = ("ControlPlaneTemplate", "ClusterTemplate")
"""Of these a topology generates an object, not another template."""
