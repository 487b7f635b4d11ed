"""`clusterops run` as a process on a real API server: what it writes, says, waits for, survives and refuses."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.stage import WITHIN_S, Daemon, folder, until
from tests.system.plain_fleet import FleetStage, claim, cluster, config, http, metric, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]
SHORT_LEASE = {"CLUSTEROPS_DAEMON_LEASE_DURATION_S": "6", "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "4"}
"""Where its end is waited for."""
RENDERS = 'clusterops_renders_total{how="process"}'


@pytest.fixture
def stage(request: pytest.FixtureRequest, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    """A fleet named after the test."""
    name = "d-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:40].strip("-")
    with folder("daemon") as home, staged(name, home, apiserver, tools) as made:
        yield made


def test_a_commit_is_applied_and_carries_its_verdict(stage: FleetStage) -> None:
    """First commit, a commit of one target, an unrelated one: each costs what it changes."""
    head = stage.create(a=config("a", "1"), b=config("b", "1"), c=config("c", "1"))
    daemon = stage.started()
    assert stage.until_verdict(head)["state"] == "success"
    assert daemon.events("server differs from render.kubeVersion"), (
        "v1.34 is the release's constant, the server is newer"
    )
    notes = stage.repository.statuses(head)
    mine = {"clusterops/plan", "clusterops/policy", "clusterops/apply", f"clusterops/apply: {stage.name}"}
    assert set(notes) == mine
    assert notes["clusterops/apply"]["text"].startswith("3 of 3 clusters settled")
    assert [stage.value(each) for each in "abc"] == ["1", "1", "1"]
    assert [stage.phase(each) for each in "abc"] == ["Settled"] * 3

    audit = stage.audit()
    one = stage.commit(b=config("b", "2"))
    assert stage.until_verdict(one)["text"].startswith("1 of 1 clusters settled")
    until("the record", lambda: stage.fleet["status"]["targets"]["settled"] == 3)

    def touched() -> set[str]:
        return {write.split()[2].partition(".")[0] for write in stage.all_writes(audit)}

    until("the Fleet to be told", lambda: f"clusterops-system/{stage.name}" in touched())
    assert touched() == {f"{stage.name}/b", f"clusterops-system/{stage.name}"}, stage.all_writes(audit)
    assert stage.value("b") == "2"

    renders = metric(daemon, "clusterops_renders_total")
    audit = stage.audit()
    words = stage.unrelated()
    assert stage.until_verdict(words, "clusterops/plan")["text"] == "no change: 0 of 3 targets rendered"
    assert stage.until_verdict(words)["text"] == "no change: nothing to apply"
    assert stage.writes(audit) == []
    assert metric(daemon, "clusterops_renders_total") == renders


def test_a_newer_commit_supersedes_only_the_targets_that_it_changes(stage: FleetStage) -> None:
    first = stage.create(a=claim("a"), b=claim("b"))
    stage.started().until_event("commit applied", commit=first[:7])
    words = stage.unrelated()
    stage.until_verdict(words)
    assert "superseded" not in stage.repository.statuses(first)["clusterops/apply"]["text"]
    second = stage.commit(a=config("a", "1") + "---\n" + claim("a"))
    stage.until_text(first, "clusterops/apply", f"superseded by {second[:7]} for 1 cluster")
    assert stage.repository.verdict(first) == ""
    stage.settle("b")
    verdict = stage.until_verdict(first)
    assert verdict["state"] == "success", verdict
    assert verdict["text"].startswith("1 of 1 clusters settled")
    assert stage.repository.verdict(second) == ""
    stage.settle("a")
    assert stage.until_verdict(second)["text"].startswith("1 of 1 clusters settled")


def test_killed_while_waiting_the_old_commit_still_gets_its_verdict(stage: FleetStage) -> None:
    """kill -9, an unrelated commit meanwhile, a new process: nothing is written anew, and the old note ends."""
    first = stage.create(a=claim("a"), b=config("b", "1"))
    daemon = stage.started()
    daemon.until_event("commit applied", commit=first[:7])
    stage.until_phase("b", "Settled")
    stage.until_text(first, "clusterops/apply", "1 of 2")
    plan = stage.repository.statuses(first)["clusterops/plan"]
    daemon.kill()
    words = stage.unrelated()
    audit = stage.audit()
    daemon.start()
    stage.until_verdict(words)
    stage.settle("a")
    verdict = stage.until_verdict(first)
    assert (verdict["state"], verdict["text"].split(" in ")[0]) == ("success", "2 of 2 clusters settled")
    assert stage.repository.statuses(first)["clusterops/plan"] == plan
    assert stage.repository.statuses(words)["clusterops/apply"]["text"] == "no change: nothing to apply"
    assert not [write for write in stage.writes(audit) if "persistentvolumeclaims" in write or "configmaps" in write]
    assert metric(daemon, RENDERS) == 0


def test_killed_while_waiting_and_changed_meanwhile_the_old_commit_is_superseded(stage: FleetStage) -> None:
    first = stage.create(a=claim("a"), b=config("b", "1"))
    daemon = stage.started()
    daemon.until_event("commit applied", commit=first[:7])
    stage.until_phase("b", "Settled")
    daemon.kill()
    second = stage.commit(a=config("a", "1") + "---\n" + claim("a"))
    daemon.start()
    stage.settle("a")
    assert stage.until_verdict(second)["state"] == "success"
    verdict = stage.until_verdict(first)
    assert verdict["state"] == "success"
    assert f"superseded by {second[:7]} for 1 cluster" in verdict["text"]


def test_a_restart_leaves_a_verdict_alone(stage: FleetStage) -> None:
    head = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(head)
    before = stage.repository.statuses(head)
    assert daemon.stop() == 0
    audit = stage.audit()
    daemon.start()
    daemon.until_event("commit taken", due=0)
    assert daemon.stop() == 0
    assert stage.repository.statuses(head) == before
    assert stage.writes(audit) == []


def test_sigterm_ends_at_once_and_gives_the_lease_back(stage: FleetStage) -> None:
    """Sooner than anything that it waits for would end: the claim is never bound, the Lease lasts an hour."""
    head = stage.create(a=claim("a"))
    daemon = stage.started(CLUSTEROPS_DAEMON_LEASE_DURATION_S="3600", CLUSTEROPS_DAEMON_RENEW_DEADLINE_S="2400")
    daemon.until_event("commit applied", commit=head[:7])
    assert daemon.stop() == 0
    assert stage.holder == ""
    assert "clusterops/apply" in stage.repository.statuses(head)
    daemon.start()
    daemon.until_event("commit taken")


def test_a_standby_takes_over_after_kill_9_with_the_newest_commit(stage: FleetStage) -> None:
    """It waited with an older commit in hand, which must not count as a rewritten history."""
    stage.create(a=config("a", "1"))
    leader = stage.started(**SHORT_LEASE)
    stage.until_phase("a", "Settled")
    standby = stage.started()
    standby.until_event("standing by")
    assert http(standby, "/readyz") == (200, "ok\n")
    second = stage.commit(a=config("a", "2"))
    stage.until_verdict(second)
    leader.after_kill = lambda: None
    leader.kill()
    third = stage.commit(a=config("a", "3"))
    assert stage.until_verdict(third)["state"] == "success"
    assert stage.value("a") == "3"
    assert not standby.events("branch not followed")


def test_a_leader_that_slept_through_its_lease_writes_nothing_more(stage: FleetStage) -> None:
    stage.create(a=config("a", "1"))
    sleeper = stage.started(**SHORT_LEASE)
    stage.until_phase("a", "Settled")
    assert sleeper.process is not None
    sleeper.process.send_signal(signal.SIGSTOP)
    other = stage.started()
    until("the other holds it", lambda: stage.holder.endswith(f"-{other.process.pid if other.process else 0}"))
    second = stage.commit(a=config("a", "2"))
    assert stage.until_verdict(second)["state"] == "success"
    audit = stage.audit()
    sleeper.process.send_signal(signal.SIGCONT)
    assert sleeper.process.wait(timeout=WITHIN_S) == 1
    assert "lease-lost" in sleeper.log.read_text()
    assert "Traceback" not in sleeper.log.read_text()
    assert stage.writes(audit) == []
    assert stage.holder.endswith(f"-{other.process.pid if other.process else 0}")


def test_a_broken_fleet_file_stops_everything_until_it_is_mended(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"))
    stage.started()
    stage.until_verdict(first)
    audit = stage.audit()
    broken = stage.repository.commit(
        {"fleet.yaml": b"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: 7\n"}
        | stage.files(a=config("a", "2"))
    )
    verdict = stage.until_verdict(broken, "clusterops/plan")
    assert verdict["state"] == "failure"
    assert verdict["text"].startswith("fleet.yaml:3:")
    assert "clusterops/apply" not in stage.repository.statuses(broken)
    assert stage.writes(audit) == []
    assert stage.value("a") == "1"
    mended = stage.repository.commit({"fleet.yaml": _fleet_file(stage)})
    assert stage.until_verdict(mended)["state"] == "success"
    assert stage.value("a") == "2"


def test_one_broken_target_stops_itself_alone(stage: FleetStage) -> None:
    stage.create(a=config("a", "1"), b=config("b", "1"))
    stage.started()
    stage.until_phase("b", "Settled")
    commit = stage.commit(a="kind: [\n", b=config("b", "2"))
    verdict = stage.until_verdict(commit)
    assert verdict["state"] == "failure"
    assert f"clusters/{stage.name}/a/objects.yaml:2" in verdict["text"]
    until("b", lambda: stage.value("b") == "2")
    assert stage.value("a") == "1"
    mended = stage.commit(a=config("a", "2"))
    assert stage.until_verdict(mended)["state"] == "success"


def _fleet_file(stage: FleetStage) -> bytes:
    return (
        f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {stage.name}\nmode: apply\n"
        "clouds: {dev: {chart: {path: charts/unused}}}\n"
    ).encode()


def test_a_rewritten_history_is_held_until_a_person_confirms_it(stage: FleetStage) -> None:
    """Held over a restart too; pushing the old history back releases it as well."""
    first = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    second = stage.commit(a=config("a", "2"))
    stage.until_verdict(second)
    stage.reset(first)
    other = stage.commit(a=config("a", "other"))
    verdict = stage.until_verdict(other, "clusterops/plan")
    assert (verdict["state"], "(history-rewritten)" in verdict["text"]) == ("failure", True)
    until("halted", lambda: stage.fleet["status"].get("halted", {}).get("revision") == other)
    assert http(daemon, "/readyz")[0] == 503
    assert stage.value("a") == "2"

    stage.reset(second)
    until("released", lambda: "halted" not in stage.fleet["status"])
    until("ready", lambda: http(daemon, "/readyz")[0] == 200)
    stage.reset(other)
    until("halted again", lambda: "halted" in stage.fleet["status"])

    daemon.stop()
    daemon.start()
    daemon.until_event("branch not followed", code="history-rewritten")
    assert stage.value("a") == "2"
    answer = stage.command("resume")
    assert (answer.code, other[:7] in answer.text) == (0, True), answer.text
    assert stage.until_verdict(other)["state"] == "success"
    assert stage.value("a") == "other"
    assert "halted" not in stage.fleet["status"]

    daemon.stop()
    last = stage.unrelated()
    daemon.start()
    stage.until_verdict(last, "clusterops/plan")


def test_an_old_confirmation_does_not_open_another_rewrite(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(stage.commit(a=config("a", "2")))
    stage.reset(first)
    confirmed = stage.commit(a=config("a", "3"))
    until("halted", lambda: "halted" in stage.fleet["status"])
    assert stage.command("resume").code == 0
    stage.until_verdict(confirmed)
    stage.until_verdict(stage.commit(a=config("a", "4")))
    stage.reset(confirmed)
    stage.commit(a=config("a", "5"))
    daemon.until_event("branch not followed", code="history-rewritten")
    until("halted", lambda: "halted" in stage.fleet["status"])
    assert stage.value("a") == "4"


def test_a_missing_branch_and_a_missing_repository_delete_nothing(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"))
    daemon = stage.started(CLUSTEROPS_REPOSITORY_POLL_S="0.5")
    stage.until_verdict(first)
    stage.git("branch", "side", "main")
    audit = stage.audit()
    stage.git("update-ref", "-d", "refs/heads/main")
    until("not ready", lambda: "branch-missing" in http(daemon, "/readyz")[1])
    stage.git("update-ref", "refs/heads/main", first)
    until("ready", lambda: http(daemon, "/readyz")[0] == 200)
    away = stage.home / "away.git"
    stage.repository.directory.rename(away)
    until("not ready", lambda: "repository-unreachable" in http(daemon, "/readyz")[1])
    assert stage.writes(audit) == []
    away.rename(stage.repository.directory)
    until("ready", lambda: http(daemon, "/readyz")[0] == 200)
    assert stage.until_verdict(stage.commit(a=config("a", "2")))["state"] == "success"


def test_pause_resume_and_reconcile_reach_the_daemon(stage: FleetStage) -> None:
    """The Lease is shared with `apply` by hand: refused while the daemon runs."""
    first = stage.create(a=config("a", "1"), b=config("b", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    assert stage.command("pause", f"{stage.name}/a").code == 0
    second = stage.commit(a=config("a", "2"), b=config("b", "2"))
    stage.until_text(second, "clusterops/apply", "1 suspended")
    until("b", lambda: stage.value("b") == "2")
    assert stage.value("a") == "1"
    stage.until_phase("a", "Suspended")
    assert stage.command("resume", f"{stage.name}/a").code == 0
    assert stage.until_verdict(second)["text"].startswith("2 of 2 clusters settled")
    assert stage.value("a") == "2"

    passes = len(daemon.events("pass"))
    assert stage.command("reconcile", f"{stage.name}/a").code == 0
    until("a pass", lambda: len(daemon.events("pass")) > passes)
    before = stage.repository.statuses(second)
    answer = stage.command("apply", f"{stage.name}/a", CLUSTEROPS_DAEMON_LEASE_DURATION_S="2")
    assert (answer.code, "lease-held" in answer.text) == (3, True), answer.text
    assert stage.repository.statuses(second) == before


def test_the_kill_switch_stops_every_write(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    until("the record", lambda: (stage.fleet.get("status") or {}).get("targets", {}).get("settled") == 1)
    stage.patch(stage.fleet_path, {"spec": {"suspend": True}})
    daemon.until_event("fleet suspended")
    audit = stage.audit()
    second = stage.commit(a=config("a", "2"))
    stage.until_text(second, "clusterops/apply", "1 suspended")
    daemon.kill()
    daemon.start()
    daemon.until_event("pass", code="fleet-suspended")
    mine = [write for write in stage.all_writes(audit) if not write.startswith("create events")]
    assert mine == []
    stage.patch(stage.fleet_path, {"spec": {"suspend": False}})
    assert stage.until_verdict(second)["state"] == "success"
    assert stage.value("a") == "2"


def test_a_dropped_directory_is_orphaned_and_settles_when_put_back(stage: FleetStage) -> None:
    """ConfigMaps are pruned; what is kept is refused by name; the FleetTarget stays in both cases."""
    first = stage.create(a=config("a", "1"), b=cluster("b") + "---\n" + config("b", "1"))
    daemon = stage.started()
    daemon.until_event("commit applied", commit=first[:7])
    dropped = stage.repository.drop(f"clusters/{stage.name}/a")
    verdict = stage.until_verdict(dropped)
    assert (verdict["state"], verdict["text"].split(" in ")[0]) == ("success", "1 of 1 clusters settled")
    assert stage.value("a") == ""
    assert stage.phase("a") == "Orphaned"
    until("counted", lambda: stage.fleet["status"]["targets"]["orphaned"] == 1)
    kept = stage.repository.drop(f"clusters/{stage.name}/b")
    assert stage.until_verdict(kept)["state"] == "failure"
    assert stage.api.get(f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{stage.name}/clusters/b")
    assert stage.target("b")
    daemon.stop()
    words = stage.unrelated()
    daemon.start()
    assert stage.until_verdict(words)["state"] == "success"
    back = stage.commit(a=config("a", "2"))
    assert stage.until_verdict(back)["state"] == "success"
    stage.until_phase("a", "Settled")
    assert stage.value("a") == "2"


def test_the_last_directory_dropped_while_nobody_looked(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    daemon.stop()
    stage.repository.drop(f"clusters/{stage.name}/a")
    daemon.start()
    stage.until_phase("a", "Orphaned")


def test_a_field_of_somebody_else_is_left_to_them(stage: FleetStage) -> None:
    """The other objects of the target are applied."""
    assert _edited_between_two_commits(stage, "somebody") == ("theirs", "2")


def test_what_a_person_edited_is_taken_back_when_git_changes_it(stage: FleetStage) -> None:
    assert _edited_between_two_commits(stage, "kubectl-edit") == ("2", "2")


def _edited_between_two_commits(stage: FleetStage, manager: str) -> tuple[str, str]:
    """What an edited value, which git changes too, and another one are in the end."""
    first = stage.create(a=config("a", "1") + "---\n" + config("side", "1"))
    stage.started()
    stage.until_verdict(first)
    stage.api.send(
        "PATCH",
        f"/api/v1/namespaces/{stage.name}/configmaps/a?fieldManager={manager}",
        {"data": {"value": "theirs"}},
        content_type="application/merge-patch+json",
    )
    second = stage.commit(a=config("a", "2") + "---\n" + config("side", "2"))
    assert stage.until_verdict(second)["state"] == "success"
    return stage.value("a"), stage.value("side")


def test_one_object_has_one_owner(stage: FleetStage) -> None:
    """owned-twice names both; the loser is applied once the owner gives the object up."""
    first = stage.create(a=config("one", "a"))
    stage.started()
    stage.until_verdict(first)
    second = stage.commit(b=config("one", "b"))
    verdict = stage.until_verdict(second)
    assert verdict["state"] == "failure"
    assert f"rendered by {stage.name}/b and owned by {stage.name}/a" in verdict["text"]
    assert stage.value("one") == "a"
    stage.commit(a=config("two", "a"))
    until("given over", lambda: stage.value("one") == "b")
    until("green", lambda: stage.repository.verdict(second) == "success")


def test_a_moved_directory_is_no_new_cluster(stage: FleetStage) -> None:
    """The Cluster stays with its target; nothing is deleted, nothing is made."""
    in_place = cluster("web").replace("{name: web}", f"{{name: web, namespace: {stage.name}}}")
    first = stage.create(web=in_place)
    stage.started().until_event("commit applied", commit=first[:7])
    path = f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{stage.name}/clusters/web"
    uid = stage.api.get(path)["metadata"]["uid"]
    region = f"{stage.name}-new"
    stage.repository.drop(f"clusters/{stage.name}/web")
    moved = stage.repository.commit(
        {
            f"regions/{region}/region.yaml": b"cloud: dev\ncredentials: {secret: none, cloud: dev}\n",
            f"clusters/{region}/web/objects.yaml": in_place.encode(),
        }
    )
    verdict = stage.until_verdict(moved, "clusterops/plan")
    assert verdict["state"] == "failure"
    assert "(target-moved)" in verdict["text"]
    assert stage.api.get(path)["metadata"]["uid"] == uid


def test_what_is_shared_goes_first(stage: FleetStage) -> None:
    """shared/<name>, then <region>/_shared, then clusters: here each needs the Namespace that the one before makes."""
    one, two = f"{stage.name}-one", f"{stage.name}-two"
    stage.create()
    head = stage.repository.commit(
        {
            "shared/base/objects.yaml": _namespace(one).encode(),
            f"regions/{stage.name}/shared/objects.yaml": (
                _namespace(two) + "---\n" + config("x", "1", namespace=one)
            ).encode(),
        }
        | stage.files(a=config("a", "1", namespace=two))
    )
    audit = stage.audit()
    stage.started()
    assert stage.until_verdict(head)["text"].startswith("3 of 3 targets settled")
    order = [write.split()[2] for write in audit.writes() if write.startswith("patch ")]
    assert order == [f"{one}/{one}", f"{two}/{two}", f"{one}/x", f"{two}/a"]


def test_removing_our_own_objects_deletes_nothing_else(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"), b=config("b", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    until("the record", lambda: (stage.fleet.get("status") or {}).get("targets", {}).get("settled") == 2)
    targets = f"/apis/clusterops.io/v1alpha1/namespaces/{stage.name}/fleettargets"
    for name in "ab":
        stage.api.send("DELETE", f"{targets}/{name}")
    stage.api.send("DELETE", stage.fleet_path)
    second = stage.commit(a=config("a", "2"))
    assert stage.until_verdict(second)["state"] == "success"
    assert (stage.value("a"), stage.value("b")) == ("2", "1")
    assert {entry["key"] for entry in stage.target("a")["inventory"]["entries"]}
    daemon.stop()
    daemon.start()
    daemon.until_event("commit taken")
    until("b is recorded again", lambda: stage.phase("b") == "Settled")
    assert stage.value("b") == "1"


def test_a_record_that_nobody_understands_stops_nobody_else(stage: FleetStage) -> None:
    first = stage.create(a=config("a", "1"), b=config("b", "1"))
    daemon = stage.started()
    stage.until_verdict(first)
    stage.patch(f"/apis/clusterops.io/v1alpha1/namespaces/{stage.name}/fleettargets/a", {"inventory": {"format": 99}})
    daemon.until_event("record not understood")
    second = stage.commit(b=config("b", "2"))
    assert stage.until_verdict(second)["state"] == "success"


def test_no_secret_reaches_any_text(stage: FleetStage) -> None:
    """A token of the repository's URL, one from the environment, and a Secret's data, created and changed."""
    canary, token = "c4n4ry-value", "t0k3n-value"
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{password: {canary}}}\n"
    first = stage.create(a=secret)
    daemon = stage.started(CLUSTEROPS_REPOSITORY_TOKEN=token)
    stage.until_verdict(first)
    daemon.stop()
    log = daemon.log.read_text()
    changed = stage.commit(a=secret.replace(canary, f"{canary}-2") + "---\n" + config("a", "1"))
    plan = stage.command("plan", f"{stage.name}/a")
    as_json = stage.command("plan", f"{stage.name}/a", "-o", "json")
    daemon.start(CLUSTEROPS_REPOSITORY_TOKEN=token)
    stage.until_verdict(changed)
    events = stage.api.get(f"/apis/events.k8s.io/v1/namespaces/{stage.name}/events")
    texts = [
        log,
        daemon.log.read_text(),
        *(str(stage.repository.statuses(commit)) for commit in (first, changed)),
        str(events),
        str(stage.target("a")),
        plan.text,
        as_json.text,
        http(daemon, "/metrics")[1],
    ]
    encoded = ("YzRuNHJ5", canary, token)
    assert [text for text in texts if any(each in text for each in encoded)] == []
    assert "Secret" in plan.text


def test_a_token_in_the_address_is_shown_nowhere(stage: FleetStage) -> None:
    daemon = stage.started(CLUSTEROPS_REPOSITORY_URL="https://user:t0k3n-value@127.0.0.1:9/fleet.git")
    until("said", lambda: "t" if daemon.log.read_text().count("repository") else "")
    until("an end or a reason", lambda: daemon.process and (daemon.process.poll() is not None or _not_ready(daemon)))
    assert "t0k3n-value" not in daemon.log.read_text()


def test_health_readiness_and_metrics(stage: FleetStage) -> None:
    head = stage.create(a=config("a", "1"))
    daemon = stage.started()
    stage.until_verdict(head)
    assert http(daemon, "/healthz") == (200, "ok\n")
    assert http(daemon, "/readyz") == (200, "ok\n")
    assert metric(daemon, "clusterops_leader") == 1
    until("counted", lambda: metric(daemon, 'clusterops_targets{state="settled"}') == 1)
    until("the pass", lambda: metric(daemon, "clusterops_pass_seconds_count") == 1)
    until("the commit", lambda: metric(daemon, "clusterops_commit_seconds_count") == 1)
    assert http(daemon, "/nothing")[0] == 404


def _not_ready(daemon: Daemon) -> bool:
    return http(daemon, "/readyz")[0] == 503


def _namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
