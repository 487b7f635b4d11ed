"""Show 17: an image bump over forty clusters on the real controllers keeps its pace, whatever is killed meanwhile.

usage: python -m tests.shows.show_17_rollout [--clusters N]     (40, at least 8; from the project's root)

Judged by the API server's audit log and a second client's watch of Machines and Clusters. First the third cluster to go
is unable to settle: the rest is untouched until a fix. Then the same bump back, and the daemon is killed (kill -9) each
time that a cluster begins. At last a control without limits, on which the same instrument has to see violations.
"""

from __future__ import annotations

import argparse
import queue
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.scale.processes import cpu_s
from tests.shows.drift_watch import TARGETS, Place, Seen, Watch
from tests.shows.place import place
from tests.shows.rollout_audit import Write, writes
from tests.shows.rollout_fleet import FLEET, Site, ground, images, pace, sites
from tests.shows.rollout_judged import Course, Limits, table, violations
from tests.shows.rollout_machines import Machines
from tests.shows.rollout_trace import PATIENT
from tests.stage import Daemon, until
from tests.system.plain_fleet import FleetStage, staged

LIMITS: Final = Limits(clusters=4, machines=6, soak_s=15.0)
SETTLE_S: Final = 240.0
QUIET_S: Final = 30.0
"""How long nothing may begin behind a halt, while it is looked at."""
CALM_S: Final = 8.0
"""Conditions lag; only what stays at rest for so long is."""
WITHIN_S: Final = 2400.0
BATCH: Final = 8
"""Clusters created by one commit."""
OLD, NEW, WIDE = "1500ms", "1600ms", "1700ms"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clusters", type=int, default=40)
    asked = parser.parse_args()
    with place("full") as (home, sandbox, tools), staged(FLEET, home, sandbox, tools) as stage:
        return 0 if show(stage, sites(asked.clusters)) else 1


def show(stage: FleetStage, clusters: list[Site]) -> bool:
    run = Run(stage=stage, sites=clusters)
    paths = (TARGETS, *(Place(kind=kind).path for kind in ("Cluster", "Machine")))
    run.create()
    with Watch(stage.sandbox, paths, on_seen=run.see, keep=False) as run.watch:
        run.halted_and_fixed()
        run.killed_at_every_decision()
        run.control()
    print("\nall as it has to be" if not run.wrong else "\nNOT as it has to be:\n  " + "\n  ".join(run.wrong))
    return not run.wrong


@dataclass(slots=True, kw_only=True)
class Run:
    """One fleet through its commits, one daemon at a time."""

    stage: FleetStage
    sites: list[Site]
    machines: Machines = field(default_factory=Machines)
    wrong: list[str] = field(default_factory=list)
    watch: Watch = field(init=False)
    cpu_s: float = 0.0
    _begun: queue.SimpleQueue[tuple[str, str]] = field(default_factory=queue.SimpleQueue)
    _known: dict[str, str] = field(default_factory=dict)

    @property
    def daemon(self) -> Daemon:
        return self.stage.daemons[-1]

    @property
    def names(self) -> list[str]:
        return [site.target for site in self.sites]

    def see(self, seen: Seen) -> None:
        if seen.body["kind"] == "FleetTarget":
            self._see_target(seen.body)
        else:
            self.machines.see(seen)

    def _see_target(self, body: dict[str, Any]) -> None:
        name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
        revision = str((body.get("status") or {}).get("begunRevision", ""))
        if revision and self._known.get(name) != revision:
            self._known[name] = revision
            self._begun.put((name, revision))

    def create(self) -> None:
        """A few at a time: two cores that start forty clusters at once lose some of their Machines to timeouts."""
        began = time.monotonic()
        paced = pace(
            soak=f"{LIMITS.soak_s:.0f}s",
            maxConcurrentClusters=LIMITS.clusters,
            maxMachinesInFlight=LIMITS.machines,
            settleTimeout=f"{WITHIN_S:.0f}s",
        )
        self.stage.repository.create(ground(self.sites[:BATCH]) | images(OLD) | paced)
        self.stage.started(**PATIENT)
        self._until_created(BATCH)
        for first in range(BATCH, len(self.sites), BATCH):
            batch = self.sites[first : first + BATCH]
            self.stage.repository.commit({site.path: site.values for site in batch}, f"{len(batch)} more")
            self._until_created(first + len(batch))
        self.told(f"{len(self.sites)} clusters created in {time.monotonic() - began:.0f} s")
        self.stage.repository.commit(self._policy(), "pace")

    def _until_created(self, count: int) -> None:
        self.stage.until_verdict(self.stage.repository.head, within_s=WITHIN_S)
        self.told(f"{min(count, len(self.sites))} of {len(self.sites)} clusters are there")

    def _policy(self) -> dict[str, bytes]:
        return pace(
            soak=f"{LIMITS.soak_s:.0f}s",
            maxConcurrentClusters=LIMITS.clusters,
            maxMachinesInFlight=LIMITS.machines,
            settleTimeout=f"{SETTLE_S:.0f}s",
        )

    def halted_and_fixed(self) -> None:
        """The bump stops at the cluster whose image never starts; a fix of that cluster alone lets the rest go."""
        third = next(site for site in self.sites if site.image == "own")
        since = time.time()
        commit = self.stage.repository.commit(images(NEW, own="1h"), "images")
        self.told(f"commit {commit[:7]}: images; those of {third.target} never start")
        halted = until("a halt", lambda: self._fleet("halted"), within_s=WITHIN_S, every_s=0.5)
        self.expect(halted["target"] == third.target, f"halted by {halted}")
        self.told(f"halted: {halted}")
        self._untouched(since)
        fixed = Site(**{name: getattr(third, name) for name in ("region", "name", "ring", "pools")})
        fix = self.stage.repository.commit({fixed.path: fixed.values}, "fix")
        self.told(f"commit {fix[:7]}: the fix")
        self._until_all(NEW, since)
        self._judge("bump with a halt and a fix", since, fixed=frozenset({third.target}))
        for each in (commit, fix):
            self.told(f"{each[:7]}: {self.stage.repository.statuses(each).get('clusterops/apply')}")

    def _fleet(self, key: str) -> Any:
        self.daemon.must_run()
        self.watch.broken()
        return (self.stage.fleet.get("status") or {}).get(key)

    def _untouched(self, since: float) -> None:
        """Behind a halt nothing begins, and who has not begun is as it was."""
        begun = {each.cluster for each in self._writes(since)}
        rest = [site for site in self.sites if site.target not in begun]
        before = {site.target: self._generations(site) for site in rest}
        answer = self.stage.command("rollout", "status")
        self.expect(answer.code == 0 and "halted" in answer.text, f"rollout status: {answer.code} {answer.text[-300:]}")
        print(answer.text, flush=True)
        time.sleep(QUIET_S)
        late = {each.cluster for each in self._writes(since)} - begun
        self.expect(not late, f"written behind the halt: {sorted(late)}")
        moved = [site.target for site in rest if self._generations(site) != before[site.target]]
        self.expect(not moved, f"other generations behind the halt: {moved}")
        words = f"none of the {len(rest)} others has begun or has another generation"
        self.told(f"{QUIET_S:.0f} s behind the halt {words}; images of pools: {dict(self._images())}")

    def _generations(self, site: Site) -> dict[str, int]:
        found = {}
        for kind in ("Cluster", "KubeadmControlPlane", "MachineDeployment", "DevMachineTemplate"):
            for one in self.stage.api.items(Place(kind=kind, namespace=site.region).path):
                if (one["metadata"]["labels"] or {}).get("cluster.x-k8s.io/cluster-name") == site.name:
                    found[f"{kind}/{one['metadata']['name']}"] = int(one["metadata"]["generation"])
        return found

    def _images(self) -> Counter[str]:
        """Of the workers, as the pools have them, and how many pools have each."""
        templates = {_place(one): _starts_in(one) for one in self._every("DevMachineTemplate")}
        used = (
            (one["metadata"]["namespace"], one["spec"]["template"]["spec"]["infrastructureRef"]["name"])
            for one in self._every("MachineDeployment")
        )
        return Counter(templates.get(place, "") for place in used)

    def _every(self, kind: str) -> list[dict[str, Any]]:
        return self.stage.api.items(Place(kind=kind).path)

    def _until_all(self, image: str, since: float) -> None:
        """Written to, moved, and at rest again: conditions lag behind what was written."""

        def probe() -> bool:
            self.daemon.must_run()
            self.watch.broken()
            calm = self.machines.at_rest(self.names, for_s=CALM_S) and set(self._images()) == {image}
            return calm and len(self._course(since).settled) == len(self.sites)

        until(f"all clusters to have image {image}", probe, within_s=WITHIN_S, every_s=2)
        # What is at rest and not recorded so counts as disturbed, and goes with the canaries of the next commit.
        until("all clusters to be recorded as settled", self._all_settled, within_s=WITHIN_S, every_s=1)

    def _all_settled(self) -> bool:
        self.daemon.must_run()
        return {(one.get("status") or {}).get("phase") for one in self.stage.api.items(TARGETS)} == {"Settled"}

    def killed_at_every_decision(self) -> None:
        """Each time that a cluster is recorded as begun, by whoever leads then."""
        self._count_cpu()
        since, kills = time.time(), 0
        commit = self.stage.repository.commit(images(OLD), "back")
        self.told(f"commit {commit[:7]}: back, with kill -9 at every decision")
        waiting = set(self.names)
        deadline = time.monotonic() + WITHIN_S
        while waiting and time.monotonic() < deadline:
            name = self._next_begun(commit[:7])
            if name in waiting:
                self._count_cpu()
                self.daemon.kill()
                kills += 1
                waiting -= {name, *self._drained(commit[:7])}
                self.daemon.start(**PATIENT)
        self._until_all(OLD, since)
        self._judge(f"bump back with {kills} kills", since)

    def _next_begun(self, short: str) -> str:
        try:
            name, revision = self._begun.get(timeout=5)
        except queue.Empty:
            self.daemon.must_run()
            self.watch.broken()
            return ""
        return name if revision.endswith(short) else ""

    def _drained(self, short: str) -> set[str]:
        """Who had begun under the killed process, too."""
        found = set()
        time.sleep(0.2)
        while not self._begun.empty():
            name, revision = self._begun.get()
            if revision.endswith(short):
                found.add(name)
        return found

    def control(self) -> None:
        """Without limits the same instrument sees them exceeded."""
        since = time.time()
        free = pace(soak="0s", maxConcurrentClusters=len(self.sites), maxMachinesInFlight=1000, settleTimeout="40m")
        self.stage.repository.commit(free | images(WIDE), "control")
        self._until_all(WIDE, since)
        course = self._course(since)
        found = violations(course, LIMITS)
        seen = f"{course.most_clusters} clusters, {course.most_machines} machines at once, {len(found)} violations seen"
        self.told(f"control without limits: {seen}")
        self.expect(course.most_clusters > LIMITS.clusters, "the control saw no more clusters than allowed")
        self.expect(course.most_machines > LIMITS.machines, "the control saw no more machines than allowed")

    def _judge(self, what: str, since: float, *, fixed: frozenset[str] = frozenset()) -> None:
        course = replace(self._course(since), fixed=fixed)
        print(f"\n== {what}")
        table(course)
        minutes, count = (course.until - since) / 60, sum(course.writes.values())
        print(
            f"{minutes:.1f} minutes; at most {course.most_clusters} of {LIMITS.clusters} clusters and "
            f"{course.most_machines} of {LIMITS.machines} machines at once; {count} writes of ours, "
            f"{count / len(self.sites):.1f} per cluster; daemon {self._count_cpu():.0f} s CPU"
        )
        self.cpu_s = 0.0
        self.expect(len(course.begun) == len(self.sites), f"{what}: {len(course.begun)} clusters begun")
        self.expect(len(course.settled) == len(self.sites), f"{what}: {len(course.settled)} clusters settled")
        for each in violations(course, LIMITS):
            self.expect(False, f"{what}: {each}")

    def _course(self, since: float) -> Course:
        end = time.time()
        found = self._writes(since)
        begun = {each.cluster: each.at for each in reversed(found)}
        rested = {name: self.machines.settled_at(name, since=at, until=end) for name, at in begun.items()}
        return Course(
            sites=self.sites,
            since=since,
            until=end,
            begun=begun,
            settled={name: at for name, at in rested.items() if at is not None},
            moving=list(self.machines.moving),
            writes=Counter(each.cluster for each in found),
        )

    def _writes(self, since: float) -> list[Write]:
        assert self.stage.sandbox.audit_log is not None
        return writes(self.stage.sandbox.audit_log, self.names, since=since)

    def _count_cpu(self) -> float:
        """Of all daemons since it was last set to nothing."""
        process = self.daemon.process
        if process is not None and process.poll() is None:
            self.cpu_s += cpu_s(process.pid)
        return self.cpu_s

    def expect(self, holds: bool, words: str) -> None:
        if not holds:
            self.wrong.append(words)
            self.told(f"WRONG: {words}")

    def told(self, words: str, tell: Callable[[str], None] = print) -> None:
        tell(f"{time.strftime('%T', time.gmtime())} {words}")
        sys.stdout.flush()


def _place(one: dict[str, Any]) -> tuple[str, str]:
    return one["metadata"]["namespace"], one["metadata"]["name"]


def _starts_in(template: dict[str, Any]) -> str:
    return str(template["spec"]["template"]["spec"]["backend"]["inMemory"]["vm"]["provisioning"]["startupDuration"])


if __name__ == "__main__":
    sys.exit(main())
