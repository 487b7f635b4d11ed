"""Show 9: live clusters from three template styles are adopted, edited, cleaned up, and meet a new provider default.

usage: python -m tests.shows.show_9_adoption [CLUSTERS]      (20 clusters: about ten minutes on two cores)

Prints a table of the Machines that a plan said would be replaced and those that were. Exit 1 on a miss.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from clusterops.sandbox import Sandbox
from tests.shows.adopting import STYLES, Adopting, by_style, replaced, told_replaced
from tests.shows.place import place
from tests.stage import until
from tests.system.plain_fleet import staged

PATIENT = {
    "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "30",
    "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "20",
    "CLUSTEROPS_DAEMON_RENEW_EVERY_S": "2",
}
"""The machine is busy with controllers; this show is not about losing a lease."""


def main(count: int) -> bool:
    with place("full") as (home, sandbox, tools):
        wrong = play("adopted", count, home, sandbox, tools)
    for each in wrong:
        print(f"WRONG: {each}")
    print("NOT as it has to be" if wrong else "all as it has to be")
    return not wrong


def play(
    region: str, count: int, home: Path, sandbox: Sandbox, tools: dict[str, Path], *, within_s: float = 1800
) -> list[str]:
    """The whole scene; what went otherwise than it has to, in words."""
    clusters = {f"{STYLES[each % len(STYLES)].name[0]}{each:02}": STYLES[each % len(STYLES)] for each in range(count)}
    with staged(region, home, sandbox, tools) as stage:
        scene = _Scene(Adopting(stage, clusters), within_s)
        scene.adopt()
        scene.edit()
        scene.meet_a_default()
        return scene.wrong


class _Scene:
    def __init__(self, fleet: Adopting, within_s: float) -> None:
        self.fleet, self.within_s = fleet, within_s
        self.wrong: list[str] = []
        self.began_s = time.monotonic()

    def adopt(self) -> None:
        self.fleet.apply_by_hand()
        self.fleet.until_running(self.within_s)
        self._say(f"{len(self.fleet.clusters)} clusters run, applied with kubectl")
        names, before = self.fleet.templates(), self.fleet.machines()
        head = self.fleet.create()
        self.fleet.stage.started(**PATIENT)
        self._compare("adoption", head, before, expected=0)
        if self.fleet.templates() != names:
            self.wrong.append(f"adoption: templates changed: {names} -> {self.fleet.templates()}")

    def edit(self) -> None:
        names, before = self.fleet.templates(), self.fleet.machines()
        self._compare("first edit", self.fleet.edit("one"), before, expected=len(self.fleet.clusters))
        after = self._collected(names)
        for name in sorted(names):
            left, new = names[name] - after[name], after[name] - names[name]
            if (len(left), len(new)) != (1, 1):
                self.wrong.append(f"first edit: {name}: collected {sorted(left)}, new {sorted(new)}")
        self._say(f"first generations collected: {sum(len(names[name] - after[name]) for name in names)}")

    def _collected(self, names: dict[str, set[str]]) -> dict[str, set[str]]:
        """The templates once each cluster has lost one, which the commit's verdict does not wait for."""
        with contextlib.suppress(AssertionError):
            until(
                "the first generations to go",
                lambda: all(names[name] - now for name, now in self.fleet.templates().items()),
                within_s=300,
                every_s=1,
            )
        return self.fleet.templates()

    def meet_a_default(self) -> None:
        names, before = self.fleet.templates(), self.fleet.machines()
        restore = self.fleet.add_provider_default()
        try:
            self._compare("provider default", self.fleet.touch("later"), before, expected=0)
        finally:
            restore()
        if self.fleet.templates() != names:
            self.wrong.append("provider default: templates changed")

    def _compare(self, what: str, commit: str, before: dict[str, str], *, expected: int) -> None:
        verdict = self.fleet.stage.until_verdict(commit, within_s=self.within_s)
        told = self.fleet.stage.repository.statuses(commit)["clusterops/plan"]["text"]
        gone = replaced(before, self.fleet.machines())
        counts = " ".join(f"{style} {number}" for style, number in by_style(gone, self.fleet.clusters).items())
        self._say(f"{what:<17} predicted {told_replaced(told):>3}   replaced {len(gone):>3}   ({counts})   {told}")
        if verdict["state"] != "success":
            self.wrong.append(f"{what}: {verdict['state']}: {verdict['text']}")
        if not told_replaced(told) == len(gone) == expected or any(not one.endswith("/worker") for one in gone):
            self.wrong.append(f"{what}: expected {expected}, predicted {told_replaced(told)}, replaced {gone}")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began_s:6.0f} s  {text}", flush=True)


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    sys.exit(0 if main(chosen) else 1)
