"""Who wins a field, on a real kube-apiserver with Cluster API's CRDs and on the model of one."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from typing import Any

import pytest

from clusterops.apply import needs_replan
from clusterops.kube import KubeCluster
from clusterops.model.bodies import value_at, with_leaf
from clusterops.model.drift import Healing
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.managers import reclaimed, taken_over
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, Action, Change, FieldChange, HandedOver, Left, Plan, Taken
from clusterops.plan import summarise
from clusterops.plan.fields import sendable
from clusterops.plan.pools import MAX_SIZE, MIN_SIZE
from clusterops.ports import Cluster
from clusterops.sandbox import Sandbox
from tests.doors.targets import Bodies, Target, connected, small_cluster
from tests.fleet_objects import body, cluster_bodies
from tests.model_cluster import ModelCluster
from tests.stage import Api

_NUMBER = itertools.count(1)
PASSES = 10
ARGUMENTS = "/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs"


@pytest.fixture
def bodies() -> Bodies:
    """In a Namespace of its own."""
    return small_cluster(f"ownership-{next(_NUMBER)}")


class Passes(Target):
    async def converge(self, bodies: Bodies) -> None:
        """As the controller does: planned again where an object moved under the plan."""
        for _ in range(PASSES):
            plan = await self.plan(bodies)
            assert not plan.refusals, [problem.text for problem in plan.refusals]
            report = await self.apply(plan)
            if not needs_replan(report):
                break
        assert report.complete, [problem.text for problem in report.problems]


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
    target = Passes(cluster)
    plan = await target.plan(bodies)
    assert {change.action for change in plan.changes} == {Action.ADOPT}
    assert f"adopts {len(bodies)} objects, changes 0 fields" in summarise(plan)
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
    target = Passes(cluster)
    plan = await target.plan(bodies)
    assert f"adopts {len(bodies)} objects, changes 2 fields" in summarise(plan)
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
    target = Passes(cluster)
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
    target = Passes(cluster)
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
    target = Passes(cluster)
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
    target = Passes(cluster)
    refused = row_of(await target.plan(bodies), notes)
    assert refused.action is Action.REFUSE
    assert refused.reason is not None
    assert refused.reason.code == "foreign-owner-armed"


def vars_of(key: ObjectKey) -> dict[str, Any]:
    return {"name": key.name, "namespace": key.namespace}


def scaled(bodies: Bodies, count: int | None, bounds: tuple[int, int] | None = None) -> Bodies:
    """The pool with a count, or with the autoscaler's bounds, or with neither."""
    return [_scaled(one, count, bounds) if one["kind"] == "MachineDeployment" else one for one in bodies]


def _scaled(one: dict[str, Any], count: int | None, bounds: tuple[int, int] | None) -> dict[str, Any]:
    spec = {field: value for field, value in one["spec"].items() if field != "replicas"}
    added = {name: str(value) for name, value in zip((MIN_SIZE, MAX_SIZE), bounds or (), strict=False)}
    metadata = {**one["metadata"], "annotations": {**one["metadata"]["annotations"], **added}}
    return {**one, "metadata": metadata, "spec": spec if count is None else {**spec, "replicas": count}}


async def count_set_by(cluster: Cluster, bodies: Bodies, count: int, manager: str) -> None:
    pool = next(one for one in bodies if one["kind"] == "MachineDeployment")
    await cluster.apply(plain(pool, spec={"replicas": count}), field_manager=manager, force=True)


@pytest.mark.parametrize("manager", ["kubectl-edit", "kubectl"])
async def test_a_persons_field_is_taken_once_git_changes_it_and_not_before(
    cluster: Cluster, bodies: Bodies, manager: str
) -> None:
    target, pool = Passes(cluster), key_of(bodies, "MachineDeployment")
    await target.converge(scaled(bodies, 2))
    await count_set_by(cluster, bodies, 7, manager)
    drifted = row_of(await target.plan(scaled(bodies, 2)), pool)
    assert drifted.action is Action.LEAVE
    assert [(left.pointer, left.manager, left.why) for left in drifted.left] == [
        ("/spec/replicas", manager, "drift: a person changed it")
    ]
    await target.converge(scaled(bodies, 2))
    plan = await target.plan(scaled(bodies, 5))
    assert row_of(plan, pool).takes == (Taken(pointer="/spec/replicas", manager=manager),)
    await target.converge(scaled(bodies, 5))
    live = await target.live(pool)
    assert live.body["spec"]["replicas"] == 5
    assert {change.action for change in (await target.plan(scaled(bodies, 5))).changes} == {Action.UNCHANGED}


@pytest.mark.parametrize(
    ("manager", "why"),
    [
        ("cluster-autoscaler", "the autoscaler owns it"),
        ("capi-topology", "a controller owns it"),
        ("manager", "a controller owns it"),
        ("kustomize-controller", "another tool applies it"),
        ("somebody", "a field manager owns it that ClusterOps does not know"),
    ],
)
async def test_a_field_of_others_is_never_taken_and_the_rest_of_the_object_goes_on(
    cluster: Cluster, bodies: Bodies, manager: str, why: str
) -> None:
    target, notes = Passes(cluster), key_of(bodies, "ConfigMap")
    await target.converge(bodies)
    theirs = plain(next(one for one in bodies if ObjectKey.of(one) == notes), data={"text": "theirs"})
    await cluster.apply(theirs, field_manager=manager, force=True)
    wanted = with_body(bodies, notes, data={"text": "bye", "more": "x"})
    row = row_of(await target.plan(wanted), notes)
    assert (row.action, row.takes) == (Action.UPDATE, ())
    assert row.left == (Left(pointer="/data/text", manager=manager, git="bye", live="theirs", why=why),)
    await target.converge(wanted)
    assert (await target.live(notes)).body["data"] == {"text": "theirs", "more": "x"}


async def test_a_field_that_a_person_took_and_git_drops_stays_and_is_told(cluster: Cluster, bodies: Bodies) -> None:
    target, notes = Passes(cluster), key_of(bodies, "ConfigMap")
    await target.converge(with_body(bodies, notes, data={"text": "hello", "more": "x"}))
    mine = plain(next(one for one in bodies if ObjectKey.of(one) == notes), data={"more": "mine"})
    await cluster.apply(mine, field_manager="kubectl-edit", force=True)
    row = row_of(await target.plan(bodies), notes)
    assert [(left.pointer, left.manager, left.git, left.live) for left in row.left] == [
        ("/data/more", "kubectl-edit", MISSING, "mine")
    ]
    await target.converge(bodies)
    assert (await target.live(notes)).body["data"] == {"text": "hello", "more": "mine"}
    assert row_of(await target.plan(bodies), notes).left == ()


async def test_a_count_goes_to_the_autoscaler_and_comes_back(cluster: Cluster, bodies: Bodies) -> None:
    target, pool = Passes(cluster), key_of(bodies, "MachineDeployment")
    await target.converge(scaled(bodies, 7))
    handing = row_of(await target.plan(scaled(bodies, None, (3, 20))), pool)
    assert handing.hands_over == (HandedOver(pointer="/spec/replicas", value=7, manager="clusterops-replicas"),)
    assert "/spec/replicas" not in {field.pointer for field in handing.fields}
    await target.converge(scaled(bodies, None, (3, 20)))
    assert (await target.live(pool)).body["spec"]["replicas"] == 7

    await count_set_by(cluster, bodies, 9, "cluster-autoscaler")
    autoscaled = row_of(await target.plan(scaled(bodies, None, (3, 20))), pool)
    assert (autoscaled.action, autoscaled.left) == (Action.UNCHANGED, ())

    back = await target.plan(scaled(bodies, 5))
    assert row_of(back, pool).takes == (Taken(pointer="/spec/replicas", manager="cluster-autoscaler"),)
    assert "general scales 9 -> 5" in summarise(back)
    await target.converge(scaled(bodies, 5))
    live = await target.live(pool)
    assert live.body["spec"]["replicas"] == 5
    assert MIN_SIZE not in live.annotations


async def test_a_count_beside_the_bounds_is_not_sent_either(cluster: Cluster, bodies: Bodies) -> None:
    target, pool = Passes(cluster), key_of(bodies, "MachineDeployment")
    await target.converge(scaled(bodies, 7))
    await target.converge(scaled(bodies, 4, (3, 20)))
    assert (await target.live(pool)).body["spec"]["replicas"] == 7
    assert {change.action for change in (await target.plan(scaled(bodies, 4, (3, 20)))).changes} == {Action.UNCHANGED}


async def test_a_count_outside_the_bounds_is_not_handed_over(cluster: Cluster, bodies: Bodies) -> None:
    target, pool = Passes(cluster), key_of(bodies, "MachineDeployment")
    await target.converge(scaled(bodies, 7))
    row = row_of(await target.plan(scaled(bodies, None, (1, 5))), pool)
    assert row.action is Action.REFUSE
    assert row.reason is not None
    assert row.reason.code == "autoscaled-count-outside"


async def test_a_handing_over_that_was_killed_half_way_keeps_the_count(cluster: Cluster, bodies: Bodies) -> None:
    target, pool = Passes(cluster), key_of(bodies, "MachineDeployment")
    await target.converge(scaled(bodies, 7))
    await count_set_by(cluster, bodies, 7, "clusterops-replicas")
    await target.converge(scaled(bodies, None, (3, 20)))
    live = await target.live(pool)
    assert live.body["spec"]["replicas"] == 7
    assert {change.action for change in (await target.plan(scaled(bodies, None, (3, 20)))).changes} == {
        Action.UNCHANGED
    }


async def test_a_pool_that_is_adopted_as_autoscaled_keeps_its_count(cluster: Cluster, bodies: Bodies) -> None:
    await applied_by(cluster, scaled(bodies, 7), "kubectl")
    target, pool = Passes(cluster), key_of(bodies, "MachineDeployment")
    row = row_of(await target.plan(scaled(bodies, None, (3, 20))), pool)
    assert row.action is Action.ADOPT
    assert {field.pointer for field in row.fields} == {
        f"/metadata/annotations/{name.replace('/', '~1')}" for name in (MIN_SIZE, MAX_SIZE)
    }
    await target.converge(scaled(bodies, None, (3, 20)))
    live = await target.live(pool)
    assert live.body["spec"]["replicas"] == 7
    assert not live.managed_by("kubectl")


async def test_a_count_that_somebody_outside_sets_is_neither_sent_nor_dropped(cluster: Cluster, bodies: Bodies) -> None:
    target, pool = Passes(cluster), key_of(bodies, "MachineDeployment")
    await target.converge(scaled(bodies, 7))
    await target.converge(scaled(bodies, None))
    await count_set_by(cluster, bodies, 9, "somebody")
    assert {change.action for change in (await target.plan(scaled(bodies, None))).changes} == {Action.UNCHANGED}
    assert (await target.live(pool)).body["spec"]["replicas"] == 9


def with_arguments(bodies: Bodies, age: str) -> Bodies:
    """Kubeadm's arguments are a list keyed by name and value."""
    named = [{"name": "audit-log-maxage", "value": age}, {"name": "v", "value": "2"}]
    key = key_of(bodies, "KubeadmControlPlane")
    spec = next(one for one in bodies if ObjectKey.of(one) == key)["spec"]
    return with_body(bodies, key, spec=with_leaf(spec, ARGUMENTS.removeprefix("/spec"), named))


async def set_by_hand(
    request: pytest.FixtureRequest, cluster: Cluster, live: LiveObject, pointer: str, to: Any
) -> None:
    """As `kubectl edit` writes it."""
    body = with_leaf(live.body, pointer, to)
    if isinstance(cluster, ModelCluster):
        cluster.edit(live.key, lambda raw: raw.update(spec=body["spec"]), manager="kubectl-edit")
    elif isinstance(cluster, KubeCluster):
        resource = await cluster.find(live.key.group, live.key.kind)
        assert resource is not None
        path = f"{resource.path(live.key.namespace)}/{live.key.name}?fieldManager=kubectl-edit"
        api = Api(request.getfixturevalue("apiserver"))
        await asyncio.to_thread(api.send, "PATCH", path, {"spec": body["spec"]}, "application/merge-patch+json")


async def test_a_list_item_whose_keys_a_person_changed_is_healed_as_one_field(
    cluster: Cluster, bodies: Bodies, request: pytest.FixtureRequest
) -> None:
    target, wanted = Passes(cluster), with_arguments(bodies, "30")
    key, every = key_of(bodies, "KubeadmControlPlane"), Healing(every=True)
    await target.converge(wanted)
    live = await target.live(key)
    await set_by_hand(request, cluster, live, f"{ARGUMENTS}/0/value", "7")
    left = row_of(await target.plan(wanted), key)
    assert (left.action, [(one.git, one.live, one.manager) for one in left.left]) == (
        Action.LEAVE,
        [("30", "7", "kubectl-edit")],
    )
    healed = row_of(await target.plan(wanted, healing=every), key)
    assert healed.fields == healed.heals == (FieldChange(pointer=f"{ARGUMENTS}/0/value", before="7", after="30"),)
    assert (healed.takes, [one.manager for one in healed.reclaims]) == ((), ["kubectl-edit"])

    half = await target.live(key)
    items = {one.manager: [one.path] for one in healed.reclaims}
    version = str(half.body["apiVersion"])
    await cluster.set_managers(half, reclaimed(half.managers, items, by="clusterops", api_version=version))
    assert row_of(await target.plan(wanted), key).action is Action.LEAVE

    assert (await target.apply(await target.plan(wanted, healing=every))).complete
    live = await target.live(key)
    assert {one["name"]: one["value"] for one in value_at(live.body, ARGUMENTS)} == {"audit-log-maxage": "30", "v": "2"}
    assert len(value_at(live.body, ARGUMENTS)) == 2
    assert {change.action for change in (await target.plan(wanted)).changes} == {Action.UNCHANGED}


async def test_a_list_item_is_taken_by_a_commit_that_changes_it_and_left_where_it_is_not_to_be_healed(
    cluster: Cluster, bodies: Bodies, request: pytest.FixtureRequest
) -> None:
    target, key = Passes(cluster), key_of(bodies, "KubeadmControlPlane")
    await target.converge(with_arguments(bodies, "30"))
    await set_by_hand(request, cluster, await target.live(key), f"{ARGUMENTS}/0/value", "7")
    spared = with_arguments(bodies, "30")
    spec = next(one for one in spared if ObjectKey.of(one) == key)["spec"]
    scaled_plane = with_body(spared, key, spec={**spec, "replicas": 3})
    plan = await target.plan(scaled_plane, healing=Healing(withheld=frozenset({key})))
    assert [one.pointer for one in row_of(plan, key).fields] == ["/spec/replicas"]
    assert (await target.apply(plan)).complete
    live = await target.live(key)
    assert {one["name"]: one["value"] for one in value_at(live.body, ARGUMENTS)} == {"audit-log-maxage": "7", "v": "2"}

    await target.converge(with_arguments(bodies, "40"))
    live = await target.live(key)
    assert {one["name"]: one["value"] for one in value_at(live.body, ARGUMENTS)} == {"audit-log-maxage": "40", "v": "2"}


@pytest.mark.capi
async def test_what_kubectl_created_is_adopted_without_a_change_though_it_owns_the_defaults(
    request: pytest.FixtureRequest,
) -> None:
    """A client-side apply owns what the webhooks filled in; the server fills it in again, so nothing changes."""
    sandbox, namespace = request.getfixturevalue("capi_sandbox"), f"created-{uuid.uuid4().hex[:6]}"
    wanted = [body("v1", "Namespace", namespace, None), *cluster_bodies(workers=3)]
    api = Api(sandbox)
    for one in wanted[1:]:
        one["metadata"]["namespace"] = namespace
    async with connected(sandbox.kubeconfig) as real:
        for one in wanted:
            resource = await real.find(ObjectKey.of(one).group, one["kind"])
            assert resource is not None
            path = resource.path(one["metadata"].get("namespace"))
            await asyncio.to_thread(api.send, "POST", f"{path}?fieldManager=kubectl-client-side-apply", plain(one))
        target = Passes(real)
        try:
            plan = await target.plan(wanted)
            shown = [(change.key.label, change.fields) for change in plan.changes if change.fields]
            assert f"adopts {len(wanted)} objects, changes 0 fields" in summarise(plan), shown
            before = {change.key: specs(change.live) for change in plan.changes}
            await target.converge(wanted)
            after = {key: specs(await target.live(key)) for key in before}
            assert after == before
        finally:
            key = key_of(wanted, "Cluster")
            live = (await real.read([key])).found(key)
            if live is not None:
                await real.delete(key, uid=live.uid, resource_version=live.resource_version)


def specs(live: LiveObject | None) -> Any:
    """What the object says, without what the controllers fill in as they go."""
    assert live is not None
    spec = live.body.get("spec") or {}
    return {name: value for name, value in spec.items() if name != "controlPlaneEndpoint"}


@pytest.mark.apiserver
async def test_what_is_applied_in_an_older_version_is_compared_in_that_version(
    bodies: Bodies, apiserver: Sandbox
) -> None:
    """The server converts between autoscaling/v1 and v2, which spell the same thing differently."""
    namespace = bodies[0]
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 5, "targetCPUUtilizationPercentage": 70}
    older = body("autoscaling/v1", "HorizontalPodAutoscaler", "web", spec=spec)
    older["metadata"]["namespace"] = namespace["metadata"]["name"]
    wanted = [namespace, older]
    async with connected(apiserver.kubeconfig) as real:
        target, key = Passes(real), key_of(wanted, "HorizontalPodAutoscaler")
        await target.converge(wanted)
        row = row_of(await target.plan(wanted), key)
        assert row.live is not None
        assert (row.action, row.live.body["apiVersion"]) == (Action.UNCHANGED, "autoscaling/v1")
        taken = {**older, "spec": {**spec, "minReplicas": 3}}
        await real.apply(taken, force=True, field_manager="kubectl-edit")
        left = row_of(await target.plan(wanted), key)
        assert (left.action, [one.pointer for one in left.left]) == (Action.LEAVE, ["/spec/minReplicas"])
