"""`mode: observe` with rights to read alone: plans and says so, and writes nothing whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.model.document import load_values
from clusterops.sandbox import Sandbox
from tests.stage import ROOT, Audit, folder, until
from tests.system.plain_fleet import FleetStage, config, http, metric, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture
def stage(request: pytest.FixtureRequest, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    name = f"o-{request.node.name.removeprefix('test_').replace('_', '-')[:40].strip('-')}"
    with folder("observe") as home, staged(name, home, apiserver, tools, mode="observe") as made:
        yield made


def reader(stage: FleetStage) -> Path:
    """A kubeconfig with the rules of kustomize/install's read-only component."""
    roles = load_values((ROOT / "kustomize/install/rbac.yaml").read_bytes(), "rbac.yaml")
    (rules,) = [role["rules"] for role in roles if role["metadata"]["name"] == "clusterops-read" and "rules" in role]
    return stage.account("reader", rules)


def asked(stage: FleetStage, audit: Audit) -> list[str]:
    """Requests of the reader's account that would change something, dry runs and refused ones included."""
    user = f"system:serviceaccount:default:{stage.name}-reader"
    changing = {"create", "update", "patch", "delete", "deletecollection"}
    return [
        f"{event['verb']} {event['requestURI']} {event['responseStatus']['code']}"
        for event in audit._events()
        if event["user"]["username"] == user and event["verb"] in changing
    ]


def test_a_reader_plans_and_never_writes(stage: FleetStage) -> None:
    """First commit, a change against objects that somebody applied, a broken one, a dropped one, a restart."""
    kubeconfig = reader(stage)
    stage.api.send("POST", "/api/v1/namespaces", {"metadata": {"name": stage.name}})
    stage.api.send(
        "PATCH",
        f"/api/v1/namespaces/{stage.name}/configmaps/a?fieldManager=clusterops",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"value": "1"}},
        content_type="application/apply-patch+yaml",
    )
    audit = stage.audit()
    head = stage.create(a=config("a", "2"), b=config("b", "1"))
    daemon = stage.daemon(kubeconfig)
    daemon.start()
    verdict = stage.until_verdict(head, "clusterops/plan")
    assert (verdict["state"], verdict["text"]) == ("success", "2 clusters: creates 1, updates 1 objects")
    assert http(daemon, "/readyz") == (200, "ok\n")
    broken = stage.commit(a="kind: [\n")
    assert stage.until_verdict(broken, "clusterops/plan")["state"] == "failure"
    dropped = stage.repository.drop(f"clusters/{stage.name}/b")
    stage.until_verdict(dropped, "clusterops/plan")
    daemon.stop()
    daemon.start()
    mended = stage.commit(a=config("a", "1"))
    assert stage.until_verdict(mended, "clusterops/plan")["text"] == f"{stage.name}/a: 1 to update"
    for commit in (head, broken, dropped, mended):
        assert {"clusterops/plan"} <= set(stage.repository.statuses(commit)) <= {"clusterops/plan", "clusterops/policy"}
    assert metric(daemon, "clusterops_leader") == 0
    assert daemon.stop() == 0
    assert stage.value("a") == "1"
    assert [each for each in asked(stage, audit) if not each.endswith(" 403")] == []
    assert [each for each in asked(stage, audit) if "dryRun=All" not in each] == []
    assert "api-forbidden" not in daemon.log.read_text()


def test_nothing_is_said_twice_while_nothing_happens(stage: FleetStage) -> None:
    """No lines about missing rights, no retries: an idle reader is silent."""
    head = stage.create(a=config("a", "1"))
    daemon = stage.daemon(reader(stage), CLUSTEROPS_REPOSITORY_POLL_S="0.2")
    daemon.start()
    stage.until_verdict(head, "clusterops/plan")
    daemon.until_event("verdict", context="clusterops/policy")
    lines = len(daemon.events())
    words = stage.unrelated()
    stage.until_verdict(words, "clusterops/plan")
    until("said", lambda: len(daemon.events("commit taken")) == 2)
    assert len(daemon.events()) - lines <= 3
    assert {event["level"] for event in daemon.events()} == {"info"}


def test_an_observed_target_is_not_written_beside_an_applied_one(stage: FleetStage) -> None:
    """One region at a time: `mode: apply` in one cluster's values leads, and the other target stays as it is."""
    stage.create(a=config("a", "1"), b=config("b", "1"))
    head = stage.repository.commit({f"clusters/{stage.name}/b/values.yaml": b"clusterops: {mode: apply}\n"}, "b joins")
    stage.started()
    until("b", lambda: stage.value("b") == "1")
    verdict = stage.until_verdict(head)
    assert (verdict["state"], verdict["text"].split(" in ")[0]) == ("success", "1 of 1 clusters settled")
    assert stage.value("a") == ""
    assert not stage.target("a")


def test_plan_by_hand_needs_read_access_only(stage: FleetStage) -> None:
    kubeconfig = reader(stage)
    stage.create(a=config("a", "1"))
    audit = stage.audit()
    answer = stage.command("plan", "--detailed-exitcode", kubeconfig=kubeconfig)
    assert (answer.code, answer.err) == (2, ""), answer.text
    assert "creates 1" in answer.out or "create" in answer.out
    assert asked(stage, audit) == []


def test_apply_by_hand_of_an_observed_target_says_why_it_does_nothing(stage: FleetStage) -> None:
    stage.create(a=config("a", "1"))
    answer = stage.command("apply", f"{stage.name}/a")
    assert (answer.code, stage.value("a")) == (3, "")
    assert "mode: apply" in answer.text
