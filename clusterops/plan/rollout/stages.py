"""Stages: canaries, then ring by ring; and in how many steps a commit goes at the least."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from typing import Final

from clusterops.model.fleet import Pace, RolloutPolicy
from clusterops.model.rollout import Member, Reach, Standing, Wait

RING_LABEL: Final = "ring"
_OTHERS: Final = "*"
_WAITS, _BEGUN, _OUT = Standing.WAITS, Standing.BEGUN, Standing.OUT


@dataclass(frozen=True, slots=True)
class Stage:
    """``members`` in the order in which they go. ``name`` reads after "waits for": ``canaries``, ``ring early``."""

    name: str
    wait: Wait
    members: tuple[Member, ...]


def by_lane(members: Iterable[Member], policy: RolloutPolicy) -> dict[str, list[Member]]:
    """Paced members by the name of their lane, in the order of those names."""
    names: dict[tuple[str, str], str] = {}
    lanes: defaultdict[str, list[Member]] = defaultdict(list)
    for one in members:
        place = (one.region, one.cloud)
        name = names.get(place)
        if name is None:
            name = names[place] = policy.lane(*place)[0]
        lanes[name].append(one)
    return dict(sorted(lanes.items()))


def stages(members: Iterable[Member], pace: Pace, rings: Sequence[str]) -> tuple[Stage, ...]:
    """Of paced members of one lane and one commit; empty stages are left out. O(members * log(members)).

    Canaries are the clusters with the labels of ``pace.canaries``; where it names none, or no member has them, the
    first cluster of each region, a disturbed one where there is one. Disturbed clusters go with them, before them.
    """
    ordered = sorted(members, key=attrgetter("target"))
    first = _canaries(ordered, pace)
    places = {ring: place for place, ring in enumerate(rings, start=1)}
    last = places.get(_OTHERS, len(rings) + 1)
    groups: list[list[Member]] = [[] for _ in range(len(rings) + 2)]
    for one in ordered:
        groups[0 if one.target in first else places.get(one.labels.get(RING_LABEL, ""), last)].append(one)
    groups[0].sort(key=lambda one: not one.disturbed)
    names = ["canaries", *(f"ring {ring}" if ring != _OTHERS else "other rings" for ring in rings), "the rest"]
    return tuple(
        Stage(name, Wait.RING if place else Wait.CANARY, tuple(group))
        for place, (name, group) in enumerate(zip(names, groups, strict=True))
        if group
    )


def _canaries(ordered: Sequence[Member], pace: Pace) -> set[str]:
    here = [one for one in ordered if one.standing is not _OUT]
    wanted = pace.canaries.items()
    first = {one.target for one in here if wanted <= one.labels.items()} if wanted else set()
    return (first or _first_of_regions(here)) | {one.target for one in here if one.disturbed}


def _first_of_regions(here: Iterable[Member]) -> set[str]:
    """Whoever went first stays the canary, whoever joins or begins later; before that a disturbed one, then by name."""
    regions: defaultdict[str, list[Member]] = defaultdict(list)
    for one in here:
        regions[one.region].append(one)
    return {min(members, key=_goes_first).target for members in regions.values()}


def _goes_first(one: Member) -> tuple[int, float, str]:
    if one.standing is _WAITS:
        return (2 if one.disturbed else 3), 0.0, one.target
    return int(one.standing is _BEGUN), one.since.timestamp() if one.since is not None else inf, one.target


def steps(members: Iterable[Member], policy: RolloutPolicy) -> int:
    """In how many steps the members that are not over go at the least: lanes side by side, stage after stage.

    A stage takes as many steps as its clusters in their order fill batches of maxConcurrentClusters clusters and
    maxMachinesInFlight machines. One that alone moves more is a step by itself. What is not paced goes with the first.
    """
    taking_part = [one for one in members if one.standing is not Standing.OUT]
    ahead = any(_is_ahead(one) and one.reach is not Reach.NOTHING for one in taking_part)
    paced = [one for one in taking_part if one.paced]
    if len(paced) <= 1:
        return int(ahead)
    lanes = ((lane, policy.lane(lane[0].region, lane[0].cloud)[1]) for lane in by_lane(paced, policy).values())
    return max(int(ahead), *(steps_of(stages(lane, pace, policy.rings), pace) for lane, pace in lanes))


def steps_of(staged: Iterable[Stage], pace: Pace) -> int:
    """Of one lane."""
    return sum(_batches([one.at_once for one in stage.members if _is_ahead(one)], pace) for stage in staged)


def _is_ahead(one: Member) -> bool:
    return one.standing is _WAITS or one.standing is _BEGUN


def _batches(sizes: Iterable[int], pace: Pace) -> int:
    count, clusters, machines = 0, 0, 0
    for size in sizes:
        clusters, machines = clusters + 1, machines + size
        if count == 0 or clusters > pace.max_concurrent_clusters or machines > pace.max_machines_in_flight:
            count, clusters, machines = count + 1, 1, size
    return count
