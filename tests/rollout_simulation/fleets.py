"""Random fleets and what happens to them: all of it from one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import Final

from clusterops.model.fleet import Pace, RolloutPolicy
from clusterops.model.rollout import Reach
from clusterops.model.windows import Window, Windows, parse_spans
from tests.rollout_simulation.machines import Pool, Shape, moving, roll

START: Final = datetime(2026, 10, 19, tzinfo=UTC)
"""A Monday, days before European clocks change."""
HOUR: Final = 3600
MINUTE: Final = 60
_RINGS: Final = ("canary", "early", "late")
_SPANS: Final = ("Mon-Fri 08:00-18:00", "22:00-04:00", "Mon-Thu 00:00-24:00", "Sun 01:00-05:00")
_ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York")


class Fault(StrEnum):
    """What goes wrong with a cluster under one commit."""

    NONE = "none"
    STUCK = "stuck"
    SLOW = "slow"
    DEGRADES = "degrades"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How one kind of cluster rolls: seconds since it began and the machines on their way from then on."""

    shape: Shape
    counts: tuple[tuple[int, int], ...]
    at_once: int

    @property
    def lasts_s(self) -> int:
        return self.counts[-1][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One target."""

    name: str
    region: str
    cloud: str
    labels: Mapping[str, str]
    windows: Windows
    timeline: Timeline
    at_first: bool = True
    """Whether it exists before the first commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a commit does to one target."""

    reach: Reach
    fault: Fault = Fault.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """``commits`` are (second, edits); ``remedied`` (second, target, seconds): a machine that others replace."""

    seed: int
    grid_s: int
    """All moments are multiples of it, so that what happens together is decided about once."""
    policy: RolloutPolicy
    sites: Mapping[str, Site]
    commits: list[tuple[int, Mapping[str, Edit]]]
    remedied: list[tuple[int, str, int]] = field(default_factory=list)
    paused: list[tuple[int, str, int]] = field(default_factory=list)
    """(second, target, seconds): a person's pause of one target."""
    crashes: list[int] = field(default_factory=list)


def story(seed: int, clusters: int) -> Story:
    random = Random(seed)
    grid_s = 600 if clusters > 500 else 30
    policy = _policy(random, clusters)
    sites = _sites(random, clusters, grid_s)
    commits = _commits(random, sites)
    end = commits[-1][0] + 24 * HOUR
    names = list(sites)
    return Story(
        seed=seed,
        grid_s=grid_s,
        policy=policy,
        sites=sites,
        commits=commits,
        remedied=_remedied(random, names, end),
        paused=[(random.randrange(end), random.choice(names), random.randrange(12 * HOUR)) for _ in range(5)],
        crashes=[random.randrange(end) for _ in range(10)],
    )


def _policy(random: Random, clusters: int) -> RolloutPolicy:
    own = {f"r{number}": _pace(random, clusters) for number in random.sample(range(8), random.choice((0, 0, 1, 2)))}
    clouds = {"metal": _pace(random, clusters)} if random.random() < 0.3 else {}
    rings = random.choice(((), (), ("early", "*", "late"), ("early", "late")))
    return RolloutPolicy(
        pace=_pace(random, clusters),
        regions=own,
        clouds=clouds,
        rings=rings,
        halt_after_failures=random.choice((1, 1, 2, 5)),
        settle_timeout_s=random.choice((90, 150)) * MINUTE,
    )


def _pace(random: Random, clusters: int) -> Pace:
    concurrent = random.randint(1, 8) if clusters <= 500 else random.randint(20, 150)
    return Pace(
        canaries=random.choice(({}, {"ring": "canary"}, {"ring": "nowhere"})),
        soak_s=random.choice((0, 10, 30, 120)) * MINUTE,
        max_concurrent_clusters=concurrent,
        max_machines_in_flight=random.choice((2, 4, 8)) * concurrent + random.randint(3, 12),
    )


def _sites(random: Random, clusters: int, grid_s: int) -> dict[str, Site]:
    timelines = [_timeline(random, grid_s) for _ in range(30)]
    hours = [_windows(random) for _ in range(random.choice((0, 2)))]
    found = {}
    for number in range(clusters):
        name = f"r{random.randrange(8)}/c{number:04}"
        found[name] = Site(
            name=name,
            region=name.partition("/")[0],
            cloud=random.choice(("metal", "virtual", "virtual")),
            labels={"ring": random.choice(_RINGS)} if random.random() < 0.2 else {},
            windows=random.choice(hours) if hours and random.random() < 0.1 else Windows(),
            timeline=random.choice(timelines),
            at_first=random.random() < 0.97,
        )
    return found


def _windows(random: Random) -> Windows:
    allow, deny = parse_spans(random.choice(_SPANS)), parse_spans(random.choice(_SPANS))
    zone = random.choice(_ZONES)
    kinds = (
        (Window(targets="*", allow=allow, timezone=zone),),
        (Window(targets="*", deny=deny, timezone=zone),),
        (Window(targets="*", allow=allow, timezone=zone), Window(targets="*", deny=deny)),
    )
    return Windows(random.choice(kinds))


def _timeline(random: Random, grid_s: int) -> Timeline:
    pools = [
        Pool(f"p{number}", random.randint(1, 9), surge, max(unavailable, int(not surge)))
        for number in range(random.randint(0, 2))
        for surge, unavailable in [(random.choice((0, 1, 1, 1, 3)), random.choice((0, 0, 0, 1)))]
    ]
    shape = Shape(random.choice((1, 3, 3)), tuple(pools), in_order=random.random() < 0.3)
    ready, gone = random.uniform(100, 400), random.uniform(20, 200)
    steps = roll(shape, lambda event: random.uniform(0.7, 1.5) * (ready if event == "created" else gone))
    counts: dict[int, int] = {}
    for t, count in moving(steps):
        counts[-int(-t // grid_s) * grid_s] = count
    return Timeline(shape=shape, counts=tuple(counts.items()), at_once=shape.at_once)


def _commits(random: Random, sites: Mapping[str, Site]) -> list[tuple[int, Mapping[str, Edit]]]:
    """Some over the whole fleet, some over a region or a few; newer ones fall on those that are under way."""
    found: list[tuple[int, Mapping[str, Edit]]] = []
    now = 0
    for number in range(random.randint(1, 4)):
        share = 1.0 if number == 0 and random.random() < 0.7 else random.choice((1.0, 0.5, 0.1, 0.02))
        region = random.choice(("", "", f"r{random.randrange(8)}"))
        few = random.random() < 0.15
        chosen = [name for name in sites if random.random() < share and name.startswith(region)]
        chosen = random.sample(list(sites), random.randint(1, 2)) if few or not chosen else chosen
        found.append((now, _edits(random, chosen)))
        now += int(random.choice((0.2, 1, 5, 20, 60)) * HOUR)
    return found


def _edits(random: Random, names: list[str]) -> dict[str, Edit]:
    faults = [Fault.STUCK, Fault.SLOW, Fault.DEGRADES, Fault.DIFFERS]
    rate = random.choice((0.0, 0.5 / len(names), 3 / len(names), 0.1))
    rolls = random.choice((1.0, 1.0, 0.5, 0.0))
    rest = [Reach.IN_PLACE, Reach.IN_PLACE, Reach.IN_PLACE, Reach.NOTHING]
    return {
        name: Edit(
            reach=Reach.ROLLS if random.random() < rolls else random.choice(rest),
            fault=random.choice(faults) if random.random() < rate else Fault.NONE,
        )
        for name in names
    }


def _remedied(random: Random, names: list[str], end: int) -> list[tuple[int, str, int]]:
    """One here and there, and now and then many at once."""
    single = [(random.randrange(end), random.choice(names), random.randrange(2 * HOUR)) for _ in range(15)]
    burst, at = random.choice((0, 0, 20)), random.randrange(end)
    return single + [(at, name, HOUR) for name in random.sample(names, min(burst, len(names)))]
