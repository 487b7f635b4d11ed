"""A management cluster is known by the uid of its kube-system namespace: another one is never written to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.stage import until
from tests.system.plain_fleet import FleetStage, config, http, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture
def stage(apiserver: Sandbox, tools: dict[str, Path], tmp_path: Path) -> Iterator[FleetStage]:
    with staged("identity", tmp_path, apiserver, tools) as stage:
        yield stage


def test_another_management_cluster_is_refused_before_anything_is_written(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    daemon.stop()
    stage.patch(stage.fleet_path, {"status": {"management": [{"name": "default", "uid": "another-cluster"}]}})
    stage.commit(a=config("a", "2"))
    audit = stage.audit()
    daemon.start()
    until("readiness to say why", lambda: "wrong-management-cluster" in http(daemon, "/readyz")[1])
    assert stage.writes(audit) == []
    assert stage.value("a") == "1"
    daemon.stop()
    refused = stage.command("apply", "--all")
    assert refused.code == 1
    assert "wrong-management-cluster" in refused.text
    assert stage.writes(audit) == []
