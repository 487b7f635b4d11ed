"""Values that were decrypted, in ordinary objects: sent when they change, never shown, never remembered."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

from clusterops.apply import apply_plan
from clusterops.errors import TerminalError
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.secret import CHANGED_MASK, MASK, SecretValues
from clusterops.model.sketch import departure
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, cluster_bodies, read_and_plan
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

Bodies = list[dict[str, Any]]
OLD, NEW = "canary-old-4f6a", "canary-new-b2c8"


def bodies(secret: str, *, replicas: int = 2) -> Bodies:
    """The secret stands in a file of the machines, and inside a longer text of a ConfigMap."""
    made = copy.deepcopy(cluster_bodies(workers=replicas))
    for one in made:
        if one["kind"] == "KubeadmConfigTemplate":
            one["spec"]["template"]["spec"]["preKubeadmCommands"] = [f"login {secret}"]
        if one["kind"] == "ConfigMap":
            one["data"] = {"text": f"[global]\npassword={secret}\n", "plain": "hello"}
    return made


class World:
    """A target that was applied once with the old secret."""

    def __init__(self) -> None:
        self.cluster = ModelCluster()
        self.inventory: Inventory = empty_inventory("north/alpha")
        self.apply(OLD)

    def plan(self, secret: str, **changes: Any) -> Plan:
        work = read_and_plan(
            self.cluster, bodies(secret, **changes), self.inventory, inputs=secret, secrets=SecretValues([secret])
        )
        return asyncio.run(work)

    def apply(self, secret: str) -> None:
        store = MemoryStore(self.inventory)
        logger = build_logger(level="critical")
        work = apply_plan(self.plan(secret), self.cluster, clock=SkippingClock(), logger=logger, store=store)
        self.inventory = store.inventory.narrowed(asyncio.run(work), revision="c1")

    def key(self, kind: str) -> ObjectKey:
        return next(key for key in sorted(self.cluster.objects) if key.kind == kind)

    def live(self, kind: str) -> LiveObject:
        return LiveObject.of(self.cluster.objects[self.key(kind)])


class Quoting(ModelCluster):
    """Refuses every write with the value in its words."""

    async def apply(self, body: Mapping[str, Any], **how: Any) -> LiveObject:
        if how.get("dry_run"):
            return await super().apply(body, **how)
        raise TerminalError("object-invalid", "ConfigMap", f'data.text: Invalid value: "[global] password={NEW}"')


def row(plan: Plan, kind: str) -> Change:
    return next(change for change in plan.changes if change.key.kind == kind)


def test_the_same_secret_changes_nothing() -> None:
    plan = World().plan(OLD)
    assert not plan.writes
    assert {change.action for change in plan.changes} == {Action.UNCHANGED}


def test_another_secret_is_sent_and_told_without_its_value() -> None:
    world = World()
    plan = world.plan(NEW)
    changed = row(plan, "ConfigMap")
    assert changed.action is Action.UPDATE
    assert [(one.pointer, one.before, one.after) for one in changed.fields] == [("/data/text", MASK, CHANGED_MASK)]
    assert OLD not in repr(plan)
    assert NEW not in repr(plan)


def test_a_template_with_another_secret_is_another_generation_and_with_the_same_one_it_is_not() -> None:
    world = World()
    rotated = [change.action for change in world.plan(NEW).changes if change.key.kind == "KubeadmConfigTemplate"]
    assert Action.ROTATE in rotated
    assert row(world.plan(OLD, replicas=3), "KubeadmConfigTemplate").action is Action.UNCHANGED


def test_of_a_secret_value_its_place_alone_is_remembered() -> None:
    world = World()
    entry = world.inventory.entries[world.key("ConfigMap")]
    assert entry.applied is not None
    assert entry.held is not None
    for sketch in (entry.applied, entry.held):
        assert not sketch.tells(("f:data", "f:text"))
        assert sketch.knows(("f:data", "f:text"))
        assert sketch.tells(("f:data", "f:plain"))
    stored = Inventory.from_body("north/alpha", world.inventory.to_body())
    assert stored.entries[world.key("ConfigMap")].applied == entry.applied
    assert stored.entries[world.key("ConfigMap")].held == entry.held


def test_what_the_server_quotes_when_it_refuses_a_write_is_told_without_it() -> None:
    world = World()
    plan = world.plan(NEW)
    cluster = Quoting()
    cluster.objects = world.cluster.objects
    work = apply_plan(
        plan,
        cluster,
        clock=SkippingClock(),
        logger=build_logger(level="critical"),
        store=MemoryStore(world.inventory),
        secrets=SecretValues([NEW]),
    )
    problems = asyncio.run(work).problems
    assert next(one.message for one in problems if one.code == "object-invalid") == (
        f'data.text: Invalid value: "[global] password={MASK}"'
    )
    assert NEW not in repr(problems)


def test_fields_beside_a_secret_still_depart() -> None:
    world = World()
    entry = world.inventory.entries[world.key("ConfigMap")]
    assert entry.held is not None
    assert not departure(entry.held, world.live("ConfigMap"))
    world.cluster.objects[world.key("ConfigMap")]["data"]["plain"] = "by hand"
    assert departure(entry.held, world.live("ConfigMap")).changed
