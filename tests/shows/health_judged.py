"""What health said of each recorded state, held against what was true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from clusterops.capi.conditions import REQUIRED, conditions_of
from clusterops.health import waits_for
from clusterops.model.key import ObjectKey
from clusterops.model.report import HealthReport
from tests.recorded_cluster import recorded_health
from tests.shows.health_phases import Phase, paused_word
from tests.shows.health_watch import Event, State, changed


@dataclass(slots=True)
class PhaseSeen:
    """Counts of states; ``lagged``: states that were as wished before health said so."""

    name: str
    states: int = 0
    unsettled: int = 0
    paused: int = 0
    lagged: int = 0
    flapped: int = 0
    last: str = ""


@dataclass(slots=True)
class Judged:
    """``said_no``: per rule the states in which it objected; ``alone``: where no other did."""

    name: str
    phases: list[PhaseSeen] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    said_no: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)


async def judged(name: str, phases: list[Phase], events: list[Event], version: str) -> Judged:
    found = Judged(name=name)
    ordered = sorted((one for one in events if one.version == version), key=lambda one: one.revision)
    state: State = {}
    place = 0
    for phase in phases:
        while place < len(ordered) and ordered[place].revision <= phase.edited:
            changed(state, ordered[place])
            place += 1
        seen = PhaseSeen(phase.name)
        found.phases.append(seen)
        report = await one_state(found, seen, phase, state, phase.edited)
        while place < len(ordered) and ordered[place].revision <= phase.ended:
            changed(state, ordered[place])
            report = await one_state(found, seen, phase, state, ordered[place].revision)
            place += 1
        found.wrong += (f"{name}, {phase.name}: {why}" for why in at_the_end(seen, phase, report))
    return found


async def one_state(found: Judged, seen: PhaseSeen, phase: Phase, state: State, revision: int) -> HealthReport:
    report = await recorded_health(state, phase.keys)
    why = phase.lacking(state)
    seen.states += 1
    seen.paused += paused_word(report)
    if report.settled and why:
        found.wrong.append(f"{found.name}, {phase.name}, at {revision}: settled, but {why}")
    if not report.settled:
        seen.unsettled += 1
        seen.lagged += not why
        seen.flapped += seen.last == "settled"
    seen.last = waits_for(report) or "settled"
    objected = set(objections(state, report))
    found.said_no.update(objected)
    if len(objected) == 1:
        found.alone.update(objected)
    return report


def at_the_end(seen: PhaseSeen, phase: Phase, report: HealthReport) -> Iterator[str]:
    if not seen.unsettled:
        yield "never unsettled, so it shows nothing"
    if phase.ends == "settled" and not report.settled:
        yield f"not settled at the end: {waits_for(report)}"
    if phase.ends == "paused" and not paused_word(report):
        yield f"not Paused at the end: {waits_for(report)}"


def objections(state: State, report: HealthReport) -> Iterator[str]:
    """``Kind: Condition`` for each required condition that is not met, else ``Kind: reason`` as reported."""
    for row in report.unsettled:
        unmet = list(unmet_conditions(state, row.key))
        yield from (f"{row.key.kind}: {one}" for one in unmet)
        if not unmet:
            yield f"{row.key.kind}: {row.word} {row.reason}"


def unmet_conditions(state: State, key: ObjectKey) -> Iterator[str]:
    live = state.get(key)
    if live is None or live.deleting:
        return
    reported = conditions_of(live.body)
    for kind, wanted in REQUIRED.get(key.kind, {}).items():
        if reported.get(kind, {}).get("status") != wanted:
            yield kind


def tell(judged: Judged) -> None:
    print(f"\n== {judged.name}")
    print(f"   {'phase':34} states  unsettled  paused  lagging  flaps  at the end")
    for one in judged.phases:
        figures = f"{one.states:6}  {one.unsettled:9}  {one.paused:6}  {one.lagged:7}  {one.flapped:5}"
        print(f"   {one.name:34} {figures}  {one.last[:80]}")


def tell_rules(said_no: Counter[str], alone: Counter[str]) -> list[str]:
    """Prints the table of rules; returns those that never said no."""
    print("\n== rules: states in which each said no, and in which it alone did")
    required = {f"{kind}: {one}" for kind, conditions in REQUIRED.items() for one in conditions}
    for rule in sorted(required | said_no.keys()):
        print(f"   {rule:60} {said_no[rule]:6} {alone[rule]:6}")
    silent = sorted(rule for rule in required if not said_no[rule])
    print(f"   silent: {', '.join(silent) or 'none'}")
    return silent
