"""What a topology asks of its ClusterClass.

**Source:** Cluster API v1.14 internal/topology/variables/cluster_variable_validation.go, internal/topology/check
(MachineDeploymentTopologiesAreValidAndDefinedInClusterClass), core/webhooks/admission/cluster.go
ValidateClusterForClusterClass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final

from clusterops.capi.kinds import is_cluster
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Change
from clusterops.model.problem import Problem
from clusterops.plan.decide import refuse
from clusterops.plan.rules.view import TOPOLOGY_VERSION, Body, View, at, body_of, class_of, pointer

_WORKERS: Final = ("machineDeployments", "machinePools")


def undefined_by_class(view: View, row: Change) -> Problem | None:
    """``topology-variable-undefined``, ``topology-class-undefined`` or ``topology-version-undefined``."""
    key = class_of(body_of(row), row.key.namespace) if is_cluster(row.key) else None
    body = view.after(key) if key is not None else None
    if key is None or body is None:
        return None
    topology = at(body_of(row), ("spec", "topology"))
    return _variable(view, row, key, topology) or _worker(row, key, body, topology) or _version(row, key, body)


def _variable(view: View, row: Change, key: ObjectKey, topology: Body) -> Problem | None:
    defined = _defined(view, key)
    if defined is None:
        return None
    for place, name in _variables(topology):
        if name not in defined:
            message = f"refused: {place} sets {name}, which {key.label} does not define"
            hint = _nearest(name, defined) or "remove it, or define it in the class first"
            return refuse("topology-variable-undefined", row.key, message, hint)
    return None


def _defined(view: View, key: ObjectKey) -> frozenset[str] | None:
    """Names of the variables, None where nobody can say: an extension may define some that nobody has seen yet."""
    after, before = view.after(key), view.before(key)
    names = {one.get("name") for one in at(after, ("spec", "variables")) or []}
    if _discovers(after):
        found = at(before, ("status", "variables"))
        if found is None:
            return None
        names |= {one.get("name") for one in found}
    return frozenset(str(name) for name in names)


def _discovers(body: Body | None) -> bool:
    patches = at(body, ("spec", "patches")) or []
    return any("discoverVariablesExtension" in (patch.get("external") or {}) for patch in patches)


def _variables(topology: Body) -> Iterator[tuple[str, str]]:
    """(pointer, name) of every variable that is set, also where one pool overrides it."""
    yield from _named("/spec/topology/variables", topology.get("variables"))
    plane = at(topology, ("controlPlane", "variables", "overrides"))
    yield from _named("/spec/topology/controlPlane/variables/overrides", plane)
    for place, one in _workers(topology):
        yield from _named(f"{place}/variables/overrides", at(one, ("variables", "overrides")))


def _named(place: str, variables: Any) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(variables or []):
        if at(one, ("name",)):
            yield f"{place}/{number}", str(one["name"])


def _workers(topology: Body) -> Iterator[tuple[str, Body]]:
    for workers in _WORKERS:
        for number, one in enumerate(at(topology, ("workers", workers)) or []):
            yield f"/spec/topology/workers/{workers}/{number}", one


def _worker(row: Change, key: ObjectKey, body: Body, topology: Body) -> Problem | None:
    for workers in _WORKERS:
        defined = {str(one.get("class")) for one in at(body, ("spec", "workers", workers)) or []}
        for number, one in enumerate(at(topology, ("workers", workers)) or []):
            if one.get("class") not in defined:
                place = f"/spec/topology/workers/{workers}/{number}/class"
                message = f"refused: {place} {one.get('class')} is no worker class of {key.label}"
                hint = _nearest(str(one.get("class")), defined) or "take one that the class has, or add it there first"
                return refuse("topology-class-undefined", row.key, message, hint)
    return None


def _version(row: Change, key: ObjectKey, body: Body) -> Problem | None:
    """A class that lists versions takes no other."""
    listed, wanted = at(body, ("spec", "kubernetesVersions")) or [], at(body_of(row), TOPOLOGY_VERSION)
    if not listed or wanted in listed:
        return None
    message = f"refused: {pointer(TOPOLOGY_VERSION)} {wanted} is not among spec.kubernetesVersions of {key.label}"
    return refuse("topology-version-undefined", row.key, message, f"take one of {', '.join(map(str, listed))}")


def _nearest(name: str, defined: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(defined), n=1)
    return f"did you mean {near[0]}?" if near else ""
