"""Fields that stay as they were created: the API server refuses a change, or Cluster API loses machines over it.

Templates are not among them: an edit of one becomes a new generation (naming.py).
**Source:** Cluster API v1.14 core/webhooks/admission (cluster.go, machinedeployment.go, machinepool.go, machineset.go,
machinehealthcheck.go, clusterresourceset.go), controlplane/kubeadm/webhooks/admission/kubeadmcontrolplane.go
ValidateUpdate, internal/topology/check/compatibility.go. Providers' own webhooks speak for themselves in the dry run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.capi.kinds import ADDONS, CLUSTER_NAME_LABEL, CONTROL_PLANE, CORE
from clusterops.model.canonical import canonical_json
from clusterops.model.plan import Change
from clusterops.model.problem import Problem
from clusterops.plan.decide import refuse
from clusterops.plan.rules.kubeadm import fixed_fields
from clusterops.plan.rules.templates import changed_kind
from clusterops.plan.rules.view import Path, View, at, body_of, class_of, key_of, pointer

CLUSTER_NAME: Final[Path] = ("spec", "clusterName")
SELECTOR: Final[Path] = ("spec", "selector")
_NEW_POOL: Final = "give the changed pool a new name: one pool is created, the other dropped, each seen in the plan"
_FIXED: Final[Mapping[tuple[str, str], Mapping[Path, str]]] = {
    (CORE, "MachineDeployment"): {CLUSTER_NAME: _NEW_POOL, SELECTOR: _NEW_POOL},
    (CORE, "MachineSet"): {CLUSTER_NAME: _NEW_POOL, SELECTOR: _NEW_POOL},
    (CORE, "MachinePool"): {CLUSTER_NAME: _NEW_POOL},
    (CORE, "Machine"): {CLUSTER_NAME: "a Machine belongs to one Cluster for good: create another one there"},
    (CORE, "MachineHealthCheck"): {CLUSTER_NAME: "give the check of the other Cluster a name of its own"},
    (ADDONS, "ClusterResourceSet"): {
        ("spec", "strategy"): "give the set with the other strategy a new name, then drop this one",
        ("spec", "clusterSelector"): "give the set with the other selector a new name, then drop this one",
    },
}
"""By kind: the field, and what to do instead.

Upstream lets a MachineDeployment's selector change, and then no longer knows its MachineSets: their Machines run on
with nobody to replace them, beside as many new ones.
"""

_DEFAULTED: Final = frozenset({CLUSTER_NAME_LABEL, "cluster.x-k8s.io/deployment-name", "cluster.x-k8s.io/set-name"})
"""Labels that the webhooks add to a selector. Source: api/core/v1beta2/common_types.go, machineset_types.go."""

UNCHECKED_CLASS: Final = "unsafe.topology.cluster.x-k8s.io/disable-update-class-name-check"
"""Annotation with which upstream lets a Cluster be put under a class. Source: api/core/v1beta2/common_types.go."""


def fixed_field(view: View, row: Change) -> Problem | None:
    """``field-immutable``: the first field that may not change as this row would change it."""
    for path, before, after, hint in _changes(view, row):
        message = f"refused: {path} cannot change after creation ({_shown(before)} -> {_shown(after)})"
        return refuse("field-immutable", row.key, message, hint)
    return None


def _changes(view: View, row: Change) -> Iterator[tuple[str, Any, Any, str]]:
    kind = (row.key.group, row.key.kind)
    if kind == (CORE, "ClusterClass"):
        yield from _of_class(view, row)
    if row.live is None:
        return
    yield from _plain(row, _FIXED.get(kind, {}))
    if kind == (CORE, "Cluster"):
        yield from _of_cluster(view, row)
    if kind == (CONTROL_PLANE, "KubeadmControlPlane"):
        yield from fixed_fields(row)


def _plain(row: Change, fixed: Mapping[Path, str]) -> Iterator[tuple[str, Any, Any, str]]:
    for path, hint in fixed.items():
        before, after = _before(row, path), at(body_of(row), path)
        if before is not None and after is not None and _essence(before) != _essence(after):
            yield pointer(path), before, after, hint


def _essence(value: Any) -> Any:
    """A selector without what webhooks add to it and without what is empty."""
    if not isinstance(value, Mapping):
        return value
    labels = {key: one for key, one in (value.get("matchLabels") or {}).items() if key not in _DEFAULTED}
    return labels, value.get("matchExpressions") or []


def _of_cluster(view: View, row: Change) -> Iterator[tuple[str, Any, Any, str]]:
    for field in ("infrastructureRef", "controlPlaneRef"):
        path = ("spec", field)
        before, after = (key_of(each, row.key.namespace) for each in (_before(row, path), at(body_of(row), path)))
        if before is not None and after is not None and before != after:
            yield pointer(path), before.label, after.label, "a living Cluster keeps what it was built on; start another"
    yield from _of_topology(view, row)


def _of_topology(view: View, row: Change) -> Iterator[tuple[str, Any, Any, str]]:
    before, after = _before(row, ("spec", "topology")), at(body_of(row), ("spec", "topology"))
    if before is None and after is None:
        return
    unchecked = UNCHECKED_CLASS in (at(body_of(row), ("metadata", "annotations")) or {})
    if before is None and not unchecked:
        yield "/spec/topology", None, "a topology", "a Cluster is put under a ClusterClass when it is created"
    elif after is None and any(one.pointer.startswith("/spec/topology") for one in row.fields):
        yield "/spec/topology", "a topology", None, "a Cluster stays under a ClusterClass; keep spec.topology"
    elif before is not None and after is not None:
        yield from _rebased(view, row)


def _rebased(view: View, row: Change) -> Iterator[tuple[str, Any, Any, str]]:
    """A Cluster may move to another class as long as the kinds of all templates stay."""
    assert row.live is not None
    old, new = class_of(row.live.body, row.key.namespace), class_of(body_of(row), row.key.namespace)
    if old is None or new is None or old == new:
        return
    changed = changed_kind(view.before(old), view.after(new))
    if changed is not None:
        hint = f"{new.label} has another kind at {changed.pointer} ({changed.before} -> {changed.after})"
        yield "/spec/topology/classRef/name", old.name, new.name, f"{hint}; take a class with the same kinds"


def _of_class(view: View, row: Change) -> Iterator[tuple[str, Any, Any, str]]:
    """Against the live one, or the generation that it follows."""
    left = view.wanted[row.key].instead_of if row.key in view.wanted else None
    before = view.before(row.key) or (view.before(left) if left is not None else None)
    changed = changed_kind(before, body_of(row))
    if changed is not None:
        hint = "Clusters are built on this kind: make a class of another name for the other one"
        yield changed.pointer, changed.before, changed.after, hint


def _before(row: Change, path: Path) -> Any:
    return at(row.live.body, path) if row.live is not None else None


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"
