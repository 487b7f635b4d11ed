"""The same sentence said by a person: plan some targets of a snapshot, or apply them under the fleet's Lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from clusterops.controller.commits import Admit, Commit
from clusterops.controller.due import gone_target
from clusterops.controller.judging import counting, judge_counting
from clusterops.controller.lease import FleetLease
from clusterops.controller.reconcile import draft_plan, reconcile
from clusterops.controller.work import Doors, Work
from clusterops.errors import RefusedError, TransientError
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.fleet import Fleet, Mode, Target
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Stage
from clusterops.model.revision import Snapshot
from clusterops.model.rollout import Reach
from clusterops.settings import DaemonSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants looked at."""

    fleet: Fleet
    snapshot: Snapshot
    targets: Sequence[Target]
    gone: Sequence[Target] = ()
    wait: bool = False
    """Until settled, or the fleet's settleTimeout."""
    healing: Healing = NO_HEALING
    """Which drift is put back; a plan made with ``every`` is the one that `clusterops drift heal` shows."""
    only_plan: str = ""
    """The plan that was agreed to, "" for any; with more than one target it fits none."""
    begins: Callable[[Mapping[str, tuple[Reach, int]]], None] = lambda reaches: None
    """Told once, before the first write, what each target's plan does: nothing by hand is paced."""

    def works(self) -> dict[str, Work]:
        return {
            target.name: Work(
                target=target,
                snapshot=self.snapshot,
                commit=self.snapshot.revision.commit,
                inputs="by-hand",
                gone=target in self.gone,
                settle_timeout_s=self.fleet.file.rollout.settle_timeout_s if self.wait else 0.0,
                healing=self.healing,
                only_plan=self.only_plan,
            ).keyed(self.fleet)
            for target in (*self.targets, *self.gone)
        }


async def gone_targets(fleet: Fleet, doors: Doors) -> dict[str, Target]:
    """What is recorded on this management cluster and no longer in git, by name; reads only."""
    doors.records.fleet = fleet.file.name
    known = await doors.records.every()
    return {stored.target: gone_target(stored, fleet) for stored in known if stored.target not in fleet.targets}


async def plan_by_hand(asked: Asked, doors: Doors) -> dict[str, Outcome]:
    """One outcome per target, by name, with its plan and the verdict on it; reads only."""
    doors.records.fleet = asked.fleet.file.name
    await doors.records.every()

    commit = _commit(asked, doors)
    works = commit.works
    drafts = await asyncio.gather(*(draft_plan(work, doors, commit.view(name)) for name, work in works.items()))
    outcomes = {name: draft.outcome for name, draft in zip(works, drafts, strict=True)}
    stopped, _ = await judge_counting(
        asked.fleet, outcomes, doors.records.owners(), counting(doors.cluster), doors.clock.now().date()
    )
    return {name: replace(each, problem=stopped.get(name, each.problem)) for name, each in sorted(outcomes.items())}


async def apply_by_hand(asked: Asked, doors: Doors, lease: FleetLease, settings: DaemonSettings) -> dict[str, Outcome]:
    """Applies all targets under the Lease and gives it back. Raises RefusedError ``lease-held``.

    A target in ``mode: observe`` is refused with ``mode-observe``; when all are, nothing at all is touched.
    """
    targets = (*asked.targets, *asked.gone)
    observed = {target.name: _observed(target, asked) for target in targets if target.mode is Mode.OBSERVE}
    if len(observed) == len(targets):
        return observed
    rest = replace(asked, targets=_applying(asked.targets), gone=_applying(asked.gone))
    return dict(sorted((observed | await _apply_leading(rest, doors, lease, settings)).items()))


def _applying(targets: Sequence[Target]) -> tuple[Target, ...]:
    return tuple(target for target in targets if target.mode is Mode.APPLY)


def _observed(target: Target, asked: Asked) -> Outcome:
    problem = Problem(
        code="mode-observe",
        subject=target.name,
        message="is only observed: nothing was written",
        hint="say `mode: apply` in fleet.yaml, or under `clusterops:` in the values.yaml of the target or its region",
        retry=Retry.HUMAN,
    )
    return Outcome(target=target.name, revision=asked.snapshot.revision.text, stage=Stage.VERDICT, problem=problem)


async def _apply_leading(asked: Asked, doors: Doors, lease: FleetLease, settings: DaemonSettings) -> dict[str, Outcome]:
    await doors.records.enter(asked.fleet.file.name, settings.management)
    await _take_lease(lease)
    keeping = asyncio.create_task(lease.keep(), name="lease")
    try:
        lease.gate.suspended = await doors.records.of_fleet.open()
        await doors.records.of_fleet.introduce()
        await doors.records.every()
        commit = _commit(asked, doors)
        commit.admit = _announced(asked)
        return await _apply_all(commit, doors)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await lease.release()


def _announced(asked: Asked) -> Admit:
    """Nobody is held."""
    said = False

    async def admit(commit: Commit, name: str) -> Problem | None:
        nonlocal said
        if not said:
            said = True
            asked.begins(commit.reaches)
        return None

    return admit


async def _apply_all(commit: Commit, doors: Doors) -> dict[str, Outcome]:
    never = asyncio.Event()

    async def one(name: str, work: Work) -> Outcome:
        outcome = await reconcile(work, doors, commit.view(name), never)
        commit.finish(name, outcome)
        return outcome

    outcomes = await asyncio.gather(*(one(name, work) for name, work in commit.works.items()))
    return dict(sorted(zip(commit.works, outcomes, strict=True)))


def _commit(asked: Asked, doors: Doors) -> Commit:
    return Commit(
        revision=asked.snapshot.revision,
        fleet=asked.fleet,
        works=asked.works(),
        owners=doors.records.owners,
        seen_at=doors.clock.now(),
        fleet_size=len(asked.fleet.targets),
        count=counting(doors.cluster),
        today=lambda: doors.clock.now().date(),
        silent=True,
    )


async def _take_lease(lease: FleetLease) -> None:
    """Waits no longer than an abandoned Lease needs to expire."""
    holder, unknown = "", None

    def waiting(rival: str, why: TransientError | None) -> None:
        nonlocal holder, unknown
        holder, unknown = rival, why

    try:
        async with asyncio.timeout(lease.settings.lease_duration_s + 2 * lease.settings.renew_every_s):
            await lease.acquire(waiting)
    except TimeoutError as error:
        if unknown is not None:
            raise unknown from error
        raise RefusedError(
            "lease-held",
            lease.key.label,
            f"is held by {holder}, which writes to this fleet now",
            hint="ask that daemon: `clusterops reconcile TARGET`; or stop it first",
        ) from error
