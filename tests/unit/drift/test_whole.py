"""From any edits to what is told of them, and back."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusterops.model.bodies import comparable, value_at
from clusterops.model.drift import Departed, Healing, Remedy
from clusterops.model.live import LiveObject
from clusterops.model.plan import MISSING
from tests.unit.drift.worlds import World

KINDS = ("ConfigMap", "DevCluster", "KubeadmControlPlane", "MachineDeployment", "MachineHealthCheck", "Secret")
ACTIONS = st.sampled_from(["change", "same", "beside", "drop", "delete"])
EDITS = st.lists(
    st.tuples(st.sampled_from(KINDS), ACTIONS, st.integers(0, 30), st.sampled_from(["kubectl-edit", "kubectl"])),
    min_size=1,
    max_size=4,
)


def scalars(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where texts and numbers are, below maps alone."""
    if isinstance(value, dict):
        return [found for field, child in value.items() for found in scalars(child, (*path, field))]
    return [path] if isinstance(value, str | int) else []


def edit(world: World, kind: str, action: str, place: int, manager: str) -> None:
    key = next((key for key in sorted(world.cluster.objects) if key.kind == kind), None)
    if key is None:
        return
    if action == "delete":
        del world.cluster.objects[key]
        return
    body = world.cluster.objects[key]
    fields = "data" if kind in {"ConfigMap", "Secret"} else "spec"
    paths = scalars(body[fields])
    if not paths:
        return
    *above, last = (fields, *paths[place % len(paths)])

    def write(raw: dict[str, Any]) -> None:
        node = raw
        for step in above:
            node = node[step]
        was = node.pop(last)
        if action == "beside":
            node[f"{last}X"] = "beside"
        if action == "drop" and len(node) > 0:
            return
        node[last] = was if action != "change" else "another" if isinstance(was, str) else was + 1

    world.cluster.edit(key, write, manager=manager)
    if action == "drop":
        let_go(world, key, manager)


def let_go(world: World, key: Any, manager: str) -> None:
    """A server gives nobody a field that is not there; the model gives it to who dropped it."""
    body = world.cluster.objects[key]
    entries = body["metadata"]["managedFields"]
    for one in entries:
        if one["manager"] == manager:
            one["fieldsV1"] = pruned(one["fieldsV1"], body)
    body["metadata"]["managedFields"] = [one for one in entries if one["fieldsV1"]]


def pruned(tree: dict[str, Any], node: Any) -> dict[str, Any]:
    kept = {}
    for step, below in tree.items():
        if step[2:] in node:
            kept[step] = pruned(below, node[step[2:]]) if below and isinstance(node[step[2:]], dict) else below
    return {step: below for step, below in kept.items() if below or not tree[step]}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EDITS)
def test_only_what_was_edited_departs_its_values_are_told_right_and_healing_ends_it(
    edits: list[tuple[str, str, int, str]],
) -> None:
    world = World()
    for each in edits:
        edit(world, *each)
    departed, told = world.departed(), world.explained()
    assert {key.kind for key in departed} <= {kind for kind, _, _, _ in edits}
    assert {one.key for one in told.objects} | told.settled == departed.keys()
    for one in told.objects:
        found = world.live[one.key]
        if isinstance(found, LiveObject) and not one.key.is_secret:
            for field in one.fields:
                assert value_at(comparable(found.body), field.pointer, MISSING) == field.live
                assert (field.git == field.live) is (one.what is Departed.OWNERSHIP_LOST)
    obstructed = {one.key for one in told.objects if one.remedy in {Remedy.LEAVE, Remedy.HOLD}}
    world.apply(Healing(every=True))
    assert world.departed().keys() <= obstructed
