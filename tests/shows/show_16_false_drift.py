"""Show 16: an hour of the real Cluster API controllers, the autoscaler and git: how much false drift is there?

usage: python -m tests.shows.show_16_false_drift [--minutes N] [--seed N]     (60; from the project's root)

Twenty clusters of the in-memory provider (plain, of v1beta1 manifests, of a ClusterClass, of our own chart) are
created, scaled, upgraded, rolled and remediated, all through git or by those who may; some pools are counted by an
autoscaler, people add labels of their own. Whatever a FleetTarget calls drift meanwhile is false, unless it is left
to a controller or the autoscaler, or was made on purpose: ten edits by hand, each to be seen and named rightly.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from clusterops.sandbox import Sandbox
from tests.scale.processes import cpu_s, resident_mb
from tests.shows.drift_controls import Control, begin, controls, plan_of, said
from tests.shows.drift_edits import Person
from tests.shows.drift_fleets import FLEET, HEALING, wishes
from tests.shows.drift_judged import Judge, tell_writers
from tests.shows.drift_watch import EVENTS, KINDS, TARGETS, Place, Watch
from tests.shows.drift_writers import Committer, Others, at_work
from tests.shows.place import place
from tests.stage import Api, Daemon, Repository, until
from tests.system.plain_fleet import metric

AT_FIRST: Final = 4
"""Clusters; the others are made under way."""
SEEN_WITHIN_S: Final = 180.0
CALM_WITHIN_S: Final = 1200.0
PATIENT: Final = {
    "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "90",
    "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "60",
    "CLUSTEROPS_DAEMON_RENEW_EVERY_S": "5",
}
"""An API server that shares two cores with everything else may answer after ten seconds."""
COMMIT_EVERY_S: Final = 25.0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=16)
    asked = parser.parse_args()
    with place("full") as (home, sandbox, tools):
        return 0 if show(home, sandbox, tools, asked.minutes, random.Random(asked.seed)) else 1


def show(home: Path, sandbox: Sandbox, tools: dict[str, Path], minutes: float, dice: random.Random) -> bool:
    api, repository = Api(sandbox), Repository(home / "fleet.git")
    committer = Committer(repository=repository, api=api, wishes=wishes(), dice=dice)
    committer.begin(AT_FIRST)
    programs = {f"CLUSTEROPS_RENDER_{name.upper()}": str(tools[name]) for name in ("helm", "kustomize")}
    daemon = Daemon(repository.directory, sandbox.kubeconfig, home / "daemon", environment=programs | PATIENT)
    found = controls()
    judge = Judge(fleet=FLEET, controls=found)
    daemon.start()
    try:
        until("FleetTargets to be known", lambda: api.get(TARGETS), every_s=0.2)
        paths = (TARGETS, EVENTS, *(Place(kind=kind).path for kind in KINDS))
        with Watch(sandbox, paths, on_seen=judge.see, keep=False) as watch:
            run = Run(daemon, committer, Others(api, random.Random(dice.random())), judge, watch)
            run.hour(Person(sandbox, home / "person"), plan_of(minutes, found), minutes * 60)
            return run.verdict(minutes)
    finally:
        daemon.stop()


class Run:
    """One daemon, one world, one judge."""

    def __init__(self, daemon: Daemon, committer: Committer, others: Others, judge: Judge, watch: Watch) -> None:
        self.daemon = daemon
        self.committer = committer
        self.others = others
        self.judge = judge
        self.watch = watch
        self.failures = Counter[str]()
        self.metered = Counter[str]()

    def hour(self, person: Person, plan: list[tuple[float, Control]], seconds: float) -> None:
        """All writers at once, and the controls at their times."""
        jobs = (
            (COMMIT_EVERY_S, self.committer.commit),
            (12.0, self.others.autoscale),
            (30.0, self.others.overreach),
            (45.0, self.others.remediate),
            (17.0, self.others.add),
            (150.0, self.others.restart),
            (10.0, self.look),
        )
        started = time.monotonic()
        with at_work(*jobs, failures=self.failures):
            for after, control in plan:
                # Git leaves the cluster alone around the edit by hand: else that is put back with the commit, by right.
                self.committer.busy.add(control.target)
                self._until(started + after)
                self.control(control, person)
                self.committer.busy.discard(control.target)
            self._until(started + seconds)

    def _until(self, moment: float) -> None:
        while time.monotonic() < moment:
            self.daemon.must_run()
            self.watch.broken()
            time.sleep(0.5)

    def control(self, control: Control, person: Person) -> None:
        """Its edit, once git has nothing more to say there, and the wait until it was seen."""
        until(f"{control.target} to be applied", lambda: self._calm(control), every_s=1, within_s=CALM_WITHIN_S)
        begin(control, person)
        deadline = time.monotonic() + SEEN_WITHIN_S
        while not control.seconds and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        print(f"{time.strftime('%T', time.gmtime())} {said(control)}", flush=True)

    def _calm(self, control: Control) -> bool:
        """What a commit on its way changes is no drift, so the last one has to have been applied."""
        last = self.committer.last.get(control.target, "")
        applied = any(one["commit"] == last[:7] for one in self.daemon.events("commit applied"))
        return applied and (control.what == "extra" or bool(self.others.api.get(control.place.path)))

    def look(self) -> None:
        """The metric, by class; more of a class than stands in any FleetTarget is told of."""
        for each in ("autoscaler", "controller", "tool", "person", "unknown"):
            count = sum(
                metric(self.daemon, f'clusterops_drift_objects{{class="{each}",region="{region}"}}')
                for region in ("plain", "older", "class", "chart")
            )
            self.metered[each] = max(self.metered[each], int(count))

    def verdict(self, minutes: float) -> bool:
        judge, controls_ = self.judge, self.judge.controls
        machines = f"{len(judge.machines)} machines seen, {len(self.committer.made)} clusters"
        print(f"\n{minutes:.0f} minutes, {machines}, two cores")
        print(f"commits: {dict(self.committer.done)}; others: {dict(self.others.done)}")
        print(f"versions seen: {dict(judge.versions)}; Events on FleetTargets: {dict(judge.events)}")
        print(f"drift left to its author: {dict(judge.by_right)}; ignored: {dict(judge.ignored)}")
        print(f"fields of others at most: {dict(judge.left)}")
        print(f"most drifted objects at once by the metric: {dict(self.metered)}")
        self._process()
        print("who writes what git's objects are made of, beside status:")
        tell_writers(judge.writers)
        for text, count in self.failures.most_common(8):
            print(f"a writer was refused {count} x: {text}")
        for one in controls_:
            print(said(one))
        missed = [one for one in controls_ if not one.seconds or one.wrong]
        heals = metric(self.daemon, "clusterops_drift_heals_total")
        asked = sum(one.target.partition("/")[0] in HEALING for one in controls_)
        for text, count in judge.false.most_common():
            print(f"FALSE {count} x: {text}")
        for text, count in judge.unknown.most_common(5):
            print(f"UNKNOWN {count} x: {text}")
        print(
            f"false drift: {sum(judge.false.values())}; edits by hand: {len(controls_) - len(missed)} of "
            f"{len(controls_)} seen and named rightly; healed {heals:.0f} of {asked} under heal"
        )
        return not judge.false and not judge.unknown and not missed and heals <= asked

    def _process(self) -> None:
        assert self.daemon.process is not None
        pid = self.daemon.process.pid
        errors = Counter(one["event"] for one in self.daemon.events() if one.get("level") in {"warning", "error"})
        print(f"daemon: {cpu_s(pid):.0f} s CPU, {resident_mb(pid):.0f} MB; warnings: {dict(errors)}")


if __name__ == "__main__":
    sys.exit(main())
