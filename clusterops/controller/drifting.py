"""Drift while the daemon leads: noticed from the live cache, explained by a plan, told, and healed where that is asked.

Noticing costs no request and no render: a changed object is compared with what is remembered of it. Only a target
whose departures are other ones than those known is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from clusterops.capi.kinds import is_capi
from clusterops.controller.audit_trail import AuditTrail
from clusterops.controller.drift_index import Index, measures_alike
from clusterops.controller.drift_look import Looked, Rules, Seen, look, read_entries
from clusterops.controller.drift_telling import Telling
from clusterops.controller.reconcile import unforeseen
from clusterops.controller.schedule import Schedule
from clusterops.controller.work import Doors, Work
from clusterops.drift.compare import Departing, departed
from clusterops.drift.extra import extras
from clusterops.errors import ClusterOpsError
from clusterops.model.drift import Healing, TargetDrift
from clusterops.model.fleet import Target
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey, version_of
from clusterops.model.live import Absent, LiveObject
from clusterops.model.problem import Problem
from clusterops.model.report import ApplyReport, Outcome, Result
from clusterops.ports import Followed, LiveCache

LOOKS: Final = 4
"""At once: each plans a target."""
BREATHE: Final = 20
"""Targets compared in a row before others may go on: some 50 ms."""
PROBLEMS_S: Final = 5.0
"""Between two looks at what the cache cannot tell."""
HEAL_AGAIN_S: Final = 60.0
"""After a heal that a guard of the plan, or the server, refused."""


class Healer(Protocol):
    """The daemon, as drift sees it."""

    def work_on(self, name: str) -> Work | None:
        """The target as the branch's head has it; None where it is gone from git, or nobody knows at the moment."""

    def is_gone(self, name: str) -> bool:
        """Whether git certainly has it no more."""

    def rules_for(self, target: Target) -> Rules:
        """What git says of drift in it."""

    def may_heal(self, name: str) -> bool:
        """Whether anything may be written to it: not in observe mode, nobody paused it or the fleet."""

    def heal(self, name: str, keys: Iterable[ObjectKey]) -> None:
        """Wakes the target's ordinary pass, which may put these back."""


def nobody(key: ObjectKey) -> None:
    """Hears of a change."""


@dataclass(slots=True, kw_only=True)
class Drifting:
    """One fleet's drift. ``follow`` once the daemon leads; everything else is told to it."""

    doors: Doors
    cache: LiveCache
    healer: Healer
    telling: Telling
    trail: AuditTrail | None = None
    heard: Callable[[ObjectKey], None] = nobody
    """Told of every live object that changed in more than its status."""
    _index: Index = field(default_factory=Index)
    _known: dict[str, Mapping[ObjectKey, Departing]] = field(default_factory=dict)
    """What the last look at a target was about; one that was never looked at departs nowhere."""
    _measured: dict[str, Inventory | None] = field(default_factory=dict)
    """Whose kinds are followed, and what was compared last."""
    _extras: dict[str, set[ObjectKey]] = field(default_factory=dict)
    _tried: dict[str, Mapping[ObjectKey, Departing]] = field(default_factory=dict)
    """What was to be healed, as it departed then."""
    _unjudged: set[str] = field(default_factory=set)
    """To be looked at as soon as somebody knows what git says of them."""
    _looks: Schedule = field(init=False)
    _few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS))
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _synced: frozenset[Followed] = frozenset()
    _compared: bool = False
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._looks = Schedule(run=self._look, clock=self.doors.clock)

    @property
    def idle(self) -> bool:
        """Everything was compared, and nothing is being looked at."""
        return self._compared and not self._grown.is_set() and not self._looks.running

    async def follow(self) -> None:
        """Until cancelled."""
        records = self.doors.records
        if self.trail is not None:
            await asyncio.to_thread(self.trail.begin)
        for name, stored in tuple(records.known.items()):
            self.telling.restored(stored)
            self._take(name)
        records.audience = self
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sync(), name="drift-sync")
                group.create_task(self._notice(), name="drift-changes")
                group.create_task(self._doubt(), name="drift-problems")
        finally:
            records.audience = None
            for timer in self._timers.values():
                timer.cancel()
            await self._looks.drain(0)

    def remembered(self, target: str) -> None:
        """Its inventory may be another one: where it measures as before, nothing departs that did not."""
        inventory, before = self.doors.records.inventory_of(target), self._measured.get(target)
        if inventory is not None and before is not None and measures_alike(before, inventory):
            return
        self._take(target)
        if not self.doors.records.is_applying(target):
            self._compare(target)

    def rested(self, target: str) -> None:
        """An apply of it has ended: what came meanwhile is compared with what it left."""
        self._take(target)
        self._compare(target)

    def applied(self, target: str, report: ApplyReport) -> None:
        """Counts what was asked to be healed and is, and what a commit healed by the way."""
        asked = self._tried.get(target, {})
        written = {row.key for row in report.rows if row.result is Result.APPLIED}
        self._tried[target] = {key: one for key, one in asked.items() if key not in written}
        done = {key for key in written if key in asked} | self._healed_by_the_way(target, written)
        if done:
            self.telling.healed(target, done)

    def _healed_by_the_way(self, target: str, written: set[ObjectKey]) -> set[ObjectKey]:
        """What was known to be drifted, was written, and departs no more."""
        drift, inventory = self.telling.drifts.get(target), self.doors.records.inventory_of(target)
        keys = {one.key for one in drift.drifted if one.key in written} if drift is not None else set()
        if not keys or inventory is None:
            return set()
        live = self._seen(inventory, [key for key in keys if key in inventory.entries])
        return keys - departed(inventory, live, target=target, fleet=self.doors.records.fleet).keys()

    def healing(self, target: str) -> None:
        """A person has asked for all of it."""
        self._tried[target] = self._known.get(target, {})

    def passed(self, target: str, outcome: Outcome, healing: Healing) -> None:
        """An ordinary pass is over; what it was to heal and did not is tried again later."""
        asked = self._tried.get(target, {})
        left = {key for key in asked if healing.covers(key)}
        self._tried[target] = {key: one for key, one in asked.items() if key not in left}
        if left and outcome.problem is not None:
            self.doors.logger.warning(
                "drift not healed", target=target, code=outcome.problem.code, error=outcome.problem.text
            )
            self._later(target, HEAL_AGAIN_S)

    def ruled(self) -> None:
        """Rules, windows or policies are other ones: what they were about is looked at again."""
        for name, drift in self.telling.drifts.items():
            if drift.drifted or drift.ignored:
                self._looks.wake(name)

    def headed(self) -> None:
        """A commit was taken: what git says is known where it was not."""
        for name in self._unjudged:
            self._looks.wake(name)
        self._unjudged.clear()

    def look_at(self, target: str) -> None:
        self._looks.wake(target)

    def _take(self, name: str) -> None:
        """Follows the kinds that it has now, and lets go of what it has given up."""
        records = self.doors.records
        inventory = records.inventory_of(name)
        self._measured[name] = inventory
        for key in self._index.take(name, inventory, fleet=records.fleet):
            self._stray(key)
        if inventory is None:
            self._known.pop(name, None)
            self.telling.forgotten(name)
        if not self._index.kinds_of(name) <= self._synced:
            self._grown.set()

    async def _sync(self) -> None:
        """The first pass over what a kind holds is made when the kind is known whole."""
        self._grown.set()
        while True:
            await self._grown.wait()
            self._grown.clear()
            kinds = self._index.kinds
            self.cache.follow(kinds)
            await self.cache.synced()
            fresh = kinds - self._synced
            self._synced = kinds
            await self._compare_all(fresh)
            self._compared = True
            self.telling.moved.set()
            self.doors.logger.info("drift compared", kinds=len(kinds))

    async def _doubt(self) -> None:
        """What cannot be read, or can be again, is no news of any object."""
        before: Mapping[Followed, Problem] = {}
        while True:
            await self.doors.clock.sleep(PROBLEMS_S)
            now = dict(self.cache.problems)
            moved = {kind for kind in {**before, **now} if before.get(kind) != now.get(kind)}
            for name in tuple(self._index.using(moved)):
                self._looks.wake(name)
            before = now

    async def _compare_all(self, kinds: frozenset[Followed]) -> None:
        for number, name in enumerate(tuple(self._index.using(kinds))):
            if not self.doors.records.is_applying(name):
                self._compare(name)
            if number % BREATHE == 0:
                await asyncio.sleep(0)
        groups = {(kind.group, kind.kind) for kind in kinds if not kind.labels}
        held = self.cache.keys()
        for number, key in enumerate([key for key in held if (key.group, key.kind) in groups]):
            self._stray(key)
            if number % (10 * BREATHE) == 0:
                await asyncio.sleep(0)

    async def _notice(self) -> None:
        async for key in self.cache.changes():
            self.heard(key)
            name = self._index.owners.get(key)
            if name is None:
                self._stray(key)
            elif not self.doors.records.is_applying(name):
                self._compare(name, key)

    def _compare(self, name: str, key: ObjectKey | None = None) -> None:
        """Wakes a look where one object, or any of the target, departs in another way than is known."""
        inventory = self.doors.records.inventory_of(name)
        if inventory is None or (key is not None and key not in inventory.entries):
            return
        keys = [each for each in (inventory.entries if key is None else (key,)) if self._is_synced(name, each)]
        live = self._seen(inventory, keys)
        found = departed(inventory, live, target=name, fleet=self.doors.records.fleet)
        known = self._known.get(name, {})
        if any(found.get(each) != known.get(each) for each in keys):
            self._looks.wake(name)

    def _is_synced(self, name: str, key: ObjectKey) -> bool:
        kind = next((one for one in self._index.kinds_of(name) if (one.group, one.kind) == (key.group, key.kind)), None)
        return kind in self._synced

    def _stray(self, key: ObjectKey) -> None:
        """An object in no inventory: does it belong to a cluster of ours all the same?"""
        live = self.cache.peek(key) if is_capi(key) else None
        name = self._index.around(live) if live is not None else ""
        for other in [each for each, keys in self._extras.items() if key in keys and each != name]:
            self._extras[other].discard(key)
            self._looks.wake(other)
        if live is None or not name:
            return
        known = self._extras.setdefault(name, set())
        is_extra = bool(extras([live], self._index.owners))
        if is_extra != (key in known):
            (known.add if is_extra else known.discard)(key)
            self._looks.wake(name)

    async def _look(self, name: str, interrupted: asyncio.Event) -> bool:
        """True: come back after backoff."""
        async with self._few:
            try:
                return await self._look_now(name)
            except ClusterOpsError as error:
                self.doors.logger.warning("drift not told", target=name, code=error.code, error=str(error))
            except Exception as error:
                unforeseen(error, name, self.doors.logger)
            return True

    async def _look_now(self, name: str) -> bool:
        inventory, work = self.doors.records.inventory_of(name), self.healer.work_on(name)
        if self.healer.is_gone(name):
            self.telling.forgotten(name)
        elif work is None:
            self._unjudged.add(name)
        if inventory is None or work is None or self.doors.records.is_applying(name):
            return False
        before = self.telling.drifts.get(name, TargetDrift(target=name))
        looked = await look(
            work,
            self.doors,
            inventory=inventory,
            live=await self._read(inventory),
            before=before,
            extras=self._extras_of(name),
            problems=self._problems_of(name),
            rules=self.healer.rules_for(work.target),
            may_heal=self.healer.may_heal(name),
        )
        if self._is_stale(name, inventory):
            return False
        self._known[name] = looked.departing
        self._heal(name, looked)
        drift = await self.trail.named(looked.drift, before) if self.trail is not None else looked.drift
        await self.telling.tell(drift, before, looked.held)
        return looked.doubtful

    def _seen(self, inventory: Inventory, keys: Iterable[ObjectKey]) -> dict[ObjectKey, Seen]:
        """As the cache has it, in the version that each was applied in."""
        versions = {key: version_of(inventory.entries[key].api_version) for key in keys}
        return {key: self.cache.peek(key, version) or Absent(key=key) for key, version in versions.items()}

    async def _read(self, inventory: Inventory) -> dict[ObjectKey, Seen]:
        """In the version that each was applied in."""
        return await read_entries((inventory,), self.cache)

    def _is_stale(self, name: str, inventory: Inventory) -> bool:
        """Whether an apply began or ended meanwhile: then what was seen is compared again when that is over."""
        records = self.doors.records
        moved = records.is_applying(name) or records.inventory_of(name) is not inventory
        if moved and not records.is_applying(name):
            self._looks.wake(name)
        return moved

    def _heal(self, name: str, looked: Looked) -> None:
        """Asks for a pass once for each way in which something departs."""
        tried = self._tried.get(name, {})
        asked = {key: looked.departing[key] for key in looked.to_heal if key in looked.departing}
        if looked.again_s is not None:
            self._later(name, looked.again_s)
        if any(tried.get(key) != one for key, one in asked.items()) and self.healer.may_heal(name):
            self._tried[name] = asked
            self.healer.heal(name, asked)

    def _extras_of(self, name: str) -> list[LiveObject]:
        keys = sorted(self._extras.get(name, set()) - self._index.owners.keys())
        found = (self.cache.peek(key) for key in keys)
        return [live for live in found if live is not None]

    def _problems_of(self, name: str) -> list[Problem]:
        problems = self.cache.problems
        return [problems[kind] for kind in sorted(self._index.kinds_of(name)) if kind in problems]

    def _later(self, name: str, seconds: float) -> None:
        """One timer for each target."""

        async def wake() -> None:
            await self.doors.clock.sleep(seconds)
            self._timers.pop(name, None)
            self._looks.wake(name)

        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.create_task(wake(), name=f"drift-later:{name}")
