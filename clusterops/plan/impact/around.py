"""The Machines of a cluster and what they were made from, as far as they could be listed."""

from __future__ import annotations

from collections.abc import Iterable

from clusterops.capi.kinds import BOOTSTRAP, CLUSTER_NAME_LABEL, CORE, TOPOLOGY_OWNED_LABEL, of_cluster
from clusterops.capi.references import cluster_of
from clusterops.capi.rollout.difference import Body, at
from clusterops.capi.rollout.spelling import machine_template_of, named
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.neighbours import Neighbours, Query
from clusterops.model.problem import Problem

MACHINE, MACHINE_SET = (CORE, "Machine"), (CORE, "MachineSet")
KUBEADM_CONFIG = (BOOTSTRAP, "KubeadmConfig")


class Around:
    """Looks into the answers; what was never listed, or refused, is a Problem and never "none there"."""

    def __init__(self, neighbours: Neighbours) -> None:
        self.neighbours = neighbours
        self._by_cluster: dict[Query, dict[tuple[str | None, str], tuple[LiveObject, ...]]] = {}

    def of_cluster(self, kind: tuple[str, str], cluster: ObjectKey | None) -> tuple[LiveObject, ...] | Problem:
        """All objects of a kind that carry the cluster's name, by key; of no cluster, nobody knows any."""
        if cluster is None:
            return not_listed(kind[1], None)
        for query in (cluster_query(kind, cluster), fleet_query(kind)):
            if query in self.neighbours:
                found = self.neighbours[query]
                return found if isinstance(found, Problem) else self._belonging(query, found, cluster)
        return not_listed(kind[1], cluster)

    def _belonging(self, query: Query, found: Iterable[LiveObject], cluster: ObjectKey) -> tuple[LiveObject, ...]:
        """A list of all clusters is sorted into clusters once."""
        if query not in self._by_cluster:
            places: dict[tuple[str | None, str], list[LiveObject]] = {}
            for one in found:
                places.setdefault((one.key.namespace, one.labels.get(CLUSTER_NAME_LABEL, "")), []).append(one)
            self._by_cluster[query] = {place: tuple(members) for place, members in places.items()}
        return self._by_cluster[query].get((cluster.namespace, cluster.name), ())


def cluster_query(kind: tuple[str, str], cluster: ObjectKey) -> Query:
    labels = of_cluster(cluster.name)
    return Query(group=kind[0], kind=kind[1], namespace=cluster.namespace, labels=labels)


def fleet_query(kind: tuple[str, str]) -> Query:
    """Of all clusters with a topology at once, where a ClusterClass reaches many."""
    return Query(group=kind[0], kind=kind[1], labels=f"{TOPOLOGY_OWNED_LABEL}=")


def not_listed(kind: str, cluster: ObjectKey | None) -> Problem:
    of = f" of {cluster.label}" if cluster else ""
    return Problem(code="not-listed", subject=kind, message=f"{kind}s{of} were not listed")


def made_from(template: Body | None) -> tuple[str, str]:
    """(group, kind) of the infrastructure machines of a control plane."""
    group, kind, _ = named(machine_template_of(template or {}))
    return group, kind.removesuffix("Template")


def owned_by(objects: Iterable[LiveObject], kind: str, name: str) -> tuple[LiveObject, ...]:
    """Those with an owner of that kind and name, without those in deletion."""
    return tuple(one for one in objects if not one.deleting and owner_name(one, kind) == name)


def owner_name(one: LiveObject, kind: str) -> str:
    """The name of the owner of that kind, "" for none."""
    owners = at(one.body, "metadata", "ownerReferences") or ()
    return next((str(owner.get("name")) for owner in owners if owner.get("kind") == kind), "")


def home_of(body: Body, clusters: Iterable[Body] = ()) -> ObjectKey | None:
    """The Cluster of a control plane or pool: by its own words, its owner, or a Cluster that refers to it."""
    found = cluster_of(body)
    if found is not None:
        return found
    key = ObjectKey.of(body)
    for owner in at(body, "metadata", "ownerReferences") or ():
        if owner.get("kind") == "Cluster":
            return ObjectKey(group=CORE, kind="Cluster", namespace=key.namespace, name=str(owner.get("name")))
    for cluster in clusters:
        if named(at(cluster, "spec", "controlPlaneRef")) == (key.group, key.kind, key.name):
            home = ObjectKey.of(cluster)
            if home.namespace == key.namespace:
                return home
    return None
