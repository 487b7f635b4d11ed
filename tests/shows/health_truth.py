"""Whether a wish has come true, from the Machines alone: nothing of what ClusterOps reads conditions for.

Every Machine that is wanted is there, of the wanted version and template, with a Node that is ready; none is more,
none is on its way out, none of those that had to go is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from tests.shows.health_fleets import Wish
from tests.shows.health_watch import CORE, INFRA, State

CLONED_FROM = "cluster.x-k8s.io/cloned-from-name"
CONTROL_PLANE = "cluster.x-k8s.io/control-plane"


def machines_in(state: State) -> list[LiveObject]:
    return [one for key, one in state.items() if (key.group, key.kind) == (CORE, "Machine")]


def lacking(wish: Wish, state: State, *, gone: Collection[str] = ()) -> str:
    """The first thing that is not as wished; "" when all is. ``gone``: uids of Machines that must not be there."""
    machines = machines_in(state)
    wanted = Counter({"": wish.control_plane} | wish.pools)
    found = Counter(pool_of(one) for one in machines)
    if found != wanted:
        return f"{dict(found)} Machines, {dict(wanted)} wanted"
    return next((why for one in machines if (why := lacks(one, wish, state, gone))), "")


def pool_of(machine: LiveObject) -> str:
    """ "" for the control plane."""
    return "" if CONTROL_PLANE in machine.labels else machine.labels["pool"]


def lacks(machine: LiveObject, wish: Wish, state: State, gone: Collection[str]) -> str:
    name, spec, status = machine.key.name, machine.body["spec"], machine.body.get("status") or {}
    template = wish.pool_template_name if pool_of(machine) else wish.control_plane_template_name
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    if machine.deleting or machine.uid in gone:
        return f"{name} has to go"
    if spec["version"] != wish.version:
        return f"{name} is {spec['version']}"
    if made_from(machine, state) != template:
        return f"{name} is made from {made_from(machine, state)}, {template} is wanted"
    if not (status.get("nodeRef") or {}).get("name") or conditions.get("NodeReady") != "True":
        return f"{name} has no ready Node"
    return ""


def made_from(machine: LiveObject, state: State) -> str:
    """The template in git behind a Machine: a topology's are copies, which say what they are copies of."""
    name = machine.body["spec"]["infrastructureRef"]["name"]
    source = cloned_from(state, "DevMachine", machine, name)
    return cloned_from(state, "DevMachineTemplate", machine, source) or source


def cloned_from(state: State, kind: str, machine: LiveObject, name: str) -> str:
    found = state.get(ObjectKey(group=INFRA, kind=kind, namespace=machine.key.namespace, name=name))
    return str(found.annotations.get(CLONED_FROM) or "") if found else ""


def told(wish: Wish) -> dict[str, Any]:
    return {"version": wish.version, "control plane": wish.control_plane, **wish.pools}
