"""A daemon whose watches are harmed, or whose API server is killed, while people and git change things."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.cutting_api import HOWS, CuttingApi, Harm, How
from tests.doors.flaky_api import Seen
from tests.stage import Audit, Daemon, until
from tests.system.plain_fleet import FleetStage, config, metric

MERGE = "application/merge-patch+json"
SILENCE_S = 2.0


@dataclass(slots=True)
class Harming:
    """Gives every watch its harm, in turn, after a random number of bytes; says how often each was done."""

    proxy: CuttingApi
    seed: int
    bytes_at_most: int = 4000
    _hows: Iterator[How] = field(init=False)
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._hows, self._dice = itertools.cycle(HOWS), random.Random(self.seed)

    def begin(self) -> None:
        self.proxy.harm = self._harm

    def end(self) -> None:
        self.proxy.harm = lambda seen: None
        self.proxy.cut_all()

    @property
    def done(self) -> Counter[str]:
        return Counter(harm.how for _, harm in self.proxy.harmed)

    @property
    def of_the_cache(self) -> int:
        """How many met a watch of the cache: people's wishes are watched, too, and those count nowhere."""
        return sum("/clusterops.io/" not in path for path, _ in self.proxy.harmed)

    def _harm(self, seen: Seen) -> Harm:
        return Harm(next(self._hows), self._dice.randrange(self.bytes_at_most))


@dataclass(slots=True)
class Rounds:
    """A fleet of ConfigMaps that heals what people do; ``expected`` counts the writes that each object is worth."""

    stage: FleetStage
    names: tuple[str, ...]
    values: dict[str, str] = field(default_factory=dict)
    expected: Counter[str] = field(default_factory=Counter)

    def first(self) -> str:
        self.values = dict.fromkeys(self.names, "0")
        self.expected.update(self.names)
        self.stage.create(**{name: config(name, "0") for name in self.names})
        policies = {
            f"clusters/{self.stage.name}/{name}/values.yaml": b"clusterops: {drift: {policy: heal}}\n"
            for name in self.names
        }
        return self.stage.repository.commit(policies, "heal")

    def play(self, number: int) -> None:
        """Git changes a third of them, somebody edits another third and deletes one more; then all is as git says."""
        share = len(self.names) // 3
        first = number * share % len(self.names)
        turned = self.names[first:] + self.names[:first]
        ours, edited, deleted = turned[:share], turned[share : 2 * share], turned[2 * share]
        for name in edited:
            self.stage.api.send(
                "PATCH", f"{self._path(name)}?fieldManager=kubectl-edit", {"data": {"value": "by hand"}}, MERGE
            )
        self.stage.api.send("DELETE", self._path(deleted))
        commit = self.stage.commit(**{name: config(name, str(number)) for name in ours})
        self.values.update(dict.fromkeys(ours, str(number)))
        self.expected.update((*ours, *edited, deleted))
        self.until_converged()
        self.stage.until_verdict(commit)

    def until_converged(self) -> None:
        def probe() -> bool:
            self.stage.daemons[-1].must_run()
            return all(self.stage.value(name) == value for name, value in self.values.items())

        until("what git says", probe)

    def _path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.stage.name}/configmaps/{name}"


def written(audit: Audit, resource: str, namespaces: str) -> Counter[str]:
    """Successful writes of ours, by ``name``, of one resource in namespaces that begin so."""
    counts: Counter[str] = Counter()
    for line in audit.writes():
        _, of, place, code = line.split()
        namespace, _, name = place.partition("/")
        if of == resource and namespace.startswith(namespaces) and int(code) < 300:
            counts[name] += 1
    return counts


def cached(daemon: Daemon, kind: str = "") -> float:
    """Objects that the daemon's cache holds."""
    return metric(daemon, f'clusterops_cached_objects{{kind="{kind}' if kind else "clusterops_cached_objects")


def restarts(daemon: Daemon) -> float:
    return metric(daemon, "clusterops_watch_restarts_total")


def harmed_rounds(stage: FleetStage, proxy: CuttingApi, *, targets: int, rounds: int) -> tuple[Rounds, Harming, float]:
    """Plays; returns what was expected, what was done to the watches, and the seconds that it took."""
    playing = Rounds(stage, tuple(f"c{number:02d}" for number in range(targets)))
    harming = Harming(proxy, seed=13)
    head = playing.first()
    daemon = stage.daemon(proxy.kubeconfig(stage.home), CLUSTEROPS_CLUSTER_WATCH_SILENCE_S=str(SILENCE_S))
    harming.begin()
    begun = time.monotonic()
    daemon.start()
    stage.until_verdict(head)
    for number in range(1, rounds + 1):
        playing.play(number)
    until("all harms", lambda: set(harming.done) == set(HOWS))
    harming.end()
    until("the cache", lambda: cached(daemon, "ConfigMap") == targets)
    playing.until_converged()
    return playing, harming, time.monotonic() - begun
