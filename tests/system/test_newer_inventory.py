"""An inventory that a newer release wrote stops its own target, never the daemon, and is never written over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.system.plain_fleet import FleetStage, config, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture
def stage(apiserver: Sandbox, tools: dict[str, Path], tmp_path: Path) -> Iterator[FleetStage]:
    with staged("newer", tmp_path, apiserver, tools) as stage:
        yield stage


def test_a_newer_inventory_stops_its_own_target_alone(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"), b=config("b", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    daemon.stop()
    path = f"/apis/clusterops.io/v1alpha1/namespaces/{stage.name}/fleettargets/a"
    stage.patch(path, {"inventory": {"format": 99}})
    second = stage.commit(a=config("a", "2"), b=config("b", "2"))
    daemon.start()
    verdict = stage.until_verdict(second)
    assert verdict["state"] == "failure"
    assert "inventory-too-new" in verdict["text"]
    assert (stage.value("a"), stage.value("b")) == ("1", "2")
    assert stage.target("a")["inventory"]["format"] == 99
