"""What a request would do: its merge with the branch, planned against the live cluster. Reads only.

Only targets whose inputs the request changes are rendered; the whole of them is judged as the merged commit will be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from clusterops.controller.commits import Commit
from clusterops.controller.dependents import with_dependents
from clusterops.controller.differing import Sight, due_between
from clusterops.controller.due import Due, Memory
from clusterops.controller.judging import counting, judge_counting
from clusterops.controller.preview_origins import origins_of
from clusterops.controller.reconcile import draft_plan
from clusterops.controller.work import Doors, Work
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Fleet, Target, is_shared
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import Snapshot
from clusterops.ports import Repository
from clusterops.source.fleet.reader import FleetReader
from clusterops.status import StoredTarget

_UNRENDERED = frozenset({Stage.SOURCE, Stage.RENDER})


Trace = Callable[[Snapshot, Target, str], Awaitable[str]]
"""Where a rendered value (``KIND/NAME:/pointer``) comes from, as places and never as a value; "" when nobody knows."""


async def _untraced(snapshot: Snapshot, target: Target, question: str) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The branch's head as the daemon has taken it."""

    snapshot: Snapshot
    fleet: Fleet

    @property
    def commit(self) -> str:
        return self.snapshot.revision.commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A request merged with a base. ``due`` are the targets whose inputs differ, by name, what git drops included."""

    request: ChangeRequest
    base: Base
    snapshot: Snapshot
    fleet: Fleet
    due: tuple[Due, ...]
    total: int = 0
    """Targets whose inputs were compared."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(each.target.name for each in self.due)

    @property
    def leads(self) -> bool:
        """Whether Clusters of other targets may follow what it changes."""
        return any(map(is_shared, self.names))

    def is_of(self, request: ChangeRequest, base: Base) -> bool:
        mine = self.request.head, self.request.fork, self.base.commit
        return mine == (request.head, request.fork, base.commit)

    def same_work(self, other: Merge) -> bool:
        """Equal ones are planned and judged alike, whatever else moved on the branch."""
        return self._work == other._work

    @property
    def _work(self) -> tuple[object, ...]:
        fleet = self.fleet
        inputs = tuple((each.target.name, each.inputs) for each in self.due)
        return self.request.head, self.request.fork, inputs, fleet.file, fleet.problems, fleet.unclaimed


@dataclass(slots=True, kw_only=True)
class Previewer:
    """``management`` says which regions are ours, ``memories`` what the last pass over each target was about."""

    repository: Repository
    reader: FleetReader
    doors: Doors
    management: str
    memories: Callable[[], Mapping[str, Memory]] = dict
    trace: Trace = _untraced
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _base: dict[bool, Sight] = field(default_factory=dict)
    """Of the base that was compared with last, as it is and as nobody's that is trusted: a fork's merge is not."""

    async def merge(self, request: ChangeRequest, base: Base) -> Merge:
        """Raises what Repository.merged raises."""
        snapshot = await self.repository.merged(request, base.commit)
        async with self._reading:
            fleet = await asyncio.to_thread(self.reader.read, snapshot)
            recorded = dict(self.doors.records.known), dict(self.memories())
            due = await asyncio.to_thread(self._due, base, snapshot, fleet, recorded)
        return Merge(request=request, base=base, snapshot=snapshot, fleet=fleet, due=due, total=len(self._mine(fleet)))

    async def preview(self, merge: Merge) -> Preview:
        """Never raises an expected error: the preview holds it. Whatever stops a target here stops it once merged."""
        doors, fleet = self.doors, merge.fleet
        preview = Preview(
            request=merge.request,
            base=merge.base.snapshot.revision,
            fleet=_named(fleet, merge.base.fleet),
            planned_at=doors.clock.now(),
            total=merge.total,
            problems=fleet.problems,
        )
        if fleet.problems:
            return preview
        try:
            works = self._works(merge, await self._with_followers(merge))
        except ClusterOpsError as error:
            return replace(preview, problems=(Problem.of(error),))
        commit = Commit(
            revision=merge.snapshot.revision,
            fleet=fleet,
            works=works,
            owners=doors.records.owners,
            seen_at=preview.planned_at,
            fleet_size=merge.total,
            silent=True,
        )
        drafts = await asyncio.gather(
            *(draft_plan(work, doors, commit.view(name), looks=True) for name, work in works.items())
        )
        outcomes = {name: draft.outcome for name, draft in zip(works, drafts, strict=True)}
        rendered = [name for name, each in outcomes.items() if each.stage not in _UNRENDERED and not works[name].gone]
        judged = await self._judged(replace(preview, rendered=len(rendered)), outcomes)
        try:
            found = await asyncio.to_thread(origins_of, merge.base.snapshot, merge.snapshot, fleet, judged.outcomes)
        except ClusterOpsError as error:
            return replace(judged, problems=(*judged.problems, Problem.of(error)))
        return replace(judged, origins=found)

    def stopped(self, request: ChangeRequest, base: Base, problem: Problem) -> Preview:
        """Of a request that cannot even be merged."""
        return Preview(
            request=request,
            base=base.snapshot.revision,
            fleet=base.fleet,
            planned_at=self.doors.clock.now(),
            total=len(self._mine(base.fleet)),
            problems=(problem,),
        )

    async def _judged(self, preview: Preview, outcomes: Mapping[str, Outcome]) -> Preview:
        cluster, today = self.doors.cluster, preview.planned_at.date()
        preview = replace(preview, outcomes=tuple(outcomes.values()))
        try:
            stopped, weights = await judge_counting(
                preview.fleet, outcomes, self.doors.records.owners(), counting(cluster), today
            )
        except ClusterOpsError as error:
            return replace(preview, problems=(*preview.problems, Problem.of(error)))
        judged = (replace(each, problem=stopped.get(name, each.problem)) for name, each in outcomes.items())
        return replace(preview, outcomes=tuple(judged), weights=weights)

    def _due(
        self,
        base: Base,
        snapshot: Snapshot,
        fleet: Fleet,
        recorded: tuple[Mapping[str, StoredTarget], Mapping[str, Memory]],
    ) -> tuple[Due, ...]:
        """Blocking. O(targets). A base that cannot be read was never passed over: what came before it counts."""
        (known, memories), renderer = recorded, self.doors.renderer
        merged = Sight.of(fleet, self._mine(fleet), snapshot, renderer)
        if base.fleet.problems:
            before = {name: memory.inputs for name, memory in memories.items()}
        else:
            before = self._sight(base, trusted=snapshot.trusted).inputs(known)
        return due_between(before, merged, known, memories, policy_moved=base.fleet.file.policy != fleet.file.policy)

    def _sight(self, base: Base, *, trusted: bool) -> Sight:
        """What is encrypted has other inputs where it is not decrypted, so like is compared with like."""
        known = self._base.get(trusted)
        if known is None or known.commit != base.commit:
            snapshot = replace(base.snapshot, trusted=trusted)
            known = self._base[trusted] = Sight.of(base.fleet, self._mine(base.fleet), snapshot, self.doors.renderer)
        return known

    def forget(self) -> None:
        """What is encrypted is opened by other keys now."""
        self._base.clear()

    async def _with_followers(self, merge: Merge) -> tuple[Due, ...]:
        """Raises what reading raises."""
        mine = self._mine(merge.fleet)
        return await with_dependents(merge.due, mine, self.memories(), merge.snapshot, self.doors)

    def _works(self, merge: Merge, due: tuple[Due, ...]) -> dict[str, Work]:
        return {
            each.target.name: Work(
                target=each.target,
                snapshot=merge.snapshot,
                commit=merge.snapshot.revision.commit,
                inputs=each.inputs,
                gone=each.gone,
                after=each.after,
                settle_timeout_s=merge.fleet.file.rollout.settle_timeout_s,
            ).keyed(merge.fleet)
            for each in due
        }

    def _mine(self, fleet: Fleet) -> dict[str, Target]:
        return {name: target for name, target in fleet.targets.items() if target.management == self.management}


def _named(fleet: Fleet, base: Fleet) -> Fleet:
    """The branch says which fleet it is: a request that breaks fleet.yaml is told in the same comment."""
    return replace(fleet, file=replace(fleet.file, name=base.file.name)) if base.file.name else fleet


def with_rivals(preview: Preview, others: Mapping[int, frozenset[str]]) -> Preview:
    """``others`` are the targets that each other open request changes, by its number."""
    rivals = {
        outcome.target: tuple(sorted(number for number, names in others.items() if outcome.target in names))
        for outcome in preview.outcomes
    }
    return replace(preview, rivals={name: numbers for name, numbers in rivals.items() if numbers})
