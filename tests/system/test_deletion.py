"""Deletion with two keys: on Cluster API's own controllers once, the rest on a server that has only their kinds."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.shows.deleting import Deleting, key_text, requests, wrong_order
from tests.stage import Audit, folder, until
from tests.system.plain_fleet import FleetStage, cluster, config, staged

FINALIZER = "example.org/forgotten"
pytestmark = [pytest.mark.tools]


@pytest.fixture
def stage(request: pytest.FixtureRequest, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    name = "x-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:40].strip("-")
    with folder("deletion") as home, staged(name, home, apiserver, tools) as made:
        yield made


def uid(stage: FleetStage, name: str) -> str:
    found = stage.api.get(f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{stage.name}/clusters/{name}") or {}
    return str((found.get("metadata") or {}).get("uid", ""))


def keys(stage: FleetStage, *names: str, days: int = 1) -> dict[str, bytes]:
    return {
        f"deletions/{name}.yaml": key_text(f"{stage.name}/{name}", uid(stage, name), days=days).encode()
        for name in names
    }


@pytest.mark.capi
def test_a_cluster_goes_in_the_right_order_whoever_dies_on_the_way(
    capi_sandbox: Sandbox, tools: dict[str, Path]
) -> None:
    """Refused without its key; with it, a kill -9 and a stuck finalizer later, nothing is left of it."""
    with folder("deletion") as home:
        one = Deleting(region="del1", cluster="search", sandbox=capi_sandbox, home=home, tools=tools)
        try:
            _goes(one)
        finally:
            one.daemon.kill()


def _goes(one: Deleting) -> None:
    assert one.sandbox.audit_log is not None
    first = one.create(workers=1)
    one.daemon.start()
    assert one.verdict(first, "clusterops/apply")["state"] == "success"
    audit = Audit.from_now(one.sandbox.audit_log)
    refused = one.drop()
    assert "deletion-needs-second-key" in one.verdict(refused, "clusterops/policy")["text"]
    assert one.verdict(refused, "clusterops/plan")["state"] == "success"
    one.hold(FINALIZER)
    commit = one.key()
    until("the deletion to begin", lambda: one.deleting, within_s=120)
    one.daemon.kill()
    one.daemon.start()
    until("the stuck finalizer", lambda: FINALIZER in one.record.get("message", ""), within_s=240)
    one.release(FINALIZER)
    assert one.verdict(commit, "clusterops/apply")["state"] == "success"
    assert (one.record["phase"], one.left()) == ("Deleted", [])
    assert wrong_order(requests(audit, one.region)) == []


@pytest.mark.apiserver
def test_delete_writes_both_keys_and_the_commit_of_them_deletes(stage: FleetStage) -> None:
    first = stage.create(a=cluster("a") + "---\n" + config("notes", "1"), b=config("b", "1"))
    stage.started()
    stage.until_verdict(first, "clusterops/plan")
    until("the Cluster", lambda: uid(stage, "a"), within_s=60)
    answer = stage.command("delete", f"{stage.name}/a", "--reason", "CHG-1: no longer needed", "-o", "json")
    assert answer.code == 0, answer.text
    said = json.loads(answer.out)
    assert (said["uid"], said["written"]) == (uid(stage, "a"), ["deletions/a.yaml"])
    assert said["removed"] == [f"clusters/{stage.name}/a/objects.yaml"]
    checkout = stage.home / f"{stage.name}-checkout"
    assert not (checkout / f"clusters/{stage.name}/a").exists()
    for order in (["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(checkout), *order], check=True)
    subprocess.run(["git", "-C", str(checkout), "push", "-q", "origin", "HEAD:main"], check=True)
    stage.until_phase("a", "Deleted")
    assert (uid(stage, "a"), stage.value("notes"), stage.value("b")) == ("", "", "1")
    assert "Key spent: remove deletions/a.yaml" in stage.target("a")["status"]["message"]


@pytest.mark.apiserver
def test_two_clusters_in_one_commit_need_an_exception(stage: FleetStage) -> None:
    """Nothing of the region is applied until the exception is there; what was refused is taken up by itself then."""
    first = stage.create(a=cluster("a"), b=cluster("b"), c=config("c", "1"))
    stage.started()
    stage.until_verdict(first, "clusterops/plan")
    until("both Clusters", lambda: uid(stage, "a") and uid(stage, "b"), within_s=60)
    stage.repository.drop(f"clusters/{stage.name}/a")
    stage.repository.drop(f"clusters/{stage.name}/b")
    beyond = stage.repository.commit({**keys(stage, "a", "b"), **stage.files(c=config("c", "2"))})
    verdict = stage.until_verdict(beyond, "clusterops/policy")
    assert verdict["text"].startswith(f"deletes 2 clusters in {stage.name}, budget 1 (budget-clusters-deleted)")
    assert (bool(uid(stage, "a")), bool(uid(stage, "b")), stage.value("c")) == (True, True, "1")
    planned = stage.command("plan")
    assert (planned.code, "budget-clusters-deleted" in planned.text) == (3, True), planned.text
    day = (datetime.now(UTC) + timedelta(days=2)).date()
    line = f"{{budget: clustersDeleted, region: {stage.name}, limit: 2, reason: CHG-2, expires: {day}}}"
    text = stage.git("show", "main:fleet.yaml") + f"policy: {{exceptions: [{line}]}}\n"
    stage.repository.commit({"fleet.yaml": text.encode()})
    stage.until_phase("a", "Deleted")
    stage.until_phase("b", "Deleted")
    until("the rest of the commit", lambda: stage.value("c") == "2", within_s=60)


@pytest.mark.apiserver
def test_a_deletion_by_hand_is_refused_with_exit_3_until_its_key_is_there(stage: FleetStage) -> None:
    stage.create(a=cluster("a"), b=config("b", "1"))
    assert stage.command("apply", "--all").code == 0
    stage.repository.drop(f"clusters/{stage.name}/a")
    planned = stage.command("plan", f"{stage.name}/a")
    assert planned.code == 3
    assert f"uid: {uid(stage, 'a')}" in planned.text
    assert stage.command("apply", f"{stage.name}/a").code == 3
    assert uid(stage, "a")
    stage.repository.commit(keys(stage, "a", days=9))
    assert "deletion-key-too-far-ahead" in stage.command("plan", f"{stage.name}/a").text
    stage.repository.commit(keys(stage, "a"))
    answer = stage.command("apply", f"{stage.name}/a", "--wait")
    assert (answer.code, uid(stage, "a")) == (0, ""), answer.text
