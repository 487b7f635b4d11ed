"""Drift on a real API server: people edit, delete and add; the daemon tells it, and puts git back where it may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterops.sandbox import Sandbox
from tests.stage import folder, until
from tests.system.plain_fleet import FleetStage, config, metric, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture
def stage(request: pytest.FixtureRequest, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    """A fleet named after the test."""
    name = "f-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:40].strip("-")
    with folder("drift") as home, staged(name, home, apiserver, tools) as made:
        yield made


def drift(stage: FleetStage, target: str) -> dict[str, Any]:
    return dict((stage.target(target).get("status") or {}).get("drift") or {})


def edit(stage: FleetStage, name: str, value: str, manager: str = "kubectl-edit") -> None:
    """As `kubectl edit` does it: a patch by its own field manager."""
    stage.api.send(
        "PATCH",
        f"/api/v1/namespaces/{stage.name}/configmaps/{name}?fieldManager={manager}",
        {"data": {"value": value}},
        content_type="application/merge-patch+json",
    )


def test_an_edit_is_reported_and_gone_when_it_is_taken_back(stage: FleetStage) -> None:
    head = stage.create(a=config("a", "1"), b=config("b", "1"))
    daemon = stage.started()
    assert stage.until_verdict(head)["state"] == "success"
    edit(stage, "a", "by hand")
    until("the drift", lambda: drift(stage, "a").get("count") == 1)
    print(drift(stage, "a"))
    print(daemon.events("drift"))
    assert metric(daemon, "clusterops_drift_objects") == 1
    edit(stage, "a", "1")
    until("ownership lost", lambda: drift(stage, "a")["objects"][0]["what"] == "ownership-lost")
    print(drift(stage, "a"))


def test_policy_heal_puts_an_edit_back(stage: FleetStage) -> None:
    stage.create(a=config("a", "1"))
    text = (stage.git("show", "main:fleet.yaml") + "drift: {policy: heal}\n").encode()
    head = stage.repository.commit({"fleet.yaml": text}, "heal")
    daemon = stage.started()
    assert stage.until_verdict(head)["state"] == "success"
    edit(stage, "a", "by hand")
    until("git again", lambda: stage.value("a") == "1")
    until("told", lambda: drift(stage, "a").get("inSyncSince"))
    print(drift(stage, "a"))
    for line in daemon.events():
        print(line)
    assert metric(daemon, "clusterops_drift_heals_total") == 1
