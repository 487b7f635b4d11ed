"""Versions go up, one minor at a time, control plane first: what the plan refuses, and what it lets pass."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.model.plan import Action, Change, Plan
from tests.fleet_objects import cluster_bodies, topology_bodies
from tests.unit.plan.test_build import World

Bodies = list[dict[str, Any]]
PLANE, POOL = "KubeadmControlPlane", "MachineDeployment"


def edited(bodies: Bodies, kind: str, *path: str, value: Any) -> Bodies:
    """In place; the path leads through maps."""
    node = next(one for one in bodies if one["kind"] == kind)
    for step in path[:-1]:
        node = node.setdefault(step, {})
    node[path[-1]] = value
    return bodies


def versions(plane: str, pool: str) -> Bodies:
    bodies = cluster_bodies(version=plane)
    return edited(bodies, POOL, "spec", "template", "spec", "version", value=pool)


def codes(plan: Plan) -> dict[str, str]:
    """Of the refused rows, by kind."""
    return {row.key.kind: row.reason.code for row in plan.changes if row.action is Action.REFUSE and row.reason}


def row(plan: Plan, kind: str) -> Change:
    return next(change for change in plan.changes if change.key.kind == kind)


DOWN, SKIP, ABOVE, SKEW = "version-downgrade", "version-skip", "pool-above-control-plane", "version-skew"


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        (("v1.33.4", "v1.33.4"), ("v1.34.1", "v1.34.1"), {}),
        (("v1.33.4", "v1.33.4"), ("v1.34.1", "v1.33.4"), {}),
        (("v1.33.4", "v1.33.4"), ("v1.33.9", "v1.33.9"), {}),
        (("v1.34.1", "v1.34.1"), ("v1.33.4", "v1.33.4"), {PLANE: DOWN, POOL: DOWN}),
        (("v1.34.1", "v1.33.4"), ("v1.33.4", "v1.33.4"), {PLANE: DOWN}),
        (("v1.34.1", "v1.34.1"), ("v1.34.1", "v1.33.4"), {POOL: DOWN}),
        (("v1.34.1", "v1.34.1"), ("v1.34.0", "v1.34.0"), {PLANE: DOWN, POOL: DOWN}),
        (("v1.32.4", "v1.32.4"), ("v1.34.1", "v1.34.1"), {PLANE: SKIP, POOL: SKIP}),
        (("v1.34.1", "v1.34.1"), ("v1.34.1", "v1.35.0"), {POOL: ABOVE}),
        (("v1.34.1", "v1.34.1"), ("v1.34.1", "v1.34.9"), {}),
        (("v1.34.1", "v1.32.4"), ("v1.34.1", "v1.34.1"), {}),
        (("v1.34.1", "v1.31.4"), ("v1.34.1", "v1.33.1"), {}),
        (("v1.34.1", "v1.31.4"), ("v1.35.0", "v1.31.4"), {PLANE: SKEW}),
        (("v1.34.1", "v1.31.4"), ("v1.35.0", "v1.34.1"), {}),
        (("v1.34.1", "v1.31.4"), ("v1.35.0", "v1.35.0"), {POOL: SKIP, PLANE: ""}),
    ],
)
def test_an_update_of_versions(before: tuple[str, str], after: tuple[str, str], refused: dict[str, str]) -> None:
    world = World(versions(*before))
    found = codes(world.plan(versions(*after)))
    assert found == {kind: code for kind, code in refused.items() if code}


@pytest.mark.parametrize(
    ("plane", "pool", "refused"),
    [
        ("v1.34.1", "v1.34.1", {}),
        ("v1.34.1", "v1.31.0", {}),
        ("v1.34.1", "v1.35.0", {POOL: ABOVE}),
        ("v1.34.1", "v1.30.0", {POOL: SKEW}),
    ],
)
def test_a_new_pool_fits_its_control_plane(plane: str, pool: str, refused: dict[str, str]) -> None:
    world = World([one for one in cluster_bodies(version=plane) if one["kind"] != POOL])
    assert codes(world.plan(versions(plane, pool))) == refused
    assert codes(World([]).plan(versions(plane, pool))) == refused


def test_a_pool_does_not_go_ahead_of_a_control_plane_that_is_refused() -> None:
    """Whatever it was refused for."""
    world = World(versions("v1.34.1", "v1.34.1"))
    bodies = edited(versions("v1.35.0", "v1.35.0"), PLANE, "spec", "replicas", value=2)
    assert codes(world.plan(bodies)) == {PLANE: "control-plane-even", POOL: ABOVE}


def test_a_machine_pool_carries_its_version_as_a_deployment_does() -> None:
    def bodies(version: str) -> Bodies:
        found = versions("v1.34.1", version)
        next(one for one in found if one["kind"] == POOL)["kind"] = "MachinePool"
        return found

    assert codes(World(bodies("v1.34.1")).plan(bodies("v1.33.0"))) == {"MachinePool": DOWN}


def test_a_revert_is_told_what_may_go_back_and_what_may_not() -> None:
    def bodies(version: str, workers: int) -> Bodies:
        return cluster_bodies(version=version, workers=workers)

    plan = World(bodies("v1.34.1", 5)).plan(bodies("v1.33.4", 3))
    plane, pool = row(plan, PLANE).reason, row(plan, POOL).reason
    assert plane is not None
    assert pool is not None
    assert plane.text == (
        "KubeadmControlPlane north/alpha-cp: refused: /spec/version v1.34.1 -> v1.33.4 goes down (version-downgrade)"
    )
    assert "a way back to v1.33 is a new cluster or an etcd restore, not a commit" in plane.hint
    assert "keep v1.34.1 and revert only the rest (/spec/replicas 5 -> 3)" in pool.hint


def topology(version: str, *, versions: list[str] | None = None, annotation: str = "") -> Bodies:
    bodies = topology_bodies(version=version)
    if versions:
        edited(bodies, "ClusterClass", "spec", "kubernetesVersions", value=versions)
    if annotation:
        edited(bodies, "Cluster", "metadata", "annotations", annotation, value="")
    return bodies


UNSAFE = "unsafe.topology.cluster.x-k8s.io/disable-update-version-check"
CHAIN = ["v1.32.4", "v1.33.4", "v1.34.1"]


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        (topology("v1.33.4"), topology("v1.34.1"), {}),
        (topology("v1.34.1"), topology("v1.33.4"), {"Cluster": DOWN}),
        (topology("v1.32.4"), topology("v1.34.1"), {"Cluster": SKIP}),
        (topology("v1.32.4"), topology("v1.34.1", annotation=UNSAFE), {}),
        (topology("v1.32.4", versions=CHAIN), topology("v1.34.1", versions=CHAIN), {}),
        (topology("v1.34.1", versions=CHAIN), topology("v1.32.4", versions=CHAIN), {"Cluster": DOWN}),
    ],
)
def test_a_topology_goes_up_one_minor_at_a_time_unless_its_class_chains(
    before: Bodies, after: Bodies, refused: dict[str, str]
) -> None:
    assert codes(World(before).plan(after)) == refused
