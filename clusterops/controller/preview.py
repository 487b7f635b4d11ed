"""What a request would do: its merge with the branch, planned against the live cluster. Reads only.

Only targets whose inputs the request changes are rendered; the whole of them is judged as the merged commit will be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from clusterops.controller.commits import Commit
from clusterops.controller.due import GONE, gone_target, inputs_of, with_keys
from clusterops.controller.judging import counting, judge_counting
from clusterops.controller.reconcile import draft_plan
from clusterops.controller.work import Doors, Work
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Fleet, Target
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import Snapshot
from clusterops.ports import Repository
from clusterops.source.fleet.reader import FleetReader

_UNRENDERED = frozenset({Stage.SOURCE, Stage.RENDER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The branch's head as the daemon has taken it."""

    snapshot: Snapshot
    fleet: Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A request merged with a base: ``changed`` are the targets whose inputs differ, with their new inputs."""

    request: ChangeRequest
    base: Base
    snapshot: Snapshot
    fleet: Fleet
    changed: Mapping[str, str]
    gone: tuple[Target, ...] = ()

    @property
    def same_work(self) -> tuple[object, ...]:
        """Equal merges are planned alike, whatever else moved on the branch."""
        policy = self.fleet.file.policy, self.fleet.file.rollout, self.fleet.problems
        return self.request.head, tuple(sorted(self.changed.items())), tuple(t.name for t in self.gone), policy


@dataclass(slots=True, kw_only=True)
class Previewer:
    """``management`` says which regions are ours."""

    repository: Repository
    reader: FleetReader
    doors: Doors
    management: str

    async def merge(self, request: ChangeRequest, base: Base) -> Merge:
        """Raises what Repository.merged raises."""
        snapshot = await self.repository.merged(request, base.snapshot.revision.commit)
        fleet = await asyncio.to_thread(self.reader.read, snapshot)
        changed, gone = await asyncio.to_thread(self._changed, base, snapshot, fleet)
        return Merge(request=request, base=base, snapshot=snapshot, fleet=fleet, changed=changed, gone=gone)

    async def preview(self, merge: Merge) -> Preview:
        """Never raises an expected error: the preview holds it. Whatever stops a target here stops it once merged."""
        fleet, doors = merge.fleet, self.doors
        commit = Commit(
            revision=merge.snapshot.revision,
            fleet=fleet,
            works={} if fleet.problems else self._works(merge),
            owners=doors.records.owners,
            seen_at=doors.clock.now(),
            fleet_size=len(self._mine(fleet)),
            silent=True,
        )
        drafts = await asyncio.gather(
            *(draft_plan(work, doors, commit.view(name)) for name, work in commit.works.items())
        )
        outcomes = {name: draft.outcome for name, draft in zip(commit.works, drafts, strict=True)}
        preview = Preview(
            request=merge.request,
            base=merge.base.snapshot.revision,
            fleet=fleet,
            planned_at=commit.seen_at,
            outcomes=tuple(outcomes.values()),
            rendered=sum(outcome.stage not in _UNRENDERED for outcome in outcomes.values()),
            total=commit.fleet_size,
            problems=fleet.problems,
        )
        return await self._judged(preview, outcomes)

    async def _judged(self, preview: Preview, outcomes: Mapping[str, Outcome]) -> Preview:
        cluster, today = self.doors.cluster, preview.planned_at.date()
        try:
            stopped, weights = await judge_counting(
                preview.fleet, outcomes, self.doors.records.owners(), counting(cluster), today
            )
        except ClusterOpsError as error:
            return replace(preview, problems=(*preview.problems, Problem.of(error)))
        judged = (replace(each, problem=stopped.get(name, each.problem)) for name, each in outcomes.items())
        return replace(preview, outcomes=tuple(judged), weights=weights)

    def stopped(self, request: ChangeRequest, base: Base, error: ClusterOpsError) -> Preview:
        """Of a request that cannot even be merged."""
        return Preview(
            request=request,
            base=base.snapshot.revision,
            fleet=base.fleet,
            planned_at=self.doors.clock.now(),
            total=len(self._mine(base.fleet)),
            problems=(Problem.of(error),),
        )

    def _changed(self, base: Base, snapshot: Snapshot, fleet: Fleet) -> tuple[dict[str, str], tuple[Target, ...]]:
        """Blocking. O(targets)."""
        before, after = self._mine(base.fleet), self._mine(fleet)
        found: dict[str, str] = {}
        for name, target in sorted(after.items()):
            inputs, known = self._inputs(target, fleet, snapshot), before.get(name)
            if known is None or self._inputs(known, base.fleet, base.snapshot) != inputs:
                found[name] = inputs
        known_records = self.doors.records.known
        left = sorted(name for name in before.keys() - fleet.targets.keys() if name in known_records)
        return found, tuple(gone_target(known_records[name], fleet) for name in left)

    def _inputs(self, target: Target, fleet: Fleet, snapshot: Snapshot) -> str:
        return with_keys(inputs_of(target, snapshot, self.doors.renderer), fleet.keys_for(target.name))

    def _works(self, merge: Merge) -> dict[str, Work]:
        fleet, snapshot = merge.fleet, merge.snapshot
        targets = {name: fleet.targets[name] for name in merge.changed} | {each.name: each for each in merge.gone}
        return {
            name: Work(
                target=target,
                snapshot=snapshot,
                commit=snapshot.revision.commit,
                inputs=merge.changed.get(name, GONE),
                gone=name not in merge.changed,
                settle_timeout_s=fleet.file.rollout.settle_timeout_s,
            ).keyed(fleet)
            for name, target in sorted(targets.items())
        }

    def _mine(self, fleet: Fleet) -> dict[str, Target]:
        return {name: target for name, target in fleet.targets.items() if target.management == self.management}


def with_rivals(preview: Preview, others: Mapping[int, frozenset[str]]) -> Preview:
    """``others`` are the targets that each other open request changes, by its number."""
    rivals = {
        outcome.target: tuple(sorted(number for number, names in others.items() if outcome.target in names))
        for outcome in preview.outcomes
    }
    return replace(preview, rivals={name: numbers for name, numbers in rivals.items() if numbers})
