"""Whether a rollout kept its pace, told from when clusters began and settled and when machines moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tests.shows.rollout_fleet import RINGS, Site

STAGES: Final = ("canary", *RINGS)
ROUNDED_S: Final = 1.0
"""What is recorded has whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    clusters: int
    machines: int
    soak_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One rollout as it was seen, between two moments of the wall clock.

    ``begun`` is our first write to each cluster, ``settled`` when it came to rest after that; ``moving`` from when on
    so many machines of which clusters were on their way.
    """

    sites: Sequence[Site]
    since: float
    until: float
    begun: Mapping[str, float]
    settled: Mapping[str, float]
    moving: Sequence[tuple[float, Mapping[str, int]]]
    writes: Mapping[str, int] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    """Clusters that a commit of their own took over: what it mends need not soak for the commit that it left."""

    @property
    def order(self) -> list[str]:
        return sorted(self.begun, key=lambda name: self.begun[name])

    @property
    def most_clusters(self) -> int:
        """Begun and not settled at the same moment; who begins as another settles counts beside it."""
        moves = [(at, 1) for at in self.begun.values()] + [(at, -1) for at in self.settled.values()]
        count = most = 0
        for _, change in sorted(moves, key=lambda move: (move[0], -move[1])):
            count += change
            most = max(most, count)
        return most

    @property
    def most_machines(self) -> int:
        return max((sum(counts.values()) for counts in self._moving()), default=0)

    def of_one(self, site: Site) -> int:
        return max((counts.get(site.target, 0) for counts in self._moving()), default=0)

    def _moving(self) -> Iterator[Mapping[str, int]]:
        return (counts for at, counts in self.moving if self.since <= at <= self.until)


def violations(course: Course, limits: Limits) -> list[str]:
    """Each as a line; [] when all is as it has to be."""
    return [*_limits(course, limits), *_stages(course, limits), *_order(course)]


def _limits(course: Course, limits: Limits) -> Iterator[str]:
    if course.most_clusters > limits.clusters:
        yield f"{course.most_clusters} clusters begun and unsettled at once, {limits.clusters} allowed"
    if course.most_machines > limits.machines:
        yield f"{course.most_machines} machines on their way at once, {limits.machines} allowed"
    for site in course.sites:
        if course.of_one(site) > site.at_once:
            yield f"{site.target}: {course.of_one(site)} machines at once, the plan said {site.at_once}"


def _stages(course: Course, limits: Limits) -> Iterator[str]:
    """No stage begins before the one before it has settled and soaked."""
    for before, after in pairwise(STAGES):
        first = min((course.begun[name] for name in _of(course, after) if name in course.begun), default=None)
        if first is None:
            continue
        for name in _of(course, before):
            rested = course.settled.get(name)
            if rested is None or first < rested:
                yield f"{after} began before {name} had settled"
            elif name not in course.fixed and first < rested + limits.soak_s - ROUNDED_S:
                yield f"{after} began {first - rested:.1f} s after {name} had settled, soak is {limits.soak_s:.0f} s"


def _of(course: Course, ring: str) -> list[str]:
    return [site.target for site in course.sites if site.ring == ring]


def _order(course: Course) -> Iterator[str]:
    """Stage by stage, and by name; those that were let go together may begin in any order.

    Two were not let go together where a cluster settled between their beginnings.
    """
    places = {name: place for place, name in enumerate(due_order(course.sites))}
    ordered = course.order
    for place, name in enumerate(ordered):
        for later in ordered[place + 1 :]:
            if places[later] < places[name] and _apart(course, name, later):
                yield f"{name} began before {later}, which was to go first"


def _apart(course: Course, one: str, other: str) -> bool:
    begin, end = sorted((course.begun[one], course.begun[other]))
    return any(begin < at < end for at in course.settled.values())


def due_order(sites: Sequence[Site]) -> list[str]:
    return [site.target for site in sorted(sites, key=lambda site: (STAGES.index(site.ring), site.target))]


def table(course: Course, told: Callable[[str], None] = print) -> None:
    """A line for each cluster in the order in which it began; seconds since the commit."""
    sites = {site.target: site for site in course.sites}
    told(f"{'cluster':<10} {'ring':<7} {'begun':>7} {'settled':>8} {'took':>6} {'at once':>8} {'writes':>7}")
    for name in course.order:
        begun, settled = course.begun[name] - course.since, course.settled.get(name)
        took = f"{settled - course.begun[name]:6.1f}" if settled else "     -"
        end = f"{settled - course.since:8.1f}" if settled else "       -"
        most = f"{course.of_one(sites[name])} of {sites[name].at_once}"
        told(f"{name:<10} {sites[name].ring:<7} {begun:7.1f} {end} {took} {most:>8} {course.writes.get(name, 0):7d}")
