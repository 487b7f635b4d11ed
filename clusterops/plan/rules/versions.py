"""Versions go up, one minor at a time, control plane first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clusterops.capi.kinds import is_cluster, is_control_plane, is_pool
from clusterops.capi.versions import MINORS_BELOW, Version, goes_down, is_above, is_too_far_below, skips_minor
from clusterops.model.key import ObjectKey
from clusterops.model.plan import MISSING, Change
from clusterops.model.problem import Problem
from clusterops.plan.decide import refuse
from clusterops.plan.rules.view import TOPOLOGY_VERSION, Path, View, at, body_of, class_of, pointer

PLANE_VERSION: Path = ("spec", "version")
POOL_VERSION: Path = ("spec", "template", "spec", "version")
UNCHECKED: Final = "unsafe.topology.cluster.x-k8s.io/disable-update-version-check"
"""Annotation with which upstream lets a topology's version go anywhere. Source: api/core/v1beta2/common_types.go."""


def version_path(key: ObjectKey) -> Path | None:
    """Where an object carries the version that it wants of Kubernetes."""
    if is_control_plane(key):
        return PLANE_VERSION
    if is_pool(key):
        return POOL_VERSION
    return TOPOLOGY_VERSION if is_cluster(key) else None


def wrong_way(view: View, row: Change) -> Problem | None:
    """``version-downgrade`` or ``version-skip``: every row that carries the version is refused itself."""
    path = version_path(row.key)
    if path is None or row.live is None or (is_cluster(row.key) and _unchecked(row)):
        return None
    before, after = Version.parse(at(row.live.body, path)), Version.parse(at(body_of(row), path))
    if before is None or after is None:
        return None
    if goes_down(before, after):
        return _down(row, path, before, after)
    if skips_minor(before, after) and not _may_skip(view, row, after):
        return _skip(row, path, before, after)
    return None


def beside_the_plane(view: View, row: Change) -> Problem | None:
    """``pool-above-control-plane`` or ``version-skew``, on the versions that this commit leads to.

    Pool and control plane may go up together: Cluster API creates no Machine of the pool before the control plane is
    done (machineset_preflight.go). Only a row that moves a version is to blame.
    """
    if is_control_plane(row.key):
        return _leaves_pools_behind(view, row)
    if not is_pool(row.key):
        return None
    node, plane = Version.parse(at(body_of(row), POOL_VERSION)), _plane_of(view, row)
    if node is None or plane is None or not _moves(row, POOL_VERSION):
        return None
    return _above(row, node, *plane) or _below(row, node, *plane)


def plane_version(view: View, cluster: ObjectKey) -> tuple[ObjectKey, Version] | None:
    """The control plane, and the version that it will have; a topology's comes from its Cluster."""
    plane = view.control_plane_of(cluster)
    topology = None if cluster in view.blocked else Version.parse(at(view.after(cluster), TOPOLOGY_VERSION))
    if topology is not None:
        return plane or cluster, topology
    version = Version.parse(view.value_after(plane, PLANE_VERSION)) if plane is not None else None
    return None if plane is None or version is None else (plane, version)


def _unchecked(row: Change) -> bool:
    return UNCHECKED in (at(body_of(row), ("metadata", "annotations")) or {})


def _moves(row: Change, path: Path) -> bool:
    return row.live is None or at(row.live.body, path) != at(body_of(row), path)


def _may_skip(view: View, row: Change, after: Version) -> bool:
    if is_cluster(row.key):
        return _chains(view, row)
    return is_pool(row.key) and _catches_up(view, row, after)


def _chains(view: View, row: Change) -> bool:
    """Whether the class brings a topology up through the minors between, or nobody knows the class.

    **Source:** Cluster API v1.14 core/webhooks/admission/cluster.go validateTopology: kubernetesVersions or
    generateUpgradePlanExtension.
    """
    key = class_of(body_of(row), row.key.namespace)
    body = view.after(key) if key is not None else None
    if body is None:
        return True
    extension = at(body, ("spec", "upgrade", "external", "generateUpgradePlanExtension"))
    return bool(at(body, ("spec", "kubernetesVersions")) or extension)


def _catches_up(view: View, row: Change, after: Version) -> bool:
    """Nodes are replaced, not upgraded in place: up to what the control plane runs already, any step is fine."""
    cluster = view.cluster_of(body_of(row))
    plane = view.control_plane_of(cluster) if cluster is not None else None
    running = Version.parse(at(view.before(plane), PLANE_VERSION)) if plane is not None else None
    return running is not None and running.series >= after.series


def _plane_of(view: View, row: Change) -> tuple[ObjectKey, Version] | None:
    cluster = view.cluster_of(body_of(row))
    return plane_version(view, cluster) if cluster is not None else None


def _leaves_pools_behind(view: View, row: Change) -> Problem | None:
    plane = Version.parse(at(body_of(row), PLANE_VERSION))
    if plane is None or row.live is None or not _moves(row, PLANE_VERSION):
        return None
    for key in _pools_of(view, row.key):
        node = Version.parse(view.value_after(key, POOL_VERSION))
        if node is not None and is_too_far_below(node, plane):
            message = f"refused: /spec/version {plane.text} leaves {key.label} at {node.text} behind"
            hint = f"raise that pool first: nodes may be at most {MINORS_BELOW} minors below their control plane"
            return refuse("version-skew", row.key, message, hint)
    return None


def _pools_of(view: View, plane: ObjectKey) -> Iterator[ObjectKey]:
    for key in sorted({*view.wanted, *view.live}):
        body = view.after(key) if is_pool(key) and key.kind != "MachineSet" else None
        cluster = view.cluster_of(body) if body is not None else None
        if cluster is not None and view.control_plane_of(cluster) == plane:
            yield key


def _down(row: Change, path: Path, before: Version, after: Version) -> Problem:
    message = f"refused: {pointer(path)} {before.text} -> {after.text} goes down"
    keep = f"keep {before.text}{_rest(row, pointer(path))}"
    if is_pool(row.key):
        back = f"nodes go back by a new pool at {after.text} (at most {MINORS_BELOW} minors below the control plane)"
    else:
        back = f"a way back to {after.series_text} is a new cluster or an etcd restore, not a commit"
    return refuse("version-downgrade", row.key, message, f"{keep}; {back}")


def _rest(row: Change, version: str) -> str:
    """The other fields of a reverted commit, which may go back."""
    rest = [f"{one.pointer} {one.before} -> {one.after}" for one in row.fields if one.pointer != version]
    shown = [text for text in rest if len(text) <= 100 and str(MISSING) not in text][:3]
    return f" and revert only the rest ({', '.join(shown)})" if shown else " in git and revert only the rest"


def _skip(row: Change, path: Path, before: Version, after: Version) -> Problem:
    message = f"refused: {pointer(path)} {before.text} -> {after.text} skips a minor"
    step = f"v{before.major}.{before.minor + 1}" if after.major == before.major else f"the last v{before.major} minor"
    hint = f"go to a patch of {step} first, see it settled, then go on"
    if is_cluster(row.key):
        hint += "; a ClusterClass with spec.kubernetesVersions upgrades through the minors between by itself"
    return refuse("version-skip", row.key, message, hint)


def _above(row: Change, node: Version, plane: ObjectKey, version: Version) -> Problem | None:
    if not is_above(node, version):
        return None
    message = f"refused: {pointer(POOL_VERSION)} {node.text} is above {plane.label} at {version.text}"
    hint = f"raise the control plane to {node.series_text} in the same commit or before; nodes never run ahead of it"
    return refuse("pool-above-control-plane", row.key, message, hint)


def _below(row: Change, node: Version, plane: ObjectKey, version: Version) -> Problem | None:
    if not is_too_far_below(node, version):
        return None
    message = f"refused: {pointer(POOL_VERSION)} {node.text} is too far below {plane.label} at {version.text}"
    hint = f"take {version.series_text}: nodes may be at most {MINORS_BELOW} minors below their control plane"
    return refuse("version-skew", row.key, message, hint)
