"""The live objects of a topology as the topology controller will leave them.

Templates it never edits: one whose spec changes becomes a new object under a new name.

**Source:** Cluster API v1.14.0 core/reconcilers/topology/cluster/reconcile_state.go (reconcileReferencedTemplate,
reconcileControlPlane, updateMachineDeployment).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clusterops.capi.rollout.difference import Body, at, differing
from clusterops.capi.rollout.topology import Generated, GeneratedPool
from clusterops.model.plan import MISSING
from clusterops.model.pointer import tokens_of, unescape

NEXT: Final = "(new)"
"""Stands for the name of a template that the controller will make."""


def rotates(before: Body | None, after: Body | None, live: Body | None) -> bool:
    """Whether a generated template gets a successor, from its spec by the old and the new class, and its live spec.

    What is live already as it will be stays, also when the way there is not finished.
    """
    if after is None or before == after:
        return False
    return live is None or not _is_there(before or {}, after, live)


def next_control_plane(live: Body, before: Generated, after: Generated, *, rotated: bool) -> Body:
    """The control plane object with what changes between both."""
    spec = _moved(live.get("spec") or {}, before.control_plane, after.control_plane)
    spec["version"] = after.version
    if after.replicas is not None:
        spec["replicas"] = after.replicas
    if after.rollout_after:
        spec["rollout"] = {**(spec.get("rollout") or {}), "after": after.rollout_after}
    if rotated:
        template = dict(spec.get("machineTemplate") or {})
        deep = at(template, "spec", "infrastructureRef") is not None
        holder = dict(template.get("spec") or {}) if deep else template
        holder["infrastructureRef"] = {**(holder.get("infrastructureRef") or {}), "name": NEXT}
        spec["machineTemplate"] = {**template, "spec": holder} if deep else holder
    return {**live, "spec": spec}


def next_pool(live: Body, after: GeneratedPool, *, bootstrap_rotates: bool, machines_rotate: bool) -> Body:
    """The MachineDeployment with what the topology says of it."""
    spec = dict(live.get("spec") or {})
    template = dict(at(spec, "template", "spec") or {})
    template["version"] = after.version
    template["failureDomain"] = after.failure_domain
    if bootstrap_rotates:
        bootstrap = template.get("bootstrap") or {}
        template["bootstrap"] = {**bootstrap, "configRef": {**(bootstrap.get("configRef") or {}), "name": NEXT}}
    if machines_rotate:
        template["infrastructureRef"] = {**(template.get("infrastructureRef") or {}), "name": NEXT}
    spec["template"] = {**(spec.get("template") or {}), "spec": template}
    if after.replicas is not None:
        spec["replicas"] = after.replicas
    if after.rollout:
        spec["rollout"] = after.rollout
    return {**live, "spec": spec}


def _is_there(before: Body, after: Body, live: Body) -> bool:
    for pointer, old, new in differing(before, after):
        there = _at_pointer(live, pointer)
        if there != new or (new is MISSING and there is not MISSING and there != old):
            return False
    return True


def _moved(live: Body, before: Body, after: Body) -> dict[str, Any]:
    """``live`` with every leaf that differs between ``before`` and ``after``."""
    moved: dict[str, Any] = dict(live)
    for pointer, _, value in differing(before, after):
        moved = _with(moved, pointer.split("/")[1:], value)
    return moved


def _with(body: Any, path: list[str], value: Any) -> dict[str, Any]:
    field = unescape(path[0])
    changed = dict(body) if isinstance(body, Mapping) else {}
    if len(path) > 1:
        changed[field] = _with(changed.get(field), path[1:], value)
    elif value is MISSING:
        changed.pop(field, None)
    else:
        changed[field] = value
    return changed


def _at_pointer(body: Any, pointer: str) -> Any:
    for field in tokens_of(pointer):
        if not isinstance(body, Mapping) or field not in body:
            return MISSING
        body = body[field]
    return body
