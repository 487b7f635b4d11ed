"""What a rule looks at: the rows of a plan, and the objects around them as they are and as they will be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterops.capi.kinds import CORE, is_control_plane
from clusterops.capi.references import cluster_of
from clusterops.model.key import ObjectKey, group_of
from clusterops.model.live import LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Change
from clusterops.plan.wanted import Wanted

Body = Mapping[str, Any]
Path = tuple[str, ...]
TOPOLOGY_VERSION: Path = ("spec", "topology", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """``coming`` is what targets of the same commit that go before this one render; ``blocked`` is not written."""

    wanted: Mapping[ObjectKey, Wanted]
    live: LiveSet
    coming: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    blocked: frozenset[ObjectKey] = frozenset()

    def before(self, key: ObjectKey) -> Body | None:
        found = self.live.found(key)
        return None if found is None else found.body

    def after(self, key: ObjectKey) -> Body | None:
        """As it will be once this commit is applied; what is blocked stays as it is."""
        if key in self.wanted and key not in self.blocked:
            return self.wanted[key].manifest.body
        return self.coming[key].body if key in self.coming else self.before(key)

    def value_after(self, key: ObjectKey, path: Path) -> Any:
        """None when it is not set; a field that git does not send stays as it is."""
        after = at(self.after(key), path)
        return at(self.before(key), path) if after is None else after

    def cluster_of(self, body: Body) -> ObjectKey | None:
        return cluster_of(body)

    def control_plane_of(self, cluster: ObjectKey) -> ObjectKey | None:
        """None when the Cluster, or what it refers to, is not known."""
        reference = self.value_after(cluster, ("spec", "controlPlaneRef"))
        key = key_of(reference, cluster.namespace)
        return key if key is not None and is_control_plane(key) else None


def at(body: Any, path: Path) -> Any:
    """The value at a path of fields, None where one is missing."""
    for step in path:
        if not isinstance(body, Mapping):
            return None
        body = body.get(step)
    return body


def pointer(path: Path) -> str:
    return "".join(f"/{step}" for step in path)


def key_of(reference: Any, namespace: str | None) -> ObjectKey | None:
    """Of a typed reference, in the spelling of v1beta1 or v1beta2."""
    kind, name = at(reference, ("kind",)), at(reference, ("name",))
    if not (isinstance(kind, str) and kind and isinstance(name, str) and name):
        return None
    group = reference.get("apiGroup") or group_of(str(reference.get("apiVersion") or ""))
    return ObjectKey(group=group, kind=kind, namespace=reference.get("namespace") or namespace, name=name)


def class_of(cluster: Body | None, namespace: str | None) -> ObjectKey | None:
    """The ClusterClass that a Cluster's topology names, in the spelling of v1beta1 or v1beta2."""
    topology = at(cluster, ("spec", "topology"))
    name = at(topology, ("classRef", "name")) or at(topology, ("class",))
    if not (isinstance(name, str) and name):
        return None
    home = at(topology, ("classRef", "namespace")) or at(topology, ("classNamespace",)) or namespace
    return ObjectKey(group=CORE, kind="ClusterClass", namespace=home, name=name)


def body_of(row: Change) -> Body:
    """What is sent; every row that rules judge has it."""
    assert row.desired is not None
    return row.desired.body
