"""What is written about a target: its FleetTarget, at most twice per target and commit, and one Event at the end.

The first write comes before the first apply, and only where the inventory grows; else it says that the commit is
applied. The second says how it ended, and narrows the inventory. Drift is written by itself, when it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from clusterops.controller.fleet_record import FleetRecord
from clusterops.errors import RefusedError, TransientError
from clusterops.model.fleet import Target
from clusterops.model.inventory import Entry, Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.machines import MachineTally
from clusterops.model.report import ApplyReport, Outcome, Stage
from clusterops.model.rollout import HELD_CODES
from clusterops.model.sketch import Sketch
from clusterops.ports import Clock, Cluster
from clusterops.status import (
    Phase,
    StoredTarget,
    ensure_namespace,
    event_body,
    fleet_target_key,
    list_targets,
    read_target,
    record_event,
    status_after,
    status_begun,
    update_target,
)
from clusterops.status.conditions import reason_of
from clusterops.status.crds import API_VERSION
from clusterops.status.fleet_target import stored_target, unstored_target

MACHINES_DIFFER: Final = "machines-differ"
UNTOLD: Final = frozenset({"superseded", "target-suspended"}) | HELD_CODES
"""Endings that are no news: a newer commit, a person, or the pace wanted it so."""


Change = Callable[[StoredTarget], StoredTarget]


class Audience(Protocol):
    """Who compares live objects with what is remembered of them."""

    def remembered(self, target: str) -> None:
        """Its inventory may be another one."""

    def applied(self, target: str, report: ApplyReport) -> None:
        """What was written, as soon as the inventory has it."""

    def rested(self, target: str) -> None:
        """Nothing of it is being written any more."""


@dataclass(slots=True)
class Record:
    """One target's FleetTarget during one pass; apply's InventoryStore."""

    records: Records
    target: Target
    stored: StoredTarget | None = None
    inputs: str = ""
    written: bool = False
    looks: bool = False
    """It only looks, so a pause is no obstacle, and the FleetTarget is taken as known."""
    _inventory: Inventory | None = None

    @property
    def inventory(self) -> Inventory:
        if self._inventory is not None:
            return self._inventory
        return self.stored.inventory if self.stored else empty_inventory(self.target.name)

    def refuse_suspended(self) -> None:
        """Raises RefusedError ``target-suspended``."""
        if self.stored is not None and self.stored.suspend and not self.looks:
            raise RefusedError(
                "target-suspended",
                self.target.name,
                "ClusterOps is paused for this target",
                hint=f"`clusterops resume {self.target.name}` goes on",
            )

    @property
    def keys(self) -> tuple[ObjectKey, ...]:
        """Of the FleetTarget, where there is one."""
        return (self.stored.key,) if self.stored is not None and self.stored.stored and not self.looks else ()

    def refreshed(self, live: LiveSet) -> None:
        """Takes the FleetTarget as just read: a watch that was cut may not have told of a pause yet."""
        for key in self.keys:
            found = live.found(key)
            if found is not None:
                self.stored = stored_target(found)
                self.records.learn(self.stored)

    def tally(self, revision: str) -> MachineTally | None:
        """What an earlier pass over the same revision began to count from."""
        status = self.stored.status if self.stored is not None else None
        if status is None or status.observed_revision != revision or status.phase == Phase.HELD:
            return None
        return status.machines if status.code != MACHINES_DIFFER else None

    async def widen(self, entries: Sequence[Entry], *, revision: str) -> None:
        """Before the first apply: what is about to exist is ours, whatever happens next."""
        now = self.records.clock.now()
        begun = Outcome(target=self.target.name, revision=revision, stage=Stage.APPLY)

        def change(stored: StoredTarget) -> StoredTarget:
            return replace(
                stored,
                inventory=stored.inventory.widened(entries, revision=revision),
                status=status_after(stored.status, begun, inputs=self.inputs, now=now),
            )

        await self._write(change)

    async def begin(self, outcome: Outcome, entries: Sequence[Entry]) -> None:
        """Before the first write of a target that others wait for; widens the inventory by ``entries``, too.

        A target that has begun already, and not failed for good since, goes on: nothing is written.
        """
        now = self.records.clock.now()

        def change(stored: StoredTarget) -> StoredTarget:
            inventory = stored.inventory
            return replace(
                stored,
                inventory=inventory.widened(entries, revision=outcome.revision) if entries else inventory,
                status=status_begun(stored.status, outcome, inputs=self.inputs, now=now),
            )

        if not self.has_begun(outcome.revision):
            await self._write(change)

    def has_begun(self, revision: str) -> bool:
        status = self.stored.status if self.stored is not None else None
        if status is None or (status.begun_revision, status.observed_revision) != (revision, revision):
            return False
        return status.failed_at is None or status.retrying

    @property
    def disturbed(self) -> bool:
        """Whether what an earlier commit began here has not settled."""
        status = self.stored.status if self.stored is not None else None
        return status is not None and status.is_unsettled

    def begun_s(self, revision: str) -> float:
        """Seconds since it began, as an earlier process may have noted; 0.0 for one that nobody waits for."""
        status = self.stored.status if self.stored is not None else None
        if status is None or status.begun_at is None or not self.has_begun(revision):
            return 0.0
        return max(0.0, (self.records.clock.now() - status.begun_at).total_seconds())

    def note(self, report: ApplyReport) -> None:
        """What the report says of uids and prunes, kept for the next plan and the next write."""
        self._inventory = self.inventory.narrowed(report, revision=self.inventory.revision)
        self.records.noted(self.target.name, self._inventory, report)

    async def applied(self, outcome: Outcome) -> None:
        """After the apply; nothing where this pass has written already, since the end will be written too."""
        if not self.written:
            await self._write_outcome(outcome, gone=False)

    async def told(self, outcome: Outcome, *, gone: bool) -> None:
        """How far a removal is, for `clusterops status -w`; what is gone leaves the inventory with the same write."""
        await self._write_outcome(outcome, gone=gone)

    async def finish(self, outcome: Outcome, *, gone: bool) -> None:
        """The end of a pass. Raises what reading and writing the FleetTarget raise."""
        if outcome.problem is not None and outcome.problem.code == "superseded" and outcome.report is None:
            return
        if self.stored is None:
            await self.records.read(self)
        if self._stands(outcome):
            return
        await self._write_outcome(outcome, gone=gone)
        await self._tell(outcome)

    def _stands(self, outcome: Outcome) -> bool:
        """Whether it only repeats, without another try, how the target failed."""
        status = self.stored.status if self.stored is not None else None
        if status is None or outcome.problem is None or outcome.report is not None or status.failed_at is None:
            return False
        if status.begun_revision != outcome.revision:
            return False
        said = (outcome.revision, outcome.problem.code, outcome.problem.text)
        return (status.observed_revision, status.code, status.message) == said

    async def _write_outcome(self, outcome: Outcome, *, gone: bool) -> None:
        now, known = self.records.clock.now(), self._inventory

        def change(stored: StoredTarget) -> StoredTarget:
            return replace(
                stored,
                inventory=known or stored.inventory,
                status=status_after(stored.status, outcome, inputs=self.inputs, now=now, gone=gone),
            )

        await self._write(change)

    async def _write(self, change: Change) -> None:
        assert self.stored is not None
        if not self.stored.stored:
            await self.records.ensure_namespace(self.stored.key.namespace or "default")
        self.stored = await update_target(self.records.cluster, self.stored, change)
        self.records.written(self.stored)
        self._inventory = self.stored.inventory
        self.written = True

    async def _tell(self, outcome: Outcome) -> None:
        problem, stored = outcome.problem, self.stored
        if stored is None or (problem is not None and problem.code in UNTOLD):
            return
        if problem is None and outcome.stage is not Stage.DONE:
            return
        body = event_body(
            stored.key,
            reason=reason_of(problem.code) if problem else "Settled",
            note=problem.text if problem else f"{outcome.revision} is applied and settled",
            revision=outcome.revision,
            now=self.records.clock.now(),
            instance=self.records.identity,
            uid=stored.uid,
            api_version=API_VERSION,
            warning=problem is not None,
        )
        await record_event(self.records.cluster, body)


@dataclass(slots=True, kw_only=True)
class Records:
    """Our own objects on one management cluster."""

    cluster: Cluster
    clock: Clock
    namespace: str
    identity: str
    fleet: str = ""
    of_fleet: FleetRecord = field(init=False)
    """What is recorded of the fleet as a whole."""
    known: dict[str, StoredTarget] = field(default_factory=dict)
    """FleetTargets as last listed, watched or written. Every write carries the resourceVersion: stale is harmless."""
    audience: Audience | None = None
    _applying: set[str] = field(default_factory=set)
    _noted: dict[str, Inventory] = field(default_factory=dict)
    """What was applied and is not written yet."""
    _listed: bool = False
    _namespaces: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.of_fleet = FleetRecord(
            cluster=self.cluster, clock=self.clock, namespace=self.namespace, identity=self.identity, name=self.fleet
        )

    def unread(self, target: Target, inputs: str, *, looks: bool = False) -> Record:
        return Record(records=self, target=target, inputs=inputs, looks=looks)

    def looked_up(self, target: Target) -> Record:
        """For a plan that is never carried out: costs no request. Only where FleetTargets were listed."""
        stored = self.known.get(target.name) or unstored_target(target)
        return Record(records=self, target=target, stored=stored, looks=True, _inventory=self.inventory_of(target.name))

    def inventory_of(self, name: str) -> Inventory | None:
        """The newest that is known here, written or not."""
        stored = self.known.get(name)
        return self._noted.get(name) or (stored.inventory if stored else None)

    def is_applying(self, name: str) -> bool:
        return name in self._applying

    @contextmanager
    def applying(self, name: str) -> Iterator[None]:
        """While live objects may be ahead of what is remembered of them."""
        self._applying.add(name)
        try:
            yield
        finally:
            self._applying.discard(name)
            if self.audience is not None:
                self.audience.rested(name)

    def noted(self, name: str, inventory: Inventory, report: ApplyReport) -> None:
        """After an apply, before it is written."""
        self._noted[name] = inventory
        if self.audience is not None:
            self.audience.applied(name, report)

    def written(self, stored: StoredTarget) -> None:
        """By a pass: what it had noted is in there."""
        self._noted.pop(stored.target, None)
        self.learn(stored)

    def _tell(self, name: str) -> None:
        if self.audience is not None:
            self.audience.remembered(name)

    async def read(self, record: Record) -> None:
        """Costs a request only where FleetTargets were never listed. Raises as status.read_target."""
        known = self.known.get(record.target.name)
        if known is not None and known.key == fleet_target_key(record.target):
            record.stored = known
        elif self._listed:
            record.stored = unstored_target(record.target)
        else:
            record.stored = await read_target(self.cluster, record.target)

    def learn(self, stored: StoredTarget) -> None:
        """What a watch or a write has shown; an older state never replaces a newer one."""
        before = self.known.get(stored.target)
        if before is not None and (before.uid, before.resource_version) == (stored.uid, stored.resource_version):
            return
        if before is None or before.uid != stored.uid or not _older(stored, before):
            self.known[stored.target] = stored
            self._tell(stored.target)

    def forget(self, name: str) -> None:
        """Its FleetTarget was deleted: what it owned is looked at afresh."""
        self.known.pop(name, None)
        self._noted.pop(name, None)
        self._tell(name)

    async def answered(self, name: str, annotation: str) -> None:
        """Takes a wish off a FleetTarget. Raises what reading and writing it raise."""
        stored = self.known.get(name)
        for last in (False, False, True):
            live = (await self.cluster.read([stored.key], fresh=True)).found(stored.key) if stored else None
            if live is None or annotation not in live.annotations:
                return
            left = {key: text for key, text in live.annotations.items() if key != annotation}
            body = {**live.body, "metadata": {**live.body["metadata"], "annotations": left}}
            try:
                self.learn(stored_target(await self.cluster.replace(body)))
                return
            except TransientError as error:
                if last or error.code != "object-changed":
                    raise

    async def note_drift(self, name: str, drift: Mapping[str, Any], held: Mapping[ObjectKey, Sketch]) -> None:
        """Writes where a target departs, where that is news, and what is held of objects that git agrees with.

        Raises as status.update_target.
        """
        stored = self.known.get(name)
        if stored is None:
            return

        def change(stored: StoredTarget) -> StoredTarget:
            return replace(
                stored,
                inventory=stored.inventory.holding(held),
                status=replace(stored.status, drift=drift),
            )

        self.learn(await update_target(self.cluster, stored, change))

    async def enter(self, fleet: str, management: str) -> None:
        """Before anything is written: is this the cluster that it was last time? Then our namespace.

        Raises TerminalError ``wrong-management-cluster``.
        """
        self.fleet = fleet
        await self.of_fleet.enter(fleet, management)
        await self.ensure_namespace(self.namespace)

    async def every(self) -> tuple[StoredTarget, ...]:
        """All FleetTargets of the fleet, ordered by key; from now on they are known."""
        found = await list_targets(self.cluster, self.fleet)
        self.known = {stored.target: stored for stored in found}
        self._listed = True
        return found

    def owners(self) -> dict[ObjectKey, str]:
        """Which target's inventory holds an object."""
        return {key: name for name, stored in self.known.items() for key in stored.inventory.entries}

    async def ensure_namespace(self, namespace: str) -> None:
        """Once per namespace, however many targets want it at the same time."""
        task = self._namespaces.get(namespace)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            made = ensure_namespace(self.cluster, namespace, fleet=self.fleet)
            task = self._namespaces[namespace] = asyncio.create_task(made, name=f"namespace:{namespace}")
        await asyncio.shield(task)


def _older(stored: StoredTarget, than: StoredTarget) -> bool:
    """Resource versions of one object are ordered integers (KEP-5504); anything else counts as news."""
    try:
        return int(stored.resource_version) < int(than.resource_version)
    except ValueError:
        return False
