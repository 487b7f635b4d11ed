"""Which name a template is sent under, and how a plan tells of it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, Plan
from clusterops.plan import plan_to_text
from clusterops.plan.lineage import hashed, is_generation_of
from clusterops.plan.naming import named_after
from tests.fleet_objects import body, cluster_bodies, topology_bodies
from tests.property.test_plan import Bodies, World

POOL = "alpha-general"
INFRA, BOOT = "infrastructure.cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"


def one_of(bodies: Bodies, kind: str, name: str = "") -> dict[str, Any]:
    return next(one for one in bodies if one["kind"] == kind and name in {"", one["metadata"]["name"]})


def apart(bodies: Bodies) -> Bodies:
    """Copies that share no part with each other."""
    return [copy.deepcopy(one) for one in bodies]


def edited(bodies: Bodies, kind: str = "DevMachineTemplate", name: str = POOL, value: Any = 1) -> Bodies:
    found = apart(bodies)
    one_of(found, kind, name)["spec"]["template"]["spec"]["edited"] = value
    return found


def applied(*commits: Bodies) -> World:
    world = World()
    for bodies in commits:
        world.apply(world.plan(bodies))
    return world


def rows(plan: Plan, kind: str) -> list[Change]:
    return [change for change in plan.changes if change.key.kind == kind]


def pool_reference(world: World, which: str = "infrastructureRef") -> str:
    spec = next(b for key, b in world.cluster.objects.items() if key.kind == "MachineDeployment")["spec"]
    spec = spec["template"]["spec"]
    return str((spec if which == "infrastructureRef" else spec["bootstrap"])[which]["name"])


def test_a_fresh_cluster_gets_the_names_of_git() -> None:
    plan = World().plan(cluster_bodies())
    assert {change.key for change in plan.changes} == {ObjectKey.of(one) for one in cluster_bodies()}


@pytest.mark.parametrize(
    ("kind", "which"), [("DevMachineTemplate", "infrastructureRef"), ("KubeadmConfigTemplate", "configRef")]
)
def test_an_edit_becomes_a_new_object_that_the_owner_follows(kind: str, which: str) -> None:
    world = applied(cluster_bodies())
    wanted = edited(cluster_bodies(), kind)
    plan = world.plan(wanted)
    rotated = next(change for change in rows(plan, kind) if change.action is Action.ROTATE)
    assert is_generation_of(ObjectKey.of(one_of(wanted, kind, POOL)), rotated.key)
    assert [(field.pointer, field.after) for field in rotated.fields] == [("/spec/template/spec/edited", 1)]
    owner = rows(plan, "MachineDeployment")[0]
    assert owner.action is Action.UPDATE
    assert owner.fields == ()
    assert f"follows rotated {kind} north/{POOL}" in plan_to_text(plan)
    assert rows(plan, "KubeadmControlPlane")[0].action is Action.UNCHANGED
    world.apply(plan)
    assert pool_reference(world, which) == rotated.key.name


def test_an_owner_shows_what_else_its_author_changed() -> None:
    wanted = edited(cluster_bodies(workers=5))
    owner = rows(applied(cluster_bodies()).plan(wanted), "MachineDeployment")[0]
    assert [field.pointer for field in owner.fields] == ["/spec/replicas"]


def test_labels_of_a_template_itself_are_edited_in_place() -> None:
    wanted = cluster_bodies()
    one_of(wanted, "DevMachineTemplate", POOL)["metadata"]["labels"]["team"] = "a"
    plan = applied(cluster_bodies()).plan(wanted)
    assert [change.key.name for change in plan.changes if change.writes] == [POOL]
    assert {change.action for change in plan.changes if change.writes} == {Action.UPDATE}


def test_what_a_provider_adds_rolls_nothing() -> None:
    world = applied(cluster_bodies())
    key = ObjectKey.of(one_of(cluster_bodies(), "DevMachineTemplate", POOL))
    world.cluster.edit(key, lambda raw: raw["spec"]["template"]["spec"].update(added="x"), manager="provider")
    assert not world.plan(cluster_bodies()).writes


def test_a_field_that_git_gives_up_is_an_edit() -> None:
    plan = applied(edited(cluster_bodies())).plan(cluster_bodies())
    assert [change.key.name for change in rows(plan, "DevMachineTemplate") if change.action is Action.ROTATE]


def test_a_revert_goes_back_to_the_object_that_is_still_there() -> None:
    world = applied(cluster_bodies(), edited(cluster_bodies()))
    plan = world.plan(cluster_bodies())
    world.apply(plan)
    assert not [change for change in plan.changes if change.action in {Action.CREATE, Action.ROTATE}]
    assert rows(plan, "MachineDeployment")[0].fields == ()
    assert pool_reference(world) == POOL


def test_a_revert_after_the_old_one_was_collected_is_a_new_object() -> None:
    """Never git's own name again: Machines of the first content may be somewhere yet."""
    world = applied(cluster_bodies(), edited(cluster_bodies()), edited(cluster_bodies()))
    key = ObjectKey.of(one_of(cluster_bodies(), "DevMachineTemplate", POOL))
    assert key not in world.cluster.objects
    world.apply(world.plan(cluster_bodies()))
    assert pool_reference(world) == hashed(Manifest.of(one_of(cluster_bodies(), "DevMachineTemplate", POOL))).name


def renamed(bodies: Bodies, name: str) -> Bodies:
    """As a chart does that hashes the names itself."""
    found = apart(bodies)
    one_of(found, "DevMachineTemplate", POOL)["metadata"]["name"] = name
    one_of(found, "MachineDeployment")["spec"]["template"]["spec"]["infrastructureRef"]["name"] = name
    return found


def test_another_name_for_the_same_content_rolls_nothing() -> None:
    plan = applied(renamed(cluster_bodies(), "pool-aaaa")).plan(renamed(cluster_bodies(), "pool-bbbb"))
    assert not plan.writes


def test_a_chart_that_hashes_names_is_told_as_an_edit() -> None:
    wanted = edited(renamed(cluster_bodies(), "pool-bbbb"), name="pool-bbbb")
    plan = applied(renamed(cluster_bodies(), "pool-aaaa")).plan(wanted)
    rotated = next(change for change in rows(plan, "DevMachineTemplate") if change.action is Action.ROTATE)
    assert rotated.key.name == "pool-bbbb"
    assert [field.pointer for field in rotated.fields] == ["/spec/template/spec/edited"]
    assert rows(plan, "MachineDeployment")[0].fields == ()


def test_a_switch_to_another_template_of_git_is_shown_as_one() -> None:
    wanted = cluster_bodies()
    large = body(f"{INFRA}/v1beta2", "DevMachineTemplate", "large", spec={"template": {"spec": {"size": 2}}})
    one_of(wanted, "MachineDeployment")["spec"]["template"]["spec"]["infrastructureRef"]["name"] = "large"
    plan = applied(cluster_bodies()).plan([*wanted, large])
    assert not plan.count(Action.ROTATE)
    pointers = [field.pointer for field in rows(plan, "MachineDeployment")[0].fields]
    assert pointers == ["/spec/template/spec/infrastructureRef/name"]


def test_owners_of_one_template_may_be_on_different_generations() -> None:
    """Half of an earlier plan was applied: each owner is judged by what it refers to itself."""
    first = cluster_bodies()
    second = copy.deepcopy(one_of(first, "MachineDeployment"))
    second["metadata"]["name"] = "alpha-batch"
    both = [*first, second]
    world = applied(both)
    wanted = edited(both)
    plan = world.plan(wanted)
    half = [tuple(one for one in wave if one.key.name != "alpha-batch") for wave in plan.waves]
    world.apply(Plan(target=plan.target, revision="c1", waves=tuple(half)))
    again = world.plan(wanted)
    assert {change.key.name for change in again.changes if change.writes} == {"alpha-batch"}
    back = world.plan(both)
    assert {change.key.name for change in back.changes if change.writes} == {"alpha-general"}


def test_what_nobody_that_follows_names_is_sent_as_it_is() -> None:
    spare = body(f"{INFRA}/v1beta2", "DevMachineTemplate", "spare", spec={"template": {"spec": {"size": 2}}})
    bodies = [*cluster_bodies(), spare]
    row = next(
        change
        for change in rows(applied(bodies).plan(edited(bodies, name="spare")), "DevMachineTemplate")
        if change.key.name == "spare"
    )
    assert row.action is Action.UPDATE


def test_a_machine_pool_keeps_the_name_that_it_knows() -> None:
    wanted = cluster_bodies()
    pool = copy.deepcopy(one_of(wanted, "MachineDeployment"))
    pool["kind"], pool["metadata"]["name"] = "MachinePool", "alpha-elastic"
    world = applied([*wanted, pool])
    plan = world.plan(edited([*wanted, pool]))
    assert rows(plan, "MachinePool")[0].action is Action.UNCHANGED
    assert {change.key.name: change.action for change in rows(plan, "DevMachineTemplate")}[POOL] is Action.UPDATE
    assert plan.count(Action.ROTATE) == 1


def test_an_annotation_opts_out() -> None:
    first = cluster_bodies()
    one_of(first, "DevMachineTemplate", POOL)["metadata"]["annotations"]["clusterops.io/rotate"] = "disabled"
    plan = applied(first).plan(edited(first))
    assert [(change.key.name, change.action) for change in plan.changes if change.writes] == [(POOL, Action.UPDATE)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("DevClusterTemplate", "small-cluster"),
        ("KubeadmControlPlaneTemplate", "small-cp"),
        ("DevMachineTemplate", "small-cp"),
        ("DevMachineTemplate", "small-worker"),
        ("KubeadmConfigTemplate", "small-worker"),
    ],
)
def test_a_cluster_class_follows_each_of_its_templates(kind: str, name: str) -> None:
    world = applied(topology_bodies())
    plan = world.plan(edited(topology_bodies(), kind, name))
    assert {change.key.kind: change.action for change in plan.changes if change.writes} == {
        kind: Action.ROTATE,
        "ClusterClass": Action.UPDATE,
    }
    world.apply(plan)
    again = world.plan(edited(topology_bodies(), kind, name))
    assert {change.action for change in again.changes if change.writes} == {Action.PRUNE}


def test_v1beta1_owners_are_followed_from_what_is_served_as_v1beta2() -> None:
    world = applied(cluster_bodies())
    wanted = edited(cluster_bodies(), name="alpha-cp")
    plane = one_of(wanted, "KubeadmControlPlane")
    reference = plane["spec"].pop("machineTemplate")["spec"]["infrastructureRef"]
    plane["spec"]["machineTemplate"] = {
        "infrastructureRef": {
            "apiVersion": f"{INFRA}/v1beta1",
            "kind": reference["kind"],
            "name": reference["name"],
            "namespace": "north",
        }
    }
    plane["apiVersion"] = "controlplane.cluster.x-k8s.io/v1beta1"
    plan = world.plan(wanted)
    rotated = next(change for change in rows(plan, "DevMachineTemplate") if change.action is Action.ROTATE)
    sent = rows(plan, "KubeadmControlPlane")[0].desired
    assert sent is not None
    assert sent.body["spec"]["machineTemplate"]["infrastructureRef"]["name"] == rotated.key.name


def test_an_unreadable_generation_is_never_left() -> None:
    world = applied(cluster_bodies(), edited(cluster_bodies()))
    world.cluster.unreadable = {key for key in world.cluster.objects if key.name == pool_reference(world)}
    plan = world.plan(edited(cluster_bodies(), value=2))
    assert not plan.count(Action.ROTATE)
    assert rows(plan, "MachineDeployment")[0].action is Action.UNCHANGED


@pytest.mark.parametrize("length", [1, 54, 55, 63, 64, 253])
def test_new_names_are_no_longer_than_a_label_unless_git_is(length: int) -> None:
    def named(spec: Callable[[], Any]) -> ObjectKey:
        return hashed(Manifest.of(body("x.io/v1", "A", "n" * length, spec=spec())))

    one, other = named(lambda: {"a": 1}), named(lambda: {"a": 2})
    assert one != other
    assert len(one.name) <= (63 if length <= 63 else 253)
    assert is_generation_of(ObjectKey.of(body("x.io/v1", "A", "n" * length)), one)


def test_two_long_names_with_one_beginning_stay_two() -> None:
    names = {hashed(Manifest.of(body("x.io/v1", "A", "n" * 60 + end, spec={}))).name for end in ("a", "b")}
    assert len(names) == 2


def joined(version: str, **timeout: Any) -> Bodies:
    """A KubeadmConfigTemplate in one of its versions, which write the same duration differently."""
    found = apart(cluster_bodies())
    config = one_of(found, "KubeadmConfigTemplate")
    config["apiVersion"] = f"{BOOT}/{version}"
    config["spec"]["template"]["spec"]["joinConfiguration"].update(timeout)
    return found


def served_as_v1beta2(world: World) -> None:
    key = next(key for key in world.cluster.objects if key.kind == "KubeadmConfigTemplate")
    world.cluster.objects[key] = {
        **world.cluster.objects[key],
        **{field: joined("v1beta2", seconds=60)[4][field] for field in ("apiVersion", "spec")},
    }


def test_what_is_served_in_another_version_is_the_same_generation_until_git_changes() -> None:
    world = applied(joined("v1beta1", duration="1m"))
    served_as_v1beta2(world)
    assert not world.plan(joined("v1beta1", duration="1m")).count(Action.ROTATE)
    assert world.plan(joined("v1beta1", duration="2m")).count(Action.ROTATE) == 1


def test_an_edit_by_hand_rotates_nothing() -> None:
    world = applied(cluster_bodies())
    key = ObjectKey.of(one_of(cluster_bodies(), "KubeadmConfigTemplate"))

    def change(raw: dict[str, Any]) -> None:
        raw["spec"]["template"]["spec"]["joinConfiguration"]["nodeRegistration"]["criSocket"] = "unix:///d.sock"

    world.cluster.edit(key, change, manager="kubectl-edit")
    assert not world.plan(cluster_bodies()).count(Action.ROTATE)


def apply_by_hand(world: World, one: dict[str, Any]) -> None:
    def change(raw: dict[str, Any]) -> None:
        raw.update(copy.deepcopy(one))
        raw["metadata"] = {field: one["metadata"][field] for field in ("name", "namespace")}

    world.cluster.edit(ObjectKey.of(one), change, manager="kubectl")


def test_adopting_a_template_leaves_content_that_git_does_not_set() -> None:
    """To remove it would be an edit: refused by a webhook, or a rollout that nobody asked for."""
    world = World()
    for one in edited(cluster_bodies()):
        apply_by_hand(world, one)
    plan = world.plan(cluster_bodies())
    template = next(change for change in rows(plan, "DevMachineTemplate") if change.key.name == POOL)
    assert (template.action, template.adopts) == (Action.ADOPT, ())
    assert not any(field.pointer.startswith("/spec") for field in template.fields)
    assert {change.action for change in plan.changes} == {Action.ADOPT}
    world.apply(plan)
    assert world.cluster.objects[template.key]["spec"]["template"]["spec"]["edited"] == 1
    assert not world.plan(cluster_bodies()).writes


def test_nothing_more_is_read_for_what_is_new_or_as_git_wants_it() -> None:
    manifests = [Manifest.of(one) for one in cluster_bodies()]
    world = World()
    fresh = asyncio.run(world.cluster.read([one.key for one in manifests]))
    assert named_after(manifests, fresh, world.inventory) == frozenset()
    world = applied(cluster_bodies(), edited(cluster_bodies()))
    wanted = [Manifest.of(one) for one in edited(cluster_bodies())]
    keys = {one.key for one in wanted} | world.inventory.keys
    live = asyncio.run(world.cluster.read(keys))
    assert named_after(wanted, live, world.inventory) <= keys
