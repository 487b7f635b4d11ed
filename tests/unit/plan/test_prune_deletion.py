"""A Cluster that git dropped: what its second key opens, in which order the rest goes, and what stays."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from clusterops.apply import apply_plan
from clusterops.model.deletion import DeletionKey, Permits, Step
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Plan
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

Bodies = list[dict[str, Any]]
NOW = datetime(2026, 11, 21, 14, 20, tzinfo=UTC)
TODAY = NOW.date()
OWNED = ("KubeadmControlPlane", "DevCluster", "MachineDeployment")
"""What the controllers take with the Cluster."""


class World:
    """The target north/alpha, applied once; its directory is gone from git unless ``bodies`` are given."""

    def __init__(self, bodies: Bodies | None = None) -> None:
        self.cluster = ModelCluster()
        self.inventory: Inventory = empty_inventory("north/alpha")
        self.keys: tuple[DeletionKey, ...] = ()
        self.apply(self.plan(cluster_bodies() if bodies is None else bodies))

    def plan(self, bodies: Bodies | None = None) -> Plan:
        inputs = "tree" if bodies else ""
        permits = Permits(keys=self.keys, now=NOW)
        return asyncio.run(read_and_plan(self.cluster, bodies or [], self.inventory, inputs=inputs, permits=permits))

    def apply(self, plan: Plan) -> list[str]:
        """The kinds that were deleted, in order."""
        store, before = MemoryStore(self.inventory), len(self.cluster.writes)
        work = apply_plan(plan, self.cluster, clock=SkippingClock(), logger=build_logger(level="critical"), store=store)
        self.inventory = store.inventory.narrowed(asyncio.run(work), revision="c1")
        return [key.kind for verb, key in self.cluster.writes[before:] if verb == "delete"]

    def key(self, kind: str) -> ObjectKey:
        return next(key for key in sorted(self.inventory.entries) if key.kind == kind)

    def uid(self, kind: str = "Cluster") -> str:
        return str(self.cluster.objects[self.key(kind)]["metadata"]["uid"])

    def permit(self, *, uid: str = "", expires: date = TODAY) -> None:
        self.keys = (
            DeletionKey(
                path="deletions/alpha.yaml",
                target="north/alpha",
                uid=uid or self.uid(),
                reason="CHG-1",
                expires=expires,
            ),
        )

    def edit(self, kind: str, **metadata: Any) -> None:
        self.cluster.objects[self.key(kind)]["metadata"].update(metadata)

    def gone(self, *kinds: str) -> None:
        for kind in kinds:
            del self.cluster.objects[self.key(kind)]

    def deleted(self) -> World:
        """As it stands once Cluster API is done: the Cluster and what it owns are gone."""
        self.gone("Cluster", *OWNED)
        return self


def codes(plan: Plan, kinds: Collection[str] = ()) -> dict[str, tuple[str, str]]:
    return {
        change.key.kind: (str(change.action), change.reason.code if change.reason else "")
        for change in plan.changes
        if not kinds or change.key.kind in kinds
    }


def test_without_a_key_nothing_goes_and_the_hint_is_the_file_to_add() -> None:
    world = World()
    plan = world.plan()
    assert not plan.writes
    assert plan.deletion is None
    (refusal,) = plan.refusals
    uid = world.uid()
    assert refusal.text == (
        f"Cluster north/alpha: delete refused: no deletions/alpha.yaml for uid {uid[:8]} (deletion-needs-second-key)"
    )
    assert f"{{target: north/alpha, uid: {uid}, reason: TEXT, expires: 2026-11-28}}" in refusal.hint
    assert "git restore --source=COMMIT clusters/north/alpha" in refusal.hint


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"uid": "6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10"}, "deletion-key-uid"),
        ({"expires": TODAY - timedelta(days=1)}, "deletion-key-expired"),
        ({"expires": TODAY + timedelta(days=8)}, "deletion-key-too-far-ahead"),
    ],
)
def test_a_key_that_does_not_fit_opens_nothing(how: dict[str, Any], code: str) -> None:
    world = World()
    world.permit(**how)
    plan = world.plan()
    assert not plan.writes
    assert [problem.code for problem in plan.refusals] == [code]


@pytest.mark.parametrize("expires", [TODAY, TODAY + timedelta(days=7)])
def test_with_a_key_only_the_cluster_goes_first(expires: date) -> None:
    world = World()
    world.permit(expires=expires)
    plan = world.plan()
    assert plan.deletion is not None
    assert plan.deletion.step is Step.BEGUN
    assert {code for kind, code in codes(plan).items() if kind != "Cluster"} == {("hold", "goes-after-cluster")}
    assert world.apply(plan) == ["Cluster"]
    assert world.key("Cluster") in world.inventory.entries, "it is remembered until all that belonged to it is gone"


def test_a_key_while_the_cluster_is_in_git_deletes_nothing() -> None:
    world = World()
    world.permit()
    assert not world.plan(cluster_bodies()).writes


def test_while_the_cluster_goes_nothing_else_does_and_no_key_is_needed() -> None:
    """The key has been removed meanwhile: a deletion once begun runs on."""
    world = World()
    world.edit("Cluster", deletionTimestamp="2026-11-21T14:20:00Z", finalizers=["cluster.cluster.x-k8s.io"])
    plan = world.plan()
    assert not plan.writes
    assert not plan.refusals
    assert plan.deletion is not None
    assert {code for _, (_, code) in codes(plan).items()} == {"being-deleted", "goes-after-cluster"}


def test_then_templates_and_what_is_left_and_the_credentials_in_a_pass_of_their_own() -> None:
    world = World().deleted()
    first, plan = world.plan(), None
    assert codes(first, ["Secret", "Cluster"]) == {
        "Secret": ("hold", "goes-later"),
        "Cluster": ("hold", "cluster-gone"),
    }
    assert world.apply(first) == [
        "MachineHealthCheck",
        "KubeadmConfigTemplate",
        "DevMachineTemplate",
        "DevMachineTemplate",
        "ConfigMap",
    ]
    plan = world.plan()
    assert world.key("Cluster") in world.inventory.entries
    assert world.apply(plan) == ["Secret"]
    plan = world.plan()
    assert plan.deletion is None
    assert world.apply(plan) == []
    assert not world.inventory.entries


def test_what_controllers_own_is_left_to_them_when_the_cluster_is_gone() -> None:
    """An owner reference means that the garbage collector is on its way; without one nobody would ever remove it."""
    world = World()
    world.gone("Cluster", "DevCluster")
    world.edit("KubeadmControlPlane", ownerReferences=[{"apiVersion": "a/v1", "kind": "Cluster", "name": "alpha"}])
    plan = world.plan()
    assert codes(plan, OWNED) == {
        "KubeadmControlPlane": ("hold", "goes-later"),
        "DevCluster": ("prune", ""),
        "MachineDeployment": ("prune", ""),
    }
    assert plan.deletion is not None


def test_a_secret_that_another_clusters_infrastructure_names_stays() -> None:
    bodies = cluster_bodies(infrastructure="OpenStackCluster")
    world = World(bodies)
    world.gone("Cluster", "KubeadmControlPlane", "OpenStackCluster", "MachineDeployment")
    infra = "infrastructure.cluster.x-k8s.io"
    reference = {"apiGroup": infra, "kind": "OpenStackCluster", "name": "beta"}
    others = [
        body("cluster.x-k8s.io/v1beta2", "Cluster", "beta", spec={"infrastructureRef": reference}),
        body(f"{infra}/v1beta2", "OpenStackCluster", "beta", spec={"identityRef": {"name": "alpha-cloud"}}),
    ]
    for other in others:
        asyncio.run(world.cluster.create(other))
    world.apply(world.plan())
    plan = world.plan()
    assert codes(plan, ["Secret"]) == {"Secret": ("refuse", "never-pruned")}
    assert "OpenStackCluster north/beta" in next(problem.message for problem in plan.refusals)


def test_one_object_that_cannot_be_read_stops_all_of_it() -> None:
    for world in (World(), World().deleted()):
        if world.key("Cluster") in world.cluster.objects:
            world.permit()
        world.cluster.unreadable = {world.key("ConfigMap")}
        plan = world.plan()
        assert not plan.writes
        assert plan.deletion is not None


def test_an_empty_render_deletes_nothing_even_with_a_key() -> None:
    world = World()
    world.permit()
    permits = Permits(keys=world.keys, now=NOW)
    plan = asyncio.run(read_and_plan(world.cluster, [], world.inventory, inputs="tree", permits=permits))
    assert not plan.writes


def test_a_cluster_recreated_by_somebody_keeps_its_group() -> None:
    """The inventory remembers another uid, and nothing of ours is on the live object."""
    world = World()
    world.permit()
    world.edit("Cluster", uid="other", managedFields=[])
    world.permit(uid="other")
    plan = world.plan()
    assert not plan.writes
    assert codes(plan, ["Cluster"]) == {"Cluster": ("refuse", "not-ours")}


def test_a_part_that_is_never_to_be_pruned_keeps_its_cluster() -> None:
    world = World()
    world.permit()
    world.edit("DevCluster", annotations={"clusterops.io/prune": "disabled"})
    plan = world.plan()
    assert not plan.writes
    assert codes(plan, ["Cluster"]) == {"Cluster": ("hold", "kept-by-annotation")}


def test_a_dropped_pool_needs_no_key_and_its_templates_wait_for_its_machines() -> None:
    world = World()
    kept = [
        one
        for one in cluster_bodies()
        if one["kind"] not in {"MachineDeployment", "MachineHealthCheck"} and not one["metadata"]["name"].endswith("l")
    ]
    plan = world.plan(kept)
    assert codes(plan, ["MachineDeployment", "KubeadmConfigTemplate"]) == {
        "MachineDeployment": ("prune", ""),
        "KubeadmConfigTemplate": ("hold", "goes-later"),
    }
    assert plan.deletion is not None
    assert plan.deletion.step is Step.POOLS
    world.edit("MachineDeployment", deletionTimestamp="2026-11-21T14:19:00Z", finalizers=["f"])
    assert codes(world.plan(kept), ["KubeadmConfigTemplate"]) == {"KubeadmConfigTemplate": ("hold", "goes-later")}
    world.gone("MachineDeployment")
    assert "KubeadmConfigTemplate" in world.apply(world.plan(kept))


@pytest.mark.parametrize(
    "annotations",
    [
        {"clusterops.io/prune": "disabled"},
        {"clusterops.io/reconcile": "disabled"},
        {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        {"kustomize.toolkit.fluxcd.io/prune": "Disabled"},
        {"kustomize.toolkit.fluxcd.io/ssa": "Ignore"},
        {"client.lifecycle.config.k8s.io/deletion": "detach"},
        {"argocd.argoproj.io/sync-options": "Delete=false"},
        {"helm.sh/resource-policy": "keep"},
    ],
)
def test_what_must_not_be_pruned_outlives_its_cluster(annotations: dict[str, str]) -> None:
    world = World().deleted()
    world.edit("ConfigMap", annotations=annotations)
    while world.apply(world.plan()):
        pass
    assert [key.kind for key in world.cluster.objects] == ["ConfigMap"]
    assert world.plan().deletion is None


@pytest.mark.parametrize("where", ["git", "live"])
@pytest.mark.parametrize(
    ("name", "value", "made"),
    [
        ("clusterops.io/reconcile", "disabled", False),
        ("kustomize.toolkit.fluxcd.io/reconcile", "disabled", False),
        ("kustomize.toolkit.fluxcd.io/ssa", "Ignore", False),
        ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent", True),
        ("client.lifecycle.config.k8s.io/mutation", "ignore", True),
    ],
)
def test_what_must_not_be_touched_is_neither_applied_nor_pruned(where: str, name: str, value: str, made: bool) -> None:
    world = World([one for one in cluster_bodies() if one["kind"] == "ConfigMap"])
    wanted = body("v1", "ConfigMap", "alpha-notes", data={"text": "another"})
    if where == "git":
        wanted["metadata"]["annotations"] = {**wanted["metadata"]["annotations"], name: value}
    else:
        world.edit("ConfigMap", annotations={name: value})
    plan = world.plan([wanted])
    assert codes(plan) == {"ConfigMap": ("unchanged", "left-alone")}
    assert not plan.stuck
    world.apply(plan)
    assert world.key("ConfigMap") in world.inventory.entries
    if where == "git":
        world.gone("ConfigMap")
        assert world.plan([wanted]).count(Action.CREATE) == made
