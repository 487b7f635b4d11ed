"""Kills the daemon around every request of a first sync and of a change: the next run converges, nothing is lost.

usage: python -m tests.shows.show_4_crash_points      (about ten minutes; from the project's root)

A proxy before the API server ends the daemon (kill -9) before request n is forwarded, and in another run after the
server committed it and before the answer. Lease requests and watches are not counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable

from tests.shows.place import place
from tests.system.crash_points import CrashStage, Ending
from tests.system.killing_proxy import KillingProxy, When

Play = Callable[[str, int, When], Ending]


def main() -> bool:
    with place("crds") as (home, sandbox, tools), KillingProxy(sandbox) as proxy:
        stage = CrashStage(sandbox=sandbox, home=home, tools=tools, proxy=proxy)
        created = every_request("create", "a first sync of 5 objects", stage.crash_on_create)
        changed = every_request("change", "an update, a create and a prune", stage.crash_on_change)
    return created and changed


def every_request(prefix: str, what: str, play: Play) -> bool:
    """Kills around each request until one run has fewer than n; True when every next run was whole."""
    count, broken, verbs = 0, 0, Counter[str]()
    at = 1
    while True:
        endings = [(when, play(f"{prefix}-{at}-{when}", at, when)) for when in ("before", "after")]
        if not any(ending.killed_at for _, ending in endings):
            break
        for when, ending in endings:
            count += 1
            verbs[ending.killed_at.partition(" ")[0]] += 1
            if ending.wrong:
                broken += 1
                print(f"  request {at} {when} {ending.killed_at}: {'; '.join(ending.wrong)}")
        at += 1
    kinds = ", ".join(f"{number} {verb}" for verb, number in sorted(verbs.items()) if verb)
    print(f"{what}: killed around each of {at - 1} requests, {count} runs ({kinds}); not whole afterwards: {broken}")
    return broken == 0


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
