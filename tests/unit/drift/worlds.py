"""A target that was applied once to an API server in memory, and what departs from it since."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from clusterops.apply import apply_plan
from clusterops.drift import compare
from clusterops.drift.compare import Departing, Seen
from clusterops.drift.explain import Explained, explained
from clusterops.model.drift import NO_HEALING, DriftedObject, Healing
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Plan
from clusterops.model.secret import NO_SECRETS, SecretValues
from clusterops.telemetry import build_logger
from tests.fleet_objects import NORTH_ALPHA, MemoryStore, cluster_bodies, read_and_plan
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

Bodies = list[dict[str, Any]]


class World:
    def __init__(self, bodies: Bodies | None = None, secrets: SecretValues = NO_SECRETS) -> None:
        self.secrets = secrets
        self.cluster = ModelCluster()
        self.inventory: Inventory = empty_inventory(NORTH_ALPHA)
        self.bodies = bodies or cluster_bodies()
        self.apply()

    def plan(self, healing: Healing = NO_HEALING) -> Plan:
        work = read_and_plan(self.cluster, self.bodies, self.inventory, healing=healing, secrets=self.secrets)
        return asyncio.run(work)

    def apply(self, healing: Healing = NO_HEALING) -> None:
        store, plan = MemoryStore(self.inventory), self.plan(healing)
        work = apply_plan(plan, self.cluster, clock=SkippingClock(), logger=build_logger(level="critical"), store=store)
        report = asyncio.run(work)
        self.inventory = store.inventory.narrowed(report, revision="c1")

    def key(self, kind: str) -> ObjectKey:
        return next(key for key in sorted(self.cluster.objects) if key.kind == kind)

    def set(self, kind: str, field: str, manager: str = "kubectl-edit", /, **values: Any) -> None:
        """Somebody's write to fields right below one of the object's own."""
        self.cluster.edit(self.key(kind), lambda raw: raw.setdefault(field, {}).update(values), manager=manager)

    def delete(self, kind: str) -> None:
        del self.cluster.objects[self.key(kind)]

    @property
    def live(self) -> Mapping[ObjectKey, Seen]:
        return asyncio.run(self.cluster.read(self.inventory.keys)).objects

    def departed(self) -> dict[ObjectKey, Departing]:
        return compare.departed(self.inventory, self.live, target=NORTH_ALPHA, fleet="demo")

    def explained(self) -> Explained:
        plan = self.plan(Healing(every=True))
        return explained(self.departed(), plan, self.live, inventory=self.inventory)

    def drifted(self) -> DriftedObject:
        """The only one."""
        (one,) = self.explained().objects
        return one
