"""Edits that replace no Machine although their author may think so, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from clusterops.capi.kinds import is_class, is_cluster, is_control_plane, is_infrastructure, is_pool, is_template
from clusterops.model.impact import ImpactClass, PoolImpact
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Change

_ROLLS: Final = frozenset({ImpactClass.ROLLING, ImpactClass.UNKNOWN, ImpactClass.DELETE})

_IN_PLACE: Final = frozenset({Action.UPDATE, Action.ADOPT})

_PARTS: Final = (
    ("/clusterConfiguration/dns", "DNS is updated in the running cluster"),
    ("/discovery", "discovery only matters to Machines that join later"),
    ("/controlPlaneComponentHealthCheckSeconds", "the health check's time only matters to Machines that join later"),
    ("/taints", "taints are set on the running nodes"),
    ("/deletion/", "deletion timeouts are set on the running Machines"),
    ("Timeout", "timeouts are set on the running Machines"),
    ("/minReadySeconds", "minReadySeconds is set on the running Machines"),
    ("/readinessGates", "readiness gates are set on the running Machines"),
    ("/labels", "labels are set on the running Machines"),
    ("/annotations", "annotations are set on the running Machines"),
    ("/rollout/strategy", "a strategy only matters to the next rollout"),
    ("trategy", "a strategy only matters to the next rollout"),
    ("/remediation", "remediation only matters to Machines that fail"),
    ("/machineNaming", "names only matter to Machines that are made later"),
)
"""Parts of pointers of control planes and pools, the more telling ones first."""


def notes(change: Change, pools: Iterable[PoolImpact]) -> tuple[str, ...]:
    """What an author should know about an edit that rolls nothing; empty where it rolls, or says so by itself."""
    told = tuple(pools)
    if change.action not in _IN_PLACE or any(pool.kind in _ROLLS for pool in told):
        return ()
    if is_template(change.key) and _content(change):
        return (
            f"replaces no Machine: {change.key.kind} {change.key.name} is only read when Machines are made; "
            "a new name, and references to it, would roll",
        )
    if is_pool(change.key) or is_control_plane(change.key):
        return tuple(dict.fromkeys(_of_owner(change)))
    if is_infrastructure(change.key) and _content(change):
        return (f"replaces no Machine by itself: the provider of {change.key.kind} acts on it",)
    generates = is_class(change.key) or (is_cluster(change.key) and _touches_topology(change))
    scales = any(pool.added or pool.removed or pool.note for pool in told)
    if generates and _content(change) and not scales:
        return ("replaces no Machine: what its Machines are made from stays the same",)
    return ()


def _touches_topology(change: Change) -> bool:
    return any(field.pointer.startswith("/spec/topology") for field in change.fields)


def _of_owner(change: Change) -> Iterator[str]:
    for field in change.fields:
        for part, words in _PARTS:
            if part in field.pointer and field.pointer.startswith(_places(change.key)):
                yield f"replaces no Machine: {words}"
                break


def _places(key: ObjectKey) -> tuple[str, ...]:
    return ("/spec/machineTemplate", "/spec/kubeadmConfigSpec", "/spec/template", "/spec/")


def _content(change: Change) -> bool:
    return any(field.pointer.startswith("/spec") for field in change.fields)
