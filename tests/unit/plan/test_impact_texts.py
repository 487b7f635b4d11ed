"""What a plan writes about machines and about whose fields are whose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clusterops.model.impact import Cause, Impact, ImpactClass, PoolImpact, Role
from clusterops.model.inventory import empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.plan import MISSING, Action, Change, HandedOver, Left, Plan, Taken
from clusterops.plan import plan_to_json, plan_to_markdown, plan_to_text, summarise
from clusterops.plan.machines import cause_words, machine_words, order_words
from tests.fleet_objects import cluster_bodies, read_and_plan
from tests.model_cluster import ModelCluster

CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="eu-west-1", name="payments")


def key(kind: str, name: str) -> ObjectKey:
    return ObjectKey(group="cluster.x-k8s.io", kind=kind, namespace="eu-west-1", name=name)


def plane(replaced: int = 3) -> PoolImpact:
    return PoolImpact(
        cluster=CLUSTER,
        owner=key("KubeadmControlPlane", "payments-control-plane"),
        role=Role.CONTROL_PLANE,
        pool="control-plane",
        kind=ImpactClass.ROLLING,
        replaced=replaced,
        now=3,
        then=3,
        surge=1,
    )


def pool(name: str, *, now: int, then: int, kind: ImpactClass = ImpactClass.ROLLING) -> PoolImpact:
    return PoolImpact(
        cluster=CLUSTER,
        owner=key("MachineDeployment", f"payments-{name}"),
        role=Role.WORKER,
        pool=name,
        kind=kind,
        replaced=now,
        added=then - now,
        now=now,
        then=then,
        surge=1,
    )


PAYMENTS = (plane(), pool("general", now=3, then=5), pool("batch", now=6, then=6))


def test_machines_and_order_read_as_agreed() -> None:
    """JOURNEY section 2."""
    assert machine_words(PAYMENTS) == "replaces 3 control-plane and 9 workers, adds 2; peak 16 (now 12, then 14)"
    order = "control plane one by one, then pools `batch` and `general` in parallel, surge 1 each"
    assert order_words(Impact.of(PAYMENTS)) == order


def test_what_cannot_be_predicted_is_told_apart() -> None:
    unsure = pool("spot", now=2, then=2, kind=ImpactClass.UNKNOWN)
    words = "replaces 3 control-plane machines, may replace 2 workers (not predictable)"
    assert machine_words([plane(), unsure]).startswith(words)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [("a", "b", "/x a -> b (r)"), (MISSING, "b", "/x (none) -> b (r)"), (MISSING, MISSING, "/x (r)")],
)
def test_a_cause_reads_as_a_change(before: object, after: object, words: str) -> None:
    assert cause_words(Cause(object=CLUSTER, pointer="/x", before=before, after=after, rule="r")) == words


async def owned() -> Plan:
    """A change with fields that are taken, left and handed over, and a note."""
    plan = await read_and_plan(ModelCluster(), cluster_bodies(), empty_inventory("north/alpha"))
    one = next(change for change in plan.changes if change.key.kind == "MachineDeployment")
    told: Change = replace(
        one,
        action=Action.UPDATE,
        left=(Left(pointer="/spec/replicas", manager="cluster-autoscaler", git=3, live=5, why="autoscaled 3..9"),),
        takes=(Taken(pointer="/spec/template/spec/version", manager="kubectl-edit"),),
        hands_over=(HandedOver(pointer="/spec/replicas", value=5, manager="clusterops-replicas"),),
        impact=Impact(kind=ImpactClass.IN_PLACE, notes=("replaces no Machine: so it is",)),
    )
    return replace(plan, waves=((told,),))


async def test_whose_field_is_whose_is_told() -> None:
    text = plan_to_text(await owned())
    assert "left to cluster-autoscaler: /spec/replicas (autoscaled 3..9; git 3, live 5)" in text
    assert "takes /spec/template/spec/version from kubectl-edit" in text
    assert "hands over /spec/replicas = 5" in text
    assert "note: replaces no Machine: so it is" in text


async def test_it_stands_in_markdown_and_json_as_well() -> None:
    plan = await owned()
    assert "takes /spec/template/spec/version from kubectl-edit" in plan_to_markdown(plan)
    (row,) = plan_to_json(plan)["waves"][0]
    left = {"pointer": "/spec/replicas", "manager": "cluster-autoscaler", "git": 3, "live": 5, "why": "autoscaled 3..9"}
    assert row["left"] == [left]
    assert row["takes"] == [{"pointer": "/spec/template/spec/version", "manager": "kubectl-edit"}]
    assert row["handsOver"] == [{"pointer": "/spec/replicas", "value": 5, "manager": "clusterops-replicas"}]
    assert row["impact"] == {"class": "in-place", "notes": ["replaces no Machine: so it is"]}


async def test_a_class_that_reaches_many_clusters_has_a_row_for_each() -> None:
    plan = await owned()
    other = replace(CLUSTER, name="search")
    pools = (*PAYMENTS, replace(pool("general", now=2, then=2), cluster=other))
    change = replace(plan.waves[0][0], impact=Impact.of(pools))
    told = replace(plan, waves=((change,),))
    rows = [line for line in plan_to_markdown(told).splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == [
        "| cluster",
        "| **north/alpha**",
        "| eu-west-1/payments",
        "| eu-west-1/search",
    ]
    assert "replaces 3 control-plane and 11 worker machines in 2 clusters" in summarise(told)
