"""The texts of plans, as people see them. ``UPDATE_GOLDEN=1 pytest tests/golden`` rewrites them; then read the diff."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterops.apply import apply_plan
from clusterops.model.inventory import empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Plan
from clusterops.plan import plan_to_json, plan_to_markdown, plan_to_text
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan, topology_bodies
from tests.machine_objects import machines_of
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

FOLDER = Path(__file__).parent / "plan"


async def created() -> Plan:
    return await read_and_plan(ModelCluster(), cluster_bodies(), empty_inventory("north/alpha"))


async def created_topology() -> Plan:
    return await read_and_plan(ModelCluster(), topology_bodies(), empty_inventory("north/alpha"))


async def unchanged() -> Plan:
    cluster, store = await _applied()
    return await read_and_plan(cluster, cluster_bodies(), store.inventory)


async def changed() -> Plan:
    """An upgrade, a resize, a new secret, a field of somebody else, a dropped ConfigMap and a refused one."""
    cluster, store = await _applied()
    wanted = cluster_bodies(workers=4, version="v1.34.1")
    wanted[0]["stringData"] = {"token": "CANARY-2", "user": "CANARY-3"}
    check = next(one for one in wanted if one["kind"] == "MachineHealthCheck")
    check["spec"]["checks"]["unhealthyNodeConditions"][0]["timeoutSeconds"] = 600
    cluster.edit(ObjectKey.of(check), _shorter, manager="kubectl-edit")
    theirs = body("v1", "ConfigMap", "theirs", data={"a": "b"})
    await cluster.apply(theirs, field_manager="argocd-controller")
    kept = [one for one in wanted if one["kind"] != "ConfigMap"]
    return await read_and_plan(cluster, [*kept, theirs], store.inventory)


async def gone() -> Plan:
    cluster, store = await _applied()
    return await read_and_plan(cluster, [], store.inventory, inputs="")


async def _applied() -> tuple[ModelCluster, MemoryStore]:
    cluster, store = ModelCluster(), MemoryStore(empty_inventory("north/alpha"))
    plan = await read_and_plan(cluster, cluster_bodies(), store.inventory)
    logger = build_logger(level="critical")
    report = await apply_plan(plan, cluster, clock=SkippingClock(), logger=logger, store=store)
    store.inventory = store.inventory.narrowed(report, revision="c1")
    for one in machines_of("alpha", workers=2):
        await cluster.create(one)
    return cluster, store


def _shorter(raw: dict[str, object]) -> None:
    raw["spec"]["checks"]["unhealthyNodeConditions"] = [  # type: ignore[index]
        {"type": "Ready", "status": "Unknown", "timeoutSeconds": 60}
    ]


def _json_text(plan: Plan) -> str:
    return json.dumps(plan_to_json(plan), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("plan", [created, created_topology, unchanged, changed, gone], ids=lambda plan: plan.__name__)
@pytest.mark.parametrize(
    ("ending", "to_text"), [("txt", plan_to_text), ("md", plan_to_markdown), ("json", _json_text)], ids=lambda part: ""
)
def test_a_plan_reads_as_agreed(plan: Callable[[], object], ending: str, to_text: Callable[[Plan], str]) -> None:
    text = to_text(asyncio.run(plan()))  # type: ignore[arg-type]
    path = FOLDER / f"{plan.__name__}.{ending}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
    assert "CANARY" not in text
