"""How a commit would go through the fleet, said before the merge: canaries, soak, limits and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clusterops.model.fleet import Fleet, Mode, Pace, Target, region_of
from clusterops.model.plan import Plan
from clusterops.model.rollout import Member, Reach, Wait
from clusterops.plan.phrases import counted
from clusterops.plan.rollout.stages import by_lane, stages, steps

_NAMES_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLane:
    """What shares one pace. ``name`` is "" for the fleet's own; ``behind`` are the stages after the canaries."""

    name: str
    pace: Pace
    clusters: int
    canaries: tuple[str, ...]
    behind: tuple[str, ...]
    soaks: bool
    """Whether a canary moves machines: what moves none is not waited for."""
    too_large: tuple[str, ...]
    """Clusters that move more machines at a time than may be, each alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPace:
    """Of a commit that changes more than one living cluster. ``source`` is ``fleet.yaml:16``, "" for the defaults."""

    steps: int
    lanes: tuple[PlannedLane, ...]
    halt_after_failures: int
    source: str = ""

    @property
    def clusters(self) -> int:
        return sum(lane.clusters for lane in self.lanes)


def planned_pace(reaches: Mapping[str, tuple[Reach, int]], fleet: Fleet) -> PlannedPace | None:
    """None where at most one living cluster changes: that one goes at once.

    Also where the fleet paces nothing. What is only observed goes nowhere.
    """
    policy = fleet.file.rollout
    members = [
        _member(fleet.targets[name], reach, at_once)
        for name, (reach, at_once) in reaches.items()
        if name in fleet.targets and fleet.targets[name].mode is Mode.APPLY
    ]
    paced = [one for one in members if one.paced]
    if len(paced) <= 1 or not policy.paces:
        return None
    lanes = by_lane(paced, policy).items()
    return PlannedPace(
        steps=steps(members, policy),
        lanes=tuple(
            _lane(name, lane, policy.lane(lane[0].region, lane[0].cloud)[1], policy.rings) for name, lane in lanes
        ),
        halt_after_failures=policy.halt_after_failures,
        source=policy.source,
    )


def _member(target: Target, reach: Reach, at_once: int) -> Member:
    return Member(
        target=target.name,
        revision="",
        reach=reach,
        at_once=at_once,
        region=region_of(target.name),
        cloud=target.cloud,
        labels=target.labels,
    )


def _lane(name: str, members: Sequence[Member], pace: Pace, rings: Sequence[str]) -> PlannedLane:
    staged = stages(members, pace, rings)
    first = staged[0].members if staged[0].wait is Wait.CANARY else ()
    return PlannedLane(
        name=name,
        pace=pace,
        clusters=len(members),
        canaries=tuple(one.target for one in first),
        behind=tuple(stage.name for stage in staged if stage.wait is not Wait.CANARY),
        soaks=any(one.reach is Reach.ROLLS for one in first),
        too_large=tuple(one.target for one in members if one.at_once > pace.max_machines_in_flight),
    )


def steps_words(pace: PlannedPace | None) -> str:
    """``in 9 steps``; "" where it goes in one."""
    return f"in {pace.steps} steps" if pace is not None and pace.steps > 1 else ""


def fleet_summary(plans: Iterable[Plan], pace: PlannedPace) -> str:
    """``41 clusters: replaces 492 machines, adds 2, in 9 steps``"""
    impacts = [impact for plan in plans for impact in plan.impacts]
    counts = {
        "replaces": sum(impact.replaced for impact in impacts),
        "adds": sum(impact.added for impact in impacts),
        "removes": sum(impact.removed for impact in impacts),
    }
    told = [f"{verb} {counted(count, 'machine')}" for verb, count in counts.items() if count]
    parts = [", ".join(told) or "replaces no machine", *filter(None, [steps_words(pace)])]
    return f"{pace.clusters} clusters: {', '.join(parts)}"


def pace_text(pace: PlannedPace) -> str:
    """One line: ``Pace (fleet.yaml:16): 1 canary (eu-west-1/sandbox), 30 min soak, then 5 clusters and at most …``"""
    lanes = [f"{lane.name or 'the rest'}: {_lane_words(lane)}" for lane in pace.lanes]
    how = "; ".join(lanes) if len(lanes) > 1 else _lane_words(pace.lanes[0])
    where = f"{pace.source or 'default'}{f', {len(lanes)} paces side by side' if len(lanes) > 1 else ''}"
    count = pace.halt_after_failures
    stops = "at the first cluster that does not settle" if count == 1 else f"once {count} clusters have not settled"
    return f"Pace ({where}): {how}; stops {stops}."


def _lane_words(lane: PlannedLane) -> str:
    return ", ".join(_lane_parts(lane))


def _lane_parts(lane: PlannedLane) -> Iterator[str]:
    if lane.canaries:
        count = len(lane.canaries)
        yield f"{count} {'canary' if count == 1 else 'canaries'} ({_names(lane.canaries)})"
    if lane.canaries and lane.behind and lane.soaks and lane.pace.soak_s:
        yield f"{_duration(lane.pace.soak_s)} soak"
    order = [*lane.behind] if len(lane.behind) > 1 else []
    clusters, machines = lane.pace.max_concurrent_clusters, lane.pace.max_machines_in_flight
    limits = f"{counted(clusters, 'cluster')} and at most {counted(machines, 'machine')} at a time"
    then = "then " if lane.canaries and lane.behind else ""
    yield f"{then}{' > '.join(order) + ', ' if order else ''}{limits}"
    if lane.too_large:
        yield f"but not {_names(lane.too_large)}: more than {counted(machines, 'machine')} move there at a time"


def pace_to_json(pace: PlannedPace) -> dict[str, Any]:
    return {
        "source": pace.source,
        "steps": pace.steps,
        "clusters": pace.clusters,
        "haltAfterFailures": pace.halt_after_failures,
        "text": pace_text(pace),
        "lanes": [
            {
                "name": lane.name,
                "clusters": lane.clusters,
                "canaries": list(lane.canaries),
                "stages": list(lane.behind),
                "soakSeconds": lane.pace.soak_s if lane.soaks and lane.behind else 0,
                "maxConcurrentClusters": lane.pace.max_concurrent_clusters,
                "maxMachinesInFlight": lane.pace.max_machines_in_flight,
                "tooLarge": list(lane.too_large),
            }
            for lane in pace.lanes
        ],
    }


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def _duration(seconds: float) -> str:
    """In the largest unit that it is whole in."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
