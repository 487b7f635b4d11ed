"""Show 23: what stands on commits and requests when the daemon dies, the branch moves or people touch the cluster.

usage: python -m tests.shows.show_23_request_races      (about two minutes; from the project's root)

A real Gitea and a real API server. A proxy before the forge's API kills the daemon at a chosen status, or keeps a
finished plan from being posted while the branch, or a live object, moves.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.gitea.fleet import APPLY, PLAN, GiteaFleet, doubled
from tests.gitea.proxy import Asked, ForgeProxy, proxied
from tests.gitea.show import gitea_show
from tests.stage import until
from tests.system.plain_fleet import config

REGION: Final = "races"
HELD_S: Final = 20.0
APPLY_PATCH: Final = "application/apply-patch+yaml"
CALM_S: Final = 5.0
"""Nothing is posted any more after this long of silence: polls come every second."""


@dataclass(slots=True, kw_only=True)
class Show:
    fleet: GiteaFleet
    proxy: ForgeProxy
    wrong: list[str] = field(default_factory=list)

    def run(self) -> bool:
        first = self.fleet.create(ground(self.fleet))
        self.fleet.daemon.start()
        self.fleet.until_status(first, APPLY)
        self.killed("before its status arrived", "before")
        self.killed("after its status arrived, before the answer", "after")
        self.branch_moved()
        self.live_moved()
        self.two_on_one_cluster()
        self.taken_by_somebody()
        print("\nall as it has to be" if not self.wrong else "\nNOT as it has to be:\n  " + "\n  ".join(self.wrong))
        return not self.wrong

    def killed(self, moment: str, hook: str) -> None:
        """kill -9 when what was applied is about to be told, and once more where it was told already."""
        print(f"\n== kill -9 {moment}")
        number, head = self.fleet.propose(f"kill-{hook}", {path("a", "one"): text("one", hook)})
        self.fleet.until_status(head, PLAN)
        killed = threading.Event()

        def kill(asked: Asked) -> bool:
            if killed.is_set() or not asked.sets(APPLY, "success"):
                return True
            killed.set()
            self.fleet.daemon.kill()
            return False

        setattr(self.proxy, hook, kill)
        merged = self.fleet.repository.merge(number)
        until("the kill", lambda: killed.is_set() and not self._runs())
        applied = self.fleet.object(f"/api/v1/namespaces/{REGION}/configmaps/one")["data"]["value"]
        begun = time.monotonic()
        self.fleet.daemon.start()
        verdicts = {commit[:7]: self.fleet.until_status(commit, APPLY) for commit in (merged, head)}
        print(f"  applied before the kill: {applied == hook}; told {time.monotonic() - begun:.1f} s after the restart")
        time.sleep(CALM_S)
        for commit in (merged, head):
            self._must(not doubled(self.fleet.postings(commit)), f"{moment}: {doubled(self.fleet.postings(commit))}")
        self._must(applied == hook, f"{moment}: killed before the apply")
        self._must(all(each["state"] == "success" for each in verdicts.values()), f"{moment}: {verdicts}")

    def branch_moved(self) -> None:
        """While the plan of a request waits to be posted, main changes the same target."""
        print("\n== the branch moves while a request is planned")
        with self._held("branch") as (number, head):
            moved = self.fleet.repository.commit({path("a", "two"): text("two", "by main")}, branch="main")
        self._until(f"{PLAN} of the new merge", lambda: f"main@{moved[:7]}" in self._comment(number))
        self.fleet.until_status(moved, APPLY)
        self._until("only its own change is left", lambda: "by main" not in self._comment(number))
        self._ends(number, head)

    def live_moved(self) -> None:
        """While the plan of a request waits to be posted, an `apply` by hand writes the object that it changes."""
        print("\n== a live object moves while a request is planned")
        with self._held("live") as (number, head):
            self._write("one", "written by hand")
        self._until("the live value is what the plan starts from", lambda: "written by hand" in self._comment(number))
        self._write("one", "written again")
        self._until("and again, when the plan stands", lambda: "written again" in self._comment(number))
        self._ends(number, head)

    def two_on_one_cluster(self) -> None:
        print("\n== two requests on one cluster")
        files = [{path("a", name): text(name, "rival")} for name in ("one", "two")]
        (first, _), (second, head) = (self.fleet.propose(f"rival-{at}", each) for at, each in enumerate(files))
        self._until("the first names the second", lambda: f"Request {second} changes" in self._comment(first))
        self._until("the second names the first", lambda: f"Request {first} changes" in self._comment(second))
        self.fleet.repository.close(first)
        self._until("not any more once that is closed", lambda: f"Request {first} changes" not in self._comment(second))
        self._ends(second, head)

    def taken_by_somebody(self) -> None:
        """Drift is reported only, so a field that somebody edited stays theirs: a request about it has to say so."""
        print("\n== a request changes a field that somebody else has taken")
        self._edit("three", "theirs")
        until("drift", lambda: any("three" in str(event) for event in self.fleet.daemon.events("drift")))
        number, head = self.fleet.propose("taken", {path("b", "three"): text("three", "ours")})
        said = self.fleet.until_status(head, PLAN)
        print(f"  {PLAN}: {said}")
        self._until("the comment names who keeps it", lambda: "left to somebody" in self._comment(number))
        self._must("0 objects differ" not in said["text"], f"one object differs, and {PLAN} says: {said['text']}")

    @contextmanager
    def _held(self, branch: str) -> Iterator[tuple[int, str]]:
        """A request whose first comment does not reach the forge before the block ends."""
        reached, released = threading.Event(), threading.Event()
        wanted: list[str] = []

        def hold(asked: Asked) -> bool:
            if asked.method == "POST" and asked.path.endswith(f"/issues/{wanted[0]}/comments") and not reached.is_set():
                reached.set()
                released.wait(HELD_S)
            return True

        head = self.fleet.repository.commit({path("a", "one"): text("one", branch)}, branch=branch)
        number = self.fleet.repository.propose(branch)
        wanted.append(str(number))
        self.proxy.before = hold
        until("the plan to be posted", reached.is_set)
        try:
            yield number, head
        finally:
            released.set()

    def _write(self, name: str, value: str) -> None:
        """As ClusterOps itself does, from whatever revision."""
        where = f"/api/v1/namespaces/{REGION}/configmaps/{name}"
        there = self.fleet.object(where)["metadata"]
        kept = {key: there[key] for key in ("name", "namespace", "labels", "annotations") if key in there}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept, "data": {"value": value}}
        self.fleet.api.send("PATCH", f"{where}?fieldManager=clusterops&force=true", body, APPLY_PATCH)

    def _edit(self, name: str, value: str) -> None:
        self.fleet.api.send(
            "PATCH",
            f"/api/v1/namespaces/{REGION}/configmaps/{name}?fieldManager=somebody",
            {"data": {"value": value}},
            content_type="application/merge-patch+json",
        )

    def _comment(self, number: int) -> str:
        self.fleet.daemon.must_run()
        return "\n".join(self.fleet.comments(number))

    def _ends(self, number: int, head: str) -> None:
        """One comment, a green plan, and silence."""
        state = self.fleet.until_status(head, PLAN)["state"]
        time.sleep(CALM_S)
        before = len(self.proxy.asked)
        time.sleep(CALM_S)
        written = [f"{each.method} {each.path}" for each in self.proxy.asked[before:] if each.method != "GET"]
        comments, again = self.fleet.comments(number), doubled(self.fleet.postings(head))
        self._must(not written, f"request {number}: still written: {written}")
        self._must(len(comments) == 1, f"request {number}: {len(comments)} comments")
        self._must(state == "success", f"request {number}: {PLAN} is {state}")
        self._must(not again, f"request {number}: posted twice: {again}")
        self.fleet.repository.close(number)

    def _until(self, what: str, probe: Callable[[], bool]) -> None:
        begun = time.monotonic()
        try:
            until(what, probe, within_s=40.0, every_s=0.1)
        except AssertionError:
            self._must(False, f"never: {what}")
        else:
            print(f"  {what}: {time.monotonic() - begun:.1f} s")

    def _must(self, right: bool, what: str) -> None:
        if not right:
            print(f"  WRONG: {what}")
            self.wrong.append(what)

    def _runs(self) -> bool:
        process = self.fleet.daemon.process
        return process is not None and process.poll() is None


def path(target: str, name: str) -> str:
    return f"clusters/{REGION}/{target}/{name}.yaml"


def text(name: str, value: str) -> bytes:
    return config(name, value).encode()


def ground(fleet: GiteaFleet) -> dict[str, bytes]:
    """One target of two ConfigMaps, and one that nobody touches."""
    files = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {fleet.name}\nmode: apply\n"
        f"clouds: {{dev: {{chart: {{path: charts/unused}}}}}}\n{fleet.forge}",
        "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
        f"regions/{REGION}/region.yaml": "cloud: dev\ncredentials: {secret: none, cloud: dev}\n",
        path("a", "one"): config("one", "first"),
        path("a", "two"): config("two", "first"),
        path("b", "three"): config("three", "first"),
    }
    return {where: each.encode() for where, each in files.items()}


def main() -> int:
    with gitea_show(REGION, "crds") as fleet, proxied(fleet.server.url) as proxy:
        fleet.daemon.environment = {**fleet.daemon.environment, "CLUSTEROPS_FORGE_URL": proxy.url}
        try:
            return 0 if Show(fleet=fleet, proxy=proxy).run() else 1
        finally:
            fleet.daemon.kill()


if __name__ == "__main__":
    sys.exit(main())
