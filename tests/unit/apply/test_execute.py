"""Carrying plans out against a model API server, with failures injected at every write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clusterops.apply import apply_plan, needs_replan
from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.model.inventory import EntryState, Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action
from clusterops.model.report import ApplyReport, ApplyRow, Result
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

LOGGER = build_logger(level="critical")


class Crash(BaseException):
    """The process is gone."""


async def run(cluster: ModelCluster, store: MemoryStore, bodies: list[dict[str, Any]], **options: Any) -> ApplyReport:
    plan = await read_and_plan(cluster, bodies, store.inventory)
    report = await apply_plan(plan, cluster, clock=SkippingClock(), logger=LOGGER, store=store, **options)
    store.inventory = store.inventory.narrowed(report, revision=plan.revision)
    return report


def store_of(inventory: Inventory | None = None) -> MemoryStore:
    return MemoryStore(inventory or empty_inventory("north/alpha"))


def everything() -> list[dict[str, Any]]:
    return [body("v1", "Namespace", "north", None), *cluster_bodies()]


async def test_waves_go_one_after_the_other() -> None:
    cluster = ModelCluster()
    await run(cluster, store_of(), everything())
    kinds = [key.kind for _, key in cluster.writes]
    assert kinds[0] == "Namespace"
    assert set(kinds[1:3]) == {"Secret", "ConfigMap"}
    assert set(kinds[3:6]) == {"DevMachineTemplate", "KubeadmConfigTemplate"}
    assert set(kinds[6:10]) == {"Cluster", "DevCluster", "KubeadmControlPlane", "MachineDeployment"}
    assert kinds[10:] == ["MachineHealthCheck"]


async def test_the_inventory_is_widened_once_and_only_for_new_keys() -> None:
    cluster, store = ModelCluster(), store_of()
    await run(cluster, store, everything())
    await run(cluster, store, everything())
    resized = [*everything()[:-2], cluster_bodies(workers=4)[8], everything()[-1]]
    report = await run(cluster, store, resized)
    assert report.count(Result.APPLIED) == 1
    assert [len(entries) for entries in store.log] == [11]


async def test_nothing_is_written_when_the_inventory_cannot_be_widened() -> None:
    class Failing(MemoryStore):
        async def widen(self, entries: Any, *, revision: str) -> None:
            raise TransientError("object-changed", "FleetTarget north/alpha", "was changed by somebody else")

    cluster = ModelCluster()
    with pytest.raises(TransientError, match="object-changed"):
        await run(cluster, Failing(empty_inventory("north/alpha")), everything())
    assert cluster.writes == []


@pytest.mark.parametrize("moment", ["before_write", "after_write"])
async def test_a_crash_at_any_write_leaves_nothing_orphaned_and_the_next_run_finishes(moment: str) -> None:
    """Killed before the n-th request reaches the server, and after the server committed but before the answer."""
    for number in range(len(everything()) * 2):
        cluster, store = ModelCluster(), store_of()
        await run(cluster, store, [*everything(), body("v1", "ConfigMap", "old", data={"x": "y"})])
        changed = [*everything(), *cluster_bodies("beta")]
        setattr(cluster, moment, _crash_at(number))
        try:
            await run(cluster, store, changed)
        except Crash:
            cluster.before_write = cluster.after_write = lambda verb, key: None
        ours = {key for key, raw in cluster.objects.items() if _managed(raw)}
        assert ours <= store.inventory.keys
        report = await run(cluster, store, changed)
        assert report.complete
        assert set(cluster.objects) == store.inventory.keys == {ObjectKey.of(one) for one in changed}
        assert all(entry.state is EntryState.APPLIED for entry in store.inventory.entries.values())


def _crash_at(number: int) -> Any:
    seen = 0

    def crash(verb: str, key: ObjectKey) -> None:
        nonlocal seen
        seen += 1
        if seen == number + 1:
            raise Crash

    return crash


def _managed(raw: dict[str, Any]) -> bool:
    return any(entry["manager"] == "clusterops" for entry in raw["metadata"]["managedFields"])


async def test_a_failure_lets_its_wave_finish_and_stops_the_next() -> None:
    cluster = ModelCluster()
    cluster.before_write = _fail("DevMachineTemplate", TerminalError("object-invalid", "x", "spec.y is wrong"))
    report = await run(cluster, store_of(), everything())
    by_kind = {row.key.kind: row for row in report.rows}
    assert by_kind["KubeadmConfigTemplate"].result is Result.APPLIED
    assert by_kind["DevMachineTemplate"].result is Result.FAILED
    skipped = by_kind["Cluster"]
    assert (skipped.result, skipped.problem and skipped.problem.code) == (Result.SKIPPED, "earlier-wave-failed")
    assert not report.complete


def _fail(kind: str, error: ClusterOpsError) -> Any:
    def fail(verb: str, key: ObjectKey) -> None:
        if key.kind == kind:
            raise error

    return fail


async def test_what_names_a_refused_object_is_not_written_and_the_rest_goes_on() -> None:
    cluster = ModelCluster()
    theirs = next(one for one in cluster_bodies() if one["kind"] == "KubeadmConfigTemplate")
    await cluster.apply(theirs, field_manager="argocd-controller")
    report = await run(cluster, store_of(), everything())
    results = {row.key.kind: (row.result, row.problem.code if row.problem else "") for row in report.rows}
    assert results["KubeadmConfigTemplate"] == (Result.SKIPPED, "foreign-owner-armed")
    assert results["MachineDeployment"] == (Result.SKIPPED, "dependency-not-applied")
    assert results["KubeadmControlPlane"] == (Result.APPLIED, "")
    assert results["Cluster"] == (Result.APPLIED, "")


async def test_a_refused_object_never_enters_the_inventory() -> None:
    cluster, store = ModelCluster(), store_of()
    notes = next(one for one in cluster_bodies() if one["kind"] == "ConfigMap")
    await cluster.apply(notes, field_manager="argocd-controller")
    await run(cluster, store, everything())
    assert ObjectKey.of(notes) not in store.inventory.keys


async def test_another_cluster_of_the_same_name_is_never_taken_for_ours() -> None:
    """Not even after many passes: its uid does not slip into the inventory."""
    cluster, store = ModelCluster(), store_of()
    await run(cluster, store, everything())
    key = next(key for key in cluster.objects if key.kind == "Cluster")
    raw = cluster.objects.pop(key)
    await cluster.apply({**everything()[6], "spec": raw["spec"]})
    for _ in range(3):
        report = await run(cluster, store, everything())
        row = next(row for row in report.rows if row.key == key)
        assert row.problem is not None
        assert row.problem.code == "uid-changed"


async def test_stopping_between_objects_leaves_a_complete_report() -> None:
    cluster = ModelCluster()
    report = await run(cluster, store_of(), everything(), stop=lambda: len(cluster.writes) >= 3)
    results = [row.result for row in report.rows]
    assert results.count(Result.APPLIED) == 3
    assert len(results) == len(everything())
    assert Result.CANCELLED in results
    assert not report.complete


async def test_cancelling_leaves_a_row_for_every_object() -> None:
    cluster, rows, begun = ModelCluster(), list[ApplyRow](), asyncio.Event()
    original = cluster.apply

    async def slow(wanted: Any, **options: Any) -> Any:
        if wanted["kind"] == "Cluster" and not options.get("dry_run"):
            begun.set()
            await asyncio.Event().wait()
        return await original(wanted, **options)

    cluster.apply = slow  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(run(cluster, store_of(), everything(), on_row=rows.append))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    results = {row.key.kind: row.result for row in rows}
    assert (results["Secret"], results["Cluster"]) == (Result.APPLIED, Result.CANCELLED)
    assert len(rows) == len({row.key for row in rows}) == len(everything())


async def test_an_object_that_moves_under_the_plan_asks_for_a_new_plan() -> None:
    cluster, store = ModelCluster(), store_of()
    await run(cluster, store, everything())
    key = next(key for key in cluster.objects if key.kind == "MachineDeployment")

    def meddle(verb: str, written: ObjectKey) -> None:
        if written == key:
            cluster.before_write = lambda verb, key: None
            cluster.edit(key, lambda raw: raw["spec"].update(paused=True), manager="kubectl-edit")

    cluster.before_write = meddle
    resized = [*everything()[:-2], cluster_bodies(workers=4)[8], everything()[-1]]
    report = await run(cluster, store, resized)
    assert needs_replan(report)
    again = await run(cluster, store, resized)
    assert not needs_replan(again)
    assert cluster.objects[key]["spec"]["replicas"] == 4


async def test_a_defect_is_raised_as_it_is() -> None:
    cluster = ModelCluster()

    def broken(verb: str, key: ObjectKey) -> None:
        raise KeyError(key.name)

    cluster.before_write = broken
    with pytest.raises(KeyError):
        await run(cluster, store_of(), everything())


async def test_a_gone_object_leaves_the_inventory_without_a_request() -> None:
    cluster, store = ModelCluster(), store_of()
    old = body("v1", "Secret", "old", data={"x": "eA=="})
    await run(cluster, store, [*everything(), old])
    del cluster.objects[ObjectKey.of(old)]
    cluster.writes.clear()
    plan = await read_and_plan(cluster, everything(), store.inventory)
    assert [change.key for change in plan.changes if change.action is Action.PRUNE] == [ObjectKey.of(old)]
    await run(cluster, store, everything())
    assert cluster.writes == []
    assert ObjectKey.of(old) not in store.inventory.keys
