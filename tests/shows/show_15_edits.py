"""Show 15: from a `kubectl edit` to drift reported, and to healed: median and worst of 50 each.

usage: python -m tests.shows.show_15_edits [EDITS]      (50; from the project's root)

Fifty clusters on a real API server, the daemon as a process; half of the regions report, half heal. The clock starts
when the API server has answered kubectl's write (its audit log) and stops when a second client's watch has the
FleetTarget that names object, field and author, or the object with git's value again. Fails beyond AIM_S, and when
anything is named wrongly, written under `report`, or left behind under `heal`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from clusterops.model.bodies import value_at
from clusterops.sandbox import Sandbox
from tests.scale.fleet import BASE, fleet_files
from tests.shows.drift_edits import Person
from tests.shows.drift_told import told
from tests.shows.drift_watch import KINDS, TARGETS, Place, Seen, Watch
from tests.shows.place import place
from tests.stage import Api, Audit, Daemon, Repository, until
from tests.system.plain_fleet import metric

AIM_S: Final = 0.3
CLUSTERS: Final = 50
REGIONS: Final = 10
PAUSE_S: Final = 0.3
"""Between an edit's end and the next one: people do not edit in the same instant in which the last one was noticed."""
CALM_S: Final = 3.0
"""After the first sync."""
LISTED: Final = (
    "/apis/cluster.x-k8s.io/v1beta2/machinesets",
    "/apis/cluster.x-k8s.io/v1beta2/machinepools",
    "/apis/bootstrap.cluster.x-k8s.io/v1beta2/kubeadmconfigs",
    "/apis/infrastructure.cluster.x-k8s.io/v1beta2/devmachines",
)
"""An API server takes a second over the first list of a kind; elsewhere controllers have asked long ago."""
_LABEL: Final = "/metadata/labels/team"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that git sets, of the object of a cluster whose name is the cluster's and ``suffix``."""

    kind: str
    suffix: str
    pointer: str
    value: Any

    def of(self, number: int) -> Place:
        return Place(kind=self.kind, namespace=f"r{number % REGIONS}", name=f"c{number:04d}{self.suffix}")


_DRAIN: Final = "/spec/template/spec/deletion/nodeDrainTimeoutSeconds"
_SURGE: Final = "/spec/rollout/strategy/rollingUpdate/maxSurge"
CHEAP: Final = (
    Field("Cluster", "", _LABEL, "edited"),
    Field("MachineDeployment", "-md-0", _DRAIN, 60),
    Field("KubeadmControlPlane", "-cp", _LABEL, "edited"),
    Field("DevCluster", "", "/metadata/annotations/fleet", "edited"),
    Field("MachineDeployment", "-md-0", "/spec/replicas", 1),
    Field("DevMachineTemplate", "-md-0", _LABEL, "edited"),
    Field("KubeadmConfigTemplate", "-md-0", _LABEL, "edited"),
    Field("MachineDeployment", "-md-0", _SURGE, 3),
    Field("KubeadmControlPlane", "-cp", "/spec/remediation/maxRetry", 9),
    Field("DevMachineTemplate", "-cp", _LABEL, "edited"),
)
"""Healing them costs no machine."""
_SOCKET: Final = "/spec/kubeadmConfigSpec/initConfiguration/nodeRegistration/criSocket"
ANY: Final = (
    *CHEAP,
    Field("MachineDeployment", "-md-0", "/spec/replicas", 5),
    Field("KubeadmControlPlane", "-cp", "/spec/version", "v1.34.2"),
    Field("KubeadmControlPlane", "-cp", _SOCKET, "unix:///elsewhere.sock"),
    Field("MachineDeployment", "-md-0", "/spec/template/spec/version", "v1.34.2"),
    Field("Cluster", "", "/spec/clusterNetwork/serviceDomain", "edited.local"),
)


def files() -> dict[str, bytes]:
    """The fleet of tests/scale with more fields to edit; r5 to r9 heal."""
    more = {
        "  selector: {matchLabels: {}}\n": "  selector: {matchLabels: {}}\n"
        "  rollout: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}}\n",
        "      clusterName: c\n      version": "      clusterName: c\n      deletion: {nodeDrainTimeoutSeconds: 600}\n"
        "      version",
        "  replicas: 1\n": "  replicas: 1\n  remediation: {maxRetry: 3}\n",
    }
    base = BASE
    for old, new in more.items():
        assert base.count(old) == 1
        base = base.replace(old, new)
    healing = {f"regions/r{number}/values.yaml": _HEAL for number in range(REGIONS) if heals(number)}
    labelled = "resources: [objects.yaml]\nlabels: [{pairs: {team: platform}}]\n"
    changed = {"base/objects.yaml": base, "base/kustomization.yaml": labelled, **healing}
    return fleet_files(CLUSTERS, regions=REGIONS) | {path: text.encode() for path, text in changed.items()}


_HEAL: Final = "clusterops: {drift: {policy: heal}}\n"


def heals(number: int) -> bool:
    return number % REGIONS >= REGIONS // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Seconds from kubectl's answer until the FleetTarget said so, the metric did, and the field was git's again."""

    edit: str
    reported: float
    metric: float = 0.0
    healed: float = 0.0

    @property
    def parts(self) -> dict[str, float]:
        return {"reported": self.reported, "metric": self.metric, "healed": self.healed}


@dataclass(slots=True)
class Bench:
    """A daemon on a fleet that is in sync, and somebody with kubectl."""

    daemon: Daemon
    person: Person
    watch: Watch
    api: Api
    wrong: list[str] = field(default_factory=list)
    drifted: set[Place] = field(default_factory=set)
    """Objects, which is what the metric counts."""

    def reported(self, number: int, edited: Field) -> Timed:
        """Under `report`."""
        place, mark, before = edited.of(number), self.watch.mark, self._metric()
        answered = self.person.edit(place, edited.pointer, edited.value)
        seen = self.watch.until(f"drift of {place}{edited.pointer}", self._names(place, edited.pointer), since=mark)
        metered = answered
        if place not in self.drifted:
            metered = until("the metric", lambda: time.time() if self._metric() > before else 0.0, every_s=0.005)
        self.drifted.add(place)
        self._look(seen, place, edited, "report")
        return Timed(edit=f"{place.kind}{edited.pointer}", reported=seen.at - answered, metric=metered - answered)

    def healed(self, number: int, edited: Field) -> Timed:
        """Under `heal`."""
        place, mark = edited.of(number), self.watch.mark
        git = value_at(self.api.get(place.path), edited.pointer)
        answered = self.person.edit(place, edited.pointer, edited.value)

        def has(value: Any) -> Callable[[Seen], bool]:
            return lambda seen: seen.place == place and value_at(seen.body, edited.pointer) == value

        mine = self.watch.until("the edit", has(edited.value), since=mark)
        back = self.watch.until("git's value", has(git), since=self.watch.seen.index(mine, mark) + 1)
        seen = self.watch.until(f"drift of {place}{edited.pointer}", self._names(place, edited.pointer), since=mark)
        self._look(seen, place, edited, "heal")
        return Timed(edit=f"{place.kind}{edited.pointer}", reported=seen.at - answered, healed=back.at - answered)

    def _names(self, place: Place, pointer: str) -> Callable[[Seen], bool]:
        return lambda seen: any(one.place == place and one.pointer == pointer for one in told(seen))

    def _look(self, seen: Seen, place: Place, edited: Field, remedy: str) -> None:
        found = next(one for one in told(seen) if (one.place, one.pointer) == (place, edited.pointer))
        if (found.manager, found.author) != ("kubectl-edit", "person") or (remedy == "heal" != found.remedy):
            self.wrong.append(f"{place}{edited.pointer}: {found}")

    def _metric(self) -> float:
        return metric(self.daemon, "clusterops_drift_objects{")


def main(edits: int) -> int:
    with place("crds") as (home, sandbox, tools):
        return 0 if show(home, sandbox, tools, edits) else 1


def show(home: Path, sandbox: Sandbox, tools: dict[str, Path], edits: int) -> bool:
    repository, api = Repository(home / "fleet.git"), Api(sandbox)
    repository.create(files())
    programs = {f"CLUSTEROPS_RENDER_{name.upper()}": str(tools[name]) for name in ("helm", "kustomize")}
    daemon = Daemon(repository.directory, sandbox.kubeconfig, home / "daemon", environment=programs)
    daemon.start()
    try:
        daemon.until_event("commit applied", within_s=300)
        kinds = (Place(kind=kind).path for kind in KINDS if kind != "Machine")
        for path in (*(Place(kind=kind).path for kind in KINDS), *LISTED):
            api.get(path)
        with Watch(sandbox, (TARGETS, *kinds)) as watch:
            time.sleep(CALM_S)
            return run(Bench(daemon, Person(sandbox, home / "person"), watch, api), edits)
    finally:
        daemon.stop()


def run(bench: Bench, edits: int) -> bool:
    """Prints the figures; whether all is as it has to be."""
    assert bench.api.sandbox.audit_log is not None
    audit = Audit.from_now(bench.api.sandbox.audit_log)
    numbers = [number for number in range(CLUSTERS) if not heals(number)]
    reports = [_one(bench.reported, numbers, edit, ANY) for edit in range(edits)]
    objects = [write for write in audit.writes() if not write.split()[1].startswith(("fleet", "lease", "event"))]
    bench.wrong += [f"written under report: {write}" for write in objects]
    numbers = [number for number in range(CLUSTERS) if heals(number)]
    heals_ = [_one(bench.healed, numbers, edit, CHEAP) for edit in range(edits)]
    until("all healed targets in sync", lambda: not _drifted(bench.api, REGIONS // 2), every_s=0.5)
    return verdict(bench, reports, heals_)


def _one(act: Callable[[int, Field], Timed], numbers: Sequence[int], edit: int, fields: Sequence[Field]) -> Timed:
    """Each cluster in turn; the same one never gets the same field twice."""
    number, turn = numbers[edit % len(numbers)], edit // len(numbers)
    found = act(number, fields[(edit + turn) % len(fields)])
    parts = (f"{name} {seconds:.3f} s" for name, seconds in found.parts.items() if seconds)
    print(f"c{number:04d} {found.edit}: {', '.join(parts)}", flush=True)
    time.sleep(PAUSE_S)
    return found


def _drifted(api: Api, first_region: int) -> list[str]:
    return [
        one["spec"]["target"]
        for one in api.items(TARGETS)
        if int(one["metadata"]["namespace"][1:]) >= first_region and one["status"].get("drift", {}).get("count")
    ]


def verdict(bench: Bench, reports: Sequence[Timed], heals_: Sequence[Timed]) -> bool:
    kubectl = "kubectl edit" if bench.person.kubectl else "the request of kubectl edit"
    print(f"{len(reports)} + {len(heals_)} edits by {kubectl}, {CLUSTERS} clusters = {CLUSTERS * 7} objects, two cores")
    met = [
        _line("edit to drift reported (FleetTarget)", reports, lambda one: one.reported, AIM_S),
        _line("edit to drift reported (metric)", reports, lambda one: one.metric, AIM_S),
        _line("edit to healed", heals_, lambda one: one.healed, AIM_S),
        _line("edit to reported, where it heals", heals_, lambda one: one.reported, None),
    ]
    for line in bench.wrong:
        print(f"WRONG: {line}")
    print("as it has to be" if all(met) and not bench.wrong else "NOT as it has to be")
    return all(met) and not bench.wrong


def _line(what: str, edits: Sequence[Timed], seconds: Callable[[Timed], float], aim_s: float | None) -> bool:
    """Of those that were measured."""
    measured = [one for one in edits if seconds(one)]
    median, worst = statistics.median(map(seconds, measured)), max(measured, key=seconds)
    aim = f" (aim: median {aim_s} s)" if aim_s else ""
    print(f"{what:<38} median {median:.3f} s  worst {seconds(worst):.3f} s of {len(measured)} ({worst.edit}){aim}")
    return aim_s is None or median <= aim_s


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
