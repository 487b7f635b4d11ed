"""What a new head leads to: a Commit for it, and one for each earlier one that a restart left without its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from clusterops.controller.commits import Admit, Commit
from clusterops.controller.due import Due, Memory
from clusterops.controller.judging import counting
from clusterops.controller.resume import Share, revision_of, shares, standing
from clusterops.controller.work import Doors, Work
from clusterops.model.fleet import Fleet
from clusterops.model.report import Outcome, Stage
from clusterops.model.revision import Revision, Snapshot
from clusterops.ports import Repository, StatusBoard


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """One commit's fleet. ``size`` counts its targets that are ours, ``memories`` are those of before this commit.

    ``first`` means that this process begins with it.
    """

    snapshot: Snapshot
    fleet: Fleet
    memories: Mapping[str, Memory]
    size: int
    first: bool
    repository: Repository
    board: StatusBoard
    doors: Doors
    management: str
    on_change: Callable[[Commit], None]
    admit: Admit

    async def commits(self, due: Iterable[Due], seen_at: datetime) -> list[Commit]:
        """Those to begin, the head's among them."""
        head = self.snapshot.revision
        found = await shares(due, head, self.repository)
        last = await revision_of(self.doors.records.of_fleet.last_revision, self.repository) if self.first else None
        if last is not None:
            found.setdefault(last, Share())
        commits = []
        for of, share in found.items():
            commit = self.commit(of, self._works(share.due, of), seen_at)
            commit.superseded.update(dict.fromkeys(share.superseded, head.short))
            if not self.first or await self._wants_verdict(commit, share):
                commits.append(commit)
        return commits

    def commit(
        self, revision: Revision, works: Mapping[str, Work], seen_at: datetime, *, silent: bool = False
    ) -> Commit:
        """With what an earlier process brought to its end, where this one has begun with it."""
        commit = Commit(
            revision=revision,
            fleet=self.fleet,
            works=works,
            owners=self.doors.records.owners,
            seen_at=seen_at,
            fleet_size=self.size,
            count=counting(self.doors.cluster),
            today=lambda: self.doors.clock.now().date(),
            on_change=self.on_change,
            admit=self.admit,
            silent=silent,
        )
        for name in self._settled(revision, works) if self.first and not silent else ():
            commit.restore(name, Outcome(target=name, revision=revision.text, stage=Stage.DONE))
        return commit

    def _settled(self, revision: Revision, works: Mapping[str, Work]) -> Iterable[str]:
        known = ((name, memory) for name, memory in self.memories.items() if name not in works)
        return [name for name, memory in known if memory.settled and memory.revision == revision.text]

    async def _wants_verdict(self, commit: Commit, share: Share) -> bool:
        """Of a process that has just begun: whether an earlier one left something to say on this commit."""
        noted = await standing(self.board, commit.revision.commit, self.management)
        taken_up = all(each.unfinished_of for each in share.due)
        commit.planned = noted.planned and taken_up and not commit.fleet.problems
        commit.unasked = not noted.asked and not share.due
        if share.due or commit.unasked:
            return True
        if commit.revision != self.snapshot.revision or noted.known:
            return noted.known and not noted.applied and bool(commit.outcomes or commit.superseded)
        return True

    def _works(self, due: Iterable[Due], of: Revision) -> dict[str, Work]:
        return {
            each.target.name: Work(
                target=each.target,
                snapshot=self.snapshot,
                commit=of.commit,
                inputs=each.inputs,
                gone=each.gone,
                after=each.after,
                settle_timeout_s=self.fleet.file.rollout.settle_timeout_s,
            ).keyed(self.fleet)
            for each in due
        }
