"""A commit on its way through the fleet: who takes part, who may go now, and why the others wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from clusterops.model.problem import Problem
from clusterops.model.windows import Windows


class Reach(StrEnum):
    """What a target's plan does, as pace sees it."""

    NOTHING = "nothing"
    """Nothing is written, or it is no cluster: what clusters share goes before them and is not paced."""
    CREATES = "creates"
    """A cluster that is not there yet: nobody uses it, so it waits for nobody."""
    IN_PLACE = "in-place"
    ROLLS = "rolls"
    """Machines are replaced, added or removed, or that cannot be ruled out."""


PACED: Final = frozenset({Reach.IN_PLACE, Reach.ROLLS})


class Standing(StrEnum):
    """How far a target is with a commit, as its FleetTarget has it recorded."""

    WAITS = "waits"
    BEGUN = "begun"
    """Something may have been written, and it has not settled."""
    SETTLED = "settled"
    FAILED = "failed"
    OUT = "out"
    """It takes no part for now: its plan was refused, or a person paused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A rollout that goes no further until a person, or another commit, ends that. ``message`` is for people."""

    revision: str
    target: str
    code: str
    at: datetime | None = None
    message: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One target of one commit. ``revision`` is ``main@3b9e0d1``; ``at_once`` counts machines that change at a time.

    ``reach`` and ``at_once`` are the plan's while it waits; once it has begun they are what its FleetTarget recorded
    then, since a plan of what is applied already does nothing. ``since`` is when it began, settled or failed.
    ``disturbed``: an earlier commit was applied to it and never settled; it stays so until this commit has settled.
    """

    target: str
    revision: str
    reach: Reach
    standing: Standing = Standing.WAITS
    at_once: int = 0
    region: str = ""
    cloud: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    disturbed: bool = False
    windows: Windows = field(default_factory=Windows)
    code: str = ""
    """Why it failed."""
    left: Halt | None = None
    """How it failed under an earlier commit, as long as its FleetTarget says so: it counts against that one."""

    @property
    def paced(self) -> bool:
        return self.reach in PACED


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """Machines of a target that are on their way now, whoever moves them.

    While a rollout that we began has not settled, also where it failed or another commit took the target over, they
    are at least those that it may move at a time: between two machines none is on its way, and the next one comes.
    """

    target: str
    machines: int
    region: str = ""
    cloud: str = ""


ROLLOUT_HELD: Final = "rollout-held"
"""A target that waits for its turn; what it waits for at the moment is a Hold."""
WINDOW_CLOSED: Final = "window-closed"
HELD_CODES: Final = frozenset({ROLLOUT_HELD, WINDOW_CLOSED})
"""States of a target that are no verdict: nothing was tried, and it goes on by itself or with a person's word."""


class Wait(StrEnum):
    """What a held target waits for."""

    CANARY = "canary"
    SOAK = "soak"
    RING = "ring"
    CLUSTERS = "clusters"
    """As many clusters as may be are on their way."""
    MACHINES = "machines"
    TOO_LARGE = "too-large"
    """It alone moves more machines at a time than may be: a person has to widen that."""
    HALTED = "halted"
    WINDOW = "window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """``until`` where time alone ends it."""

    wait: Wait
    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A person's word that a revision goes on, in spite of all that had failed by then."""

    revision: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One commit's rollout at one moment. Targets in the order in which they go.

    ``in_flight`` holds those that begin with this decision, too.
    """

    revision: str
    done: tuple[str, ...] = ()
    in_flight: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    held: Mapping[str, Hold] = field(default_factory=dict)
    soaking_until: datetime | None = None
    halt: Halt | None = None
    steps: int = 0
    """In how many it goes from where it stands, at the least."""
    canaries: tuple[str, ...] = ()
    """Those that others wait for."""
    soaked_at: datetime | None = None
    """When its canaries have soaked, or had; None before they are over, and where none of them moved a machine."""

    @property
    def over(self) -> bool:
        return not self.in_flight and not self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``go`` may begin now, in order; ``again_at`` is when time alone changes the answer."""

    go: tuple[str, ...] = ()
    held: Mapping[str, Hold] = field(default_factory=dict)
    rollouts: tuple[Progress, ...] = ()
    again_at: datetime | None = None

    @property
    def halts(self) -> tuple[Halt, ...]:
        return tuple(one.halt for one in self.rollouts if one.halt is not None)


def held(target: str, hold: Hold) -> Problem:
    """The held target's own state: worded so that it stays the same however long it waits."""
    if hold.wait is Wait.WINDOW:
        return Problem(code=WINDOW_CLOSED, subject=target, message=f"waits: {hold.message}")
    return Problem(
        code=ROLLOUT_HELD,
        subject=target,
        message="waits for its turn",
        hint="`clusterops rollout status` says what it waits for",
    )
