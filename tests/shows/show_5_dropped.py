"""Drops one thing after another from git while the daemon runs: what is written then, from the audit log.

usage: python -m tests.shows.show_5_dropped      (about half a minute; from the project's root)

A cluster's directory, a Namespace, Secrets, a file's objects, values: no delete follows, every object keeps its uid.
A ConfigMap: that one is deleted, and nothing else. Each is put back before the next.
"""

from __future__ import annotations

import json
import sys

from tests.shows.dropping import Drop, Dropping, Followed, drops
from tests.shows.place import place

FLEET = "drops"


def main() -> bool:
    whole = True
    with (
        place("crds", audit_bodies=True) as (home, sandbox, tools),
        Dropping(name=FLEET, sandbox=sandbox, home=home, tools=tools) as dropping,
    ):
        print(f"fleet {FLEET}: {len(dropping.before)} objects live")
        for drop in drops(FLEET):
            followed = dropping.play(drop)
            tell(drop, followed)
            whole = whole and not followed.wrong
    print("all as it has to be" if whole else "NOT as it has to be")
    return whole


def tell(drop: Drop, followed: Followed) -> None:
    print(f"\n== {drop.title} ({drop.path or ', '.join(drop.files)})")
    for context, status in sorted(followed.statuses.items()):
        print(f"   {context} {status['state']}: {status['text']}")
    print("   $ clusterops plan")
    for row in followed.rows:
        print(f"     {row}")
    print("   written, besides the Lease:" + ("" if followed.writes else " nothing"))
    for write in followed.writes:
        print(f"     {write}")
    for body in followed.delete_bodies:
        print(f"     delete said {json.dumps(body.get('preconditions'))}")
    print(f"   written when it was put back: {', '.join(followed.restored) or 'nothing'}")
    for wrong in followed.wrong:
        print(f"   WRONG: {wrong}")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
