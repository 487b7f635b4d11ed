"""Drift while the daemon leads, on an API server in memory: what is noticed, told, healed, and left alone."""

from __future__ import annotations

from typing import Any

from clusterops.controller.drift_look import Rules
from clusterops.model.drift import Departed, Remedy
from clusterops.model.fleet import DriftPolicy
from clusterops.model.problem import Problem, Retry
from clusterops.model.windows import Window, parse_spans
from tests.fleet_objects import cluster_bodies
from tests.unit.controller.watched import Scene, scene


def by_hand(raw: dict[str, Any]) -> None:
    raw["data"]["text"] = "by hand"


def told(stage: Scene) -> list[tuple[str, Departed, Remedy]]:
    return [(one.key.kind, one.what, one.remedy) for one in stage.drift.drifted]


async def test_a_fleet_in_sync_costs_neither_a_render_nor_a_write() -> None:
    stage = await scene(cluster_bodies())
    renders, writes = stage.git.renders, len(stage.cluster.writes)
    async with stage.followed():
        assert {kind.labels for kind in stage.cluster.followed} == {"", "clusterops.io/fleet=demo"}
        assert (stage.git.renders, len(stage.cluster.writes)) == (renders, writes)
        assert stage.stored == {}


async def test_what_controllers_write_beside_our_fields_is_no_drift() -> None:
    stage = await scene(cluster_bodies())
    renders = stage.git.renders
    async with stage.followed():
        stage.edit("Cluster", lambda raw: raw["spec"].update(paused=False), manager="manager")
        await stage.settle()
        assert (told(stage), stage.git.renders) == ([], renders)


async def test_an_edit_is_told_once_and_not_healed_under_report() -> None:
    stage = await scene(cluster_bodies())
    async with stage.followed():
        stage.edit("ConfigMap", by_hand)
        await stage.settle()
        assert told(stage) == [("ConfigMap", Departed.CHANGED, Remedy.REPORT)]
        assert stage.stored["count"] == 1
        writes = len(stage.cluster.writes)
        stage.edit("ConfigMap", lambda raw: raw["metadata"].setdefault("labels", {}).update(other="x"))
        await stage.settle()
        assert (len(stage.cluster.writes), stage.passes.asked) == (writes, [])


async def test_what_an_earlier_process_told_is_not_told_again() -> None:
    stage = await scene(cluster_bodies())
    async with stage.followed():
        stage.edit("ConfigMap", by_hand)
        await stage.settle()
    writes, before = len(stage.cluster.writes), stage.drift
    async with stage.followed():
        assert told(stage) == [("ConfigMap", Departed.CHANGED, Remedy.REPORT)]
        assert stage.drift.drifted[0].seen_at is not None
        assert (len(stage.cluster.writes), stage.drift.history) == (writes, before.history)


async def test_what_changed_while_no_process_looked_is_healed_by_the_next() -> None:
    stage = await scene(cluster_bodies(), DriftPolicy.HEAL)
    stage.edit("ConfigMap", by_hand)
    async with stage.followed():
        assert stage.cluster.objects[stage.key("ConfigMap")]["data"]["text"] == "hello"
        assert told(stage) == []
        assert [(one.what, one.remedy) for one in stage.drift.history] == [
            ("changed", ""),
            ("changed", "heal"),
            ("in-sync", ""),
        ]


async def test_what_departs_before_the_head_is_known_is_looked_at_once_it_is() -> None:
    """A new process compares while it still fetches; fleet.yaml may not be readable for a while."""
    stage = await scene(cluster_bodies(), DriftPolicy.HEAL)
    stage.edit("ConfigMap", by_hand)
    stage.passes.knows_git = False
    async with stage.followed():
        assert (told(stage), stage.passes.asked) == ([], [])
        stage.passes.knows_git = True
        assert stage.passes.drifting is not None
        stage.passes.drifting.headed()
        await stage.settle()
        assert stage.cluster.objects[stage.key("ConfigMap")]["data"]["text"] == "hello"


async def test_a_deleted_object_is_made_anew_but_never_a_cluster() -> None:
    stage = await scene(cluster_bodies(), DriftPolicy.HEAL)
    check, cluster = stage.key("MachineHealthCheck"), stage.key("Cluster")
    async with stage.followed():
        stage.cluster.take_away(check)
        await stage.settle()
        assert check in stage.cluster.objects
        stage.cluster.take_away(cluster)
        await stage.settle()
        assert cluster not in stage.cluster.objects
        assert ("Cluster", Departed.DELETED, Remedy.LEAVE) in told(stage)


async def test_our_own_writes_are_never_drift() -> None:
    stage = await scene(cluster_bodies())
    async with stage.followed():
        stage.git.bodies = cluster_bodies(workers=4)
        await stage.passes.run()
        await stage.settle()
        assert (told(stage), stage.stored) == ([], {})


async def test_what_a_commit_heals_by_the_way_is_counted() -> None:
    stage = await scene(cluster_bodies())
    async with stage.followed():
        stage.edit("ConfigMap", by_hand)
        await stage.settle()
        notes = next(body for body in stage.git.bodies if body["kind"] == "ConfigMap")
        notes["data"] = {**notes["data"], "more": "words"}
        await stage.passes.run()
        await stage.settle()
        assert [one.remedy for one in stage.drift.history] == ["report", "heal", ""]


async def test_a_heal_that_is_stopped_is_tried_again_later_and_not_before() -> None:
    """As a budget, a rule or a paused fleet stops any commit."""
    stage = await scene(cluster_bodies(), DriftPolicy.HEAL)
    async with stage.followed():
        stage.passes.stopped = Problem(code="budget", subject="x", message="spent", retry=Retry.HUMAN)
        stage.edit("ConfigMap", by_hand)
        await stage.settle()
        assert (len(stage.passes.asked), told(stage)) == (1, [("ConfigMap", Departed.CHANGED, Remedy.HEAL)])
        await stage.clock.advance(30)
        await stage.settle()
        assert len(stage.passes.asked) == 1
        stage.passes.stopped = None
        await stage.clock.advance(60)
        await stage.settle()
        assert (len(stage.passes.asked), told(stage)) == (2, [])


async def test_the_third_heal_that_is_undone_is_the_last() -> None:
    stage = await scene(cluster_bodies(), DriftPolicy.HEAL)
    async with stage.followed():
        for _ in range(5):
            stage.edit("ConfigMap", by_hand)
            await stage.settle()
            await stage.clock.advance(5)
        assert len(stage.passes.asked) == 3
        assert told(stage) == [("ConfigMap", Departed.CHANGED, Remedy.FIGHT)]
        assert stage.cluster.objects[stage.key("ConfigMap")]["data"]["text"] == "by hand"


async def test_what_is_paused_is_reported_and_healed_once_it_goes_on() -> None:
    stage = await scene(cluster_bodies(), DriftPolicy.HEAL)
    stage.passes.paused = True
    async with stage.followed():
        stage.edit("ConfigMap", by_hand)
        await stage.settle()
        assert (stage.passes.asked, told(stage)) == ([], [("ConfigMap", Departed.CHANGED, Remedy.REPORT)])
        stage.passes.paused = False
        assert stage.passes.drifting is not None
        stage.passes.drifting.ruled()
        await stage.settle()
        assert (len(stage.passes.asked), told(stage)) == (1, [])


async def test_a_kind_that_cannot_be_read_is_unknown_and_never_in_sync() -> None:
    stage = await scene(cluster_bodies())
    async with stage.followed():
        kind = next(each for each in stage.cluster.followed if each.kind == "MachineHealthCheck")
        stage.cluster.problems[kind] = Problem(code="api-forbidden", subject="x", message="may not be listed")
        await stage.clock.advance(6)
        await stage.settle()
        assert ([one.code for one in stage.drift.unknown], stage.drift.in_sync) == (["api-forbidden"], False)
        del stage.cluster.problems[kind]
        await stage.clock.advance(6)
        await stage.settle()
        assert stage.drift.in_sync


async def test_a_heal_waits_for_the_window_and_then_comes_by_itself() -> None:
    """The clock of the test begins at 00:16:40."""
    stage = await scene(cluster_bodies(), DriftPolicy.HEAL)
    stage.passes.rules = Rules(windows=(Window(targets="north/*", allow=parse_spans("10:00-11:00")),))
    async with stage.followed():
        stage.edit("ConfigMap", by_hand)
        await stage.settle()
        assert (stage.passes.asked, told(stage)) == ([], [("ConfigMap", Departed.CHANGED, Remedy.HOLD)])
        await stage.clock.advance(9 * 3600)
        assert stage.passes.asked == []
        await stage.clock.advance(3600)
        await stage.settle()
        assert (len(stage.passes.asked), told(stage)) == (1, [])


async def test_an_object_of_a_cluster_that_nobody_has_is_extra_while_it_is_there() -> None:
    stage = await scene(cluster_bodies())
    async with stage.followed():
        check = stage.key("MachineHealthCheck")
        extra = replace_name(stage, check.kind, "stray")
        await stage.settle()
        assert told(stage) == [("MachineHealthCheck", Departed.EXTRA, Remedy.LEAVE)]
        stage.cluster.take_away(extra)
        await stage.settle()
        assert told(stage) == []


def replace_name(stage: Scene, kind: str, name: str) -> Any:
    key = stage.key(kind)
    other = type(key)(group=key.group, kind=kind, namespace=key.namespace, name=name)
    labels = {"cluster.x-k8s.io/cluster-name": "alpha"}
    body = {"apiVersion": f"{key.group}/v1beta2", "kind": kind, "spec": {"clusterName": "alpha"}}
    metadata = {"name": name, "namespace": key.namespace, "labels": labels}
    stage.cluster.edit(other, lambda raw: raw.update({**body, "metadata": metadata}), manager="kubectl-create")
    return other
