"""Which kinds of templates a ClusterClass is made of.

**Source:** Cluster API v1.14 internal/topology/check/compatibility.go ClusterClassesAreCompatible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clusterops.model.key import group_of
from clusterops.plan.rules.view import Body, at

_WORKERS = ("machineDeployments", "machinePools")


@dataclass(frozen=True, slots=True, kw_only=True)
class KindChange:
    """``before`` and ``after`` are kinds with their group: ``DevMachineTemplate.infrastructure.cluster.x-k8s.io``."""

    pointer: str
    before: str
    after: str


def changed_kind(before: Body | None, after: Body | None) -> KindChange | None:
    """The first place where two classes differ in kind; what only one of them has, or is unknown, does not differ."""
    old, new = dict(_kinds(before)), dict(_kinds(after))
    found = (KindChange(pointer=place, before=old[place], after=new[place]) for place in new if place in old)
    return next((one for one in found if one.before != one.after), None)


def _kinds(body: Body | None) -> Iterator[tuple[str, str]]:
    spec = at(body, ("spec",))
    yield from _kind("/spec/infrastructure", at(spec, ("infrastructure",)))
    yield from _kind("/spec/controlPlane", at(spec, ("controlPlane",)))
    yield from _kind("/spec/controlPlane/machineInfrastructure", at(spec, ("controlPlane", "machineInfrastructure")))
    for workers in _WORKERS:
        for one in at(spec, ("workers", workers)) or []:
            # v1beta1 has what v1beta2 says of a worker class under `template`.
            of = at(one, ("template", "infrastructure")) or at(one, ("infrastructure",))
            yield from _kind(f"/spec/workers/{workers}[{one.get('class')}]/infrastructure", of)


def _kind(place: str, part: Any) -> Iterator[tuple[str, str]]:
    reference = at(part, ("templateRef",)) or at(part, ("ref",))
    kind = at(reference, ("kind",))
    if kind:
        yield f"{place}/templateRef", f"{kind}.{group_of(str(reference.get('apiVersion') or ''))}"
