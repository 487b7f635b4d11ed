"""Show 21: four requests on a real Gitea whose branch protection asks for the plan, in the words of its own API.

usage: python -m tests.shows.show_21_requests      (about three minutes; from the project's root)

Cluster API's own controllers run behind it. One request creates a cluster, one resizes one, one breaks the chart, one
replaces more machines than the budget allows. What must hold is asserted by tests/system/test_gitea.py.
"""

from __future__ import annotations

import sys
import time
from typing import Final

from tests.gitea.clusters import REQUESTS, SETTLES_S, ground, machines
from tests.gitea.fleet import APPLY, PLAN, POLICY, GiteaFleet
from tests.gitea.server import Refused
from tests.gitea.show import gitea_show

MERGED: Final = frozenset({"create", "resize"})


def show(fleet: GiteaFleet) -> bool:
    first = fleet.create(ground(fleet))
    fleet.daemon.start()
    print(f"main {first[:7]}: {fleet.until_status(first, APPLY, within_s=SETTLES_S)}")
    fleet.repository.protect(PLAN, POLICY)
    print(f"branch protection of main: {PLAN} and {POLICY} must be green")
    requests = {name: fleet.propose(name, files) for name, files in REQUESTS.items()}
    for name, (number, head) in requests.items():
        _tell_request(fleet, name, number, head)
    merged = {name: _merge(fleet, name, number) for name, (number, _) in requests.items()}
    begun = time.monotonic()
    for name in sorted(MERGED):
        for what, commit in (("merged commit", merged[name]), ("request's head", requests[name][1])):
            if commit:
                verdict = fleet.until_status(commit, APPLY, within_s=SETTLES_S)
                print(f"{name}: {what} {commit[:7]} after {time.monotonic() - begun:.0f} s: {verdict}")
    print(f"machines: {machines(fleet)}")
    return {name for name, commit in merged.items() if commit} == MERGED


def _tell_request(fleet: GiteaFleet, name: str, number: int, head: str) -> None:
    print(f"\n== request {number}: {name}")
    for context in (PLAN, POLICY):
        fleet.until_status(head, context)
    for context, status in sorted(fleet.repository.statuses(head).items()):
        print(f"{context:<20} {status['state']:<8} {status['text']}")
    print(fleet.until_comment(number, ""))


def _merge(fleet: GiteaFleet, name: str, number: int) -> str:
    """The commit, "" where the protection keeps it out."""
    for context in (PLAN, POLICY):
        fleet.until_status(fleet.repository.request(number)["head"]["sha"], context)
    try:
        commit = fleet.repository.merge(number)
    except Refused as refused:
        print(f"\nmerge of {name}: {refused.status} {refused.said}")
        return ""
    print(f"\nmerge of {name}: {commit[:7]}")
    return commit


def main() -> int:
    with gitea_show("forged", "full") as fleet:
        return 0 if show(fleet) else 1


if __name__ == "__main__":
    sys.exit(main())
