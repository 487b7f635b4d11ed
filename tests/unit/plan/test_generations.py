"""When an old generation of a template goes, and what is asked before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.neighbours import NOBODY, Neighbours
from clusterops.model.plan import Action, Change
from clusterops.model.problem import Problem
from clusterops.plan.generations import _around, in_use
from tests.fleet_objects import body, cluster_bodies, topology_bodies
from tests.property.test_plan import World
from tests.unit.plan.test_naming import POOL, applied, edited

INFRA = "infrastructure.cluster.x-k8s.io"


def left(owners: tuple[tuple[str, str], ...] = (("Cluster", "alpha"),)) -> LiveObject:
    references = [{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": kind, "name": name} for kind, name in owners]
    raw = body(f"{INFRA}/v1beta2", "DevMachineTemplate", POOL, spec={})
    return LiveObject.of({**raw, "metadata": {**raw["metadata"], "ownerReferences": references}})


def clone(template: str, kind: str = "DevMachine", **metadata: Any) -> LiveObject:
    noted = {
        "cluster.x-k8s.io/cloned-from-name": template,
        "cluster.x-k8s.io/cloned-from-groupkind": f"DevMachineTemplate.{INFRA}",
    }
    return LiveObject.of(body(f"{INFRA}/v1beta2", kind, "m1", metadata={"annotations": noted, **metadata}, spec={}))


def around(found: LiveObject, answers: Mapping[str, Any]) -> Neighbours:
    return Neighbours({query: answers.get(query.kind, ()) for query in _around(found)})


def test_nobody_left_is_free() -> None:
    assert in_use(left(), around(left(), {})) is None


@pytest.mark.parametrize("kind", ["DevMachine", "DevMachineTemplate"])
def test_a_clone_keeps_it(kind: str) -> None:
    reason = in_use(left(), around(left(), {kind: (clone(POOL, kind),)}))
    assert reason is not None
    assert reason.code == "generation-in-use"
    assert in_use(left(), around(left(), {kind: (clone("another", kind),)})) is None


def test_a_machine_set_keeps_it_before_it_makes_a_machine() -> None:
    spec = next(one for one in cluster_bodies() if one["kind"] == "MachineDeployment")["spec"]
    sets = LiveObject.of(body("cluster.x-k8s.io/v1beta2", "MachineSet", "s1", spec=spec))
    assert in_use(left(), around(left(), {"MachineSet": (sets,)})) is not None


def test_a_list_that_was_refused_or_never_made_keeps_it() -> None:
    refused = Problem(code="api-forbidden", subject="DevMachine", message="forbidden")
    for neighbours in (NOBODY, around(left(), {"DevMachine": refused})):
        reason = in_use(left(), neighbours)
        assert reason is not None
        assert reason.code == "clones-unknown"


def test_a_list_is_as_small_as_the_owners_allow() -> None:
    assert {query.labels for query in _around(left())} == {"cluster.x-k8s.io/cluster-name=alpha"}
    assert {query.namespace for query in _around(left())} == {"north"}
    anybody = {query.kind for query in _around(left(()))}
    assert anybody == {"MachineDeployment", "MachineSet", "ClusterClass", "DevMachineTemplate", "DevMachine"}
    of_class = {query.kind for query in _around(left((("ClusterClass", "small"),)))}
    assert of_class == {"ClusterClass", "DevMachineTemplate"}


def old_generation(world: World, wanted: list[dict[str, Any]]) -> Change:
    return next(
        change
        for change in world.plan(wanted).changes
        if change.desired is None and change.key.kind == "DevMachineTemplate"
    )


def code(change: Change) -> str:
    return change.reason.code if change.reason else ""


def why(change: Change) -> str:
    return change.reason.message if change.reason else ""


def test_it_goes_when_the_last_machine_is_gone() -> None:
    wanted = edited(cluster_bodies())
    world = applied(cluster_bodies())
    plan = world.plan(wanted)
    assert why(old_generation(world, wanted)) == "stays until MachineDeployment north/alpha-general has moved on"
    world.apply(plan)
    machine = clone(POOL)
    world.cluster.objects[machine.key] = dict(machine.body)
    assert code(old_generation(world, wanted)) == "generation-in-use"
    del world.cluster.objects[machine.key]
    assert old_generation(world, wanted).action is Action.PRUNE


def test_a_template_of_a_class_waits_for_the_templates_that_topologies_made_of_it() -> None:
    wanted = edited(topology_bodies(), name="small-worker")
    world = applied(topology_bodies(), wanted)
    made = clone("small-worker", "DevMachineTemplate", labels={"topology.cluster.x-k8s.io/owned": ""})
    world.cluster.objects[made.key] = dict(made.body)
    assert code(old_generation(world, wanted)) == "generation-in-use"
    del world.cluster.objects[made.key]
    assert old_generation(world, wanted).key == ObjectKey.of(
        next(one for one in topology_bodies() if one["metadata"]["name"] == "small-worker")
    )
    assert old_generation(world, wanted).action is Action.PRUNE
