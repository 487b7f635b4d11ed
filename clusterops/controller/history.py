"""A branch only moves forward: a head that does not descend from what was applied waits for a person."""

from __future__ import annotations

from dataclasses import dataclass

from clusterops.controller.records import Records
from clusterops.controller.verdicts import Verdicts
from clusterops.errors import TerminalError
from clusterops.model.problem import Problem
from clusterops.model.revision import Revision
from clusterops.model.rollout import Halt
from clusterops.ports import Repository

REWRITTEN = "history-rewritten"


@dataclass(slots=True, kw_only=True)
class History:
    """``confirmed`` is the last commit that a person allowed although it does not descend."""

    repository: Repository
    records: Records
    verdicts: Verdicts
    confirmed: str = ""
    _held: str = ""

    async def check(self, revision: Revision, last: str, *, leading: bool) -> None:
        """Raises TerminalError ``history-rewritten``, which also stands on the commit and, while leading, on the Fleet.

        ``last`` is the commit taken before, "" when none is known.
        """
        if not last or await self._follows(revision.commit, last):
            await self.release(leading=leading)
            return
        error = TerminalError(
            REWRITTEN,
            revision.text,
            f"does not descend from {last[:7]}, which was applied before",
            hint="if that is meant: `clusterops resume`; else push the old history back",
        )
        await self._hold(revision, error, leading=leading)
        raise error

    async def release(self, *, leading: bool) -> None:
        """The head may be taken, or is the one taken before."""
        self._held = ""
        if leading and self.records.of_fleet.halted is not None and self.records.of_fleet.halted.code == REWRITTEN:
            await self.records.of_fleet.note_halted(None)

    async def _hold(self, revision: Revision, error: TerminalError, *, leading: bool) -> None:
        if self._held != revision.commit:
            self._held = revision.commit
            self.verdicts.refuse(revision, Problem.of(error))
        halted = Halt(revision=revision.commit, target="", code=error.code)
        if leading and self.records.of_fleet.halted != halted:
            await self.records.of_fleet.note_halted(halted)

    async def _follows(self, commit: str, last: str) -> bool:
        """A confirmation holds for the commit's descendants too, until one of them is what was taken last."""
        descends, confirmed = self.repository.descends, self.confirmed
        if commit == confirmed or await descends(commit, last):
            return True
        return bool(confirmed) and await descends(commit, confirmed) and not await descends(last, confirmed)
