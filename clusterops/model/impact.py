"""What a change does to machines: predicted before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clusterops.model.key import ObjectKey


class ImpactClass(StrEnum):
    """Ordered from harmless to grave. UNKNOWN counts as ROLLING in budgets."""

    NONE = "none"
    IN_PLACE = "in-place"
    SCALING = "scaling"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    ROLLING = "rolling"
    DELETE = "delete"


GRAVITY = {each: place for place, each in enumerate(ImpactClass)}


class Role(StrEnum):
    CONTROL_PLANE = "control-plane"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why machines change. ``rule`` names the comparator (``pool-version``); values are JSON or MISSING."""

    object: ObjectKey
    pointer: str
    before: Any
    after: Any
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolImpact:
    """One control plane or pool. ``owner`` is the object that holds the machines, predicted for a topology's new ones.

    ``replaced`` machines are followed by another one, ``removed`` ones are not; ``going`` are the uids of the live
    Machines that are certain to go, at most replaced + removed of them, since a scale-down leaves the choice to
    Cluster API. ``now`` and ``then`` count machines before and after.
    """

    cluster: ObjectKey | None
    owner: ObjectKey
    role: Role
    pool: str
    kind: ImpactClass
    added: int = 0
    removed: int = 0
    replaced: int = 0
    """Of an UNKNOWN one all that may be, as budgets count it."""
    now: int = 0
    then: int = 0
    surge: int = 0
    """Of what rolls: machines above ``then`` at the most."""
    unavailable: int = 0
    """Of what rolls: machines below ``then`` at the most."""
    going: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    note: str = ""
    """In words: why it is unknown or blocked, or why an edit rolls nothing although it looks as if it did."""

    @property
    def at_once(self) -> int:
        """Machines that are being made or deleted at the same instant, at the most, unless they break by themselves.

        A control plane waits for each machine, made or deleted, but a new one need not be Ready before its predecessor
        is deleted: it needs a Node and healthy components. A pool never has more than ``then + surge`` machines,
        with those that are still being deleted, nor fewer than ``then - unavailable`` available ones: what is between
        is on its way. Where the rollout cannot be predicted, and where it scales, all machines count.
        **Source:** Cluster API v1.14.0 core/reconcilers/machinedeployment/machinedeployment_rollout_rollingupdate.go,
        mdutil/util.go NewMSNewReplicas; core/reconcilers/machineset/machineset_controller_status.go (status.replicas
        counts what is being deleted); controlplane/kubeadm/reconcilers/kubeadmcontrolplane/preflight.go.
        """
        scaled = self.added + self.removed
        if not self.replaced or self.kind is ImpactClass.UNKNOWN:
            return self.replaced + scaled
        if self.role is Role.CONTROL_PLANE:
            return 2 + scaled
        return max(1, min(self.surge + self.unavailable, 2 * self.replaced)) + scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """Of one change. ``pools`` control planes first; several where a topology or a ClusterClass fans out."""

    kind: ImpactClass
    pools: tuple[PoolImpact, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, pools: Iterable[PoolImpact], *, least: ImpactClass = ImpactClass.NONE, notes: Iterable[str] = ()
    ) -> Impact:
        ordered = tuple(sorted(pools, key=lambda pool: (str(pool.cluster), pool.role, str(pool.owner))))
        kind = max([least, *(pool.kind for pool in ordered)], key=lambda each: GRAVITY[each])
        return cls(kind=kind, pools=ordered, notes=tuple(notes))

    @property
    def order(self) -> tuple[tuple[PoolImpact, ...], ...]:
        """Steps of what rolls, control planes first, then pools in parallel; what does not roll waits for nobody."""
        rolling = [pool for pool in self.pools if pool.replaced]
        steps = (tuple(pool for pool in rolling if pool.role is role) for role in (Role.CONTROL_PLANE, Role.WORKER))
        return tuple(step for step in steps if step)

    @property
    def added(self) -> int:
        return sum(pool.added for pool in self.pools)

    @property
    def removed(self) -> int:
        return sum(pool.removed for pool in self.pools)

    @property
    def replaced(self) -> int:
        return sum(pool.replaced for pool in self.pools)
