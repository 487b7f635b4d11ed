"""Who says how many machines a pool has: git, the autoscaler, or somebody outside.

**Source:** Cluster API v1.14 core/webhooks/admission/machinedeployment.go calculateMachineDeploymentReplicas (a count
that nobody sets becomes 1, or is clamped into the bounds) and util/annotations/helpers.go ReplicasManagedByExternally.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from clusterops.capi.kinds import CORE, is_cluster
from clusterops.capi.managers import KEEPS_REPLICAS, Kin, kin
from clusterops.model.bodies import comparable, value_at, without
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import owned
from clusterops.model.live import LiveObject
from clusterops.model.managers import OURS
from clusterops.model.manifest import Manifest
from clusterops.model.plan import HandedOver
from clusterops.model.pointer import escape
from clusterops.model.problem import Problem, Retry
from clusterops.plan.contested import holdings

MIN_SIZE: Final = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
MAX_SIZE: Final = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
MANAGED_BY: Final = "cluster.x-k8s.io/replicas-managed-by"
COUNT: Final = "/spec/replicas"


class Counted(StrEnum):
    """By whom."""

    GIT = "git"
    AUTOSCALER = "the autoscaler"
    OUTSIDE = "somebody outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool object, or one pool of a topology. ``pointer`` is that of its count; ``count`` None where none is set."""

    name: str
    pointer: str
    count: int | None
    annotations: Mapping[str, str]

    @property
    def counted(self) -> Counted:
        if MIN_SIZE in self.annotations and MAX_SIZE in self.annotations:
            return Counted.AUTOSCALER
        outside = self.annotations.get(MANAGED_BY, "false")
        return Counted.GIT if outside == "false" else Counted.OUTSIDE

    @property
    def bounds(self) -> tuple[int, int] | None:
        """(min, max) of the autoscaler; None where they are no numbers."""
        low, high = self.annotations.get(MIN_SIZE, ""), self.annotations.get(MAX_SIZE, "")
        return (int(low), int(high)) if str(low).isdecimal() and str(high).isdecimal() else None


def is_counted(key: ObjectKey) -> bool:
    return key.group == CORE and key.kind in {"MachineDeployment", "MachinePool"}


def pools(body: Mapping[str, Any]) -> tuple[Pool, ...]:
    """Those of a body: itself, or a Cluster's by its topology, in order."""
    key = ObjectKey.of(body)
    if is_counted(key):
        count = (body.get("spec") or {}).get("replicas")
        return (Pool(name=key.name, pointer=COUNT, count=count, annotations=body["metadata"].get("annotations") or {}),)
    return tuple(_topology_pools(body)) if is_cluster(key) else ()


def _topology_pools(body: Mapping[str, Any]) -> Iterator[Pool]:
    workers = ((body.get("spec") or {}).get("topology") or {}).get("workers") or {}
    for kind in ("machineDeployments", "machinePools"):
        for index, pool in enumerate(workers.get(kind) or ()):
            yield Pool(
                name=str(pool.get("name", "")),
                pointer=f"/spec/topology/workers/{kind}/{index}/replicas",
                count=pool.get("replicas"),
                annotations=(pool.get("metadata") or {}).get("annotations") or {},
            )


def uncounted(manifest: Manifest) -> Manifest:
    """Without the counts that are not git's to say."""
    others = [pool for pool in pools(manifest.body) if pool.counted is not Counted.GIT and pool.count is not None]
    return Manifest.of(without(manifest.body, [pool.pointer for pool in others])) if others else manifest


def is_count(key: ObjectKey, pointer: str) -> bool:
    return is_counted(key) and pointer == COUNT


def handed_over(said: Manifest, found: LiveObject, *, adopts: Collection[str] = ()) -> tuple[HandedOver, ...]:
    """The count that we alone own, or come to own by adoption, and git does not say: without an owner it would be 1.

    A topology's count needs none: the topology controller lets go of it, and within the bounds it stays (seen).
    """
    owners = _count_owners(found)
    alone = bool(owners) and owners <= {OURS, *adopts}
    if not is_counted(said.key) or value_at(said.body, COUNT) is not None or not alone:
        return ()
    return (HandedOver(pointer=COUNT, value=value_at(found.body, COUNT), manager=KEEPS_REPLICAS),)


def misplaced(said: Manifest, found: LiveObject, hands_over: Collection[HandedOver]) -> Problem | None:
    """Why git may not let go of a count now: Cluster API would set another one at once."""
    if is_counted(said.key) and not hands_over:
        return None
    there = {pool.name: pool for pool in pools(found.body)}
    for pool in pools(said.body):
        live = there.get(pool.name)
        if pool.count is not None or live is None or live.count is None:
            continue
        if pool.counted is Counted.AUTOSCALER and not _within(pool.bounds, live.count):
            return _outside(said.key, pool, live.count)
        if pool.counted is not Counted.AUTOSCALER and is_cluster(said.key) and live.count != 1:
            return _dropped(said.key, pool, live.count)
    return None


def _within(bounds: tuple[int, int] | None, count: int) -> bool:
    return bounds is not None and bounds[0] <= count <= bounds[1]


def comes_back(pointer: str, owners: Collection[str], said: Manifest, found: LiveObject, *, known: bool) -> bool:
    """Whether a count is git's again: the autoscaler's bounds go in the same apply, so it is nobody else's.

    ``known``: git set it when it was last applied, or nobody remembers.
    """
    if not is_count(said.key, pointer) or _bounds_stay(said, found):
        return False
    return not known or bool({kin(name) for name in owners} & {Kin.OURS, Kin.AUTOSCALER})


def _bounds_stay(said: Manifest, found: LiveObject) -> bool:
    """Both bounds will be there after the apply, as somebody else set them."""
    theirs = {holding.leaf.pointer for holding in holdings(found).values()}
    return all(f"/metadata/annotations/{escape(name)}" in theirs for name in (MIN_SIZE, MAX_SIZE))


def _count_owners(found: LiveObject) -> set[str]:
    path = ("f:spec", "f:replicas")
    body = comparable(found.body)
    return {one.name for one in found.managers if one.subresource != "status" and path in owned(body, one.fields)}


def _outside(key: ObjectKey, pool: Pool, count: int) -> Problem:
    bounds = f"{pool.annotations[MIN_SIZE]}..{pool.annotations[MAX_SIZE]}"
    return Problem(
        code="autoscaled-count-outside",
        subject=key.label,
        message=f"pool {pool.name} has {count} machines, outside {bounds}: Cluster API would move it there at once",
        hint=f"scale it into {bounds} in a commit of its own, or choose bounds around {count}",
        retry=Retry.HUMAN,
    )


def _dropped(key: ObjectKey, pool: Pool, count: int) -> Problem:
    return Problem(
        code="topology-count-dropped",
        subject=key.label,
        message=f"pool {pool.name} has {count} machines and git drops its count: Cluster API would make it 1",
        hint=f"keep `replicas`, or set the annotations {MIN_SIZE} and {MAX_SIZE} on it",
        retry=Retry.HUMAN,
    )
