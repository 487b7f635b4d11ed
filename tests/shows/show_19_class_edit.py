"""Show 19: edits of a ClusterClass that 20 clusters in two regions use, on the real controllers.

`python -m tests.shows.show_19_class_edit [CLUSTERS]`: a second client counts the machines that move at each moment;
1 when more did than the pace allows, or when an old class or template was left. In the second edit the daemon is
killed when the first cluster is held, and again half-way.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tests.shows.class_fleet import CLUSTERS_AT_ONCE, MACHINES_AT_ONCE, ClassFleet, Machines
from tests.shows.place import place
from tests.stage import until
from tests.system.plain_fleet import staged

WITHIN_S = 3600.0


def main(count: int) -> bool:
    with place("full") as (home, sandbox, tools), staged("classy", home, sandbox, tools) as stage:
        scene = Scene(ClassFleet.of(stage, count))
        scene.create()
        scene.paced("workers", lambda: scene.fleet.other_workers("b"), workers=True)
        scene.paced("control planes", scene.fleet.other_planes, workers=False, kills=True)
        scene.at_once()
    for each in scene.wrong:
        print(f"WRONG: {each}")
    print("NOT as it has to be" if scene.wrong else "all as it has to be")
    return not scene.wrong


class Scene:
    def __init__(self, fleet: ClassFleet) -> None:
        self.fleet = fleet
        self.machines = Machines({name: 1 + pools for name, pools in fleet.pools.items()})
        self.wrong: list[str] = []
        self.began_s = time.monotonic()

    def create(self) -> None:
        head = self.fleet.create()
        self.daemon = self.fleet.stage.started()
        self._verdict("creation", head)
        self.machines.watch(self.fleet.stage.sandbox.kubeconfig)
        whole = len(self.fleet.pools) + self.fleet.workers
        until("all Machines to be seen at rest", lambda: self._rests(whole), within_s=WITHIN_S)
        self._say(f"{len(self.fleet.pools)} clusters, {whole} machines, classes {self.fleet.classes()}")

    def paced(self, what: str, edit: Callable[[], str], *, workers: bool, kills: bool = False) -> None:
        before = {role: self.machines.uids(control_plane=role) for role in (True, False)}
        classes, templates = self.fleet.classes(), self.fleet.templates()
        self.machines.begin()
        head = edit()
        if kills:
            self.daemon.until_event("pass", code="rollout-held", within_s=WITHIN_S)
            self._kill()
            until("half of it", lambda: 2 * len(self.machines.born) > len(before[not workers]), within_s=WITHIN_S)
            self._kill()
        self._verdict(what, head)
        until("everything to rest", lambda: not self.machines.moving(), within_s=WITHIN_S)
        rolled, stayed = before[not workers], before[workers]
        now = {role: self.machines.uids(control_plane=role) for role in (True, False)}
        self._told(what)
        if rolled & now[not workers] or len(now[not workers]) != len(rolled):
            self.wrong.append(f"{what}: {len(rolled & now[not workers])} machines were not replaced")
        if stayed != now[workers]:
            self.wrong.append(f"{what}: machines were replaced that had nothing to do with it")
        if self.machines.peak > MACHINES_AT_ONCE or self.machines.peak_clusters > CLUSTERS_AT_ONCE:
            self.wrong.append(f"{what}: more moved than may: {self.machines.worst}")
        self._collected(what, classes, templates)

    def at_once(self) -> None:
        """The control: the count of this show does see it when everything moves."""
        self.machines.begin()
        classes = self.fleet.classes()
        head = self.fleet.other_workers_in_place()
        self._verdict("in place", head)
        until("everything to rest", lambda: self._made(self.fleet.workers), within_s=WITHIN_S)
        self._told("in place")
        if self.machines.peak <= MACHINES_AT_ONCE or self.machines.peak_clusters <= CLUSTERS_AT_ONCE:
            self.wrong.append("in place: this show would not have seen more than the pace allows")
        if self.fleet.classes() != classes:
            self.wrong.append(f"in place: classes {classes} became {self.fleet.classes()}")

    def _collected(self, what: str, classes: list[str], templates: list[str]) -> None:
        def probe() -> bool:
            return len(self.fleet.classes()) == 1 and len(self.fleet.templates()) == len(templates)

        until("the old generations to go", probe, within_s=300, every_s=1)
        if self.fleet.classes() == classes:
            self.wrong.append(f"{what}: the class is still {classes}")
        self._say(f"{what}: {classes} gone, {self.fleet.classes()} there, templates {self.fleet.templates()}")

    def _told(self, what: str) -> None:
        seen = self.machines
        limits = f"of {MACHINES_AT_ONCE} machines in {CLUSTERS_AT_ONCE} clusters"
        self._say(
            f"{what}: {len(seen.born)} machines made; at most {seen.peak} moved at a time, in {seen.peak_clusters} "
            f"clusters ({limits}), over {seen.samples} events"
        )

    def _kill(self) -> None:
        self.daemon.kill()
        self.daemon.start()
        self._say(f"killed and started again, {len(self.machines.born)} machines made by then")

    def _made(self, count: int) -> bool:
        return len(self.machines.born) >= count and not self.machines.moving()

    def _rests(self, whole: int) -> bool:
        return len(self.machines.now) == whole and not self.machines.moving()

    def _verdict(self, what: str, head: str) -> None:
        verdict = self.fleet.stage.until_verdict(head, within_s=WITHIN_S)
        plan = self.fleet.stage.repository.statuses(head).get("clusterops/plan", {}).get("text", "")
        self._say(f"{what}: {plan} | {verdict['state']}: {verdict['text']}")
        if verdict["state"] != "success":
            self.wrong.append(f"{what}: {verdict['state']}: {verdict['text']}")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began_s:6.0f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 20) else 1)
