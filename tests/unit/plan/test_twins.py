"""List items whose keys a person changed: KubeadmControlPlane's extraArgs, keyed by name and value."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import pytest

from clusterops.errors import TransientError
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.ignore import IgnoreRule
from clusterops.model.leaves import Leaf
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, FieldChange, Left
from clusterops.plan import plan_to_json, plan_to_text
from clusterops.plan.fields import sendable
from clusterops.plan.twins import as_git_calls, twins
from tests.fleet_objects import cluster_bodies
from tests.model_cluster import ModelCluster
from tests.unit.plan.test_build import EVERY, Bodies, World, row

ARGUMENTS = "/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs"
AGE, V = "audit-log-maxage", "v"


def bodies(age: str | None = "30", **other: Any) -> Bodies:
    """A cluster whose control plane sets two arguments of its API server."""
    found = cluster_bodies()
    plane = next(one for one in found if one["kind"] == "KubeadmControlPlane")
    plane["spec"] |= other
    named = [{"name": AGE, "value": age}] if age is not None else []
    plane["spec"]["kubeadmConfigSpec"]["clusterConfiguration"] = {
        "apiServer": {"extraArgs": [*named, {"name": V, "value": "2"}]}
    }
    return found


def edited(world: World, value: str = "7", *, manager: str = "kubectl-edit") -> World:
    world.cluster.edit(world.key("KubeadmControlPlane"), lambda raw: set_age(raw, value), manager=manager)
    return world


def set_age(raw: dict[str, Any], value: str) -> None:
    arguments_in(raw)[0]["value"] = value


def arguments_in(raw: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = raw["spec"]["kubeadmConfigSpec"]["clusterConfiguration"]["apiServer"]["extraArgs"]
    return found


def arguments(world: World) -> dict[str, str]:
    listed = arguments_in(world.cluster.objects[world.key("KubeadmControlPlane")])
    found = {one["name"]: one["value"] for one in listed}
    assert len(found) == len(listed)
    return found


def test_a_changed_value_is_healed_as_the_one_field_that_it_is() -> None:
    world = edited(World(bodies()))
    plan = world.plan(bodies(), healing=EVERY)
    healed = row(plan, "KubeadmControlPlane")
    assert (healed.action, healed.takes) == (Action.UPDATE, ())
    assert healed.fields == healed.heals == (FieldChange(pointer=f"{ARGUMENTS}/0/value", before="7", after="30"),)
    assert f"{ARGUMENTS}/0/value  7 -> 30  (heals drift)" in plan_to_text(plan)
    assert f"takes {ARGUMENTS}/0/value from kubectl-edit" in plan_to_text(plan)
    told = next(one for wave in plan_to_json(plan)["waves"] for one in wave if "takes" in one)
    assert told["takes"] == [{"pointer": f"{ARGUMENTS}/0/value", "manager": "kubectl-edit"}]
    assert world.apply(bodies(), healing=EVERY).complete
    assert arguments(world) == {AGE: "30", V: "2"}
    assert {change.action for change in world.plan(bodies()).changes} == {Action.UNCHANGED}


def test_it_is_reported_where_it_is_not_healed() -> None:
    left = row(edited(World(bodies())).plan(bodies()), "KubeadmControlPlane")
    assert left.action is Action.LEAVE
    assert left.left == (
        Left(
            pointer=f"{ARGUMENTS}/0/value",
            manager="kubectl-edit",
            git="30",
            live="7",
            why="drift: a person changed it",
        ),
    )


def test_a_commit_that_changes_the_object_heals_it_by_the_way_with_all_else_that_it_changes() -> None:
    world = edited(World(bodies()))
    healed = row(world.plan(bodies(replicas=3)), "KubeadmControlPlane")
    assert {one.pointer for one in healed.fields} == {"/spec/replicas", f"{ARGUMENTS}/0/value"}
    assert [one.pointer for one in healed.heals] == [f"{ARGUMENTS}/0/value"]
    assert world.apply(bodies(replicas=3)).complete
    assert arguments(world) == {AGE: "30", V: "2"}


def test_a_commit_that_changes_the_item_itself_takes_it() -> None:
    world = edited(World(bodies()))
    assert world.apply(bodies("40")).complete
    assert arguments(world) == {AGE: "40", V: "2"}


def test_a_commit_that_changes_a_value_is_told_as_one_field() -> None:
    changed = row(World(bodies()).plan(bodies("40")), "KubeadmControlPlane")
    assert [(one.pointer[-6:], one.before, one.after) for one in changed.fields] == [("/value", "30", "40")]


def test_an_item_that_a_person_changed_and_git_drops_stays_and_is_told() -> None:
    world = edited(World(bodies()))
    dropped = row(world.plan(bodies(None)), "KubeadmControlPlane")
    assert [one.pointer for one in dropped.left if "no longer" in one.why] == [
        f"{ARGUMENTS}/0/name",
        f"{ARGUMENTS}/0/value",
    ]


@pytest.mark.parametrize(
    ("manager", "healing"),
    [
        ("somebody", NO_HEALING),
        ("manager", EVERY),
        ("cluster-autoscaler", EVERY),
        ("kubectl-edit", Healing(ignored=(IgnoreRule(source="x:1", pointers=(f"{ARGUMENTS}/*/value",)),))),
    ],
    ids=["unknown", "controller", "autoscaler", "ignored"],
)
def test_an_item_that_may_not_be_taken_stays_as_it_is_and_the_rest_is_written(manager: str, healing: Healing) -> None:
    world = edited(World(bodies()), manager=manager)
    spared = row(world.plan(bodies(replicas=3), healing=healing), "KubeadmControlPlane")
    assert ([one.pointer for one in spared.fields], spared.reclaims) == (["/spec/replicas"], ())
    assert [one.pointer for one in spared.left] == [f"{ARGUMENTS}/0/value"]
    assert world.apply(bodies(replicas=3), healing=healing).complete
    assert arguments(world) == {AGE: "7", V: "2"}
    assert not world.plan(bodies(replicas=3), healing=NO_HEALING).writes


def test_what_is_withheld_stays_a_persons_and_goes_on_being_drift() -> None:
    world = edited(World(bodies()))
    withheld = Healing(withheld=frozenset({world.key("KubeadmControlPlane")}))
    assert world.apply(bodies(replicas=3), healing=withheld).complete
    assert arguments(world)[AGE] == "7"
    assert row(world.plan(bodies(replicas=3)), "KubeadmControlPlane").action is Action.LEAVE
    assert world.apply(bodies(replicas=3), healing=EVERY).complete
    assert arguments(world)[AGE] == "30"


def test_a_kill_between_the_two_writes_is_carried_on_from_by_the_next_heal() -> None:
    world = edited(World(bodies()))

    def killed(verb: str, key: object) -> None:
        if verb == "adopt":
            raise TransientError("api-unreachable", str(key), "gone")

    world.cluster.after_write = killed
    assert not world.apply(bodies(), healing=EVERY).complete
    world.cluster.after_write = ModelCluster().after_write
    half = world.plan(bodies())
    assert row(half, "KubeadmControlPlane").action is Action.LEAVE
    healed = row(world.plan(bodies(), healing=EVERY), "KubeadmControlPlane")
    assert [(one.pointer[-6:], one.before, one.after) for one in healed.fields] == [("/value", "7", "30")]
    assert world.apply(bodies(), healing=EVERY).complete
    assert arguments(world) == {AGE: "30", V: "2"}


def test_what_others_own_beside_the_item_stays_theirs() -> None:
    world = edited(World(bodies()))
    key = world.key("KubeadmControlPlane")
    world.cluster.edit(key, lambda raw: raw["spec"].update(rolloutAfter="x"), manager="kubectl-edit")
    assert world.apply(bodies(), healing=EVERY).complete
    live = asyncio.run(world.cluster.read([key])).found(key)
    assert live is not None
    assert live.body["spec"]["rolloutAfter"] == "x"
    assert [one.fields for one in live.managers if one.name == "kubectl-edit"] == [{"f:spec": {"f:rolloutAfter": {}}}]


def test_another_plan_is_made_where_the_item_changed_again() -> None:
    world = edited(World(bodies()))
    before = world.plan(bodies(), healing=EVERY)
    assert edited(world, "8").plan(bodies(), healing=EVERY).id != before.id


def test_an_adoption_changes_the_value_and_lists_no_removal() -> None:
    world = World([])
    for one in bodies("7"):
        asyncio.run(world.cluster.apply(unmarked(one), field_manager="kubectl"))
    plan = world.plan(bodies("30"))
    adopted = row(plan, "KubeadmControlPlane")
    assert adopted.action is Action.ADOPT
    assert [(one.pointer[-6:], one.before, one.after) for one in adopted.fields] == [("/value", "7", "30")]
    assert world.apply(bodies("30")).complete
    assert arguments(world) == {AGE: "30", V: "2"}
    assert {change.action for change in world.plan(bodies("30")).changes} == {Action.UNCHANGED}


def unmarked(one: dict[str, Any]) -> Mapping[str, Any]:
    names = {field: value for field, value in one["metadata"].items() if field in {"name", "namespace"}}
    return sendable(Manifest.of({**one, "metadata": names})).body


def items(*named: tuple[str, str]) -> dict[tuple[str, ...], Leaf]:
    steps = (f'k:{{"name":"{name}","value":"{value}"}}' for name, value in named)
    return {("f:args", step, "f:value"): Leaf("", step) for step in steps}


@pytest.mark.parametrize(
    ("git", "live", "found"),
    [
        ([("a", "1")], [("a", "2")], 1),
        ([("a", "1")], [("b", "1")], 0),
        ([("a", "1")], [("a", "1")], 0),
        ([("a", "1")], [("a", "1"), ("a", "2")], 0),
        ([("a", "1"), ("a", "2")], [("a", "3")], 0),
        ([("a", "1"), ("b", "1")], [("b", "2"), ("a", "2")], 2),
    ],
)
def test_an_item_has_a_twin_where_each_side_has_one_of_its_name(
    git: list[tuple[str, str]], live: list[tuple[str, str]], found: int
) -> None:
    pairs = twins(items(*git), items(*live))
    assert len(pairs) == found
    there = copy.deepcopy(items(*live))
    assert len(set(as_git_calls(there, pairs)) & set(items(*git))) == found + (git == live[:1])


def test_items_that_share_another_key_than_a_name_may_be_two() -> None:
    taints = [
        ("f:taints", f'k:{{"effect":"{effect}","key":"a"}}', "f:effect") for effect in ("NoSchedule", "NoExecute")
    ]
    assert twins(taints[:1], taints[1:]) == {}
