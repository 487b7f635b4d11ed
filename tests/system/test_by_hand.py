"""`apply` by hand: the daemon's sentence without the daemon, under the same Lease."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.stage import folder, until
from tests.system.plain_fleet import FleetStage, claim, config, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture
def stage(request: pytest.FixtureRequest, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    name = "h-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:40].strip("-")
    with folder("hand") as home, staged(name, home, apiserver, tools) as made:
        yield made


def test_applied_without_a_daemon_the_lease_is_given_back(stage: FleetStage) -> None:
    """A daemon that starts afterwards finds the work done, and the object that is planned anew equal."""
    head = stage.create(a=config("a", "1"))
    planned = stage.command("plan", "--detailed-exitcode")
    assert (planned.code, stage.value("a")) == (2, "")
    answer = stage.command("apply", f"{stage.name}/a")
    assert (answer.code, stage.value("a")) == (0, "1"), answer.text
    assert stage.holder == ""
    assert stage.command("plan", "--detailed-exitcode").code == 0
    assert {entry["state"] for entry in stage.target("a")["inventory"]["entries"]} == {"applied"}
    audit = stage.audit()
    stage.started()
    assert stage.until_verdict(head)["state"] == "success"
    assert not [write for write in stage.writes(audit) if " configmaps " in write]


def test_wait_ends_when_everything_is_healthy(stage: FleetStage) -> None:
    stage.create(a=claim("a"))
    assert stage.command("apply", f"{stage.name}/a").code == 0
    stage.settle("a")
    answer = stage.command("apply", f"{stage.name}/a", "--wait", "-o", "json")
    assert answer.code == 0, answer.text
    assert json.loads(answer.out)[f"{stage.name}/a"]["settled"] is True
    stage.until_phase("a", "Settled")


def test_wait_says_what_never_came(stage: FleetStage) -> None:
    stage.create(a=claim("a"))
    text = stage.git("show", "main:fleet.yaml") + "rollout: {settleTimeout: 2s}\n"
    stage.repository.commit({"fleet.yaml": text.encode()})
    answer = stage.command("apply", f"{stage.name}/a", "--wait")
    assert (answer.code, "not settled after 2s" in answer.text) == (1, True), answer.text
    assert "PersistentVolumeClaim" in answer.text


def test_refused_while_somebody_else_leads_and_nothing_is_written(stage: FleetStage) -> None:
    head = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(head)
    until("the record", lambda: (stage.fleet.get("status") or {}).get("targets", {}).get("settled") == 1)
    audit = stage.audit()
    answer = stage.command("apply", "--all", "-o", "json", CLUSTEROPS_DAEMON_LEASE_DURATION_S="2")
    assert (answer.code, "lease-held" in answer.text) == (3, True), answer.text
    assert stage.writes(audit) == []
    assert daemon.stop() == 0
    assert stage.command("apply", "--all").code == 0


def test_the_kill_switch_holds_by_hand_too(stage: FleetStage) -> None:
    stage.create(a=config("a", "1"))
    assert stage.command("apply", "--all").code == 0
    stage.patch(stage.fleet_path, {"spec": {"suspend": True}})
    stage.commit(a=config("a", "2"))
    audit = stage.audit()
    answer = stage.command("apply", "--all")
    assert (answer.code, "fleet-suspended" in answer.text) == (3, True), answer.text
    assert (stage.value("a"), stage.writes(audit)) == ("1", [])


def test_nobody_answers_a_wish_without_a_daemon(stage: FleetStage) -> None:
    stage.create(a=config("a", "1"))
    assert stage.command("apply", "--all").code == 0
    answer = stage.command("reconcile", f"{stage.name}/a")
    assert (answer.code, "no-daemon" in answer.text) == (1, True), answer.text
    assert "clusterops apply" in answer.text


def test_one_broken_target_leaves_the_others_to_be_applied(stage: FleetStage) -> None:
    stage.create(a="kind: [\n", b=config("b", "1"))
    answer = stage.command("apply", "--all")
    assert answer.code == 1
    assert f"clusters/{stage.name}/a/objects.yaml:2" in answer.text
    assert stage.value("b") == "1"


def test_a_plan_of_several_living_targets_says_its_pace_and_by_hand_they_go_at_once(stage: FleetStage) -> None:
    """New ones nobody waits for."""
    stage.create(a=config("a", "1"), b=config("b", "1"))
    answer = stage.command("apply", "--all")
    assert (answer.code, "at once" in answer.text) == (0, False), answer.text
    stage.commit(a=config("a", "2"), b=config("b", "2"))
    planned = stage.command("plan")
    assert planned.out.startswith("2 clusters: replaces no machine, in 2 steps\nPace (default): 1 canary ("), (
        planned.text
    )
    assert json.loads(stage.command("plan", "-o", "json").out)["pace"]["steps"] == 2
    assert "Pace" not in stage.command("plan", f"{stage.name}/a").out
    answer = stage.command("apply", "--all")
    assert "warning: applies to 2 clusters at once; a commit to the branch goes in 2 steps" in answer.text
    assert (answer.code, stage.value("a"), stage.value("b")) == (0, "2", "2")
