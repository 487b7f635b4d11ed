"""The daemon: follows the branch, wakes what a commit changed, and answers what people ask of single targets."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from clusterops.controller.agreements import Agreements
from clusterops.controller.audit_trail import AuditTrail
from clusterops.controller.commits import Commit
from clusterops.controller.dependents import with_dependents, with_old_classes
from clusterops.controller.drift_look import Rules, drift_rules
from clusterops.controller.drift_reports import DriftReports
from clusterops.controller.drift_telling import Telling
from clusterops.controller.drifting import Drifting, nobody
from clusterops.controller.due import Memory, counts_of, find_due, gone_target
from clusterops.controller.following import Following
from clusterops.controller.forges import Forges
from clusterops.controller.history import History
from clusterops.controller.intake import Intake
from clusterops.controller.key_watch import KeyWatch
from clusterops.controller.leading import Leading
from clusterops.controller.lease import Gate
from clusterops.controller.pacing import Pacing, is_held
from clusterops.controller.preview import Base
from clusterops.controller.reconcile import reconcile
from clusterops.controller.requests import AGAIN_S, Requests
from clusterops.controller.schedule import Schedule
from clusterops.controller.verdicts import Verdicts
from clusterops.controller.work import Doors, Work
from clusterops.errors import ClusterOpsError
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.fleet import Fleet, FleetFile, Mode, Target, sealed_files
from clusterops.model.key import ObjectKey
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Result
from clusterops.model.revision import Revision, Snapshot
from clusterops.ports import LiveCache, Repository, StatusBoard
from clusterops.settings import DaemonSettings, DriftSettings
from clusterops.source.fleet.reader import FleetReader


class _Stopped(Exception):
    """Ends the task group of a daemon that was asked to stop."""


@dataclass(slots=True, kw_only=True)
class Daemon:
    """One fleet on one management cluster. ``run`` once."""

    repository: Repository
    doors: Doors
    reader: FleetReader
    verdicts: Verdicts
    board: StatusBoard
    gate: Gate
    settings: DaemonSettings
    drift: DriftSettings = field(default_factory=DriftSettings)
    cache: LiveCache | None = None
    """The doors' cluster, where it follows what lives; without one no drift is noticed."""
    forges: Forges | None = None
    """Where people propose changes; without one verdicts stand in git notes."""
    key_watch: KeyWatch | None = None
    """What opens encrypted values; without one a change of keys is noticed with the next commit."""
    head: Revision | None = None
    memories: dict[str, Memory] = field(default_factory=dict)
    history: History = field(init=False)
    drifting: Drifting | None = None
    pacing: Pacing = field(init=False)
    _healing: dict[str, Healing] = field(default_factory=dict)
    """What the next pass over a target puts back."""
    _agreed: dict[str, str] = field(default_factory=dict)
    """The plan that a person agreed to, of targets whose next pass is to put everything back."""
    _headed: asyncio.Event = field(default_factory=asyncio.Event)
    _fleet: Fleet | None = None
    _sound: Fleet | None = None
    """The last one without problems: a broken fleet.yaml opens no window."""
    _snapshot: Snapshot | None = None
    _latest: dict[str, Commit] = field(default_factory=dict)
    _schedule: Schedule = field(init=False)
    _following: Following = field(init=False)
    _leading: Leading = field(init=False)
    _group: asyncio.TaskGroup | None = None
    _opened: bool = False
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.history = History(repository=self.repository, records=self.doors.records, verdicts=self.verdicts)
        self._following = Following(
            repository=self.repository,
            take=self._fetch,
            clock=self.doors.clock,
            logger=self.doors.logger,
            settings=self.settings,
        )
        self._leading = Leading(doors=self.doors, gate=self.gate, settings=self.settings, on_wait=self._waits)
        self._schedule = Schedule(
            run=self._pass,
            clock=self.doors.clock,
            backoff_first_s=self.settings.backoff_first_s,
            backoff_max_s=self.settings.backoff_max_s,
            on_depth=self.doors.metrics.queue_depth.set,
        )
        self.pacing = Pacing(doors=self.doors, wake=self._schedule.wake, fleet=lambda: self._sound)

    @property
    def problem(self) -> Problem | None:
        """Why the branch cannot be followed at the moment; None when it is."""
        return self._following.problem

    @property
    def leading(self) -> bool:
        return self._leading.held

    @property
    def standing_by(self) -> str:
        """Who holds the Lease that this process waits for."""
        return self._leading.standing_by

    def _waits(self, why: Problem | None) -> None:
        self._following.problem = why

    @property
    def ready(self) -> bool:
        """The branch is followed, and what has to be written can be, by this process or by the one it stands by."""
        return self.problem is None and (self.head is not None or bool(self.standing_by))

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. Raises TransientError ``lease-lost`` when another process took the fleet over."""
        try:
            if self.key_watch is not None:
                await self.key_watch.look()
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self.key_watch is not None:
                    group.create_task(self.key_watch.follow(self._rekeyed), name="age-keys")
                group.create_task(self.verdicts.write_forever(), name="verdicts")
                group.create_task(self._tell_fleet(), name="fleet-status")
                group.create_task(self._following.follow(group), name="follow")
                group.create_task(self._end(stop), name="end")
        except* _Stopped:
            pass
        except* ClusterOpsError as errors:
            raise _first(errors) from None
        finally:
            await self._schedule.drain(0)
            await self._leading.release()

    async def _end(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.doors.logger.info("stopping", running=sorted(self._schedule.running))
        await self._schedule.drain(self.settings.drain_s)
        await self.verdicts.flush(5.0)
        raise _Stopped

    async def look(self) -> None:
        """Fetches, and takes the head of the branch if it is new. What fails is tried again with backoff."""
        await self._following.look()

    def look_now(self) -> None:
        """Somebody said that the branch moved."""
        self._following.look_now()

    async def _fetch(self) -> None:
        revision = await self.repository.fetch()
        if self.head is not None and revision.commit == self.head.commit:
            await self.history.release(leading=self._opened)
        else:
            self.head = await self._take(revision)

    async def _take(self, revision: Revision) -> Revision:
        """Reads the commit's fleet and wakes the targets whose inputs it changed. Returns the commit taken."""
        seen_at = self.doors.clock.now()
        snapshot = await self.repository.snapshot(revision.commit)
        fleet = await asyncio.to_thread(self.reader.read, snapshot)
        last = self.head.commit if self.head else self.doors.records.of_fleet.last_revision
        await self.history.check(revision, last, leading=self._opened)
        mine = self._mine(fleet)
        if not self._opened and not fleet.problems and _may_write(fleet, mine):
            await self._lead(fleet)
            # Whoever led until now may have taken newer commits than the one that we waited with.
            return await self._take(await self.repository.fetch())
        due = await asyncio.to_thread(
            find_due,
            fleet,
            mine,
            self.memories,
            snapshot,
            self.doors.renderer,
            gone=self._gone(fleet),
            policy_moved=self._fleet is not None and self._fleet.file.policy != fleet.file.policy,
        )
        due = await with_dependents(due, mine, self.memories, snapshot, self.doors, first=self.head is None)
        ruled = self._fleet is not None and drift_rules(self._fleet) != drift_rules(fleet)
        self._fleet, self._snapshot = fleet, snapshot
        self._sound = fleet if not fleet.problems else self._sound
        self._headed.set()
        if self.forges is not None and self._group is not None:
            await self.forges.take(fleet, self._group)
            await self.forges.passed_over(revision, last)
        self.pacing.moved()
        commits = await self._intake(fleet, snapshot).commits(due, seen_at)
        for commit in commits:
            self._begin(commit)
        self.pacing.complete()
        if self.head is None:
            self._collect_classes()
            self._look_back(commits)
        if self.drifting is not None:
            self.drifting.telling.moved.set()
            self.drifting.headed()
            if ruled:
                self.drifting.ruled()
        self.doors.logger.info(
            "commit taken", commit=revision.short, targets=len(mine), due=len(due), problems=len(fleet.problems)
        )
        if self.forges is not None:
            self.forges.moved()
        if due:
            await self._note_fleet(revision)
        return revision

    @property
    def base(self) -> Base | None:
        """What requests are merged with; None before the first commit."""
        if self._fleet is None or self._snapshot is None:
            return None
        return Base(snapshot=self._snapshot, fleet=self._fleet)

    def _look_back(self, commits: Iterable[Commit]) -> None:
        """At verdicts that an earlier process owes, in the background: nothing waits for a forge."""
        if self.forges is not None and self._group is not None and self._snapshot is not None:
            busy = {commit.revision.commit for commit in commits}
            looking = self.forges.look_back(self._snapshot.revision, busy)
            self._group.create_task(looking, name="look-back")

    async def _tell_fleet(self) -> None:
        """Writes the Fleet again when a commit has come to its end."""
        while True:
            await self._ended.wait()
            self._ended.clear()
            assert self._snapshot is not None
            await self._note_fleet(self._snapshot.revision)

    async def _note_fleet(self, revision: Revision) -> None:
        """Only with work to do, or done: an unrelated commit costs no write."""
        if not self._opened or self._fleet is None:
            return
        counts = counts_of(self.memories, self._mine(self._fleet))
        for state in ("settled", "progressing", "failed", "suspended", "orphaned"):
            self.doors.metrics.targets.labels(state=state).set(getattr(counts, state))
        await self.doors.records.of_fleet.note(revision, self.doors.clock.now(), counts)

    def _intake(self, fleet: Fleet, snapshot: Snapshot) -> Intake:
        return Intake(
            snapshot=snapshot,
            fleet=fleet,
            memories=self.memories,
            size=len(self._mine(fleet)),
            first=self.head is None,
            repository=self.repository,
            board=self.board,
            doors=self.doors,
            management=self.settings.management,
            on_change=self._moved,
            admit=self.pacing.admit,
        )

    def _moved(self, commit: Commit) -> None:
        self.verdicts.moved(commit)
        self.pacing.moved()
        if commit.works and not commit.told and commit.finished:
            commit.told = True
            self._ended.set()
            if not commit.silent:
                self._collect_classes()
        if commit.works and not commit.noted and not commit.silent and commit.applied:
            commit.noted = True
            seconds = (self.doors.clock.now() - commit.seen_at).total_seconds()
            self.doors.metrics.commit_seconds.observe(seconds)
            self.doors.logger.info(
                "commit applied", commit=commit.revision.short, targets=len(commit.works), seconds=round(seconds, 3)
            )

    def _collect_classes(self) -> None:
        """Whoever followed a class has moved on, as far as it can: the shared target looks what is still used."""
        for name in with_old_classes(self.doors.records) if self._opened else ():
            self._wake_again(name)

    def _begin(self, commit: Commit) -> None:
        for name in commit.works:
            earlier = self._latest.get(name)
            if earlier is not None:
                earlier.supersede(name, commit)
            self._latest[name] = commit
            self.memories[name] = self.memories.get(name, Memory()).before(commit.works[name])
        self.verdicts.moved(commit)
        self.pacing.begin(commit)
        for name in sorted(commit.works):
            self._schedule.wake(name)

    async def _pass(self, name: str, interrupted: asyncio.Event) -> bool:
        """One pass over a target, under the latest commit that changed it. True: come back after backoff."""
        commit = self._latest[name]
        work = commit.works[name]
        commit.again(name)
        healing, agreed = self._healing.pop(name, NO_HEALING), self._agreed.pop(name, "")
        healed = replace(work, healing=healing, only_plan=agreed)
        outcome = await reconcile(healed, self.doors, commit.view(name), interrupted)
        self._learn(work, outcome)
        if is_held(outcome) and outcome.problem is not None:
            commit.hold(name, outcome.problem)
        else:
            commit.finish(name, outcome)
        self.pacing.ended(commit, name)
        if self.drifting is not None:
            self.drifting.passed(name, outcome, healing)
            if agreed:
                await self._agreements(self.drifting).answer(name, outcome.problem)
        return outcome.problem is not None and outcome.problem.retry is Retry.BACKOFF

    def _learn(self, work: Work, outcome: Outcome) -> None:
        name, metrics = work.target.name, self.doors.metrics
        code = outcome.problem.code if outcome.problem else ""
        metrics.outcomes.labels(stage=str(outcome.stage), code=code).inc()
        log = self.doors.logger.info if outcome.ok or is_held(outcome) else self.doors.logger.warning
        log(
            "pass",
            target=name,
            revision=outcome.revision,
            stage=str(outcome.stage),
            code=code,
            error=outcome.problem.text if outcome.problem else "",
        )
        if self._latest[name].works[name] is work:
            self.memories[name] = self.memories.get(name, Memory()).after(work, outcome)
        if outcome.report is not None and outcome.report.count(Result.PRUNED):
            self._wake({"owned-twice", "target-moved"})
        if outcome.report is not None and outcome.report.count(Result.APPLIED):
            self._wake({"reference-missing", "topology-variable-undefined"} - {code})

    def _wake(self, codes: Collection[str]) -> None:
        """An object was given up or has come: whoever was refused because of it may go on now."""
        for name, memory in self.memories.items():
            if memory.code in codes and name in self._latest:
                self._schedule.wake(name)

    async def _lead(self, fleet: Fleet) -> None:
        """Becomes the one writer: our namespace, the Lease, our CRDs, what was recorded, and what people ask for."""
        assert self._group is not None
        await self._leading.lead(fleet, self._group)
        doors = self.doors
        self.memories = {stored.target: Memory.of(stored) for stored in await doors.records.every()}
        requests = Requests(cluster=doors.cluster, records=doors.records, logger=doors.logger)
        self._group.create_task(requests.follow(self), name="requests")
        self._group.create_task(self.pacing.run(), name="pacing")
        if self.cache is not None:
            telling = Telling(records=doors.records, logger=doors.logger, metrics=doors.metrics)
            trail = AuditTrail(self.drift.audit_log) if self.drift.audit_log is not None else None
            heard = self.forges.object_moved if self.forges is not None else nobody
            self.drifting = Drifting(
                doors=doors, cache=self.cache, healer=self, telling=telling, trail=trail, heard=heard
            )
            self._group.create_task(self.drifting.follow(), name="drift")
            self._group.create_task(self._reports(self.drifting).run(), name="drift-reports")
        self._opened = True

    def _reports(self, drifting: Drifting) -> DriftReports:
        return DriftReports(
            telling=drifting.telling,
            noticing=drifting,
            head=self,
            board=self.board,
            settings=self.drift,
            clock=self.doors.clock,
            logger=self.doors.logger,
            management=self.settings.management,
        )

    @property
    def taken(self) -> tuple[FleetFile, Revision] | None:
        """The head as drift is reported for it."""
        if self._fleet is None or self._snapshot is None:
            return None
        return self._fleet.file, self._snapshot.revision

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._mine(self._fleet))) if self._fleet is not None else ()

    def _rekeyed(self) -> None:
        """Another key may open what no key opened, or the other way round."""
        if self._fleet is None or self._fleet.problems:
            return
        for name, target in self._mine(self._fleet).items():
            if self._opened and sealed_files(target.recipe):
                self._wake_again(name)
        if self.forges is not None:
            self.forges.rekeyed()

    def asked(self, name: str) -> None:
        """A person resumed a target, or asked for it now."""
        self.pacing.asked(name)
        self._wake_again(name)
        if self.drifting is not None:
            self.drifting.look_at(name)

    def _wake_again(self, name: str) -> None:
        work = self._work_again(name)
        if work is None:
            self.doors.logger.warning("asked for an unknown target", target=name)
            return
        latest = self._latest.get(name)
        if latest is None or latest.settled(name):
            assert self._fleet is not None
            intake, seen_at = self._intake(self._fleet, work.snapshot), self.doors.clock.now()
            self._latest[name] = intake.commit(work.snapshot.revision, {name: work}, seen_at, silent=True)
        self._schedule.wake(name)

    def work_on(self, name: str) -> Work | None:
        """The target as the head has it, or, where the head cannot be read, as it was applied last."""
        if self._fleet is None or self._snapshot is None:
            return None
        if self._fleet.problems:
            latest = self._latest.get(name)
            return latest.works.get(name) if latest is not None else None
        return self._head_work(name)

    def is_gone(self, name: str) -> bool:
        """Drift of what git no longer has is nobody's."""
        return self._fleet is not None and not self._fleet.problems and name not in self._mine(self._fleet)

    def rules_for(self, target: Target) -> Rules:
        assert self._fleet is not None
        return Rules.of(self._fleet.file, target)

    def may_heal(self, name: str) -> bool:
        """Not in observe mode, and nobody paused the target or the fleet."""
        work, stored = self.work_on(name), self.doors.records.known.get(name)
        paused = self.gate.suspended or (stored is not None and stored.suspend)
        return work is not None and not work.gone and work.target.mode is Mode.APPLY and not paused

    def heal(self, name: str, keys: Iterable[ObjectKey]) -> None:
        """An ordinary pass, which may put these back: whatever stops a commit stops it, too."""
        if name not in self._agreed:
            self._healing[name] = Healing(keys=frozenset(keys))
        self._wake_again(name)

    def asked_to_heal(self, name: str, plan_id: str) -> None:
        """A person saw what putting everything back does to machines, and agreed to that plan."""
        if self._group is not None and self.drifting is not None:
            self._group.create_task(self._heal_agreed(name, plan_id), name=f"heal:{name}")

    async def _heal_agreed(self, name: str, plan_id: str) -> None:
        await self._headed.wait()
        assert self.drifting is not None
        if not await self._agreements(self.drifting).stands(name, plan_id):
            return
        self._healing[name], self._agreed[name] = Healing(every=True), plan_id
        self.drifting.healing(name)
        self._wake_again(name)

    def _agreements(self, drifting: Drifting) -> Agreements:
        return Agreements(doors=self.doors, healer=self, telling=drifting.telling)

    def suspend_fleet(self, suspended: bool) -> None:
        """The kill switch, read before every request."""
        was, self.gate.suspended = self.gate.suspended, suspended
        if was != suspended:
            self.doors.logger.warning("fleet suspended" if suspended else "fleet goes on")
        if was and not suspended and self.drifting is not None:
            self.drifting.ruled()
        if was and not suspended:
            for name, memory in self.memories.items():
                if memory.code == "fleet-suspended":
                    self.asked(name)

    def confirm(self, commit_id: str) -> None:
        """A person confirmed a rewritten history up to this commit."""
        if commit_id and commit_id != self.history.confirmed:
            self.history.confirmed = commit_id
            if self.head is None or self.head.commit != commit_id:
                self._following.look_now()

    def resume_rollout(self, revision: str, at: datetime) -> None:
        """A person wants a halted rollout to go on, in spite of what had failed by then."""
        if self._group is not None:
            self._group.create_task(self._resume_rollout(revision, at), name=f"resume:{revision}")

    async def _resume_rollout(self, revision: str, at: datetime) -> None:
        """The wish stays on the Fleet: what cannot be written now is tried again."""
        while True:
            try:
                return await self.pacing.resume(revision, at)
            except ClusterOpsError as error:
                self.doors.logger.warning("rollout not resumed", code=error.code, error=str(error))
                await self.doors.clock.sleep(AGAIN_S)

    def _work_again(self, name: str) -> Work | None:
        latest = self._latest.get(name)
        return latest.works[name] if latest is not None else self._head_work(name)

    def _head_work(self, name: str) -> Work | None:
        if self._fleet is None or self._snapshot is None or name not in self._mine(self._fleet):
            return None
        return Work(
            target=self._fleet.targets[name],
            snapshot=self._snapshot,
            inputs=self.memories.get(name, Memory()).inputs,
            commit=self._snapshot.revision.commit,
            settle_timeout_s=self._fleet.file.rollout.settle_timeout_s,
        ).keyed(self._fleet)

    def _mine(self, fleet: Fleet) -> dict[str, Target]:
        return {name: target for name, target in fleet.targets.items() if target.management == self.settings.management}

    def _gone(self, fleet: Fleet) -> tuple[Target, ...]:
        """Targets that have a record here and are no longer in git."""
        known = self.doors.records.known
        return tuple(gone_target(stored, fleet) for name, stored in sorted(known.items()) if name not in fleet.targets)


def _may_write(fleet: Fleet, mine: Mapping[str, Target]) -> bool:
    return fleet.file.mode is Mode.APPLY or any(target.mode is Mode.APPLY for target in mine.values())


def _first(errors: BaseExceptionGroup[ClusterOpsError]) -> ClusterOpsError:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
