"""The rules of a plan, one by one, each against a model of an API server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clusterops.apply import apply_plan
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.ignore import IgnoreRule
from clusterops.model.inventory import Entry, EntryState, Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import ApplyReport
from clusterops.plan import build_plan, may_differ, plan_to_json, plan_to_text, prepare, summarise
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan, rendered, target
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

Bodies = list[dict[str, Any]]
EVERY = Healing(every=True)


class World:
    """A target that was applied once."""

    def __init__(self, bodies: Bodies) -> None:
        self.cluster = ModelCluster()
        self.inventory: Inventory = empty_inventory("north/alpha")
        self.apply(bodies)

    def plan(self, bodies: Bodies, *, inputs: str = "tree", healing: Healing = NO_HEALING) -> Plan:
        return asyncio.run(read_and_plan(self.cluster, bodies, self.inventory, inputs=inputs, healing=healing))

    def apply(self, bodies: Bodies, *, healing: Healing = NO_HEALING) -> ApplyReport:
        store = MemoryStore(self.inventory)
        logger = build_logger(level="critical")
        work = apply_plan(
            self.plan(bodies, healing=healing), self.cluster, clock=SkippingClock(), logger=logger, store=store
        )
        report = asyncio.run(work)
        self.inventory = store.inventory.narrowed(report, revision="c1")
        return report

    def key(self, kind: str) -> ObjectKey:
        return next(key for key in sorted(self.cluster.objects) if key.kind == kind)

    def edit(self, kind: str, **metadata: Any) -> None:
        self.cluster.objects[self.key(kind)]["metadata"].update(metadata)


def row(plan: Plan, kind: str) -> Change:
    return next(change for change in plan.changes if change.key.kind == kind)


def code(change: Change) -> tuple[Action, str]:
    return change.action, change.reason.code if change.reason else ""


def without(bodies: Bodies, *kinds: str) -> Bodies:
    return [one for one in bodies if one["kind"] not in kinds]


def test_an_object_in_deletion_is_held_and_with_a_cluster_all_that_belongs_to_it() -> None:
    world = World(cluster_bodies())
    world.edit("Cluster", deletionTimestamp="2026-11-21T00:00:00Z", finalizers=["cluster.cluster.x-k8s.io"])
    del world.cluster.objects[world.key("MachineDeployment")]
    plan = world.plan(cluster_bodies())
    assert code(row(plan, "Cluster")) == (Action.HOLD, "being-deleted")
    assert code(row(plan, "MachineDeployment")) == (Action.HOLD, "held-with-cluster")
    assert not plan.writes


def test_a_cluster_deleted_by_hand_is_never_recreated_and_neither_are_its_parts() -> None:
    world = World(cluster_bodies())
    for kind in ("Cluster", "KubeadmControlPlane", "MachineDeployment", "DevCluster"):
        del world.cluster.objects[world.key(kind)]
    plan = world.plan(cluster_bodies())
    assert code(row(plan, "Cluster")) == (Action.REFUSE, "cluster-deleted-out-of-band")
    for kind in ("KubeadmControlPlane", "MachineDeployment", "DevCluster"):
        assert code(row(plan, kind)) == (Action.HOLD, "held-with-cluster")
    assert not plan.writes


def test_a_cluster_whose_create_was_interrupted_is_created() -> None:
    key = next(ObjectKey.of(one) for one in cluster_bodies() if one["kind"] == "Cluster")
    inventory = empty_inventory("north/alpha").widened([Entry(key=key, api_version="x/v1")], revision="c0")
    plan = asyncio.run(read_and_plan(ModelCluster(), cluster_bodies(), inventory))
    assert row(plan, "Cluster").action is Action.CREATE


def test_another_object_deleted_by_hand_is_reported_and_created_again_when_healed() -> None:
    world = World(cluster_bodies())
    del world.cluster.objects[world.key("MachineHealthCheck")]
    assert code(row(world.plan(cluster_bodies()), "MachineHealthCheck")) == (Action.LEAVE, "drift-reported")
    assert row(world.plan(cluster_bodies(), healing=EVERY), "MachineHealthCheck").action is Action.CREATE


def test_a_field_edited_by_hand_is_left_by_a_commit_that_does_not_change_its_object() -> None:
    world = World(cluster_bodies())
    key = world.key("ConfigMap")
    world.cluster.edit(key, lambda raw: raw["data"].update(text="by hand"), manager="kubectl-edit")
    left = row(world.plan(cluster_bodies(workers=3)), "ConfigMap")
    assert (left.action, [one.pointer for one in left.left]) == (Action.LEAVE, ["/data/text"])
    healed = row(world.plan(cluster_bodies(), healing=EVERY), "ConfigMap")
    assert (healed.action, [one.pointer for one in healed.heals]) == (Action.UPDATE, ["/data/text"])


def test_an_object_that_a_commit_changes_is_sent_whole_and_heals_by_the_way() -> None:
    world = World(cluster_bodies())
    key = world.key("MachineDeployment")
    world.cluster.edit(key, lambda raw: raw["spec"].update(clusterName="beta"), manager="kubectl-edit")
    whole = row(world.plan(cluster_bodies(workers=3)), "MachineDeployment")
    assert {one.pointer for one in whole.fields} == {"/spec/clusterName", "/spec/replicas"}
    assert [one.pointer for one in whole.heals] == ["/spec/clusterName"]


def test_a_field_that_a_rule_ignores_stays_with_its_owner_whatever_else_is_written() -> None:
    world = World(cluster_bodies())
    world.cluster.edit(world.key("ConfigMap"), lambda raw: raw["data"].update(text="by hand"), manager="kubectl-edit")
    bodies = cluster_bodies()
    next(one for one in bodies if one["kind"] == "ConfigMap")["data"]["more"] = "of git"
    rule = IgnoreRule(source="fleet.yaml:25", kind="ConfigMap", pointers=("/data/text",))
    spared = row(world.plan(bodies, healing=Healing(ignored=(rule,))), "ConfigMap")
    assert ([one.pointer for one in spared.fields], spared.heals) == (["/data/more"], ())
    assert [left.pointer for left in spared.left] == ["/data/text"]


def test_what_healing_is_withheld_from_is_sent_without_what_a_person_changed() -> None:
    world = World(cluster_bodies())
    key = world.key("MachineDeployment")
    world.cluster.edit(key, lambda raw: raw["spec"].update(clusterName="beta"), manager="kubectl-edit")
    spared = row(world.plan(cluster_bodies(workers=3), healing=Healing(withheld=frozenset({key}))), "MachineDeployment")
    assert ([one.pointer for one in spared.fields], spared.heals) == (["/spec/replicas"], ())


def test_what_stands_costs_no_dry_run() -> None:
    world = World(cluster_bodies())
    world.cluster.edit(world.key("MachineDeployment"), lambda raw: raw["spec"].update(paused=True), manager="webhook")
    wanted = rendered(cluster_bodies())
    live = asyncio.run(world.cluster.read(wanted.keys))
    asked = may_differ(prepare(wanted, live, world.inventory), live)
    assert {manifest.key.kind for manifest in asked} <= {"Secret"}


def test_a_cluster_with_another_uid_is_refused() -> None:
    world = World(cluster_bodies())
    world.edit("Cluster", uid="another")
    plan = world.plan(cluster_bodies(workers=4))
    assert code(row(plan, "Cluster")) == (Action.REFUSE, "uid-changed")
    assert code(row(plan, "MachineDeployment")) == (Action.HOLD, "held-with-cluster")


def test_an_object_of_another_target_is_refused_and_never_pruned() -> None:
    world = World(cluster_bodies())
    world.edit("ConfigMap", annotations={"clusterops.io/target": "south/beta"})
    assert code(row(world.plan(cluster_bodies()), "ConfigMap")) == (Action.REFUSE, "owned-by-another-target")
    dropped = world.plan(without(cluster_bodies(), "ConfigMap"))
    assert code(row(dropped, "ConfigMap")) == (Action.HOLD, "moved-to-another-target")


def test_what_the_topology_controller_made_is_neither_applied_nor_pruned() -> None:
    world = World(cluster_bodies())
    world.edit("ConfigMap", labels={"topology.cluster.x-k8s.io/owned": ""})
    world.edit("Cluster", labels={"topology.cluster.x-k8s.io/owned": "", "clusterops.io/fleet": "demo"})
    plan = world.plan(cluster_bodies())
    assert code(row(plan, "ConfigMap")) == (Action.REFUSE, "topology-owned")
    assert row(plan, "Cluster").action in {Action.UNCHANGED, Action.UPDATE}
    dropped = world.plan(without(cluster_bodies(), "ConfigMap"))
    assert code(row(dropped, "ConfigMap")) == (Action.HOLD, "topology-owned-kept")


def test_an_unreadable_object_holds_itself_and_every_prune() -> None:
    world = World(cluster_bodies())
    world.cluster.unreadable = {world.key("Secret")}
    plan = world.plan(without(cluster_bodies(workers=4), "ConfigMap"))
    assert code(row(plan, "Secret")) == (Action.HOLD, "api-unavailable")
    assert code(row(plan, "ConfigMap")) == (Action.HOLD, "not-all-readable")
    assert row(plan, "MachineDeployment").action is Action.UPDATE


def test_a_key_that_was_never_read_counts_as_unreadable() -> None:
    plan = build_plan(
        target=target(),
        revision="c1",
        prepared=prepare(rendered(cluster_bodies()), LiveSet({}), empty_inventory("north/alpha")),
        live=LiveSet({}),
        inventory=empty_inventory("north/alpha"),
        predictions={},
    )
    assert {code(change) for change in plan.changes} == {(Action.HOLD, "not-read")}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Cluster", (Action.REFUSE, "deletion-needs-second-key")),
        ("MachineDeployment", (Action.PRUNE, "")),
        ("KubeadmControlPlane", (Action.REFUSE, "prune-not-allowed")),
        ("DevCluster", (Action.REFUSE, "prune-not-allowed")),
        ("Secret", (Action.REFUSE, "prune-not-allowed")),
        ("KubeadmConfigTemplate", (Action.HOLD, "still-referenced")),
        ("ConfigMap", (Action.PRUNE, "")),
        ("MachineHealthCheck", (Action.PRUNE, "")),
    ],
)
def test_what_may_be_dropped_from_a_living_cluster(kind: str, expected: tuple[Action, str]) -> None:
    world = World(cluster_bodies())
    assert code(row(world.plan(without(cluster_bodies(), kind)), kind)) == expected


def test_a_dropped_secret_that_a_live_object_names_is_never_pruned() -> None:
    bodies = cluster_bodies(infrastructure="OpenStackCluster")
    bodies[6]["spec"] = {"identityRef": {"name": "alpha-cloud"}}
    world = World(bodies)
    dropped = row(world.plan(without(bodies, "Secret")), "Secret")
    assert code(dropped) == (Action.REFUSE, "never-pruned")
    assert dropped.reason is not None
    assert "OpenStackCluster north/alpha" in dropped.reason.message


@pytest.mark.parametrize(
    "annotations",
    [
        {"helm.sh/resource-policy": "keep"},
        {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
        {"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"},
        {"argocd.argoproj.io/sync-options": "Delete=confirm"},
    ],
)
def test_an_annotation_keeps_an_object(annotations: dict[str, str]) -> None:
    world = World(cluster_bodies())
    world.edit("ConfigMap", annotations=annotations)
    dropped = world.plan(without(cluster_bodies(), "ConfigMap"))
    assert code(row(dropped, "ConfigMap")) == (Action.HOLD, "kept-by-annotation")


def test_with_a_dropped_cluster_its_group_stays_and_the_hint_says_how_to_get_it_back() -> None:
    world = World(cluster_bodies())
    only_notes = [one for one in cluster_bodies() if one["kind"] == "ConfigMap"]
    plan = world.plan(only_notes)
    refused = row(plan, "Cluster")
    assert refused.reason is not None
    assert "git restore --source=" in refused.reason.hint
    assert "clusters/north/alpha" in refused.reason.hint
    for kind in ("KubeadmControlPlane", "MachineDeployment", "DevCluster", "DevMachineTemplate", "MachineHealthCheck"):
        assert code(row(plan, kind)) == (Action.HOLD, "held-with-cluster")
    assert not plan.writes


def test_namespaces_and_definitions_are_never_pruned() -> None:
    namespace = body("v1", "Namespace", "north", None)
    definition = body(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.x.io", None, spec={"group": "x.io"}
    )
    world = World([namespace, definition, *cluster_bodies()])
    plan = world.plan(cluster_bodies())
    assert code(row(plan, "Namespace")) == (Action.REFUSE, "never-pruned")
    assert code(row(plan, "CustomResourceDefinition")) == (Action.REFUSE, "never-pruned")


def test_a_template_waits_for_the_rollout_that_leaves_it() -> None:
    spare = body("infrastructure.cluster.x-k8s.io/v1beta2", "SpareMachineTemplate", "old", spec={"x": 1})
    world = World([*cluster_bodies(), spare])
    world.cluster.set_status(
        world.key("MachineDeployment"), {"observedGeneration": 1, "replicas": 3, "upToDateReplicas": 1}
    )
    assert code(row(world.plan(cluster_bodies()), "SpareMachineTemplate")) == (Action.HOLD, "still-rolling")
    world.cluster.set_status(
        world.key("MachineDeployment"), {"observedGeneration": 1, "replicas": 2, "upToDateReplicas": 2}
    )
    assert row(world.plan(cluster_bodies()), "SpareMachineTemplate").action is Action.PRUNE


def test_a_kind_that_is_not_served_waits_unless_the_plan_brings_it() -> None:
    thing = body("x.io/v1", "Thing", "a", spec={})
    cluster = ModelCluster()
    cluster.unserved = {("x.io", "Thing")}
    inventory = empty_inventory("north/alpha")
    plan = asyncio.run(read_and_plan(cluster, [thing], inventory))
    assert code(row(plan, "Thing")) == (Action.HOLD, "kind-not-served")
    spec = {"group": "x.io", "names": {"kind": "Thing"}}
    definition = body("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.x.io", None, spec=spec)
    brought = asyncio.run(read_and_plan(cluster, [thing, definition], inventory))
    assert row(brought, "Thing").action is Action.CREATE


def predicted(world: World, bodies: Bodies, problem: Problem) -> Plan:
    wanted = rendered(bodies)
    live = asyncio.run(world.cluster.read({*wanted.keys, *world.inventory.keys}))
    prepared = prepare(wanted, live, world.inventory)
    asked = may_differ(prepared, live)
    return build_plan(
        target=target(),
        revision="c1",
        prepared=prepared,
        live=live,
        inventory=world.inventory,
        predictions={manifest.key: problem for manifest in asked},
    )


def test_a_forbidden_dry_run_falls_back_to_the_difference_at_first_sight() -> None:
    world = World(cluster_bodies())
    problem = Problem(code="api-forbidden", subject="x", message="patch is forbidden")
    plan = predicted(world, cluster_bodies(workers=4), problem)
    assert row(plan, "MachineDeployment").action is Action.UPDATE
    assert [warning.code for warning in plan.warnings] == ["dry-run-forbidden"]


def test_a_dry_run_that_could_not_be_judged_holds() -> None:
    world = World(cluster_bodies())
    problem = Problem(code="object-changed", subject="x", message="moved", retry=Retry.BACKOFF)
    plan = predicted(world, cluster_bodies(workers=4), problem)
    assert code(row(plan, "MachineDeployment")) == (Action.HOLD, "object-changed")


def test_an_invalid_secret_is_refused_without_its_value() -> None:
    world = World(cluster_bodies())
    changed = cluster_bodies()
    changed[0]["stringData"] = {"token": "CANARY-9"}
    problem = Problem(
        code="object-invalid", subject="Secret", message='data[token]: Invalid value: "CANARY-9": too long'
    )
    plan = predicted(world, changed, problem)
    assert code(row(plan, "Secret")) == (Action.REFUSE, "object-invalid")
    assert "CANARY" not in repr(plan_to_json(plan))


def test_a_retained_manager_without_value_differences_is_an_ownership_update() -> None:
    """Somebody took a field and gave it the same value: the next apply takes part in it again, without force."""
    world = World(cluster_bodies())
    key = world.key("MachineDeployment")
    world.cluster.edit(key, lambda raw: raw["spec"].update(replicas=9), manager="kubectl-edit")
    world.cluster.edit(key, lambda raw: raw["spec"].update(replicas=2), manager="kubectl-edit")
    changed = row(world.plan(cluster_bodies(), healing=EVERY), "MachineDeployment")
    assert (changed.action, changed.fields) == (Action.UPDATE, ())
    assert row(world.plan(cluster_bodies()), "MachineDeployment").action is Action.LEAVE
    world.apply(cluster_bodies(), healing=EVERY)
    assert row(world.plan(cluster_bodies()), "MachineDeployment").action is Action.UNCHANGED


def test_a_lost_inventory_is_found_again_by_our_manager() -> None:
    world = World(cluster_bodies())
    known = world.inventory
    world.inventory = empty_inventory("north/alpha")
    world.apply(cluster_bodies())
    assert world.inventory.entries == known.entries
    assert all(entry.state is EntryState.APPLIED for entry in known.entries.values())


def test_healed_fields_are_told_apart_and_counted() -> None:
    world = World(cluster_bodies())
    world.cluster.edit(world.key("ConfigMap"), lambda raw: raw["data"].update(text="by hand"), manager="kubectl-edit")
    del world.cluster.objects[world.key("MachineHealthCheck")]
    bodies = cluster_bodies()
    next(one for one in bodies if one["kind"] == "ConfigMap")["data"]["more"] = "of git"
    plan = world.plan(bodies)
    assert summarise(plan).endswith("heals 1 field changed outside git; 1 to update; 1 drifted, only reported")
    assert "/data/text  by hand -> hello  (heals drift)" in plan_to_text(plan)
    assert "/data/more  (none) -> of git\n" in plan_to_text(plan)


def test_a_deleted_object_that_is_only_reported_fails_no_commit_and_is_not_waited_for() -> None:
    world = World(cluster_bodies())
    gone = world.key("MachineHealthCheck")
    del world.cluster.objects[gone]
    plan = world.plan(cluster_bodies(workers=3))
    assert gone not in plan.present
    assert world.apply(cluster_bodies(workers=3)).problems == ()
    assert gone in world.inventory.entries
