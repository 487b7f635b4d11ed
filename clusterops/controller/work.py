"""What a pass is given: one target of one commit, and the doors that it works through."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from clusterops.controller.clock import Ticks, Turnstile
from clusterops.controller.records import Records
from clusterops.errors import ClusterOpsError
from clusterops.model.deletion import DeletionKey, Permits
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.fleet import Fleet, Target
from clusterops.model.ignore import IgnoreRule
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome
from clusterops.model.revision import Snapshot
from clusterops.ports import Clock, Cluster, Renderer
from clusterops.telemetry import Logger, Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One target of one commit. ``gone`` means that git no longer has it; ``inputs`` is its render fingerprint."""

    target: Target
    snapshot: Snapshot
    commit: str
    """The commit whose verdict waits for this, which may be older than the snapshot's."""
    inputs: str = ""
    gone: bool = False
    settle_timeout_s: float
    """The fleet's ``rollout.settleTimeout``; 0: do not wait for health at all."""
    keys: tuple[DeletionKey, ...] = ()
    """Second keys of the snapshot that name the target."""
    key_days: int = 7
    """The fleet's ``policy.deletionKeyDays``."""
    ignore: tuple[IgnoreRule, ...] = ()
    """The fleet's rules: fields that no commit takes from their owner."""
    targets: Mapping[str, Target] = field(default_factory=dict, repr=False)
    """All of the snapshot: a plan has to know the classes that shared ones render."""
    after: frozenset[str] = frozenset()
    """Targets of the same commit that have to be applied before anything of this one is."""
    healing: Healing = NO_HEALING
    """Which drift the pass puts back; what the commit itself changed is put back whatever this says."""
    only_plan: str = ""
    """The id of the plan that a person agreed to: another one is refused with ``plan-moved``; "" for any."""

    def keyed(self, fleet: Fleet) -> Work:
        """With what its commit says beside the target itself: second keys, and rules of the fleet."""
        file = fleet.file
        keys = fleet.keys_for(self.target.name)
        return replace(
            self, keys=keys, key_days=file.policy.deletion_key_days, ignore=file.ignore, targets=fleet.targets
        )

    def permits(self, now: datetime) -> Permits:
        return Permits(keys=self.keys, days_ahead=self.key_days, now=now)

    @property
    def revision(self) -> str:
        """``main@3b9e0d1``"""
        of = self.snapshot.revision
        return replace(of, commit=self.commit).text


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What a pass works through. ``slots`` bounds the passes that write at once."""

    renderer: Renderer
    cluster: Cluster
    records: Records
    clock: Clock
    ticks: Ticks
    """For waiting on health."""
    logger: Logger
    metrics: Metrics
    slots: asyncio.Semaphore
    concurrency: int = 16
    planners: Turnstile = field(default_factory=Turnstile)
    """Before each plan is made: all targets of a commit are read together."""
    confirming: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(16))
    """Bounds the last looks at health: each reads all that belongs to a Cluster."""

    def forge_failed(self, event: str, error: ClusterOpsError, **about: str) -> None:
        """What is tried again by itself: counted, and told with what a person may do meanwhile."""
        self.metrics.forge_errors.labels(code=error.code).inc()
        self.logger.warning(event, **about, code=error.code, error=str(error), hint=error.hint)


class CommitView(Protocol):
    """What one target's pass sees of its commit."""

    async def rendered(self, rendered: RenderedSet) -> Mapping[ObjectKey, Manifest]:
        """Called once, rendered or failed (then empty). Returns when all targets of the commit are that far.

        The answer is what those of them render that are applied before this one.
        """

    async def verdict(self, outcome: Outcome) -> Problem | None:
        """Called once with the draft. Returns when the whole commit is judged: None is go, else why not."""

    @property
    def paced(self) -> bool:
        """Whether others wait for this target: then it is recorded that it begins before it does."""

    def progress(self, outcome: Outcome) -> None:
        """Called when a later stage begins or its report moves."""

    def settled(self, outcome: Outcome) -> None:
        """Called when the waiting for health is over, one way or the other: what follows changes no verdict."""
