"""How many control-plane machines make sense."""

from __future__ import annotations

from typing import Final

from clusterops.capi.kinds import CONTROL_PLANE, is_cluster, is_control_plane
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Change
from clusterops.model.problem import Problem
from clusterops.plan.decide import refuse
from clusterops.plan.rules.view import Body, Path, View, at, body_of, class_of, key_of, pointer

PLANE_REPLICAS: Final[Path] = ("spec", "replicas")
TOPOLOGY_REPLICAS: Final[Path] = ("spec", "topology", "controlPlane", "replicas")
_ETCD: Final[Path] = ("kubeadmConfigSpec", "clusterConfiguration", "etcd", "external")


def replicas_path(key: ObjectKey) -> Path | None:
    if is_control_plane(key):
        return PLANE_REPLICAS
    return TOPOLOGY_REPLICAS if is_cluster(key) else None


def plane_count(view: View, row: Change) -> Problem | None:
    """``control-plane-zero`` for whatever etcd, ``control-plane-even`` where it is known to be stacked.

    **Source:** Cluster API v1.14 controlplane/kubeadm/webhooks/admission validateKubeadmControlPlaneSpec.
    """
    path = replicas_path(row.key)
    count = at(body_of(row), path) if path is not None else None
    if path is None or not isinstance(count, int) or isinstance(count, bool):
        return None
    if count <= 0:
        message = f"refused: {pointer(path)} {count} leaves the cluster without a control plane"
        hint = "keep 1, 3 or 5; to give the cluster up, delete it with a second key (deletions/)"
        return refuse("control-plane-zero", row.key, message, hint)
    if count % 2 == 0 and _is_stacked(view, row):
        message = f"refused: {pointer(path)} {count} is even, and etcd runs on these machines"
        hint = f"take {count - 1} or {count + 1}: an even number survives no more failures than one machine less"
        return refuse("control-plane-even", row.key, message, hint)
    return None


def template_of_class(body: Body | None, namespace: str | None) -> ObjectKey | None:
    """The control-plane template that a ClusterClass names; ``ref`` is v1beta1's spelling."""
    plane = at(body, ("spec", "controlPlane"))
    return key_of(at(plane, ("templateRef",)) or at(plane, ("ref",)), namespace)


def _is_stacked(view: View, row: Change) -> bool:
    """Known to be: what cannot be seen is no reason to refuse."""
    if not is_cluster(row.key):
        kubeadm = (row.key.group, row.key.kind) == (CONTROL_PLANE, "KubeadmControlPlane")
        return kubeadm and not view.value_after(row.key, ("spec", *_ETCD))
    class_key = class_of(body_of(row), row.key.namespace)
    body = view.after(class_key) if class_key is not None else None
    template = template_of_class(body, class_key.namespace) if class_key is not None else None
    if template is None or template.kind != "KubeadmControlPlaneTemplate" or _patches_etcd(body):
        return False
    there = view.after(template)
    return there is not None and not at(there, ("spec", "template", "spec", *_ETCD))


def _patches_etcd(body: Body | None) -> bool:
    patches = at(body, ("spec", "patches")) or []
    paths = [
        str(one.get("path", ""))
        for patch in patches
        for definition in patch.get("definitions") or []
        for one in definition.get("jsonPatches") or []
    ]
    return any("external" in patch for patch in patches) or any("etcd" in path for path in paths)
