"""A class that other targets use: under which name it is sent, who follows it when, and when the old one goes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from clusterops.model.inventory import empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, Plan
from clusterops.plan import plan_to_text
from clusterops.plan.classes import NO_CLASSES, Classes, Shared
from clusterops.plan.lineage import is_generation_of
from tests.fleet_objects import read_and_plan, topology_bodies
from tests.property.test_plan import Bodies, World
from tests.unit.plan.test_naming import apart, edited, one_of, rows

SHARED = "shared/classes"


def of_target(bodies: Bodies, target: str) -> Bodies:
    found = apart(bodies)
    for one in found:
        one["metadata"]["annotations"]["clusterops.io/target"] = target
    return found


def class_bodies() -> Bodies:
    """A class with its templates."""
    return of_target([one for one in topology_bodies() if one["kind"] != "Cluster"], SHARED)


def cluster_body(name: str = "alpha", workers: int = 2) -> Bodies:
    found = [one for one in topology_bodies(name, workers=workers) if one["kind"] == "Cluster"]
    return of_target(found, f"north/{name}")


def patched(bodies: Bodies, value: str = "x") -> Bodies:
    """The class itself has other content."""
    found = apart(bodies)
    one_of(found, "ClusterClass")["spec"]["patches"] = [{"name": value}]
    return found


def with_edited_workers(bodies: Bodies, value: int = 1) -> Bodies:
    """A template of the class has other content."""
    return edited(bodies, name="small-worker", value=value)


CLASS = ObjectKey.of(one_of(class_bodies(), "ClusterClass"))


class Fleet:
    """A shared target and clusters of their own targets on one API server."""

    def __init__(self) -> None:
        self.shared = World()
        self.shared.inventory = empty_inventory(SHARED)
        self.cluster = self.shared.cluster
        self.targets: dict[str, World] = {}

    def target(self, name: str) -> World:
        if name not in self.targets:
            self.targets[name] = World()
            self.targets[name].inventory = empty_inventory(f"north/{name}")
            self.targets[name].cluster = self.cluster
        return self.targets[name]

    def apply_shared(self, bodies: Bodies) -> Plan:
        plan = self.shared.plan(bodies)
        self.shared.apply(plan)
        return plan

    def classes(self, bodies: Bodies, *, comes: bool = False) -> Classes:
        manifests = [Manifest.of(one) for one in bodies]
        keys = {*(one.key for one in manifests), *self.shared.inventory.keys, *self.cluster.objects}
        live = asyncio.run(self.cluster.read(keys))
        return Classes.of([Shared(manifests=manifests, inventory=self.shared.inventory, live=live, comes=comes)])

    def plan(self, name: str, classes: Classes, workers: int = 2) -> Plan:
        world = self.target(name)
        return asyncio.run(read_and_plan(self.cluster, cluster_body(name, workers), world.inventory, classes=classes))

    def apply(self, name: str, classes: Classes = NO_CLASSES) -> Plan:
        plan = self.plan(name, classes)
        self.target(name).apply(plan)
        return plan

    def class_of(self, name: str) -> str:
        body = next(b for key, b in self.cluster.objects.items() if (key.kind, key.name) == ("Cluster", name))
        return str(body["spec"]["topology"]["classRef"]["name"])

    @property
    def alive(self) -> set[str]:
        return {key.name for key in self.cluster.objects if key.kind == "ClusterClass"}


def fleet(*names: str, bodies: Bodies | None = None) -> Fleet:
    found = Fleet()
    found.apply_shared(bodies or class_bodies())
    for name in names:
        found.apply(name, found.classes(bodies or class_bodies()))
    return found


def class_row(plan: Plan, name: str = "") -> Change:
    return next(one for one in rows(plan, "ClusterClass") if name in {"", one.key.name})


def the_new(plan: Plan) -> Change:
    return next(one for one in rows(plan, "ClusterClass") if one.desired is not None)


def dropped(plan: Plan) -> dict[str, str]:
    """Name to what happens, of what git does not want any more."""
    return {
        one.key.name: one.reason.code if one.reason else str(one.action) for one in plan.changes if one.desired is None
    }


def test_a_fresh_class_gets_the_name_of_git() -> None:
    found = fleet("alpha")
    assert found.alive == {"small"}
    assert found.class_of("alpha") == "small"
    assert not found.shared.plan(class_bodies()).writes
    assert not found.plan("alpha", found.classes(class_bodies())).writes


@pytest.mark.parametrize("edit", [patched, with_edited_workers])
def test_other_content_becomes_a_new_class_and_touches_no_cluster(edit: Any) -> None:
    found = fleet("alpha")
    plan = found.apply_shared(edit(class_bodies()))
    row = the_new(plan)
    assert row.action is Action.ROTATE
    assert row.key != CLASS
    assert is_generation_of(CLASS, row.key)
    assert found.alive == {"small", row.key.name}
    assert found.class_of("alpha") == "small"
    assert all(not one.impact or not one.impact.pools for one in plan.changes)


def test_a_rotated_class_is_told_as_the_edit_that_it_is() -> None:
    found = fleet("alpha")
    row = the_new(found.shared.plan(patched(class_bodies())))
    assert [field.pointer.split("/")[2] for field in row.fields] == ["patches"]
    row = the_new(found.shared.plan(edited(class_bodies(), name="small-cp")))
    assert row.fields == ()
    assert row.reason is not None
    assert row.reason.message == "follows rotated DevMachineTemplate north/small-cp"


def test_labels_of_a_class_are_edited_in_place() -> None:
    wanted = class_bodies()
    one_of(wanted, "ClusterClass")["metadata"]["labels"]["team"] = "a"
    plan = fleet("alpha").shared.plan(wanted)
    assert [(one.key.name, one.action) for one in plan.changes if one.writes] == [("small", Action.UPDATE)]


def test_an_annotation_opts_out() -> None:
    first = class_bodies()
    one_of(first, "ClusterClass")["metadata"]["annotations"]["clusterops.io/rotate"] = "disabled"
    found = fleet("alpha", bodies=first)
    plan = found.shared.plan(patched(first))
    assert [(one.key.name, one.action) for one in plan.changes if one.writes] == [("small", Action.UPDATE)]
    assert not found.plan("alpha", found.classes(patched(first), comes=True)).writes


def test_one_that_does_not_rotate_any_more_stays_where_it_is_and_is_edited_there() -> None:
    found, wanted = fleet("alpha"), patched(class_bodies())
    new = the_new(found.apply_shared(wanted)).key
    found.apply("alpha", found.classes(wanted))
    found.apply_shared(wanted)
    assert found.alive == {new.name}
    again = patched(wanted, "y")
    one_of(again, "ClusterClass")["metadata"]["annotations"]["clusterops.io/rotate"] = "disabled"
    plan = found.shared.plan(again)
    assert [(one.key, one.action) for one in plan.changes if one.writes] == [(new, Action.UPDATE)]
    assert not found.plan("alpha", found.classes(again, comes=True)).writes


def test_a_class_beside_its_cluster_in_one_target_is_edited_in_place() -> None:
    world = World()
    world.apply(world.plan(topology_bodies()))
    plan = world.plan(patched(topology_bodies()))
    assert [(one.key.name, one.action) for one in plan.changes if one.writes] == [("small", Action.UPDATE)]


def test_a_cluster_follows_once_the_class_is_there_and_not_before() -> None:
    found, wanted = fleet("alpha"), patched(class_bodies())
    assert not found.plan("alpha", found.classes(wanted)).writes, "nothing of that commit has been applied"
    new = the_new(found.apply_shared(wanted)).key
    plan = found.apply("alpha", found.classes(wanted))
    row = rows(plan, "Cluster")[0]
    assert row.fields == ()
    assert "follows rotated ClusterClass north/small (follows-rotated-class)" in plan_to_text(plan)
    assert found.class_of("alpha") == new.name
    assert not found.plan("alpha", found.classes(wanted)).writes


def test_a_plan_of_the_same_commit_tells_where_the_cluster_goes() -> None:
    """Before the class is there: under the name that it will have, and with no dry run that could only fail."""
    found, wanted = fleet("alpha"), with_edited_workers(class_bodies())
    plan = found.plan("alpha", found.classes(wanted, comes=True))
    row = rows(plan, "Cluster")[0]
    assert row.action is Action.UPDATE
    assert row.desired is not None
    sent = row.desired.body["spec"]["topology"]["classRef"]["name"]
    assert sent == the_new(found.shared.plan(wanted)).key.name


def test_both_sides_compute_one_name_before_and_after_and_when_the_old_one_is_gone() -> None:
    found, wanted = fleet("alpha"), with_edited_workers(patched(class_bodies()))

    def names() -> set[str]:
        return {found.classes(wanted, comes=True).current[CLASS].name, the_new(found.shared.plan(wanted)).key.name}

    before = names()
    found.apply_shared(wanted)
    assert names() == before
    found.apply("alpha", found.classes(wanted))
    found.apply_shared(wanted)
    found.apply_shared(wanted)
    assert len(before) == 1
    assert found.alive == before, "the old class is gone"
    assert names() == before
    assert not found.shared.plan(wanted).writes


def test_what_else_changes_in_a_cluster_that_follows_is_shown() -> None:
    found, wanted = fleet("alpha"), patched(class_bodies())
    found.apply_shared(wanted)
    row = rows(found.plan("alpha", found.classes(wanted), workers=5), "Cluster")[0]
    assert [field.pointer.rpartition("/")[2] for field in row.fields] == ["replicas"]


def test_a_revert_goes_back_to_the_class_that_is_still_there() -> None:
    found, wanted = fleet("alpha", "beta"), patched(class_bodies())
    found.apply_shared(wanted)
    found.apply("alpha", found.classes(wanted))
    plan = found.apply_shared(class_bodies())
    assert not [one for one in plan.changes if one.action in {Action.CREATE, Action.ROTATE}]
    back = found.apply("alpha", found.classes(class_bodies()))
    assert rows(back, "Cluster")[0].fields == ()
    assert found.class_of("alpha") == "small"
    assert not found.plan("beta", found.classes(class_bodies())).writes


def test_a_second_edit_before_everybody_moved_leads_everybody_to_the_newest() -> None:
    found = fleet("alpha", "beta")
    first, second = patched(class_bodies(), "x"), patched(class_bodies(), "y")
    found.apply_shared(first)
    found.apply("alpha", found.classes(first))
    newest = the_new(found.apply_shared(second)).key.name
    assert len(found.alive) == 3
    for name in ("alpha", "beta"):
        found.apply(name, found.classes(second))
        assert found.class_of(name) == newest
    found.apply_shared(second)
    assert found.alive == {newest}


def test_an_edit_by_hand_of_the_live_class_is_no_new_content_of_git() -> None:
    found = fleet("alpha")
    found.cluster.edit(CLASS, lambda raw: raw["spec"].update(patches=[{"name": "by hand"}]), manager="kubectl-edit")
    assert the_new(found.shared.plan(class_bodies())).key == CLASS
    assert not found.plan("alpha", found.classes(class_bodies())).writes


def test_a_new_cluster_is_made_with_the_current_class() -> None:
    found, wanted = fleet("alpha"), patched(class_bodies())
    new = the_new(found.apply_shared(wanted)).key.name
    found.apply("beta", found.classes(wanted))
    assert (found.class_of("alpha"), found.class_of("beta")) == ("small", new)


def test_a_cluster_stays_where_it_is_while_the_shared_target_cannot_be_rendered() -> None:
    found, wanted = fleet("alpha"), patched(class_bodies())
    new = the_new(found.apply_shared(wanted)).key
    found.apply("alpha", found.classes(wanted))
    unknown = Classes.of((), left=[CLASS, new])
    assert not found.plan("alpha", unknown).writes


def test_the_old_class_stays_while_a_cluster_names_it_and_its_templates_stay_with_it() -> None:
    found, wanted = fleet("alpha", "beta"), with_edited_workers(class_bodies())
    first = found.apply_shared(wanted)
    assert dropped(first) == {"small": "generation-in-use", "small-worker": "goes-after-class"}
    found.apply("alpha", found.classes(wanted))
    again = found.shared.plan(wanted)
    reason = class_row(again, "small").reason
    assert reason is not None
    assert reason.message == "stays until Cluster north/beta has moved on"
    found.apply("beta", found.classes(wanted))
    assert dropped(found.apply_shared(wanted)) == {"small": "prune", "small-worker": "clones-unknown"}
    assert dropped(found.apply_shared(wanted)) == {"small-worker": "prune"}
    assert dropped(found.shared.plan(wanted)) == {}


def test_a_cluster_of_another_namespace_keeps_the_old_class() -> None:
    found, wanted = fleet(), patched(class_bodies())
    elsewhere = cluster_body("gamma")[0]
    elsewhere["metadata"]["namespace"] = "south"
    elsewhere["spec"]["topology"]["classRef"]["namespace"] = "north"
    found.cluster.edit(ObjectKey.of(elsewhere), lambda raw: raw.update(elsewhere), manager="kubectl")
    found.apply_shared(wanted)
    assert dropped(found.shared.plan(wanted)) == {"small": "generation-in-use"}


def test_an_old_class_that_nobody_uses_stays_until_the_new_one_is_there() -> None:
    """Templates of both would else have no owner for a moment, and the garbage collector takes such."""
    found, wanted = fleet(), patched(class_bodies())
    found.cluster.set_status(CLASS, {"observedGeneration": 1})
    new = the_new(found.shared.plan(wanted)).key
    assert dropped(found.apply_shared(wanted)) == {"small": "generation-in-use"}
    assert dropped(found.shared.plan(wanted)) == {"small": "generation-in-use"}, "no controller has seen it"
    found.cluster.set_status(new, {"observedGeneration": 1})
    assert dropped(found.shared.plan(wanted)) == {"small": "prune"}


def test_a_template_that_names_the_old_class_as_an_owner_is_no_user_of_it() -> None:
    """Cluster API notes every class on the templates that it names, also where a newer one names them, too."""
    found, wanted = fleet(), patched(class_bodies())
    found.apply_shared(wanted)
    owner = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "ClusterClass", "name": "small"}
    for one in class_bodies():
        if one["kind"] != "ClusterClass":
            found.cluster.objects[ObjectKey.of(one)]["metadata"]["ownerReferences"] = [owner]
    assert dropped(found.shared.plan(wanted)) == {"small": "prune"}


def test_a_class_that_git_dropped_is_not_taken_from_others() -> None:
    found = fleet("alpha")
    rest = [one for one in class_bodies() if one["kind"] != "ClusterClass"]
    assert dropped(found.shared.plan(rest)) == {"small": "prune-not-allowed"}


def test_a_cluster_that_uses_a_worker_class_which_the_new_generation_lacks_is_refused_by_name() -> None:
    found, wanted = fleet("alpha"), class_bodies()
    one_of(wanted, "ClusterClass")["spec"]["workers"]["machineDeployments"][0]["class"] = "other"
    row = rows(found.plan("alpha", found.classes(wanted, comes=True)), "Cluster")[0]
    assert row.action is Action.REFUSE
    assert row.reason is not None
    assert row.reason.code == "topology-class-undefined"
    assert row.reason.subject == "Cluster north/alpha"


def test_another_kind_of_infrastructure_is_refused_in_the_class_and_for_the_cluster() -> None:
    found, wanted = fleet("alpha"), class_bodies()
    one_of(wanted, "ClusterClass")["spec"]["infrastructure"]["templateRef"]["kind"] = "OtherClusterTemplate"
    template = one_of(wanted, "DevClusterTemplate")
    template["kind"] = "OtherClusterTemplate"
    assert {one.code for one in found.shared.plan(wanted).refusals} == {"field-immutable"}
    plan = found.plan("alpha", found.classes(wanted, comes=True))
    assert [(one.code, one.subject) for one in plan.refusals] == [("field-immutable", "Cluster north/alpha")]


def test_a_cluster_in_the_shared_target_itself_follows_in_the_same_plan() -> None:
    found = Fleet()
    both = [*class_bodies(), *of_target(cluster_body(), SHARED)]
    found.apply_shared(both)
    new = the_new(found.apply_shared(patched(both))).key.name
    assert found.class_of("alpha") == new
    found.apply_shared(patched(both))
    assert found.alive == {new}


def test_a_class_in_the_spelling_of_v1beta1_is_followed() -> None:
    found, wanted = fleet("alpha"), patched(class_bodies())
    new = the_new(found.apply_shared(wanted)).key.name
    world = found.target("alpha")
    older = cluster_body()
    older[0]["spec"]["topology"]["class"] = older[0]["spec"]["topology"].pop("classRef")["name"]
    plan = asyncio.run(
        read_and_plan(found.cluster, older, world.inventory, classes=found.classes(wanted), dry_run=False)
    )
    row = rows(plan, "Cluster")[0]
    assert row.desired is not None
    assert row.desired.body["spec"]["topology"]["class"] == new


def test_an_inventory_that_was_lost_finds_the_generation_that_lives() -> None:
    found, wanted = fleet("alpha"), patched(class_bodies())
    new = the_new(found.apply_shared(wanted)).key
    found.apply("alpha", found.classes(wanted))
    found.apply_shared(wanted)
    assert found.alive == {new.name}
    found.shared.inventory = replace(empty_inventory(SHARED))
    assert the_new(found.shared.plan(wanted)).key == new
