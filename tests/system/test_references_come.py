"""A reference to what a shared target brings: in the same commit, and in a later one. A whole daemon on the model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterops.model.key import ObjectKey
from tests.fleet_objects import topology_bodies
from tests.fuzz.memory import Files, ServingCluster
from tests.fuzz.running import running

pytestmark = pytest.mark.tools

CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="north", name="alpha")
GROUND = {
    "fleet.yaml": "apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: come\nmode: apply\n"
    "clouds: {dev: {chart: {path: charts/unused}}}\nrollout: {settleTimeout: 0s}\n",
    "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
    "regions/north/region.yaml": "cloud: dev\ncredentials: {}\n",
}


def files(*, with_class: bool) -> Files:
    """One Cluster by topology; its class is shared by the region."""

    def text(chosen: Callable[[dict[str, Any]], bool]) -> str:
        bodies = [one for one in topology_bodies() if chosen(one)]
        for one in bodies:
            one["metadata"] = {"name": one["metadata"]["name"]}
        return "---\n".join(json.dumps(one) + "\n" for one in bodies)

    texts = {**GROUND, "clusters/north/alpha/cluster.yaml": text(lambda one: one["kind"] == "Cluster")}
    if with_class:
        texts["regions/north/shared/class.yaml"] = text(lambda one: one["kind"] != "Cluster")
    return {path: content.encode() for path, content in texts.items()}


async def test_a_class_of_the_same_commit_is_no_missing_reference(tools: dict[str, Path], tmp_path: Path) -> None:
    cluster = ServingCluster()
    async with running(cluster, tmp_path, tools) as run:
        commit = await run.push(files(with_class=True), "both")
        assert run.heard.passes[commit[:7]] == {"north/_shared": "", "north/alpha": ""}
        assert CLUSTER in cluster.objects


async def test_a_cluster_goes_on_by_itself_once_another_target_has_brought_its_class(
    tools: dict[str, Path], tmp_path: Path
) -> None:
    cluster = ServingCluster()
    async with running(cluster, tmp_path, tools) as run:
        first = await run.push(files(with_class=False), "the cluster alone")
        assert run.heard.passes[first[:7]] == {"north/alpha": "reference-missing"}
        assert CLUSTER not in cluster.objects
        await run.push(files(with_class=True), "its class")
        async with asyncio.timeout(60):
            while CLUSTER not in cluster.objects:
                run.heard.changed.clear()
                await run.heard.changed.wait()
