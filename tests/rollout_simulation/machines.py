"""A model of Cluster API: how the machines of one cluster are replaced, and whether a recorded trace agrees with it.

**Source:** Cluster API v1.14.0 controlplane/kubeadm/reconcilers/kubeadmcontrolplane/update.go and preflight.go;
core/reconcilers/machinedeployment/machinedeployment_rollout_rollingupdate.go and mdutil/util.go;
core/reconcilers/machineset/machineset_preflight.go.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.model.impact import Impact, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.plan.rollout import at_once

Times = Callable[[str], float]
"""How long a machine takes from ``created`` to ``ready``, or from ``deleting`` to ``gone``: asked by the first word."""
PLANE: Final = "control-plane"
_UP: Final = 0.95
"""Of the time that a control-plane machine takes to be ready: its predecessor goes then (seen: up to 8 s before)."""
_COUNTED: Final = ("created", "ready", "deleting", "gone")


@dataclass(frozen=True, slots=True)
class Pool:
    name: str
    replicas: int
    surge: int = 1
    unavailable: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """``in_order``: the version rises, so pools wait for the control plane."""

    planes: int
    pools: tuple[Pool, ...]
    in_order: bool = False

    @property
    def at_once(self) -> int:
        """As the plan of this change would say it."""
        return at_once(Impact.of(_impacts(self)))


def _impacts(shape: Shape) -> Iterator[PoolImpact]:
    for pool in (Pool(PLANE, shape.planes), *shape.pools):
        role = Role.CONTROL_PLANE if pool.name == PLANE else Role.WORKER
        yield PoolImpact(
            cluster=None,
            owner=ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="", name=pool.name),
            role=role,
            pool=pool.name,
            kind=ImpactClass.ROLLING,
            replaced=pool.replicas,
            now=pool.replicas,
            then=pool.replicas,
            surge=pool.surge,
            unavailable=pool.unavailable,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One machine's moment; ``t`` in seconds since the change was applied."""

    t: float
    role: str
    pool: str
    event: str


def roll(shape: Shape, times: Times) -> list[Step]:
    """All machines of a cluster are replaced. Ordered by time."""
    planes = list(_replace(Pool(PLANE, shape.planes), times, start=0.0))
    start = planes[-1].t if shape.in_order and planes else 0.0
    pools = [_replace(pool, times, start=start) for pool in shape.pools]
    return sorted(itertools.chain(planes, *pools), key=lambda step: step.t)


@dataclass(slots=True)
class _Rolling:
    """One control plane or pool; a control plane is one that waits for each of its machines (maxSurge 1).

    What is deleted next waits for new machines that are ``up``: in a pool those that are ready, in a control plane
    those with a Node and healthy components, which they have a moment before they are ready.
    """

    pool: Pool
    times: Times
    old: int
    new: int = 0
    up: int = 0
    deleting: int = 0
    due: list[tuple[float, int, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=itertools.count)

    def plan(self, now: float) -> None:
        """As the rollout planner does: what to create and what to delete follow from the same counts."""
        created, deleted = self._to_create(), self._to_delete()
        self._begin(now, "created", "ready", created)
        self._begin(now, "deleting", "gone", deleted)
        self.new, self.old, self.deleting = self.new + created, self.old - deleted, self.deleting + deleted

    def _to_create(self) -> int:
        room = self.pool.replicas + self.pool.surge - (self.old + self.new + self.deleting)
        return max(0, min(room, self.pool.replicas - self.new))

    def _to_delete(self) -> int:
        least, unready = max(0, self.pool.replicas - self.pool.unavailable), self.new - self.up
        return max(0, min(self.old, self.old + self.new - self.deleting - least - unready))

    def _begin(self, now: float, event: str, end: str, count: int) -> None:
        for _ in range(count):
            self._tell(now, event)
            seconds = self.times(event)
            if event == "created":
                self._push(now + seconds * (_UP if self.pool.name == PLANE else 1), "up")
            self._push(now + seconds, end)

    def _push(self, at: float, event: str) -> None:
        heapq.heappush(self.due, (at, next(self.number), event))

    def _tell(self, now: float, event: str) -> None:
        role = PLANE if self.pool.name == PLANE else "worker"
        self.steps.append(Step(now, role, self.pool.name, event))

    def end(self, now: float, event: str) -> None:
        if event == "up":
            self.up += 1
            return
        self._tell(now, event)
        if event == "gone":
            self.deleting -= 1


def _replace(pool: Pool, times: Times, *, start: float) -> list[Step]:
    rolling = _Rolling(pool, times, old=pool.replicas)
    rolling.plan(start)
    while rolling.due:
        now = rolling.due[0][0]
        while rolling.due and rolling.due[0][0] == now:
            rolling.end(now, heapq.heappop(rolling.due)[2])
        rolling.plan(now)
    return rolling.steps


def moving(steps: Iterable[Step]) -> list[tuple[float, int]]:
    """How many machines are on their way from when on; only where that changes, the last is 0."""
    change = {"created": 1, "ready": -1, "deleting": 1, "gone": -1}
    sums: defaultdict[float, int] = defaultdict(int)
    for step in steps:
        sums[step.t] += change[step.event]
    found, count = [], 0
    for t in sorted(sums):
        if sums[t]:
            count += sums[t]
            found.append((t, count))
    return found


Row = dict[str, Any]
"""``{"t", "cluster", "role", "pool", "event"}``, also with events ``begun`` and ``settled``."""


def rows(cluster: str, steps: Sequence[Step]) -> list[Row]:
    """A model run in the form of a trace."""
    end = steps[-1].t if steps else 0.0
    told = [(step.t, step.role, step.pool, step.event) for step in steps]
    whole = [(0.0, "", "", "begun"), *told, (end, "", "", "settled")]
    return [{"t": t, "cluster": cluster, "role": role, "pool": pool, "event": event} for t, role, pool, event in whole]


def differences(trace: Iterable[Row], model: Iterable[Row]) -> list[str]:
    """Where what real controllers did is not what the model allows: counts, concurrency and order, never seconds.

    Clusters and pools are compared by name. What holds in the model has to hold in the trace: every machine's events,
    as many at once at the most, the k-th deletion after the k-th machine is ready, the control plane before the pools.
    """
    real, ours = _by_cluster(trace), _by_cluster(model)
    found = [f"{name}: in the trace alone" for name in sorted(real.keys() - ours.keys())]
    found += [f"{name}: in the model alone" for name in sorted(ours.keys() - real.keys())]
    for name in sorted(real.keys() & ours.keys()):
        found += [f"{name}: {text}" for text in _of_cluster(real[name], ours[name])]
    return found


def _by_cluster(trace: Iterable[Row]) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(trace, key=lambda row: float(row["t"])):
        found[row["cluster"]].append(row)
    return dict(found)


def _of_cluster(real: Sequence[Row], ours: Sequence[Row]) -> Iterator[str]:
    yield from _outside(real)
    for place in sorted({_place(row) for row in (*real, *ours) if row["event"] in _COUNTED}):
        events = [row["event"] for row in real if _place(row) == place]
        modelled = [row["event"] for row in ours if _place(row) == place]
        yield from (f"{'/'.join(place).rstrip('/')}: {text}" for text in _of_pool(events, modelled))
    if _planes_first(ours) and not _planes_first(real):
        yield "a pool moved before the control plane was done"


def _outside(real: Sequence[Row]) -> Iterator[str]:
    places = {row["event"]: place for place, row in enumerate(real)}
    machines = [place for place, row in enumerate(real) if row["event"] in _COUNTED]
    for word in ("begun", "settled"):
        if word not in places:
            yield f"never {word}"
    if machines and places.get("begun", -1) > machines[0]:
        yield "a machine moved before it had begun"
    if machines and places.get("settled", len(real)) < machines[-1]:
        yield "settled before its last machine was done"


def _of_pool(events: Sequence[str], modelled: Sequence[str]) -> Iterator[str]:
    counts, wanted = Counter(events), Counter(modelled)
    yield from (
        f"{counts[word]} {word}, {wanted[word]} in the model" for word in _COUNTED if counts[word] != wanted[word]
    )
    peak, allowed = _peak(events), _peak(modelled)
    if peak > allowed:
        yield f"{peak} machines on their way at once, {allowed} in the model"
    for first, then in (("created", "ready"), ("deleting", "gone"), ("ready", "deleting"), ("created", "deleting")):
        if _follows(modelled, first, then) and not _follows(events, first, then):
            yield f"{then} before {first}"


def _peak(events: Iterable[str]) -> int:
    change = {"created": 1, "ready": -1, "deleting": 1, "gone": -1}
    return max(itertools.accumulate((change[event] for event in events), initial=0))


def _follows(events: Iterable[str], first: str, then: str) -> bool:
    """Whether at every moment at least as many have had the one event as the other."""
    change = {first: 1, then: -1}
    return min(itertools.accumulate((change.get(event, 0) for event in events), initial=0)) >= 0


def _planes_first(cluster: Sequence[Row]) -> bool:
    planes = [place for place, row in enumerate(cluster) if row["role"] == PLANE and row["event"] in _COUNTED]
    pools = [place for place, row in enumerate(cluster) if row["role"] == "worker" and row["event"] in _COUNTED]
    return not planes or not pools or planes[-1] < pools[0]


def _place(row: Row) -> tuple[str, str]:
    """A cluster has one control plane, whatever a trace calls it."""
    return row["role"], "" if row["role"] == PLANE else row["pool"]
