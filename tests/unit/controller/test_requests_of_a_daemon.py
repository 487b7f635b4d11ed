"""Requests from opening to verdict with a whole daemon, and what an absent daemon, or an absent forge, changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clusterops.errors import TransientError
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.revision import Revision
from tests.fleet_objects import body
from tests.fuzz.memory import MemoryRepository
from tests.unit.controller.daemons import Life
from tests.unit.controller.proposed import FLEET, cluster, fleet_of, yaml_of

ALPHA, BETA = "clusters/north/alpha/objects.yaml", "clusters/north/beta/objects.yaml"
SETTLING = FLEET.replace("settleTimeout: 0s", "settleTimeout: 60s")


def notes(name: str, text: str) -> str:
    """A target that settles as soon as it is applied."""
    return yaml_of([body("v1", "ConfigMap", f"{name}-notes", data={"text": text})])


CHANGED, OTHER = {ALPHA: notes("alpha", "changed")}, {BETA: notes("beta", "changed")}
SHRUNK = {ALPHA: cluster("alpha", workers=1)}


async def life(folder: Path) -> Life:
    """Two targets, settled."""
    files = {
        **fleet_of("north/alpha", "north/beta", fleet=SETTLING),
        ALPHA: notes("alpha", ""),
        BETA: notes("beta", ""),
    }
    found = Life(folder, files)
    first = found.commit({})
    async with found.running():
        await found.until(lambda: found.state(first) == "success")
    return found


async def clusters(folder: Path, fleet: str = FLEET) -> Life:
    """Two clusters that nobody waits for, applied."""
    found = Life(folder, fleet_of("north/alpha", "north/beta", fleet=fleet))
    found.commit({})
    async with found.running():
        await found.until(lambda: sum(key.kind == "MachineHealthCheck" for key in found.cluster.objects) == 2)
    return found


def text_of(found: Life, name: str = "alpha") -> str:
    notes = (
        one for key, one in found.cluster.objects.items() if (key.kind, key.name) == ("ConfigMap", f"{name}-notes")
    )
    return str(next(notes)["data"]["text"])


def pending() -> CommitStatus:
    return CommitStatus(context="clusterops/apply", state=State.PENDING, text="0 of 1 clusters settled")


def workers(found: Life, name: str = "alpha") -> int:
    pools = [body for key, body in found.cluster.objects.items() if key.kind == "MachineDeployment"]
    return next(int(each["spec"]["replicas"]) for each in pools if each["metadata"]["name"] == f"{name}-general")


async def test_a_request_is_planned_merged_and_judged_on_its_commit_and_its_head(tmp_path: Path) -> None:
    found = await life(tmp_path)
    async with found.running() as daemon:
        await found.until(lambda: daemon.head is not None)
        request = found.propose(7, CHANGED)
        assert daemon.forges is not None
        daemon.forges.moved()
        await found.until(lambda: found.state(request.head, "clusterops/plan") == "success")
        assert text_of(found) == ""
        commit = found.merge(request, CHANGED)
        daemon.look_now()
        await found.until(lambda: found.state(request.head) == found.state(commit) == "success")
        assert text_of(found) == "changed"
        assert found.state(request.head, "clusterops/apply: north") == "success"
        assert found.state(commit, "clusterops/apply: north/alpha") == "success"
        assert len(found.forge.bodies(7)) == 1


async def test_an_admin_merge_of_a_refused_request_while_the_daemon_was_down_applies_nothing(tmp_path: Path) -> None:
    found = await clusters(tmp_path, fleet=f"{FLEET}policy: {{budgets: {{machinesRemoved: 0}}}}\n")
    request = found.propose(7, SHRUNK)
    async with found.running():
        await found.until(lambda: found.state(request.head, "clusterops/policy") == "failure")
    commit = found.merge(request, SHRUNK)
    async with found.running():
        await found.until(lambda: found.state(commit) == "failure")
        assert found.state(commit, "clusterops/policy") == "failure"
        assert "budget-machines-removed" in found.text(request.head)
    assert workers(found) == 2


async def test_an_admin_merge_of_a_deletion_without_its_key_deletes_nothing(tmp_path: Path) -> None:
    found = await clusters(tmp_path)
    request = found.propose(7, {ALPHA: None})
    async with found.running():
        await found.until(lambda: found.state(request.head, "clusterops/policy") == "failure")
    before = dict(found.cluster.objects)
    commit = found.merge(request, {ALPHA: None})
    async with found.running():
        await found.until(lambda: found.state(commit) == "failure")
    mine = {key for key in before if key.name.startswith("alpha") and key.kind != "FleetTarget"}
    assert mine <= found.cluster.objects.keys()


async def test_killed_between_apply_and_status_the_verdict_is_posted_once(tmp_path: Path) -> None:
    found = await life(tmp_path)
    request = found.propose(7, CHANGED)
    commit = found.merge(request, CHANGED)

    def down(method: str) -> None:
        if method == "write_statuses":
            raise TransientError("forge-unavailable", "forge", "answers 503")

    found.forge.before = down
    async with found.running():
        await found.until(lambda: text_of(found) == "changed")
        assert found.state(commit) == ""
    found.forge.before = lambda method: None
    async with found.running():
        await found.until(lambda: found.state(request.head) == found.state(commit) == "success")
    count = len(found.forge.posted)
    async with found.running() as daemon:
        await found.until(lambda: daemon.ready)
        await asyncio.sleep(0.2)
    assert len(found.forge.posted) == count


async def test_several_merges_between_two_looks_have_one_verdict_that_stands_on_all(tmp_path: Path) -> None:
    found = await life(tmp_path)
    async with found.running() as daemon:
        await found.until(lambda: daemon.head is not None)
        seventh, eighth = found.propose(7, CHANGED), found.propose(8, OTHER)
        first = found.merge(seventh, CHANGED)
        last = found.merge(eighth, OTHER)
        daemon.look_now()
        await found.until(lambda: found.state(last) == found.state(eighth.head) == "success")
        await found.until(lambda: found.state(first) == found.state(seventh.head) == "success")
        assert found.text(seventh.head).startswith(f"carried by {last[:7]}: ")
        assert not found.text(eighth.head).startswith("carried")


async def test_what_an_earlier_process_left_pending_is_judged_with_the_head(tmp_path: Path) -> None:
    found = await life(tmp_path)
    request = found.propose(7, CHANGED)
    first = found.merge(request, CHANGED)
    async with found.running():
        await found.until(lambda: found.state(first) == "success")
    await found.forge.write_statuses(first, [pending()])
    last = found.commit(OTHER)
    async with found.running():
        await found.until(lambda: found.state(last) == "success")
        await found.until(lambda: found.state(first) == "success")


async def test_a_defect_in_looking_back_ends_neither_the_daemon_nor_the_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await life(tmp_path)
    seen: list[str] = []

    async def broken(self: MemoryRepository, commit: str, since: str) -> tuple[Revision, ...]:
        seen.append(commit)
        raise ValueError("a defect")

    monkeypatch.setattr(MemoryRepository, "passed_over", broken)
    async with found.running() as daemon:
        await found.until(lambda: bool(seen))
        request = found.propose(7, CHANGED)
        assert daemon.forges is not None
        daemon.forges.moved()
        await found.until(lambda: found.state(request.head, "clusterops/plan") == "success")
