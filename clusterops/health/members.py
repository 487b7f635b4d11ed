"""What a Cluster still consists of: its pools, their MachineSets, its Machines, whoever asked for them.

Conditions of a MachineDeployment are made of those of Machines, which other controllers write: for up to a second
after an edit it has observed the new template while every Machine still says that it is up to date.
**Source:** Cluster API v1.14 core/reconcilers/machinedeployment/machinedeployment_status.go (RollingOut and
MachinesUpToDate from the Machines' UpToDate, which core/reconcilers/machine writes), seen in tests/golden/health.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from clusterops.capi.conditions import Verdict, waiting
from clusterops.capi.kinds import CORE
from clusterops.capi.rollout.pools import template_differences
from clusterops.model.live import LiveObject, LiveSet

MEMBER_KINDS: Final = ("MachineDeployment", "MachineSet", "MachinePool", "Machine")
"""In the order in which changes go down, so that a later list is never older than what it is compared with."""


def is_member(one: LiveObject) -> bool:
    """Not a MachineSet of an older generation, which stays without Machines."""
    return one.key.kind != "MachineSet" or _machines_of(one) > 0 or one.deleting


def not_rolled_out(pool: LiveObject, live: LiveSet) -> Verdict | None:
    """Machines of a MachineDeployment that were made from another template, by its MachineSets."""
    wanted = _template(pool)
    old = [one for one in _sets_of(pool, live) if template_differences(_template(one), wanted)]
    left = sum(_machines_of(one) for one in old)
    return waiting("RollingOut", f"{left} machines are of an older template") if left else None


def _sets_of(pool: LiveObject, live: LiveSet) -> Iterable[LiveObject]:
    for key in live:
        if (key.group, key.kind, key.namespace) == (CORE, "MachineSet", pool.key.namespace):
            found = live.found(key)
            if found is not None and any(owner.get("uid") == pool.uid for owner in _owners(found)):
                yield found


def _owners(one: LiveObject) -> Iterable[dict[str, Any]]:
    return one.body["metadata"].get("ownerReferences") or ()


def _machines_of(machine_set: LiveObject) -> int:
    """As told or as reported, whichever is more."""
    spec, status = machine_set.body.get("spec") or {}, machine_set.body.get("status") or {}
    return max(int(spec.get("replicas") or 0), int(status.get("replicas") or 0))


def _template(owner: LiveObject) -> Any:
    return ((owner.body.get("spec") or {}).get("template") or {}).get("spec") or {}
