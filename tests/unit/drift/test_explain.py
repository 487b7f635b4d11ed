"""What departs, field by field, with its author and what putting it back costs."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from clusterops.model.drift import Author, Departed, Healing, Remedy
from clusterops.model.machines import MachineCounts
from clusterops.model.plan import MISSING
from tests.fleet_objects import body, cluster_bodies
from tests.unit.drift.worlds import World


def test_a_changed_field_has_both_values_its_author_and_its_price() -> None:
    world = World()
    world.set("MachineDeployment", "spec", replicas=5)
    one = world.drifted()
    (field,) = one.fields
    assert (one.what, one.author) == (Departed.CHANGED, Author.PERSON)
    assert (field.pointer, field.git, field.live) == ("/spec/replicas", 2, 5)
    assert (field.manager, field.operation, field.author) == ("kubectl-edit", "Update", Author.PERSON)
    assert (one.cost, one.unknown_cost) == (MachineCounts(removed=3), False)


@pytest.mark.parametrize("manager", ["kubectl-edit", "terraform"])
def test_a_list_item_whose_keys_were_changed_is_one_field(manager: str) -> None:
    bodies = cluster_bodies()
    plane = next(one for one in bodies if one["kind"] == "KubeadmControlPlane")
    arguments = [{"name": "v", "value": "2"}, {"name": "audit-log-maxage", "value": "30"}]
    plane["spec"]["kubeadmConfigSpec"]["clusterConfiguration"] = {"apiServer": {"extraArgs": arguments}}
    world = World(bodies)
    config = copy.deepcopy(plane["spec"]["kubeadmConfigSpec"])
    config["clusterConfiguration"]["apiServer"]["extraArgs"][1]["value"] = "7"
    world.set("KubeadmControlPlane", "spec", manager, kubeadmConfigSpec=config)
    one = world.drifted()
    (field,) = one.fields
    assert (one.what, field.git, field.live, field.manager) == (Departed.CHANGED, "30", "7", manager)
    assert field.pointer.endswith("/apiServer/extraArgs/1/value")
    world.apply(Healing(every=True))
    assert world.departed() == {}


def test_what_the_commit_changes_at_the_same_time_is_no_drift() -> None:
    world = World()
    world.set("ConfigMap", "data", text="by hand")
    next(one for one in world.bodies if one["kind"] == "ConfigMap")["data"]["more"] = "of git"
    assert [field.pointer for field in world.drifted().fields] == ["/data/text"]


def test_a_removed_field_has_no_author() -> None:
    world = World()
    key = world.key("MachineDeployment")
    world.cluster.edit(key, lambda raw: raw["spec"].pop("replicas"), manager="kubectl-edit")
    world.cluster.objects[key]["metadata"]["managedFields"].pop()
    (field,) = world.drifted().fields
    assert (field.live, field.manager, field.author) == (MISSING, "", Author.UNKNOWN)


def test_a_lost_owner_is_named_with_the_value_that_stayed() -> None:
    world = World()
    world.set("ConfigMap", "data", text="by hand")
    world.set("ConfigMap", "data", text="hello")
    one = world.drifted()
    (field,) = one.fields
    assert (one.what, field.git, field.live, field.manager) == (
        Departed.OWNERSHIP_LOST,
        "hello",
        "hello",
        "kubectl-edit",
    )


def test_an_autoscalers_field_is_told_although_no_plan_would_take_it() -> None:
    world = World()
    world.set("MachineDeployment", "spec", "cluster-autoscaler", replicas=5)
    one = world.drifted()
    assert [(field.git, field.live, field.author) for field in one.fields] == [(2, 5, Author.AUTOSCALER)]


def test_nobody_is_named_after_a_delete() -> None:
    world = World()
    world.delete("MachineHealthCheck")
    one = world.drifted()
    assert (one.what, one.fields, one.author, one.cost) == (Departed.DELETED, (), Author.UNKNOWN, MachineCounts())


def test_a_deleted_cluster_is_not_to_be_made_again() -> None:
    world = World()
    world.delete("Cluster")
    one = world.drifted()
    assert (one.remedy, one.why) == (Remedy.LEAVE, "was deleted outside git; a Cluster is never recreated unasked")


def test_a_pool_that_was_pointed_at_another_template_is_told_although_its_row_only_follows() -> None:
    world = World()

    def point(raw: dict[str, Any]) -> None:
        raw["spec"]["template"]["spec"]["infrastructureRef"]["name"] = "of-a-person"

    world.cluster.edit(world.key("MachineDeployment"), point, manager="kubectl-edit")
    (field,) = world.drifted().fields
    assert (field.git, field.live, field.manager) == ("alpha-general", "of-a-person", "kubectl-edit")


def test_a_row_that_is_refused_is_told_with_the_reason() -> None:
    world = World()
    world.set("KubeadmControlPlane", "spec", version="v1.34.0")
    one = world.drifted()
    assert [(field.git, field.live) for field in one.fields] == [("v1.33.4", "v1.34.0")]
    assert (one.remedy, one.why) == (Remedy.LEAVE, "refused: /spec/version v1.34.0 -> v1.33.4 goes down")


def label(world: World, kind: str, part: str, marks: dict[str, str], manager: str) -> None:
    world.cluster.edit(world.key(kind), lambda raw: raw["metadata"][part].update(marks), manager=manager)


def test_who_claims_an_object_is_its_author() -> None:
    world = World()
    flux = {"kustomize.toolkit.fluxcd.io/name": "a"}
    label(world, "ConfigMap", "labels", flux, "kustomize-controller")
    label(world, "DevCluster", "labels", {"clusterops.io/fleet": "other"}, "kubectl-label")
    label(world, "MachineHealthCheck", "annotations", {"clusterops.io/target": "south/beta"}, "kubectl-annotate")
    told = {one.key.kind: (one.author, one.why) for one in world.explained().objects}
    assert told == {
        "ConfigMap": (Author.TOOL, "Flux Kustomization a has it too"),
        "DevCluster": (Author.PERSON, "fleet other has it too"),
        "MachineHealthCheck": (Author.PERSON, "target south/beta has it too"),
    }


def test_an_object_that_git_dropped_is_no_drift() -> None:
    world = World()
    world.set("ConfigMap", "data", text="by hand")
    world.bodies = [one for one in world.bodies if one["kind"] != "ConfigMap"]
    assert world.explained().objects == ()


def test_what_departs_by_digest_and_is_equal_to_the_server_is_settled() -> None:
    world = World()
    key = world.key("ConfigMap")
    world.cluster.objects[key]["data"]["text"] = "by nobody"
    next(one for one in world.bodies if one["kind"] == "ConfigMap")["data"]["text"] = "by nobody"
    found = world.explained()
    assert (found.objects, found.settled) == ((), frozenset({key}))


def test_secrets_are_masked() -> None:
    world = World()
    world.set("Secret", "data", token="b3RoZXI=")
    assert [(one.git, one.live) for one in world.drifted().fields] == [("(secret, changed)", "(secret)")]


def test_a_field_of_a_list_item_is_found_by_its_name_wherever_it_stands() -> None:
    def owner(*items: dict[str, Any]) -> dict[str, Any]:
        return body("v1", "ConfigMap", "list", things=list(items))

    world = World([owner({"name": "a", "size": 1}, {"name": "b", "size": 2})])

    def edit(raw: dict[str, Any]) -> None:
        raw["things"] = [{"name": "z", "size": 9}, {"name": "a", "size": 1}, {"name": "b", "size": 7}]

    world.cluster.edit(world.key("ConfigMap"), edit, manager="kubectl-edit")
    (field,) = world.drifted().fields
    assert (field.git, field.live, field.manager) == (2, 7, "kubectl-edit")
