"""Who wins a field, on a real kube-apiserver with Cluster API's CRDs and on the model of one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clusterops.apply import apply_plan, needs_replan
from clusterops.controller.clock import SystemClock
from clusterops.kube import KubeCluster
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.managers import taken_over
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, Action, Change, FieldChange, Plan
from clusterops.model.report import ApplyReport
from clusterops.plan import summarise
from clusterops.plan.fields import sendable
from clusterops.ports import Cluster
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan
from tests.model_cluster import ModelCluster

LOGGER = build_logger(level="error")
_NUMBER = itertools.count(1)
Bodies = list[dict[str, Any]]


@pytest.fixture(params=["model", pytest.param("real", marks=pytest.mark.apiserver)])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    if request.param == "model":
        yield ModelCluster()
        return
    kubeconfig: Path = request.getfixturevalue("apiserver").kubeconfig
    settings = ClusterSettings(kubeconfig=kubeconfig)
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=SystemClock()
    ) as real:
        yield real


@pytest.fixture
def bodies() -> Bodies:
    """A Namespace of its own and the objects of a small cluster in it."""
    namespace = f"ownership-{next(_NUMBER)}"
    found = [{**one, "metadata": {**one["metadata"], "namespace": namespace}} for one in cluster_bodies()]
    return [body("v1", "Namespace", namespace, None), *found]


class Target:
    """One target's passes: read, plan, apply, remember."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.inventory: Inventory = empty_inventory("north/alpha")

    async def plan(self, bodies: Bodies) -> Plan:
        return await read_and_plan(self.cluster, bodies, self.inventory)

    async def apply(self, plan: Plan) -> ApplyReport:
        store = MemoryStore(self.inventory)
        report = await apply_plan(plan, self.cluster, clock=SystemClock(), logger=LOGGER, store=store)
        self.inventory = store.inventory.narrowed(report, revision=plan.revision)
        return report

    async def converge(self, bodies: Bodies) -> None:
        plan = await self.plan(bodies)
        assert not plan.refusals, [problem.text for problem in plan.refusals]
        report = await self.apply(plan)
        assert report.complete, [problem.text for problem in report.problems]

    async def live(self, key: ObjectKey) -> LiveObject:
        found = (await self.cluster.read([key])).found(key)
        assert found is not None, f"{key} is not there"
        return found


def key_of(bodies: Bodies, kind: str, ending: str = "") -> ObjectKey:
    return next(ObjectKey.of(one) for one in bodies if one["kind"] == kind and one["metadata"]["name"].endswith(ending))


def with_body(bodies: Bodies, key: ObjectKey, **parts: Any) -> Bodies:
    return [{**one, **parts} if ObjectKey.of(one) == key else one for one in bodies]


def row_of(plan: Plan, key: ObjectKey) -> Change:
    return next(change for change in plan.changes if change.key == key)


def plain(one: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """As a person would write it: without our label and annotation."""
    metadata = {field: value for field, value in one["metadata"].items() if field in {"name", "namespace"}}
    return {**one, **parts, "metadata": metadata}


async def applied_by(cluster: Cluster, bodies: Bodies, manager: str) -> None:
    for one in bodies:
        await cluster.apply(sendable(Manifest.of(plain(one))).body, field_manager=manager)


async def test_what_kubectl_applied_is_adopted_without_a_change(cluster: Cluster, bodies: Bodies) -> None:
    await applied_by(cluster, bodies, "kubectl")
    target = Target(cluster)
    plan = await target.plan(bodies)
    assert {change.action for change in plan.changes} == {Action.ADOPT}
    assert summarise(plan) == f"north/alpha: adopts {len(bodies)} objects, changes 0 fields"
    before = {key: (await target.live(key)).body.get("spec") for key in map(ObjectKey.of, bodies)}
    assert (await target.apply(plan)).complete
    after = {key: (await target.live(key)).body.get("spec") for key in map(ObjectKey.of, bodies)}
    assert after == before
    assert {change.action for change in (await target.plan(bodies)).changes} == {Action.UNCHANGED}


async def test_an_adoption_lists_what_it_changes_and_removes_and_does_just_that(
    cluster: Cluster, bodies: Bodies
) -> None:
    notes = key_of(bodies, "ConfigMap")
    theirs = with_body(bodies, notes, data={"text": "theirs", "more": "x"})
    await applied_by(cluster, theirs, "somebody")
    target = Target(cluster)
    plan = await target.plan(bodies)
    assert summarise(plan) == f"north/alpha: adopts {len(bodies)} objects, changes 2 fields"
    assert set(row_of(plan, notes).fields) == {
        FieldChange(pointer="/data/text", before="theirs", after="hello"),
        FieldChange(pointer="/data/more", before="x", after=MISSING),
    }
    assert (await target.apply(plan)).complete
    live = await target.live(notes)
    assert live.body["data"] == {"text": "hello"}
    assert not live.managed_by("somebody")


async def test_a_controller_keeps_its_fields_through_an_adoption(cluster: Cluster, bodies: Bodies) -> None:
    await applied_by(cluster, bodies, "kubectl")
    key = key_of(bodies, "Cluster")
    endpoint = {"controlPlaneEndpoint": {"host": "192.0.2.1", "port": 6443}}
    await cluster.apply(
        plain({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": vars_of(key)}, spec=endpoint),
        field_manager="manager",
    )
    target = Target(cluster)
    plan = await target.plan(bodies)
    assert row_of(plan, key).fields == ()
    await target.apply(plan)
    live = await target.live(key)
    assert live.body["spec"]["controlPlaneEndpoint"] == endpoint["controlPlaneEndpoint"]
    assert live.managed_by("manager")


async def test_an_adoption_that_was_killed_between_its_two_writes_is_finished_by_the_next_pass(
    cluster: Cluster, bodies: Bodies
) -> None:
    notes = key_of(bodies, "ConfigMap")
    await applied_by(cluster, with_body(bodies, notes, data={"text": "theirs", "more": "x"}), "kubectl")
    target = Target(cluster)
    plan = await target.plan(bodies)
    half = next(change for change in plan.changes if change.key == notes)
    live = await target.live(notes)
    await cluster.set_managers(
        live, taken_over(live.managers, half.adopts, by="clusterops", api_version=str(live.body["apiVersion"]))
    )
    await target.converge(bodies)
    live = await target.live(notes)
    assert live.body["data"] == {"text": "hello"}
    assert {change.action for change in (await target.plan(bodies)).changes} == {Action.UNCHANGED}


async def test_an_adoption_of_an_object_that_moved_meanwhile_is_planned_again(cluster: Cluster, bodies: Bodies) -> None:
    notes = key_of(bodies, "ConfigMap")
    await applied_by(cluster, bodies, "kubectl")
    target = Target(cluster)
    plan = await target.plan(bodies)
    moved = plain(next(one for one in bodies if ObjectKey.of(one) == notes), data={"text": "hello", "late": "x"})
    await cluster.apply(moved, field_manager="kubectl")
    report = await target.apply(plan)
    assert needs_replan(report)
    assert (await target.live(notes)).body["data"] == {"text": "hello", "late": "x"}


@pytest.mark.parametrize(
    "mark",
    [
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "clusters"}},
        {"labels": {"helm.toolkit.fluxcd.io/name": "clusters"}},
        {"annotations": {"argocd.argoproj.io/tracking-id": "clusters:/ConfigMap:a/b"}},
        {"labels": {"objectset.rio.cattle.io/hash": "1234"}},
    ],
    ids=["flux", "flux-helm", "argo", "rancher"],
)
async def test_a_live_tools_object_is_refused_and_its_tool_named(
    cluster: Cluster, bodies: Bodies, mark: dict[str, Any]
) -> None:
    await applied_by(cluster, bodies, "kubectl")
    notes = key_of(bodies, "ConfigMap")
    one = plain(next(one for one in bodies if ObjectKey.of(one) == notes))
    one["metadata"].update(mark)
    await cluster.apply(one, field_manager="kubectl")
    target = Target(cluster)
    refused = row_of(await target.plan(bodies), notes)
    assert refused.action is Action.REFUSE
    assert refused.reason is not None
    assert refused.reason.code == "foreign-owner-armed"


def vars_of(key: ObjectKey) -> dict[str, Any]:
    return {"name": key.name, "namespace": key.namespace}
