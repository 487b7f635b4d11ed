"""What health said of each recorded state, held against what was true."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from clusterops.capi.conditions import REQUIRED, conditions_of, is_legacy, judge
from clusterops.health import waits_for
from clusterops.model.live import LiveObject
from clusterops.model.report import HealthReport, HealthWord
from tests.recorded_cluster import recorded_health
from tests.shows.health_phases import Phase, paused_word
from tests.shows.health_watch import VERSIONS, Event, State, changed

UNPROVOKED = {
    "ClusterClass requires VariablesReady": "only a runtime extension that cannot be discovered makes it False",
    "ClusterClass requires RefVersionsUpToDate": "only references of an older version make it False",
}
"""Conditions that nothing here makes False; tests/unit/capi holds their rules."""


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


def seen_by(events: list[Event]) -> dict[str, list[Event]]:
    """What the three kinds of API server show: the third is one from before Cluster API v1.9, made of the second."""
    modern, legacy = ([one for one in events if one.version == version] for version in VERSIONS)
    return {"v1beta2": modern, "v1beta1": legacy, "v1beta1 of old": [as_of_old(one) for one in legacy]}


def as_of_old(event: Event) -> Event:
    status = {name: part for name, part in (event.live.body.get("status") or {}).items() if name != "v1beta2"}
    return replace(event, live=replace(event.live, body={**event.live.body, "status": status}))


async def judged(name: str, phases: list[Phase], events: list[Event], shown: list[Event]) -> Judged:
    """``shown`` is what health gets to see; what is true is told by the v1beta2 ``events`` alone."""
    found = Judged(name=name)
    truth, state = Replay(seen_by(events)["v1beta2"]), Replay(shown)
    for phase in phases:
        seen = PhaseSeen(phase.name)
        found.phases.append(seen)
        revision, report = phase.edited, HealthReport()
        while revision <= phase.ended:
            truth.forward(revision)
            report = await one_state(found, seen, phase, state.forward(revision), phase.lacking(truth.state))
            revision = state.next_revision
        found.wrong += (f"{name}, {phase.name}: {why}" for why in at_the_end(seen, phase, report))
    return found


class Replay:
    """The objects of a recording at one revision after another."""

    def __init__(self, events: list[Event]) -> None:
        self._events = sorted(events, key=lambda one: one.revision)
        self._next = 0
        self.revision = 0
        self.state: State = {}

    def forward(self, revision: int) -> Replay:
        while self.next_revision <= revision:
            changed(self.state, self._events[self._next])
            self._next += 1
        self.revision = revision
        return self

    @property
    def next_revision(self) -> int:
        """Of the next change; past all when there is none."""
        return self._events[self._next].revision if self._next < len(self._events) else sys.maxsize


async def one_state(found: Judged, seen: PhaseSeen, phase: Phase, replay: Replay, why: str) -> HealthReport:
    """``why``: what is still lacking in truth."""
    state, revision = replay.state, replay.revision
    report = await recorded_health(state, phase.keys)
    seen.states += 1
    seen.paused += paused_word(report)
    if report.settled and why:
        found.wrong.append(f"{found.name}, {phase.name}, at {revision}: settled, but {why}")
    if not report.settled:
        seen.unsettled += 1
        seen.lagged += not why
        seen.flapped += seen.last == "settled"
    seen.last = waits_for(report) or "settled"
    found.said_no.update({rule for live in state.values() for rule in unmet(live)})
    found.said_no.update(reasons := {f"{row.key.kind}: {row.word} {row.reason}" for row in report.unsettled})
    if len(reasons) == 1:
        found.alone.update(reasons)
    return report


def at_the_end(seen: PhaseSeen, phase: Phase, report: HealthReport) -> Iterator[str]:
    if not seen.unsettled:
        yield "never unsettled, so it shows nothing"
    if phase.ends == "settled" and not report.settled:
        yield f"not settled at the end: {waits_for(report)}"
    if phase.ends == "paused" and not paused_word(report):
        yield f"not Paused at the end: {waits_for(report)}"


def unmet(live: LiveObject) -> Iterator[str]:
    """``Kind requires Condition``, for an object that is not settled for that."""
    reported = conditions_of(live.body)
    if live.deleting or (is_legacy(live.body) and not reported):
        return
    verdict = judge(live.key, live.body)
    if verdict is None or verdict.word is not HealthWord.IN_PROGRESS:
        return
    for kind, wanted in REQUIRED.get(live.key.kind, {}).items():
        if reported.get(kind, {}).get("status") != wanted:
            yield f"{live.key.kind} requires {kind}"


def tell(judged: Judged) -> None:
    print(f"\n== {judged.name}")
    print(f"   {'phase':34} states  unsettled  paused  lagging  flaps  at the end")
    for one in judged.phases:
        figures = f"{one.states:6}  {one.unsettled:9}  {one.paused:6}  {one.lagged:7}  {one.flapped:5}"
        print(f"   {one.name:34} {figures}  {one.last[:80]}")


def tell_rules(said_no: Counter[str], alone: Counter[str]) -> list[str]:
    """Prints the table of rules; returns those that never said no and should have."""
    print("\n== what health said, the states in which it did, and those in which nothing else was said")
    required = {f"{kind} requires {one}" for kind, conditions in REQUIRED.items() for one in conditions}
    for said in sorted(said_no.keys() - required):
        print(f"   {said:70} {said_no[said]:6} {alone[said]:6}")
    print("\n== conditions, and the states in which an object was not settled while one was not met")
    for rule in sorted(required):
        print(f"   {rule:70} {said_no[rule]:6}  {UNPROVOKED.get(rule, '')}")
    silent = sorted(rule for rule in required - UNPROVOKED.keys() if not said_no[rule])
    print(f"   silent: {', '.join(silent) or 'none'}")
    return silent
