"""Drift of objects that hold decrypted values: told without them, whoever changed or took them."""

from __future__ import annotations

import copy

import pytest

from clusterops.model.drift import Departed
from clusterops.model.secret import MASK, SecretValues
from tests.fleet_objects import cluster_bodies
from tests.unit.drift.worlds import World

SECRET = "canary-4d17e0"


def world() -> World:
    bodies = copy.deepcopy(cluster_bodies())
    for one in bodies:
        if one["kind"] == "ConfigMap":
            one["data"] = {"text": f"password={SECRET}", "plain": "hello"}
    return World(bodies, SecretValues([SECRET]))


@pytest.mark.parametrize(
    "edit",
    [
        {"plain": "by hand"},
        {"text": f"password={SECRET} "},
        {"text": "another"},
        {"text": f"{SECRET}", "plain": "by hand"},
    ],
)
def test_no_edit_by_hand_brings_the_value_to_light(edit: dict[str, str]) -> None:
    there = world()
    there.set("ConfigMap", "data", **edit)
    found = there.explained()
    assert found.objects, "the edit is drift"
    assert SECRET not in f"{found!r}"
    assert SECRET not in str([field for one in found.objects for field in one.fields])


def test_a_plain_field_beside_it_is_told_as_it_is() -> None:
    there = world()
    there.set("ConfigMap", "data", plain="by hand")
    (field,) = there.drifted().fields
    assert (field.pointer, field.git, field.live) == ("/data/plain", "hello", "by hand")


def test_an_object_that_went_is_told_without_it() -> None:
    there = world()
    there.delete("ConfigMap")
    assert SECRET not in f"{there.explained()!r}"


def test_a_value_that_was_changed_and_changed_back_is_lost_without_being_told() -> None:
    there = world()
    there.set("ConfigMap", "data", text="another")
    there.set("ConfigMap", "data", text=f"password={SECRET}")
    one = there.drifted()
    assert one.what is Departed.OWNERSHIP_LOST
    assert [(field.pointer, field.live) for field in one.fields] == [("/data/text", MASK)]
