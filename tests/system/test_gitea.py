"""A daemon between a real Gitea, whose branch protection asks for its verdict, and Cluster API's own controllers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.gitea.clusters import CAPI, REGION, REQUESTS, SETTLES_S, ground, machines
from tests.gitea.fleet import APPLY, PLAN, POLICY, GiteaFleet, doubled, gitea_fleet
from tests.gitea.server import ADMIN, GiteaServer, Refused
from tests.stage import folder, until

pytestmark = [pytest.mark.tools, pytest.mark.capi]


@pytest.fixture
def fleet(gitea: GiteaServer, capi_sandbox: Sandbox, tools: dict[str, Path]) -> Iterator[GiteaFleet]:
    with folder("gitea-fleet") as home, gitea_fleet("forged", home, gitea, capi_sandbox, tools) as made:
        yield made
        made.daemon.kill()
        for name in ("alpha", "beta"):
            made.api.send("DELETE", f"{CAPI}/clusters/{name}")


def test_gitea_merges_what_the_plan_allows_and_shows_what_became_of_it(fleet: GiteaFleet) -> None:
    """One cluster created and one resized by request; a broken chart and a blown budget stay out of main."""
    first = fleet.create(ground(fleet))
    fleet.daemon.start()
    assert fleet.until_status(first, APPLY, within_s=SETTLES_S)["state"] == "success"
    fleet.repository.protect(PLAN, POLICY)
    words, head = fleet.propose("words", {"README.md": b"more\n"})
    requests = {name: fleet.propose(name, files) for name, files in REQUESTS.items()}
    _are_judged(fleet, requests)
    _stay_out(fleet, requests["break"][0], requests["exceed"][0])
    assert fleet.until_status(head, PLAN)["state"] == "success"
    assert not fleet.comments(words), "a request that changes no cluster has no comment"
    _go_in(fleet, requests["create"], requests["resize"])
    assert machines(fleet) == {"alpha": 3, "beta": 2}
    for number, _ in requests.values():
        assert len(fleet.comments(number)) == 1, "edited in place"
    for _, head in requests.values():
        assert not doubled(fleet.postings(head))


def _are_judged(fleet: GiteaFleet, requests: dict[str, tuple[int, str]]) -> None:
    found = {
        name: {context: fleet.until_status(head, context) for context in (PLAN, POLICY)}
        for name, (_, head) in requests.items()
    }
    states = {name: (each[PLAN]["state"], each[POLICY]["state"]) for name, each in found.items()}
    assert states["create"] == states["resize"] == ("success", "success"), found
    assert states["exceed"] == ("success", "failure"), found
    assert states["break"][0] == "failure", found
    assert "budget-machines-replaced" in found["exceed"][POLICY]["text"]
    fleet.until_comment(requests["create"][0], f"<!-- clusterops:plan {fleet.name} -->", f"{REGION}/beta", "create")
    fleet.until_comment(requests["resize"][0], f"{REGION}/alpha", "/spec/replicas")
    fleet.until_comment(requests["break"][0], "broken.yaml")
    fleet.until_comment(requests["exceed"][0], "budget-machines-replaced")


def _stay_out(fleet: GiteaFleet, *numbers: int) -> None:
    for number in numbers:
        for account in ("author", ADMIN):
            with pytest.raises(Refused, match="405"):
                fleet.repository.merge(number, account=account)


def _go_in(fleet: GiteaFleet, *requests: tuple[int, str]) -> None:
    merged = [_merged(fleet, number) for number, _ in requests]
    for commit in (merged[-1], *(head for _, head in requests)):
        verdict = fleet.until_status(commit, APPLY, within_s=SETTLES_S)
        assert verdict["state"] == "success", verdict
    assert fleet.repository.statuses(merged[-1])[f"{APPLY}: {REGION}"]["state"] == "success"


def _merged(fleet: GiteaFleet, number: int) -> str:
    """Once the protection lets it: a merge before it may have made its plan a pending one."""

    def commit() -> str:
        try:
            return fleet.repository.merge(number)
        except Refused as refused:
            if refused.status != 405:
                raise
            return ""

    return until(f"request {number} merged", commit, every_s=0.5)
