"""Drift on a real API server: people edit, delete and add; the daemon tells it, and puts git back where it may."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterops.sandbox import Sandbox
from tests.stage import Daemon, folder, until
from tests.system.plain_fleet import FleetStage, cluster, config, metric, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]
MERGE = "application/merge-patch+json"
HEALTH_CHECKS = "/apis/cluster.x-k8s.io/v1beta2/namespaces/{}/machinehealthchecks"


@pytest.fixture
def stage(request: pytest.FixtureRequest, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    """A fleet named after the test; its targets ``h…`` are healed, all others reported."""
    name = "f-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:40].strip("-")
    with folder("drift") as home, staged(name, home, apiserver, tools) as made:
        yield made


def create(stage: FleetStage, **targets: str) -> str:
    """``h…`` with a policy of its own."""
    stage.create(**targets)
    healed = {
        f"clusters/{stage.name}/{name}/values.yaml": b"clusterops: {drift: {policy: heal}}\n"
        for name in targets
        if name.startswith("h")
    }
    fleet = stage.git("show", "main:fleet.yaml") + "drift: {status: true}\n"
    return stage.repository.commit(healed | {"fleet.yaml": fleet.encode()}, "policies")


def drift(stage: FleetStage, target: str) -> dict[str, Any]:
    return dict((stage.target(target).get("status") or {}).get("drift") or {})


def words(stage: FleetStage, target: str) -> list[tuple[str, str]]:
    """(what, remedy) of each drifted object."""
    return [(one["what"], one["remedy"]) for one in drift(stage, target).get("objects", ())]


def until_words(stage: FleetStage, target: str, *wanted: tuple[str, str]) -> dict[str, Any]:
    until(f"{target} {wanted}", lambda: words(stage, target) == list(wanted))
    return drift(stage, target)


def until_in_sync(stage: FleetStage, target: str) -> dict[str, Any]:
    until(f"{target} in sync", lambda: not words(stage, target) and drift(stage, target).get("inSyncSince"))
    return drift(stage, target)


def place(stage: FleetStage, name: str) -> str:
    return f"/api/v1/namespaces/{stage.name}/configmaps/{name}"


def edit(stage: FleetStage, name: str, value: str, manager: str = "kubectl-edit") -> None:
    """As `kubectl edit` does it: a patch by its own field manager."""
    stage.api.send(
        "PATCH", f"{place(stage, name)}?fieldManager={manager}", {"data": {"value": value}}, content_type=MERGE
    )


def events(stage: FleetStage, target: str) -> list[str]:
    """Reasons, in the order in which they were told."""
    found = stage.api.items(f"/apis/events.k8s.io/v1/namespaces/{stage.name}/events")
    mine = [one for one in found if one.get("action") == "Drift" and one["regarding"]["name"] == target]
    return [str(one["reason"]) for one in sorted(mine, key=lambda one: str(one["eventTime"]))]


def objects(daemon: Daemon, author: str) -> float:
    return metric(daemon, f'clusterops_drift_objects{{class="{author}"')


def test_drift_is_reported_with_its_author_and_a_restart_writes_nothing(stage: FleetStage) -> None:
    """An edit, an object that belongs to nobody, a delete; then what git says anew is in sync again."""
    check = (
        "apiVersion: cluster.x-k8s.io/v1beta2\nkind: MachineHealthCheck\nmetadata: {name: c}\n"
        "spec: {clusterName: c, selector: {matchLabels: {a: b}}}\n"
    )
    report = stage.home / "drift.json"
    head = create(stage, a=config("a", "1"), c=f"{cluster('c')}---\n{check}")
    daemon = stage.started(
        CLUSTEROPS_DRIFT_REPORT_FILE=str(report),
        CLUSTEROPS_DRIFT_REPORT_EVERY_S="500ms",
        CLUSTEROPS_DRIFT_AUDIT_LOG=str(stage.sandbox.audit_log),
    )
    daemon.until_event("commit applied", commit=head[:7])
    stage.until_text(head, "clusterops/drift", "2 clusters in sync")

    edit(stage, "a", "by hand")
    (told,) = until_words(stage, "a", ("changed", "report"))["objects"]
    assert [(one["pointer"], one["git"], one["live"], one["manager"]) for one in told["fields"]] == [
        ("/data/value", "1", "by hand", "kubectl-edit")
    ]
    assert (told["author"], told["fields"][0]["user"]) == ("person", "clusterops-sandbox-admin")
    until("the Event", lambda: events(stage, "a") == ["Drifted"])
    assert objects(daemon, "person") == 1
    assert metric(daemon, "clusterops_seconds_since_in_sync") > 0

    checks = HEALTH_CHECKS.format(stage.name)
    made = stage.api.get(f"{checks}/c")
    extra = {**made, "metadata": {"name": "extra", "labels": {"cluster.x-k8s.io/cluster-name": "c"}}}
    stage.api.send("POST", f"{checks}?fieldManager=kubectl-create", extra)
    until_words(stage, "c", ("extra", "leave"))
    stage.api.send("DELETE", f"{checks}/c")
    until_words(stage, "c", ("deleted", "report"), ("extra", "leave"))
    stage.api.send("DELETE", f"{checks}/extra")
    until_words(stage, "c", ("deleted", "report"))
    stage.until_text(head, "clusterops/drift", f"2 of 2 clusters drifted: {stage.name}/a, {stage.name}/c (drifted)")
    assert stage.repository.verdict(head, "clusterops/drift") == "failure"
    until("the report", lambda: json.loads(report.read_text())["summary"]["drifted"] == 2)

    assert daemon.stop() == 0
    audit = stage.audit()
    daemon.start()
    daemon.until_event("drift compared")
    until("the metric", lambda: objects(daemon, "person") == 1)
    assert not [write for write in stage.all_writes(audit) if f"{stage.name}/a" in write]
    assert not daemon.events("drift")

    stage.api.send("DELETE", place(stage, "a"))
    until_words(stage, "a", ("deleted", "report"))
    head = stage.commit(a=config("a", "2"))
    stage.until_phase("a", "Settled")
    history = until_in_sync(stage, "a")["history"]
    assert [(one["what"], one.get("remedy")) for one in history] == [
        ("changed", "report"),
        ("deleted", "report"),
        ("deleted", "heal"),
        ("in-sync", None),
    ]
    assert stage.value("a") == "2"
    assert stage.until_verdict(head)["state"] == "success"


def test_policy_heal_puts_git_back_until_somebody_fights_for_it(stage: FleetStage) -> None:
    """Also what was changed while no process looked, or one was killed between seeing it and putting it back."""
    head = create(stage, h=config("h", "1"), h2=config("h2", "1"), h3=config("h3", "1"))
    daemon = stage.started()
    assert stage.until_verdict(head)["state"] == "success"

    stage.api.send("DELETE", place(stage, "h2"))
    until("made anew", lambda: stage.value("h2") == "1")
    until_in_sync(stage, "h2")
    until("told", lambda: events(stage, "h2")[-2:] == ["Healed", "InSync"])
    assert metric(daemon, "clusterops_drift_heals_total") == 1

    for _ in range(3):
        edit(stage, "h", "by hand", manager="kubectl-patch")
        until("git again", lambda: stage.value("h") == "1")
        until_in_sync(stage, "h")
    edit(stage, "h", "by hand", manager="kubectl-patch")
    (fought,) = until_words(stage, "h", ("changed", "fight"))["objects"]
    assert "kubectl-patch" in fought["why"]
    assert stage.value("h") == "by hand"
    until("told", lambda: events(stage, "h")[-1] == "DriftFight")

    daemon.kill()
    edit(stage, "h3", "while nobody looked")
    daemon.start()
    until("git again", lambda: stage.value("h3") == "1")
    until_words(stage, "h", ("changed", "fight"))
    assert stage.value("h") == "by hand"


def test_a_person_who_agreed_to_a_plan_gets_that_plan_or_none(stage: FleetStage) -> None:
    """By the daemon that leads; the wish goes from the FleetTarget once it is answered."""
    head = create(stage, a=config("a", "1"), b=config("b", "1"))
    daemon = stage.started()
    assert stage.until_verdict(head)["state"] == "success"
    edit(stage, "a", "by hand")
    until_words(stage, "a", ("changed", "report"))

    path = f"/apis/clusterops.io/v1alpha1/namespaces/{stage.name}/fleettargets/a"
    stage.patch(path, {"metadata": {"annotations": {"clusterops.io/heal-at": "2026-11-21T14:00:00Z another-plan"}}})
    until("the refusal", lambda: events(stage, "a")[-1:] == ["NotHealed"])
    until("the answer", lambda: "clusterops.io/heal-at" not in stage.target("a")["metadata"]["annotations"])
    assert stage.value("a") == "by hand"

    answer = stage.command("drift", "heal", f"{stage.name}/a", "--yes")
    assert answer.code == 0, answer.text
    until("git again", lambda: stage.value("a") == "1")
    assert until_in_sync(stage, "a")["history"][-2]["remedy"] == "heal"
    until("the answer", lambda: "clusterops.io/heal-at" not in stage.target("a")["metadata"]["annotations"])
    assert stage.value("b") == "1"
    assert metric(daemon, "clusterops_drift_heals_total") == 1
    assert stage.phase("a") == "Settled"
