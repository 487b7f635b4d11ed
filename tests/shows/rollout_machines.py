"""What became of machines and clusters by a second client's watch: when each was made, ready, deleted, and settled."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.shows.drift_watch import Seen

_CLUSTER, _PLANE, _POOL = (
    "cluster.x-k8s.io/cluster-name",
    "cluster.x-k8s.io/control-plane",
    "clusterops.io/pool",
)
_TRUE: Final = ("Available", "ControlPlaneMachinesUpToDate", "WorkerMachinesUpToDate")
_FALSE: Final = ("RollingOut", "ScalingUp", "ScalingDown", "Remediating")


@dataclass(frozen=True, slots=True)
class Moment:
    """``event``: created, ready, deleting or gone. ``cluster`` is ``region/name``, ``at`` by the wall clock."""

    at: float
    cluster: str
    role: str
    pool: str
    event: str
    uid: str


@dataclass(slots=True)
class _Machine:
    cluster: str
    events: set[str] = field(default_factory=set)
    up_to_date: bool = False

    @property
    def moving(self) -> bool:
        """On its way here, or on its way out; one that was ready once is there."""
        return "gone" not in self.events and ("ready" not in self.events or "deleting" in self.events)


@dataclass(slots=True)
class Machines:
    """``settled`` has per cluster the moments at which it began, and ceased, to be as it is to be."""

    moments: list[Moment] = field(default_factory=list)
    moving: list[tuple[float, Mapping[str, int]]] = field(default_factory=list)
    """From when on so many machines of which clusters are on their way."""
    settled: defaultdict[str, list[tuple[float, bool]]] = field(default_factory=lambda: defaultdict(list))
    _machines: dict[str, _Machine] = field(default_factory=dict)
    _clusters: dict[str, bool] = field(default_factory=dict)

    def see(self, seen: Seen) -> None:
        """For `Watch.on_seen`, of Machines and Clusters."""
        kind = seen.body["kind"]
        if kind == "Machine":
            self._see_machine(seen)
        elif kind == "Cluster":
            metadata = seen.body["metadata"]
            name = f"{metadata['namespace']}/{metadata['name']}"
            self._clusters[name] = not seen.gone and _fine(seen.body)
            self._note_settled(seen.at, name)

    def _see_machine(self, seen: Seen) -> None:
        metadata, conditions = seen.body["metadata"], _conditions(seen.body)
        labels, uid = metadata["labels"], metadata["uid"]
        cluster = f"{metadata['namespace']}/{labels[_CLUSTER]}"
        machine = self._machines.setdefault(uid, _Machine(cluster))
        machine.up_to_date = conditions.get("UpToDate") == "True"
        now = {
            "created": True,
            "ready": conditions.get("Ready") == "True",
            "deleting": "deletionTimestamp" in metadata,
            "gone": seen.gone,
        }
        role = "control-plane" if _PLANE in labels else "worker"
        pool = "" if _PLANE in labels else labels[_POOL]
        for event in (word for word, holds in now.items() if holds and word not in machine.events):
            machine.events.add(event)
            self.moments.append(Moment(seen.at, cluster, role, pool, event, uid))
        self._note_moving(seen.at)
        self._note_settled(seen.at, cluster)

    def _note_moving(self, at: float) -> None:
        counts: defaultdict[str, int] = defaultdict(int)
        for machine in self._machines.values():
            if machine.moving:
                counts[machine.cluster] += 1
        if not self.moving or self.moving[-1][1] != counts:
            self.moving.append((at, dict(counts)))

    def _note_settled(self, at: float, cluster: str) -> None:
        machines = [one for one in self._machines.values() if one.cluster == cluster and "gone" not in one.events]
        holds = self._clusters.get(cluster, False) and bool(machines)
        holds = holds and all(one.up_to_date and not one.moving for one in machines)
        if not self.settled[cluster] or self.settled[cluster][-1][1] != holds:
            self.settled[cluster].append((at, holds))

    def settled_at(self, cluster: str, *, since: float, until: float) -> float | None:
        """When it came to rest for good between these; None where it is not at rest at the end, or never was not."""
        known = [each for each in self.settled[cluster] if each[0] < until]
        if not known or not known[-1][1] or known[-1][0] < since:
            return None
        return known[-1][0]

    def at_rest(self, clusters: Iterable[str], *, for_s: float = 0.0) -> bool:
        """Now, and for so long."""
        last = [self.settled[name][-1] if self.settled[name] else (time.time(), False) for name in clusters]
        return all(holds and at <= time.time() - for_s for at, holds in last)


def _fine(body: Mapping[str, Any]) -> bool:
    conditions = _conditions(body)
    seen = (body.get("status") or {}).get("observedGeneration") == body["metadata"]["generation"]
    there = all(conditions.get(word) == "True" for word in _TRUE)
    return seen and there and all(conditions.get(word) == "False" for word in _FALSE)


def _conditions(body: Mapping[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in (body.get("status") or {}).get("conditions") or ()}
