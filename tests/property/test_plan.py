"""The algebra of plans, against a model of an API server."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clusterops.apply import apply_plan
from clusterops.capi.kinds import is_template, tier_of
from clusterops.capi.references import names, references
from clusterops.model.inventory import EntryState, Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Plan
from clusterops.model.report import ApplyReport
from clusterops.plan import plan_to_json, plan_to_markdown, plan_to_text
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, cluster_bodies, read_and_plan
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

LOGGER = build_logger(level="critical")
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Bodies = list[dict[str, Any]]


@st.composite
def desired(draw: st.DrawFn, least: int = 1) -> Bodies:
    """Some of the objects of one or two clusters, with some of their fields changed."""
    found: Bodies = []
    for name in draw(st.sampled_from([["alpha"], ["alpha", "beta"]])):
        found += cluster_bodies(
            name,
            workers=draw(st.integers(0, 3)),
            version=draw(st.sampled_from(["v1.33.4", "v1.34.1"])),
        )
    chosen = draw(st.lists(st.sampled_from(range(len(found))), min_size=least, unique=True))
    return [_varied(draw, copy.deepcopy(found[index])) for index in sorted(chosen)]


def _varied(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    extra = draw(st.dictionaries(st.sampled_from(["a", "b/c", "d~e"]), st.text("xyz", max_size=2), max_size=2))
    body["metadata"]["annotations"] = {**body["metadata"]["annotations"], **extra}
    if body["kind"] == "ConfigMap":
        body["data"] = draw(st.dictionaries(st.text("klm", min_size=1, max_size=2), st.text(max_size=3), max_size=3))
    if body["kind"] == "KubeadmConfigTemplate":
        files = draw(st.lists(st.text("fgh", min_size=1, max_size=2), unique=True, max_size=3))
        body["spec"]["template"]["spec"]["files"] = [
            {"name": one, "content": draw(st.text(max_size=2))} for one in files
        ]
    return body


class World:
    """One model cluster and the inventory of one target."""

    def __init__(self) -> None:
        self.cluster = ModelCluster()
        self.inventory: Inventory = empty_inventory("north/alpha")

    def plan(self, bodies: Bodies, *, dry_run: bool = True, inputs: str = "tree") -> Plan:
        return asyncio.run(read_and_plan(self.cluster, bodies, self.inventory, dry_run=dry_run, inputs=inputs))

    def apply(self, plan: Plan) -> ApplyReport:
        store = MemoryStore(self.inventory)
        clock = SkippingClock()
        report = asyncio.run(apply_plan(plan, self.cluster, clock=clock, logger=LOGGER, store=store))
        self.inventory = store.inventory.narrowed(report, revision="c1")
        return report


@BOUNDED
@given(st.lists(desired(), min_size=1, max_size=3), st.booleans())
def test_planning_again_after_an_apply_writes_nothing(commits: list[Bodies], dry_run: bool) -> None:
    world = World()
    for bodies in commits:
        waiting = _not_tried(world.apply(world.plan(bodies, dry_run=dry_run)))
        again = world.plan(bodies, dry_run=dry_run)
        assert _written(again) <= _old_generations(again) | waiting, [
            (c.key, c.action, c.fields) for c in again.changes
        ]
        world.apply(again)
        assert _written(world.plan(bodies, dry_run=dry_run)) <= waiting


def _not_tried(report: ApplyReport) -> set[ObjectKey]:
    """What names a refused object waits with it, pass after pass."""
    return {row.key for row in report.rows if row.problem and row.problem.code == "dependency-not-applied"}


@BOUNDED
@given(desired(), desired(least=0))
def test_every_object_stands_in_exactly_one_wave(first: Bodies, second: Bodies) -> None:
    world = World()
    world.apply(world.plan(first))
    plan = world.plan(second)
    keys = [change.key for change in plan.changes]
    assert len(set(keys)) == len(keys)
    assert world.inventory.keys <= set(keys)
    assert {change.written.key for change in plan.changes if change.written} == {ObjectKey.of(one) for one in second}


@BOUNDED
@given(desired())
def test_what_an_object_names_in_a_lower_tier_is_in_an_earlier_wave(bodies: Bodies) -> None:
    plan = World().plan(bodies)
    wave_of = {change.key: number for number, wave in enumerate(plan.waves) for change in wave}
    for change in plan.changes:
        assert change.desired is not None
        for reference in references(change.desired.body):
            for key, wave in wave_of.items():
                if names(reference, key) and tier_of(key) < tier_of(change.key):
                    assert wave < wave_of[change.key]


@BOUNDED
@given(desired(), desired(least=0))
def test_prunes_come_last_and_in_the_reverse_order_of_creation(first: Bodies, second: Bodies) -> None:
    world = World()
    world.apply(world.plan(first))
    plan = world.plan(second)
    numbers = [(number, change) for number, wave in enumerate(plan.waves) for change in wave]
    dropped = [(number, tier_of(change.key)) for number, change in numbers if change.desired is None]
    kept = [number for number, change in numbers if change.desired is not None]
    assert not dropped or not kept or min(number for number, _ in dropped) > max(kept)
    assert [tier for _, tier in dropped] == sorted((tier for _, tier in dropped), reverse=True)


@BOUNDED
@given(desired(), desired(least=0), st.data())
def test_the_delete_set_never_grows_when_a_read_fails(first: Bodies, second: Bodies, data: st.DataObject) -> None:
    world = World()
    world.apply(world.plan(first))
    known = sorted({*world.cluster.objects, *(ObjectKey.of(one) for one in second)})
    assume(known)
    deleted = _deleted(world.plan(second))
    world.cluster.unreadable = set(data.draw(st.lists(st.sampled_from(known), min_size=1, unique=True)))
    failing = world.plan(second)
    assert _deleted(failing) <= deleted
    if world.cluster.unreadable & (world.inventory.keys | {ObjectKey.of(one) for one in second}):
        assert not _deleted(failing)


@BOUNDED
@given(desired())
def test_a_target_gone_from_git_deletes_nothing_of_a_living_cluster(first: Bodies) -> None:
    world = World()
    world.apply(world.plan(first))
    plan = world.plan([], inputs="")
    if any(key.kind == "Cluster" for key in world.inventory.entries):
        assert not plan.writes
        assert {"deletion-needs-second-key"} == {one.code for one in plan.refusals}


@BOUNDED
@given(desired(), desired())
def test_an_empty_render_writes_nothing(first: Bodies, second: Bodies) -> None:
    world = World()
    world.apply(world.plan(first))
    plan = world.plan([])
    assert not plan.writes
    assert {change.action for change in plan.changes} <= {Action.REFUSE}


@BOUNDED
@given(desired(), desired(least=0))
def test_the_inventory_is_what_was_applied_and_what_was_owned_and_not_pruned(first: Bodies, second: Bodies) -> None:
    world = World()
    world.apply(world.plan(first))
    owned = world.inventory.keys
    plan = world.plan(second)
    world.apply(plan)
    applied = {change.key for change in plan.changes if change.writes and change.desired is not None}
    assert world.inventory.keys == applied | (owned - _deleted(plan))
    assert all(entry.state is EntryState.APPLIED and entry.uid for entry in world.inventory.entries.values())


@BOUNDED
@given(desired(), desired())
def test_a_plan_has_one_id_whatever_else_moves(first: Bodies, second: Bodies) -> None:
    """Status and resourceVersion move all the time; a field that we send or own does not."""
    world = World()
    world.apply(world.plan(first))
    plan = world.plan(second)
    for key in world.cluster.objects:
        world.cluster.set_status(key, {"replicas": 7})
    assert world.plan(second).id == plan.id
    world.apply(plan)
    if plan.writes:
        assert world.plan(second).id != plan.id


CANARY = "c4n4ry"


@BOUNDED
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text("01", min_size=1, max_size=4), max_size=3),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text("01", min_size=1, max_size=4), max_size=3),
    st.sampled_from(["data", "stringData"]),
)
def test_no_output_of_a_plan_holds_a_secret_value(old: dict[str, str], new: dict[str, str], field: str) -> None:
    def secret(values: dict[str, str]) -> Bodies:
        body = {**cluster_bodies()[0]}
        body.pop("stringData")
        # In data the canary stands for its own base64 text: it is what the server stores.
        return [{**body, field: {key: f"{CANARY}{value}" for key, value in values.items()}}]

    world = World()
    world.apply(world.plan(secret(old)))
    plan = world.plan(secret(new))
    stored = {value for body in world.cluster.objects.values() for value in (body.get("data") or {}).values()}
    for text in (plan_to_text(plan), plan_to_markdown(plan), repr(plan_to_json(plan)), repr(plan)):
        assert CANARY not in text
        assert not any(value in text for value in stored)


def _written(plan: Plan) -> set[ObjectKey]:
    return {change.key for change in plan.changes if change.writes}


def _old_generations(plan: Plan) -> set[ObjectKey]:
    """Templates that nothing refers to any more once the apply is done: they go with the next one."""
    return {key for key in _deleted(plan) if is_template(key)}


def _deleted(plan: Plan) -> set[ObjectKey]:
    return {change.key for change in plan.changes if change.action is Action.PRUNE}
