"""What `clusterops rollout status` shows of one fleet: a line per rollout, halts first and loud, then its targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from clusterops.controller.halts import halted_rollouts, rewritten
from clusterops.model.rollout import Halt
from clusterops.status import Phase, StoredFleet, StoredTarget
from clusterops.status.fleet import halt_body
from clusterops.status.rollout_body import rollouts_of
from clusterops.status.rollout_texts import held_text, moment_text, rollout_text
from clusterops.status.told_rollout import ToldRollout

NAMES_SHOWN: Final = 10
COLUMNS: Final = ("TARGET", "STATE", "SINCE", "WHY")
_MOVES: Final = frozenset({Phase.APPLYING, Phase.APPLIED})
_STOPPED: Final = frozenset({Phase.FAILED, Phase.REFUSED})


class State(StrEnum):
    FAILED = "failed"
    IN_FLIGHT = "in flight"
    HELD = "held"
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One target of a rollout that is not done."""

    target: str
    state: State
    since: datetime | None = None
    why: str = ""
    code: str = ""
    at_once: int = 0

    def to_body(self) -> dict[str, Any]:
        since = {"since": self.since.isoformat()} if self.since else {}
        machines = {"machinesAtOnce": self.at_once} if self.at_once else {}
        code = {"code": self.code} if self.code else {}
        return {"target": self.target, "state": str(self.state), "why": self.why, **since, **code, **machines}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One fleet as its objects have it. ``chosen`` limits the rows, not what is counted; empty is everyone."""

    stored: StoredFleet
    targets: Sequence[StoredTarget]
    now: datetime
    chosen: frozenset[str] = frozenset()

    @property
    def rollouts(self) -> tuple[ToldRollout, ...]:
        return rollouts_of(self.stored.status.rollouts)

    @property
    def halts(self) -> tuple[Halt, ...]:
        return halted_rollouts(self.stored)

    @property
    def halted(self) -> bool:
        return bool(self.halts or rewritten(self.stored))

    @property
    def moving(self) -> list[str]:
        """Targets that are on their way in no rollout that is told of: a commit that touches one cluster."""
        told = {rollout.revision for rollout in self.rollouts}
        return [
            one.target
            for one in self.targets
            if one.status.phase in {*_MOVES, Phase.HELD} and one.status.observed_revision not in told
        ]

    def rows(self, rollout: ToldRollout) -> list[Row]:
        """Failed ones first, then those on their way, held ones, and those that take no part."""
        places = list(State)
        found = [row for one in self.targets if (row := _row(one, rollout)) is not None]
        shown = [row for row in found if not self.chosen or row.target in self.chosen]
        return sorted(shown, key=lambda row: (places.index(row.state), row.target))

    def to_body(self) -> dict[str, Any]:
        status, head = self.stored.status, rewritten(self.stored)
        return {
            "fleet": self.stored.key.name,
            "revision": status.revision,
            "halted": [halt_body(halt) for halt in self.halts],
            **({"historyRewritten": head} if head else {}),
            "rollouts": [
                {**rollout.to_body(), "targets": [row.to_body() for row in self.rows(rollout)]}
                for rollout in self.rollouts
            ],
            "onTheirWay": self.moving,
        }

    def say(self, say: Callable[[str], None], say_table: Callable[..., None], *, every: bool) -> None:
        for line in self._halted_lines():
            say(line)
        for rollout in self.rollouts:
            say(f"{rollout.revision}  {rollout_text(rollout, now=self.now, settled_at=self._settled_at(rollout))}")
            rows = [[row.target, str(row.state), self._moment(row.since), row.why] for row in self.rows(rollout)]
            shown = [row for state in State for row in _cut([each for each in rows if each[1] == state], every)]
            if shown:
                say_table(COLUMNS, shown)
        if not self.rollouts:
            say(self._nothing())

    def _halted_lines(self) -> Iterator[str]:
        name = self.stored.key.name
        if head := rewritten(self.stored):
            yield f"HALTED {name}: {head[:7]} is not taken, it does not descend from what was applied"
            yield f"  if that is meant: `clusterops resume --revision {head}`; else push the old history back"
        for halt in self.halts:
            held = next((one.held_count for one in self.rollouts if one.revision == halt.revision), 0)
            since = f" since {self._moment(halt.at)}" if halt.at else ""
            rest = f"; {held} held" if held else ""
            yield f"HALTED {halt.revision}{since}: {self._reason(halt)}{rest}"
            yield (
                f"  `clusterops status {halt.target}` says more; a commit that mends it goes on by itself, "
                "`clusterops resume` goes on without it"
            )

    def _reason(self, halt: Halt) -> str:
        """The target's own line, as long as it is about the same."""
        stored = next((one for one in self.targets if one.target == halt.target), None)
        if stored is not None and stored.status.code == halt.code and stored.status.message:
            text = stored.status.message
            return text if halt.target in text else f"{halt.target}: {text}"
        return f"{halt.target}: {halt.message} ({halt.code})" if halt.message else f"{halt.target} ({halt.code})"

    def _settled_at(self, rollout: ToldRollout) -> datetime | None:
        if rollout.canaries_count != 1:
            return None
        found = (one.status for one in self.targets if one.target in rollout.canaries)
        return next((one.settled_at for one in found if one.settled_revision == rollout.revision), None)

    def _moment(self, at: datetime | None) -> str:
        return moment_text(at, self.now) if at is not None else "-"

    def _nothing(self) -> str:
        if self.halted:
            return "nothing is on its way"
        counts = self.stored.status.targets
        at = f"{self.stored.status.revision or '-'}, {counts.settled} of {counts.total} targets settled"
        some = f"{len(self.moving)} on {'their' if len(self.moving) > 1 else 'its'} way: {', '.join(self.moving[:3])}"
        more = ", …" if len(self.moving) > 3 else ""
        return f"{self.stored.key.name}: no rollout is under way: {at}" + (f"; {some}{more}" if self.moving else "")


def why_held(stored: StoredTarget, fleets: Iterable[StoredFleet]) -> str:
    """What a held target waits for at the moment; "" for any other, and where no rollout is told of that has it."""
    if stored.status.phase != Phase.HELD:
        return ""
    told = (one for fleet in fleets if fleet.key.name == stored.fleet for one in rollouts_of(fleet.status.rollouts))
    found = next((one for one in told if one.revision == stored.status.observed_revision and one.held), None)
    return held_text(found, stored.target) if found is not None else ""


def _row(stored: StoredTarget, rollout: ToldRollout) -> Row | None:
    """None for who is no member, or is done. Who halts a rollout has failed, whatever has become of it since."""
    status, halt = stored.status, rollout.halted
    if halt is not None and halt.target == stored.target:
        why = status.message if status.code == halt.code else halt.message or f"({halt.code})"
        return Row(target=stored.target, state=State.FAILED, since=halt.at, why=why, code=halt.code)
    state = _state(stored, rollout.revision)
    if state is None:
        return None
    if state is State.HELD and stored.target in rollout.in_flight:
        return Row(target=stored.target, state=State.IN_FLIGHT, why="its turn has come")
    began = status.begun_at if status.begun_revision == rollout.revision else None
    return Row(
        target=stored.target,
        state=state,
        since={State.IN_FLIGHT: began, State.FAILED: status.failed_at}.get(state),
        why=_without(held_text(rollout, stored.target)) if state is State.HELD else status.message,
        code=status.code,
        at_once=status.machines.at_once if status.machines is not None and state is State.IN_FLIGHT else 0,
    )


def _state(stored: StoredTarget, revision: str) -> State | None:
    status = stored.status
    if status.observed_revision != revision:
        return None
    if stored.suspend or status.phase == Phase.SUSPENDED:
        return State.OUT
    if status.phase in _STOPPED and not status.retrying:
        return State.FAILED if status.begun_revision == revision else State.OUT
    if status.phase in {*_MOVES, *_STOPPED}:
        return State.IN_FLIGHT
    return State.HELD if status.phase == Phase.HELD else None


def _without(text: str) -> str:
    return text.removeprefix("held: ")


def _cut(rows: list[list[str]], every: bool) -> list[list[str]]:
    if every or len(rows) <= NAMES_SHOWN:
        return rows
    more = [f"… and {len(rows) - NAMES_SHOWN} more", rows[0][1], "", "--all shows every one"]
    return [*rows[:NAMES_SHOWN], more]
