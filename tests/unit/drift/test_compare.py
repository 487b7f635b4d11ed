"""What departs from what was applied, told by the inventory's digests."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.drift import compare
from clusterops.model.drift import Author, Departed
from clusterops.model.live import Absent
from tests.unit.drift.worlds import World


def what(world: World) -> dict[str, Departed]:
    return {key.kind: one.what for key, one in world.departed().items()}


def mark(world: World, kind: str, **metadata: Any) -> None:
    def write(raw: dict[str, Any]) -> None:
        for part, values in metadata.items():
            raw["metadata"][part] = {**raw["metadata"].get(part, {}), **values} if isinstance(values, dict) else values

    world.cluster.edit(world.key(kind), write, manager="somebody")


def test_what_was_just_applied_does_not_depart() -> None:
    assert World().departed() == {}


def test_an_edit_a_deletion_and_a_taken_field_are_told_apart() -> None:
    world = World()
    world.set("MachineDeployment", "spec", replicas=5)
    world.set("ConfigMap", "data", text="by hand")
    world.set("ConfigMap", "data", text="hello")
    world.delete("MachineHealthCheck")
    assert what(world) == {
        "MachineDeployment": Departed.CHANGED,
        "ConfigMap": Departed.OWNERSHIP_LOST,
        "MachineHealthCheck": Departed.DELETED,
    }


def test_what_others_add_beside_our_fields_does_not_depart() -> None:
    world = World()
    world.set("MachineDeployment", "spec", paused=True)
    mark(world, "Cluster", annotations={"note": "of a person"}, labels={"more": "x"})
    assert world.departed() == {}


def test_an_object_of_another_uid_is_replaced() -> None:
    world = World()
    world.cluster.objects[world.key("ConfigMap")]["metadata"]["uid"] = "another"
    assert what(world) == {"ConfigMap": Departed.REPLACED}


def test_an_object_that_is_being_deleted_counts_as_deleted() -> None:
    world = World()
    world.set("MachineDeployment", "spec", replicas=5)
    mark(world, "MachineDeployment", deletionTimestamp="2026-11-21T10:00:00Z")
    assert what(world) == {"MachineDeployment": Departed.DELETED}


@pytest.mark.parametrize(
    ("metadata", "whose"),
    [
        ({"annotations": {"clusterops.io/target": "south/beta"}}, "target south/beta"),
        ({"labels": {"clusterops.io/fleet": "other"}}, "fleet other"),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "a", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
            "Flux Kustomization flux/a",
        ),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "app:x"}}, "Argo CD Application app"),
    ],
)
def test_whom_an_object_belongs_to_now_is_named(metadata: dict[str, Any], whose: str) -> None:
    world = World()
    mark(world, "ConfigMap", **metadata)
    (one,) = world.departed().values()
    assert (one.what, one.whose) == (Departed.FOREIGN, whose)


@pytest.mark.parametrize(
    "annotation",
    [{"clusterops.io/reconcile": "disabled"}, {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}],
)
def test_what_annotations_tell_us_to_leave_alone_is_no_drift(annotation: dict[str, str]) -> None:
    world = World()
    world.set("ConfigMap", "data", text="by hand")
    mark(world, "ConfigMap", annotations=annotation)
    assert world.departed() == {}


def test_what_cannot_be_read_is_unknown_and_never_deleted() -> None:
    world = World()
    world.cluster.unreadable.add(world.key("Secret"))
    world.cluster.unserved.add(("infrastructure.cluster.x-k8s.io", "DevCluster"))
    assert world.departed() == {}
    assert [one.code for one in compare.unknown(world.inventory, world.live)] == ["api-unavailable", "kind-not-served"]


def test_the_signature_moves_with_the_drift_and_only_with_it() -> None:
    world = World()
    world.set("MachineDeployment", "spec", replicas=5)
    first = world.departed()
    world.set("MachineDeployment", "spec", paused=True)
    assert world.departed() == first
    world.set("MachineDeployment", "spec", replicas=6)
    assert world.departed() != first
    world.set("MachineDeployment", "spec", replicas=2)
    assert what(world) == {"MachineDeployment": Departed.OWNERSHIP_LOST}


def test_a_signature_holds_nothing_of_a_secrets_values() -> None:
    world = World()
    world.set("Secret", "data", token="b3RoZXI=")
    ((_, signature),) = ((key, one.signature) for key, one in world.departed().items())
    assert {value for _, value in signature} == {b""}


def test_only_keys_that_were_asked_for_are_compared() -> None:
    world = World()
    key = world.key("ConfigMap")
    assert list(compare.departed(world.inventory, {key: Absent(key=key)}, target="north/alpha")) == [key]


def test_fields_that_were_left_to_others_are_counted_by_their_author() -> None:
    world = World()
    world.set("ConfigMap", "data", "manager", text="of a controller")
    next(one for one in world.bodies if one["kind"] == "ConfigMap")["data"]["more"] = "of git"
    assert compare.left(world.inventory, world.live) == {}
    world.apply()
    assert compare.left(world.inventory, world.live) == {Author.CONTROLLER: 1}
    assert world.departed() == {}
