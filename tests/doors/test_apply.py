"""Plan and apply together, on a real kube-apiserver with Cluster API's CRDs and on the model of one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, TypeVar

import pytest

from clusterops.apply import needs_replan
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.plan import MISSING, Action, FieldChange, Plan
from clusterops.model.report import Result
from clusterops.ports import Cluster
from tests.doors.targets import Bodies, Target, connected, small_cluster
from tests.fleet_objects import body, cluster_bodies
from tests.model_cluster import ModelCluster

_NUMBER = itertools.count(1)


@pytest.fixture
def bodies() -> Bodies:
    """In a Namespace of its own."""
    return small_cluster(f"apply-{next(_NUMBER)}")


class Passes(Target):
    async def converge(self, bodies: Bodies) -> None:
        report = await self.apply(await self.plan(bodies))
        assert report.complete, [problem.text for problem in report.problems]


def key_of(bodies: Bodies, kind: str, ending: str = "") -> ObjectKey:
    return next(ObjectKey.of(one) for one in bodies if one["kind"] == kind and one["metadata"]["name"].endswith(ending))


def edited(bodies: Bodies, key: ObjectKey, **spec: Any) -> Bodies:
    return [{**one, "spec": {**one["spec"], **spec}} if ObjectKey.of(one) == key else one for one in bodies]


async def by_hand(cluster: Cluster, live: LiveObject, spec: Mapping[str, Any]) -> None:
    """Somebody else takes fields of spec by force."""
    minimal = {
        "apiVersion": live.body["apiVersion"],
        "kind": live.key.kind,
        "metadata": {"name": live.key.name, "namespace": live.key.namespace},
        "spec": spec,
    }
    await cluster.apply(minimal, force=True, field_manager="kubectl-edit")


T = TypeVar("T")


def only(found: list[T]) -> T:
    assert len(found) == 1, found
    return found[0]


def actions(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for change in plan.changes:
        found.setdefault(str(change.action), []).append(change.key.label)
    return found


async def test_a_second_plan_after_an_apply_changes_nothing(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    assert actions(await target.plan(bodies)).keys() == {"unchanged"}


async def test_a_resize_is_one_field_of_one_object(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    pool = key_of(bodies, "MachineDeployment")
    plan = await target.plan(edited(bodies, pool, replicas=4))
    changed = only([change for change in plan.changes if change.action is not Action.UNCHANGED])
    assert (changed.key, changed.action) == (pool, Action.UPDATE)
    assert changed.fields == (FieldChange(pointer="/spec/replicas", before=2, after=4),)
    report = await target.apply(plan)
    assert report.count(Result.APPLIED) == 1
    assert (await target.live(pool)).body["spec"]["replicas"] == 4


async def test_a_field_that_git_drops_is_removed(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    notes = key_of(bodies, "ConfigMap")
    more = [{**one, "data": {"text": "hello", "more": "x"}} if ObjectKey.of(one) == notes else one for one in bodies]
    await target.converge(more)
    plan = await target.plan(bodies)
    changed = only([change for change in plan.changes if change.action is not Action.UNCHANGED])
    assert changed.fields == (FieldChange(pointer="/data/more", before="x", after=MISSING),)
    await target.apply(plan)
    assert (await target.live(notes)).body["data"] == {"text": "hello"}


async def test_a_secret_key_that_git_drops_is_removed_and_nothing_of_it_is_shown(
    cluster: Cluster, bodies: Bodies
) -> None:
    target = Passes(cluster)
    secret = key_of(bodies, "Secret")
    more = [
        {**one, "stringData": {"token": "CANARY-2", "old": "CANARY-3"}} if ObjectKey.of(one) == secret else one
        for one in bodies
    ]
    await target.converge(more)
    plan = await target.plan(bodies)
    changed = only([change for change in plan.changes if change.action is not Action.UNCHANGED])
    assert [(one.pointer, one.before, one.after) for one in changed.fields] == [
        ("/data/token", "(secret)", "(secret, changed)"),
        ("/data/old", "(secret)", MISSING),
    ]
    await target.apply(plan)
    assert set((await target.live(secret)).body["data"]) == {"token"}


async def test_a_field_that_somebody_took_is_left_and_told_while_the_rest_goes_on(
    cluster: Cluster, bodies: Bodies
) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    pool = key_of(bodies, "MachineDeployment")
    await by_hand(cluster, await target.live(pool), {"replicas": 7})
    notes = key_of(bodies, "ConfigMap")
    changed = [{**one, "data": {"text": "bye"}} if ObjectKey.of(one) == notes else one for one in bodies]
    plan = await target.plan(changed)
    row = only([change for change in plan.changes if change.left])
    assert (row.key, row.action) == (pool, Action.LEAVE)
    left = only(list(row.left))
    assert (left.pointer, left.manager, left.git, left.live) == ("/spec/replicas", "kubectl-edit", 2, 7)
    report = await target.apply(plan)
    assert report.count(Result.APPLIED) == 1
    assert (await target.live(pool)).body["spec"]["replicas"] == 7


async def test_an_object_that_a_live_tool_applies_is_refused(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    namespace, notes = bodies[0], next(one for one in bodies if one["kind"] == "ConfigMap")
    await cluster.apply(namespace, field_manager="argocd-controller")
    await cluster.apply(notes, field_manager="argocd-controller")
    plan = await target.plan(bodies)
    reasons = {change.key: change.reason.code for change in plan.changes if change.reason is not None}
    assert reasons == {ObjectKey.of(namespace): "foreign-owner-armed", ObjectKey.of(notes): "foreign-owner-armed"}


@pytest.mark.parametrize("content", [{"text": "theirs"}, {"other": "theirs"}], ids=["same field", "another field"])
async def test_an_object_that_appears_after_the_plan_is_never_merged_onto(
    cluster: Cluster, bodies: Bodies, content: dict[str, str]
) -> None:
    target = Passes(cluster)
    await target.converge(bodies[:1])
    plan = await target.plan(bodies)
    notes = next(ObjectKey.of(one) for one in bodies if one["kind"] == "ConfigMap")
    named = {"name": notes.name, "namespace": notes.namespace}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": content}
    await cluster.apply(theirs, field_manager="kubectl")
    report = await target.apply(plan)
    row = only([row for row in report.rows if row.result is Result.CONFLICTED])
    assert row.key == notes
    assert needs_replan(report)
    live = await target.live(row.key)
    assert live.body["data"] == content
    assert not live.managed_by("clusterops")


async def test_an_object_deleted_after_the_plan_is_not_created_anew(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    owner = key_of(bodies, "Cluster")
    plan = await target.plan(edited(bodies, owner, clusterNetwork={"pods": {"cidrBlocks": ["10.245.0.0/16"]}}))
    live = await target.live(owner)
    await cluster.delete(owner, uid=live.uid, resource_version=live.resource_version)
    report = await target.apply(plan)
    assert only([row for row in report.rows if row.result is Result.CONFLICTED]).key == owner
    assert (await cluster.read([owner])).found(owner) is None
    again = await target.plan(bodies)
    refused = only([change for change in again.changes if change.key == owner])
    assert refused.reason is not None
    assert refused.reason.code == "cluster-deleted-out-of-band"
    assert not [change for change in again.changes if change.action is Action.CREATE]


async def test_an_object_changed_in_spec_after_the_plan_is_a_conflict(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    pool = key_of(bodies, "MachineDeployment")
    plan = await target.plan(edited(bodies, pool, replicas=4))
    await by_hand(cluster, await target.live(pool), {"paused": True})
    report = await target.apply(plan)
    assert only([row for row in report.rows if row.result is Result.CONFLICTED]).key == pool
    assert (await target.live(pool)).body["spec"]["replicas"] == 2


async def test_a_dropped_directory_deletes_nothing(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    plan = await target.plan([], inputs="")
    assert not plan.writes
    assert only([one for one in plan.refusals if one.code == "deletion-needs-second-key"]).subject.startswith("Cluster")
    report = await target.apply(plan)
    assert report.count(Result.SKIPPED) == len(report.rows)
    for one in bodies:
        await target.live(ObjectKey.of(one))


async def test_a_dropped_config_map_and_an_unreferenced_template_go(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    spare = next(one for one in bodies if one["kind"] == "DevMachineTemplate")
    spare = {**spare, "metadata": {**spare["metadata"], "name": "spare"}}
    await target.converge([*bodies, spare])
    notes = key_of(bodies, "ConfigMap")
    plan = await target.plan([one for one in bodies if ObjectKey.of(one) != notes])
    assert {change.key for change in plan.changes if change.action is Action.PRUNE} == {notes, ObjectKey.of(spare)}
    report = await target.apply(plan)
    assert report.count(Result.PRUNED) == 2
    assert not {notes, ObjectKey.of(spare)} & target.inventory.keys
    assert (await cluster.read([notes])).found(notes) is None


async def test_a_template_that_is_still_referenced_stays(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    template = key_of(bodies, "DevMachineTemplate", "-general")
    plan = await target.plan([one for one in bodies if ObjectKey.of(one) != template])
    row = only([change for change in plan.changes if change.key == template])
    assert (row.action, row.reason and row.reason.code) == (Action.HOLD, "still-referenced")


async def test_dry_runs_write_nothing(cluster: Cluster, bodies: Bodies) -> None:
    target = Passes(cluster)
    await target.converge(bodies)
    pool = key_of(bodies, "MachineDeployment")
    before = await target.live(pool)
    plan = await target.plan(edited(bodies, pool, replicas=4))
    assert plan.count(Action.UPDATE) == 1
    assert await target.live(pool) == before


@pytest.mark.apiserver
async def test_an_invalid_field_is_a_refused_row_that_names_it(request: pytest.FixtureRequest) -> None:
    kubeconfig = request.getfixturevalue("apiserver").kubeconfig
    wanted = [body("v1", "Namespace", "apply-invalid", None), *cluster_bodies()]
    for one in wanted[1:]:
        one["metadata"]["namespace"] = "apply-invalid"
    async with connected(kubeconfig) as real:
        target = Passes(real)
        await target.converge(wanted)
        pool = key_of(wanted, "MachineDeployment")
        plan = await target.plan(edited(wanted, pool, replicas="many"))
    refused = only([change for change in plan.changes if change.action is Action.REFUSE])
    assert refused.reason is not None
    assert refused.reason.code == "object-invalid"
    assert "spec.replicas" in refused.reason.message


@pytest.mark.apiserver
async def test_what_the_server_normalises_is_unchanged(request: pytest.FixtureRequest) -> None:
    """A quantity, a port without protocol and a defaulted field: equal only to the server."""
    kubeconfig = request.getfixturevalue("apiserver").kubeconfig
    pod = {
        "containers": [
            {"name": "c", "image": "i", "resources": {"limits": {"cpu": "1000m"}}, "ports": [{"containerPort": 80}]}
        ]
    }
    labels = {"app": "x"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    wanted = [
        body("v1", "Namespace", "apply-normal", None),
        body("apps/v1", "Deployment", "web", "apply-normal", spec=spec),
    ]
    async with connected(kubeconfig) as real:
        target = Passes(real)
        await target.converge(wanted)
        assert actions(await target.plan(wanted)).keys() == {"unchanged"}


async def test_a_status_write_between_plan_and_apply_does_not_get_in_the_way() -> None:
    model, target_bodies = ModelCluster(), cluster_bodies()
    target = Passes(model)
    await target.converge(target_bodies)
    pool = key_of(target_bodies, "MachineDeployment")
    plan = await target.plan(edited(target_bodies, pool, replicas=4))
    model.set_status(pool, {"replicas": 2})
    report = await target.apply(plan)
    assert only([row for row in report.rows if row.result is Result.APPLIED]).attempts == 2
