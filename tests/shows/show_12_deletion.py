"""A cluster deleted with both keys, on Cluster API's own controllers: the order, from the API server's request log.

usage: python -m tests.shows.show_12_deletion      (about three minutes; from the project's root)

Its directory is dropped: refused. The second key comes: the Cluster goes, the daemon is killed with -9 as soon as it is
being deleted and started again, a finalizer that nobody serves holds the infrastructure for a while, then the rest
goes. Exit 1 when anything happens in another order.
"""

from __future__ import annotations

import sys
import time

from tests.shows.deleting import Deleting, requests, wrong_order
from tests.shows.place import place
from tests.stage import Audit, until

FINALIZER = "example.org/forgotten"


def main() -> bool:
    wrong: list[str] = []
    with place("full", audit_bodies=True) as (home, sandbox, tools):
        stage = Deleting(region="fra1", cluster="search", sandbox=sandbox, home=home, tools=tools)
        try:
            wrong = play(stage)
        finally:
            stage.daemon.kill()
    for each in wrong:
        print(f"WRONG: {each}")
    print("all as it has to be" if not wrong else "NOT as it has to be")
    return not wrong


def play(stage: Deleting) -> list[str]:
    assert stage.sandbox.audit_log is not None
    first = stage.create()
    stage.daemon.start()
    settled = stage.verdict(first, "clusterops/apply")
    print(f"== {stage.target}: {settled['text']}")
    audit, uid = Audit.from_now(stage.sandbox.audit_log), stage.uid

    dropped = stage.drop()
    refused = stage.verdict(dropped, "clusterops/apply")
    print("\n== its directory dropped, no second key")
    tell(stage, dropped)
    wrong = [f"without a key: {refused['text']}"] if "deletion-needs-second-key" not in refused["text"] else []
    wrong += [
        f"without a key: {one.text}" for one in requests(audit, stage.region) if one.ours and one.verb == "delete"
    ]

    print("\n== the second key")
    stage.hold(FINALIZER)
    commit = stage.key()
    until("the deletion to begin", lambda: stage.deleting, within_s=60)
    stage.daemon.kill()
    stage.daemon.start()
    print(f"{time.strftime('%H:%M:%S')} (killed with -9 and started again)")
    follow(stage, until_text=FINALIZER)
    stuck = stage.record.get("message", "")
    wrong += [] if "example.org" in stuck else [f"the stuck finalizer is not told: {stuck}"]
    stage.release(FINALIZER)
    follow(stage, until_phase="Deleted")
    done = stage.verdict(commit, "clusterops/apply")
    tell(stage, commit)
    wrong += [] if done["state"] == "success" else [f"clusterops/apply {done['state']}: {done['text']}"]

    found = requests(audit, stage.region)
    deletes = [one for one in found if one.verb == "delete" and not one.resource.startswith("events")]
    print(f"\n== every delete that the API server took, of {len(found)} writes")
    for one in deletes:
        print(f"   {one.text}")
    left = [one for one in stage.left() if one.startswith("secrets/") or "/" in one]
    print(f"\n== left in namespace {stage.region}: {', '.join(left) or 'nothing'}")
    return wrong + wrong_order(found, uid=uid) + [f"left behind: {one}" for one in left]


def tell(stage: Deleting, commit: str) -> None:
    for context, status in sorted(stage.repository.statuses(commit).items()):
        print(f"   {context} {status['state']}: {status['text']}")


def follow(stage: Deleting, *, until_text: str = "", until_phase: str = "") -> None:
    """What `clusterops status -w` shows."""
    said = ""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        record = stage.record
        text = str(record.get("message", ""))
        if text != said:
            print(f"{time.strftime('%H:%M:%S')} {record.get('phase', ''):<9} {text}", flush=True)
            said = text
        if (until_text and until_text in text) or (until_phase and record.get("phase") == until_phase):
            return
        time.sleep(0.2)
    raise AssertionError(f"waited for {until_text or until_phase}; last: {said}")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
