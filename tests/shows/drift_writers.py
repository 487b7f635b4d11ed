"""Who writes in a fleet's management cluster by right, all the time: git, the autoscaler, people beside git."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.shows.drift_fleets import BOUNDS, CLASS, STYLES, Wish, ground
from tests.shows.drift_watch import TARGETS, Place
from tests.shows.impact_clusters import cluster_class
from tests.stage import Api, Repository

AUTOSCALER: Final = "cluster-autoscaler"
GREEDY: Final = ("plain-1-general", "chart-1-general")
_MIN: Final = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
_REMEDIATE: Final = "cluster.x-k8s.io/remediate-machine"
RECLASS_EVERY: Final = 50
MINORS: Final = 36
"""Highest; beyond it only the patch version moves."""


@dataclass(slots=True)
class Committer:
    """Edits one cluster in git at a time. ``busy`` are clusters that somebody else edits just now."""

    repository: Repository
    api: Api
    wishes: list[Wish]
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)
    made: list[Wish] = field(default_factory=list)
    turns: int = 0
    last: dict[str, str] = field(default_factory=dict)
    """The newest commit of each target."""

    def begin(self, clusters: int) -> None:
        self.made, self.wishes = self.wishes[:clusters], self.wishes[clusters:]
        files = ground()
        for wish in self.made:
            files |= wish.files()
        first = self.repository.create(files)
        self.last = {wish.target: first for wish in self.made}

    def commit(self) -> None:
        """One commit: every other one makes the next cluster while there are any left; else an edit."""
        self.turns += 1
        if self.wishes and self.turns % 2:
            self._commit("create", self.wishes.pop(0), new=True)
        elif self.turns % RECLASS_EVERY == 0:
            self.reclass(self.turns // RECLASS_EVERY % 2 + 2)
        else:
            self.edit()

    def edit(self) -> None:
        """A random edit of a random cluster; one that rolls machines only where all is settled."""
        free = [wish for wish in self.made if wish.target not in self.busy]
        settled = self._settled()
        calm = [wish for wish in free if wish.target in settled]
        edits: list[tuple[str, Callable[[Wish], None], list[Wish]]] = [
            ("scale", self._scale, free),
            ("scale", self._scale, free),
            ("label", self._label, free),
            ("upgrade", _upgrade, calm),
            ("template", _template, calm),
            ("control plane", _planes, calm),
        ]
        name, act, among = self.dice.choice([each for each in edits if each[2]])
        wish = self.dice.choice(among)
        act(wish)
        self._commit(name, wish)

    def reclass(self, number: int) -> None:
        """Edits what the clusters of a region share: all their workers roll."""
        bodies = cluster_class(CLASS, seconds=number)
        shared = {path: text for path, text in ground(bodies).items() if "/shared/" in path}
        self.repository.commit(shared, "class")
        self.done["class"] += 1

    def _commit(self, what: str, wish: Wish, *, new: bool = False) -> None:
        self.last[wish.target] = self.repository.commit(wish.files(), f"{wish.target}: {what}")
        self.done[what] += 1
        if new:
            self.made.append(wish)

    def _settled(self) -> set[str]:
        found = self.api.items(TARGETS)
        return {one["spec"]["target"] for one in found if one.get("status", {}).get("phase") == "Settled"}

    def _scale(self, wish: Wish) -> None:
        wish.workers = self.dice.choice([each for each in (1, 2, 3) if each != wish.workers])

    def _label(self, wish: Wish) -> None:
        wish.note = f"n{self.dice.randrange(10**6)}"


def _upgrade(wish: Wish) -> None:
    if wish.minor < MINORS and wish.patch % 2 == 0:
        wish.minor, wish.patch = wish.minor + 1, 1
    else:
        wish.patch += 1


def _template(wish: Wish) -> None:
    wish.seconds = wish.seconds % 3 + 1


def _planes(wish: Wish) -> None:
    wish.planes = 4 - wish.planes


@dataclass(slots=True)
class Others:
    """The autoscaler, who marks machines for remediation, and people who write what git does not say."""

    api: Api
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)

    def autoscale(self) -> None:
        """As cluster-autoscaler's clusterapi provider does: through the scale subresource."""
        pools = [one for one in self._every("MachineDeployment") if _MIN in one["metadata"].get("annotations", {})]
        if pools:
            self._scale(self.dice.choice(pools))
            self.done["autoscaled"] += 1

    def overreach(self) -> None:
        """The autoscaler on pools whose count git says, and no bounds: by right, whatever git says."""
        pools = [one for one in self._every("MachineDeployment") if one["metadata"]["name"] in GREEDY]
        if pools:
            self._scale(self.dice.choice(pools))
            self.done["autoscaled past git"] += 1

    def _scale(self, pool: dict[str, Any]) -> None:
        count = self.dice.choice([each for each in range(BOUNDS[0], BOUNDS[1] + 1) if each != pool["spec"]["replicas"]])
        path = f"{_place(pool).path}/scale?fieldManager={AUTOSCALER}"
        self.api.send("PATCH", path, {"spec": {"replicas": count}}, "application/merge-patch+json")

    def remediate(self) -> None:
        """Marks a running worker that a MachineHealthCheck looks after."""
        machines = [
            one
            for one in self._every("Machine")
            if one.get("status", {}).get("phase") == "Running"
            and not one["metadata"].get("deletionTimestamp")
            and "general" in one["metadata"]["labels"].get("cluster.x-k8s.io/deployment-name", "")
        ]
        if machines:
            marks = {"metadata": {"annotations": {_REMEDIATE: ""}}}
            self._patch(_place(self.dice.choice(machines)), marks, "kubectl-annotate")
            self.done["marked for remediation"] += 1

    def add(self) -> None:
        """A label and an annotation of nobody else, on any object of a fleet: additions are no drift."""
        kind = self.dice.choice(["Cluster", "MachineDeployment", "KubeadmControlPlane", "DevCluster"])
        if found := self._every(kind):
            words = {f"people.example.org/{self.dice.randrange(5)}": f"w{self.dice.randrange(100)}"}
            added = {"metadata": {"labels": words, "annotations": words}}
            self._patch(_place(self.dice.choice(found)), added, self.dice.choice(["kubectl-label", "kubectl-edit"]))
            self.done["added labels"] += 1

    def restart(self) -> None:
        """As `clusterctl alpha rollout restart` does, on a pool that is not of a topology."""
        pools = [one for one in self._every("MachineDeployment") if one["metadata"]["namespace"] != "class"]
        if pools:
            after = {"spec": {"rollout": {"after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}}
            self._patch(_place(self.dice.choice(pools)), after, "clusterctl")
            self.done["restarted pools"] += 1

    def _every(self, kind: str) -> list[dict[str, Any]]:
        found = [one for style in STYLES for one in self.api.items(Place(kind=kind, namespace=style).path)]
        return [{"kind": kind, **one} for one in found]

    def _patch(self, place: Place, body: dict[str, Any], manager: str) -> None:
        self.api.send("PATCH", f"{place.path}?fieldManager={manager}", body, "application/merge-patch+json")


def _place(one: dict[str, Any]) -> Place:
    return Place(kind=one["kind"], namespace=one["metadata"]["namespace"], name=one["metadata"]["name"])


@contextlib.contextmanager
def at_work(*jobs: tuple[float, Callable[[], None]], failures: Counter[str]) -> Iterator[None]:
    """Each job in a thread of its own, every so many seconds. What the API server refuses is counted and tried anew."""
    ended = threading.Event()

    def loop(every_s: float, job: Callable[[], None]) -> None:
        while not ended.wait(every_s):
            try:
                job()
            except (AssertionError, OSError) as error:
                failures[f"{job.__name__}: {str(error)[:160]}"] += 1

    threads = [threading.Thread(target=loop, args=job, name=job[1].__name__, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
