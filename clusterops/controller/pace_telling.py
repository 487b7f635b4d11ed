"""Rollouts told to people: Fleet.status, Events on the Fleet, metrics and the log. Only the halt decides anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from clusterops.controller.history import REWRITTEN
from clusterops.controller.work import Doors
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import RolloutPolicy
from clusterops.model.rollout import Decision, Halt, Moving, Progress
from clusterops.status.rollout_body import rollout_bodies

EVERY_S: Final = 2.0
"""Least time between two writes that only say how far it is; a halt is written at once."""


@dataclass(slots=True, kw_only=True)
class RolloutTelling:
    """Writes what differs from what the Fleet has recorded."""

    doors: Doors
    is_behind: bool = False
    """Whether something was too new to be written, or could not be."""
    _written_s: float | None = None
    _said: set[str] = field(default_factory=set)
    """Events of this process."""
    _started: set[str] = field(default_factory=set)

    @property
    def has_told(self) -> bool:
        """Whether the Fleet says anything of a rollout."""
        return bool(self.doors.records.of_fleet.rollouts) or self._recorded is not None or bool(self._started)

    @property
    def _recorded(self) -> Halt | None:
        """That the head is not taken is another matter, which goes first where there is place for one."""
        halted = self.doors.records.of_fleet.halted
        return halted if halted is not None and halted.code != REWRITTEN else None

    def halts(self, before: Decision) -> tuple[Halt, ...]:
        """Those that stand until a person, or another commit, ends them: recorded, or about to be."""
        found = {one.revision: one for one in before.halts}
        if self._recorded is not None:
            found[self._recorded.revision] = self._recorded
        return tuple(found.values())

    async def tell(
        self,
        decision: Decision,
        policy: RolloutPolicy,
        *,
        moving: Mapping[str, Moving],
        in_steps: Collection[str],
        under_way: Collection[str] | None,
        why: Mapping[str, str],
    ) -> None:
        """``in_steps`` are revisions that change several clusters, ``under_way`` all; None where not all are known.

        ``why`` says what went wrong with targets that failed.
        """
        decision = _explained(decision, why)
        shown = [one for one in decision.rollouts if one.revision in in_steps or one.held]
        self._measure(shown, moving)
        counts = {name: each.machines for name, each in moving.items()}
        bodies = tuple(rollout_bodies(replace(decision, rollouts=tuple(shown)), policy, moving=counts))
        await self._write(self._halt(decision, under_way), bodies, why)
        for one in shown:
            await self._announce(one, why)

    async def resumed(self, revision: str, at: datetime) -> bool:
        """Whether that was news. Raises what writing the Fleet raises."""
        records, at = self.doors.records, at.replace(microsecond=0)  # as the Fleet keeps it
        if any(one.revision == revision and one.at >= at for one in records.of_fleet.resumed):
            return False
        await records.of_fleet.note_resumed(revision, at)
        self.doors.logger.info("rollout resumed", revision=revision)
        await self._event("RolloutResumed", f"{revision} goes on, a person says", of=f"{revision} {at.isoformat()}")
        return True

    def _halt(self, decision: Decision, under_way: Collection[str] | None) -> Halt | None:
        """The one recorded for as long as it stands, or nobody knows; then the first of the others."""
        known, halts = self._recorded, {one.revision: one for one in decision.halts}
        if known is not None and (known.revision in halts or under_way is None):
            return known
        decided = {one.revision for one in decision.rollouts}
        if known is not None and under_way is not None and known.revision in set(under_way) - decided:
            return known
        return next(iter(halts.values()), None)

    async def _write(self, halt: Halt | None, bodies: Sequence[Mapping[str, Any]], why: Mapping[str, str]) -> None:
        records, known = self.doors.records, self._recorded
        now_s = self.doors.clock.boottime_s()
        soon = self._written_s is not None and now_s - self._written_s < EVERY_S
        news = halt != known or list(bodies) != list(records.of_fleet.rollouts)
        self.is_behind = news
        if not news or (halt == known and soon):
            return
        try:
            await records.of_fleet.note_rollouts(halted=halt, rollouts=bodies)
        except ClusterOpsError as error:
            self.doors.logger.warning("rollout not recorded", code=error.code, error=str(error))
            return
        self.is_behind, self._written_s = False, now_s
        if halt is not None and halt != known:
            said = why.get(halt.target, "")
            self.doors.logger.warning(
                "rollout halted", revision=halt.revision, target=halt.target, code=halt.code, error=said
            )
        elif halt is None and known is not None:
            self.doors.logger.info("rollout goes on", revision=known.revision)

    async def _announce(self, one: Progress, why: Mapping[str, str]) -> None:
        revision, everyone = one.revision, len(one.done) + len(one.in_flight) + len(one.failed) + len(one.held)
        if one.over and one.halt is None:
            if revision in self._started:
                self._started.discard(revision)
                failed = f", {len(one.failed)} failed" if one.failed else ""
                await self._event("RolloutDone", f"{revision}: {len(one.done)} clusters settled{failed}", of=revision)
            return
        self._started.add(revision)
        steps = f"{one.steps} step{'s' * (one.steps != 1)}"
        await self._event("RolloutStarted", f"{revision}: {everyone} clusters in {steps}", of=revision)
        if one.soaking_until is not None:
            until = f"{one.soaking_until:%H:%MZ}"
            note = f"{revision}: soaks until {until}; {len(one.done)} of {everyone} clusters are done"
            await self._event("RolloutSoaking", note, of=f"{revision} {one.soaking_until.isoformat()}")
        if one.halt is not None:
            halt = one.halt
            said = f": {why[halt.target]}" if why.get(halt.target) else ""
            note = f"{revision}: {halt.target} stopped it ({halt.code}), {len(one.held)} targets are held{said}"
            at = halt.at.isoformat() if halt.at is not None else ""
            await self._event("RolloutHalted", note, of=f"{revision} {halt.target} {at}", warning=True)

    async def _event(self, reason: str, note: str, *, of: str, warning: bool = False) -> None:
        """Once in a process; another one meets what this one said under the same name."""
        said = f"{reason} {of}"
        if said not in self._said:
            self._said.add(said)
            await self.doors.records.of_fleet.tell(reason, note, of=of, warning=warning)

    def _measure(self, shown: Sequence[Progress], moving: Mapping[str, Moving]) -> None:
        metrics, under_way = self.doors.metrics, [one for one in shown if not one.over or one.halt is not None]
        for state in ("done", "in_flight", "held", "failed"):
            metrics.rollout_targets.labels(state=state).set(sum(len(getattr(one, state)) for one in under_way))
        metrics.rollout_machines_in_flight.set(sum(each.machines for each in moving.values()) if under_way else 0)
        metrics.rollout_halted.set(sum(one.halt is not None for one in under_way))


def _explained(decision: Decision, why: Mapping[str, str]) -> Decision:
    """With what went wrong in words, for whoever reads the Fleet."""
    told = (
        replace(one, halt=replace(one.halt, message=why.get(one.halt.target, ""))) if one.halt is not None else one
        for one in decision.rollouts
    )
    return replace(decision, rollouts=tuple(told))
