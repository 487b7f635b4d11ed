"""Lanes: what shares one pace, and what is on its way in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clusterops.model.fleet import Pace, RolloutPolicy, is_shared
from clusterops.model.rollout import Hold, Member, Moving, Reach, Standing, Wait


@dataclass(slots=True)
class Lane:
    """``clusters`` that we began and that neither settled nor failed; ``machines`` by target, whoever moves them.

    Once somebody does not fit, nobody behind it in this lane goes before it, of whatever commit: a large cluster would
    wait for ever else. Who is ``mended``, so that what it moves ends at last, may: the others may be waiting for that.
    """

    name: str
    pace: Pace
    clusters: set[str] = field(default_factory=set)
    machines: dict[str, int] = field(default_factory=dict)
    mended: set[str] = field(default_factory=set)
    in_flight: int = 0
    _full: Hold | None = None

    def obstacle(self, one: Member) -> Hold | None:
        """Why it cannot begin now; None where there is room for it."""
        if one.at_once > self.pace.max_machines_in_flight:
            return self._too_large(one)
        if self._full is not None and one.target not in self.mended:
            return self._full
        found = (None if one.target in self.clusters else self._no_place()) or self._no_machines(one)
        self._full = self._full or found
        return found

    def enter(self, target: str, at_once: int) -> None:
        self.clusters.add(target)
        self.move(target, at_once)

    def move(self, target: str, machines: int) -> None:
        """Counted once, whoever moves them."""
        known = self.machines.get(target, 0)
        if machines > known:
            self.machines[target] = machines
            self.in_flight += machines - known

    def _too_large(self, one: Member) -> Hold:
        limit = self.pace.max_machines_in_flight
        message = f"{one.target} moves {one.at_once} machines at a time, maxMachinesInFlight{self._where} is {limit}"
        return Hold(wait=Wait.TOO_LARGE, message=message)

    def _no_place(self) -> Hold | None:
        count, limit = len(self.clusters), self.pace.max_concurrent_clusters
        if count < limit:
            return None
        message = f"{count} of {limit} clusters{self._where} on their way: {_some(self.clusters)}"
        return Hold(wait=Wait.CLUSTERS, message=message)

    def _no_machines(self, one: Member) -> Hold | None:
        limit, known = self.pace.max_machines_in_flight, self.machines.get(one.target, 0)
        if self.in_flight + max(one.at_once - known, 0) <= limit:
            return None
        message = (
            f"{self.in_flight} of {limit} machines{self._where} on their way ({_some(self.machines)}), "
            f"{one.target} moves {one.at_once}"
        )
        return Hold(wait=Wait.MACHINES, message=message)

    @property
    def _where(self) -> str:
        return f" of {self.name}" if self.name else ""


@dataclass(slots=True)
class Street:
    """All lanes; filled as members are let go. ``go`` are their targets in order."""

    policy: RolloutPolicy
    lanes: dict[str, Lane] = field(default_factory=dict)
    go: list[str] = field(default_factory=list)
    _of_place: dict[tuple[str, str], Lane] = field(default_factory=dict)

    @classmethod
    def of(cls, members: Iterable[Member], policy: RolloutPolicy, moving: Mapping[str, Moving]) -> Street:
        street = cls(policy)
        for each in moving.values():
            street.lane(each.region, each.cloud).move(each.target, each.machines)
        waits, begun = Standing.WAITS, Standing.BEGUN
        for one in members:
            if one.standing is begun:
                street._enter(one)
            elif one.disturbed and one.standing is waits and one.target in moving:
                street._mend(one)
        return street

    def lane(self, region: str, cloud: str) -> Lane:
        found = self._of_place.get((region, cloud))
        if found is None:
            name, pace = self.policy.lane(region, cloud)
            found = self._of_place[region, cloud] = self.lanes.setdefault(name, Lane(name, pace))
        return found

    def _mend(self, one: Member) -> None:
        """What failed is over, so it has lost its place; what was only overtaken by another commit has not."""
        lane = self.lane(one.region, one.cloud)
        lane.mended.add(one.target)
        if one.left is None:
            lane.clusters.add(one.target)

    def let_go(self, one: Member) -> None:
        self.go.append(one.target)
        self._enter(one)

    def _enter(self, one: Member) -> None:
        """A new cluster takes no place, since nobody uses it; nor does what clusters share."""
        if one.paced or (one.at_once and not is_shared(one.target) and one.reach is not Reach.CREATES):
            self.lane(one.region, one.cloud).enter(one.target, one.at_once)


def _some(targets: Iterable[str]) -> str:
    """``north/alpha and 3 more``"""
    names = sorted(targets)
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
