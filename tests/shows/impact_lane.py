"""One target on the real controllers, edited again and again: what was predicted, and what became of its Machines."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clusterops.apply import apply_plan, needs_replan
from clusterops.controller.clock import SystemClock
from clusterops.health import wait_settled, waits_for
from clusterops.kube import KubeCluster
from clusterops.model.impact import ImpactClass
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.plan import Plan
from clusterops.plan.classes import NO_CLASSES, Classes
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, body, read_and_plan
from tests.shows.impact_clusters import Bodies

CLOCK = SystemClock()
LOGGER = build_logger(level="error")
QUIET_S = 6.0
"""Controllers that were going to do something have begun by then; only then does "nothing" mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """``change`` edits the bodies that git has. ``until_begun`` leaves the rollout unfinished for the next edit."""

    name: str
    rule: str
    change: Callable[[Bodies], None]
    until_begun: bool = False
    settles: bool = True
    """False where Cluster API does not call it healthy afterwards: then quiet is all there is to wait for."""
    expects: str = ""
    """``rolls`` or ``nothing`` where the author of the show knows; a check on the show itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One edit: uids predicted to go, uids that went; ``choice`` went by Cluster API's own choice (a scale-down)."""

    lane: str
    edit: Edit
    predicted: frozenset[str]
    gone: frozenset[str]
    choice: int
    then: int
    now: int
    mid_rollout: bool
    words: str
    trouble: str = ""

    @property
    def hits(self) -> int:
        return len(self.predicted & self.gone)

    @property
    def false_alarms(self) -> int:
        return len(self.predicted - self.gone)

    @property
    def misses(self) -> int:
        return max(len(self.gone - self.predicted) - self.choice, 0)

    @property
    def good(self) -> bool:
        rolls = bool(self.predicted)
        expected = {"": True, "rolls": rolls, "nothing": not rolls}[self.edit.expects]
        return not (self.false_alarms or self.misses or self.trouble) and expected


@dataclass(slots=True)
class Lane:
    """A target in a namespace of its own; ``bodies`` are what git has now."""

    name: str
    cluster: KubeCluster
    bodies: Bodies
    also: tuple[str, ...] = ()
    """Clusters whose Machines are looked at too, beside those in this namespace."""
    target: str = "north/alpha"
    classes: Classes = NO_CLASSES
    """Of shared targets that the Clusters here name."""
    inventory: Inventory = field(init=False)
    findings: list[Finding] = field(default_factory=list)
    _mid: bool = False
    _wanted: tuple[ObjectKey, ...] = ()

    def __post_init__(self) -> None:
        self.inventory = empty_inventory(self.target)

    async def create(self) -> None:
        await self._apply()
        await self.settle()

    async def run(self, edits: Sequence[Edit], tell: Callable[[Finding], None]) -> None:
        """Each edit predicted, applied, waited for, and compared."""
        for edit in edits:
            finding = await self._one(edit)
            self.findings.append(finding)
            tell(finding)

    async def _one(self, edit: Edit) -> Finding:
        mid, self._mid = self._mid, edit.until_begun
        kept = copy.deepcopy(self.bodies)
        edit.change(self.bodies)
        trouble = ""
        try:
            plan, before = await self._apply()
        except AssertionError as error:
            self.bodies = kept
            return Finding(
                lane=self.name,
                edit=edit,
                predicted=frozenset(),
                gone=frozenset(),
                choice=0,
                then=0,
                now=0,
                mid_rollout=mid,
                words="",
                trouble=str(error),
            )
        going = frozenset(
            uid for change in plan.changes if change.impact for pool in change.impact.pools for uid in pool.going
        )
        if edit.until_begun:
            await self._begun(before)
            after = before
            gone: frozenset[str] = frozenset()
            # Nothing is compared here: the edit that follows sees this rollout to its end.
            going = frozenset()
        else:
            try:
                await (self.settle() if edit.settles else asyncio.sleep(2 * QUIET_S))
            except AssertionError as error:
                trouble = str(error)
            after = await self.machines()
            gone = frozenset(one.uid for one in before) - {one.uid for one in after}
        impacts = [change.impact for change in plan.changes if change.impact]
        pools = [pool for one in impacts for pool in one.pools]
        # Of the machines that match, a scale-down takes some, by Cluster API's own choice.
        choice = sum(max(pool.now - len(pool.going) - pool.then, 0) for pool in pools)
        if any(pool.kind is ImpactClass.UNKNOWN for pool in pools):
            trouble = trouble or "unknown: " + "; ".join(pool.note for pool in pools if pool.note)
        added = sum(pool.added - pool.removed for pool in pools)
        if not edit.until_begun and not mid and len(after) != len(before) + added:
            trouble = trouble or f"{len(before)} machines {added:+d} became {len(after)}"
        return Finding(
            lane=self.name,
            edit=edit,
            predicted=going,
            gone=gone,
            choice=choice,
            then=len(after),
            now=len(before),
            mid_rollout=mid,
            words=words(plan),
            trouble=trouble,
        )

    async def machines(self) -> tuple[LiveObject, ...]:
        found = await self.cluster.list_objects("cluster.x-k8s.io", "Machine", namespace=self.name)
        return tuple(one for one in found if not one.deleting)

    async def _apply(self) -> tuple[Plan, tuple[LiveObject, ...]]:
        for _ in range(6):
            before = await self.machines()
            plan = await self.plan()
            self._wanted = tuple(change.key for change in plan.changes if change.desired is not None)
            stopped = [
                change.reason.text for change in plan.changes if change.reason and change.desired and not change.writes
            ]
            assert not stopped, stopped[0]
            store = MemoryStore(self.inventory)
            report = await apply_plan(plan, self.cluster, clock=CLOCK, logger=LOGGER, store=store)
            self.inventory = store.inventory.narrowed(report, revision="c1")
            if report.complete:
                return plan, before
            assert needs_replan(report), [problem.text for problem in report.problems]
        raise AssertionError("objects moved under six plans")

    async def plan(self) -> Plan:
        return await read_and_plan(self.cluster, self.wanted, self.inventory, classes=self.classes)

    @property
    def wanted(self) -> Bodies:
        """``bodies`` as a render gives them, with their namespace."""
        found = copy.deepcopy([body("v1", "Namespace", self.name, None), *self.bodies])
        for one in found:
            one["metadata"]["annotations"]["clusterops.io/target"] = self.target
        for one in found[1:]:
            one["metadata"]["namespace"] = self.name
        return found

    async def settle(self, deadline_s: float = 1200.0) -> None:
        """Healthy, and still so after a while in which a controller that had missed something would have moved."""
        keys = self._wanted
        for _ in range(8):
            report = await wait_settled(self.cluster, keys, deadline_s=deadline_s, clock=CLOCK)
            assert report.settled, f"not settled: {waits_for(report)}"
            before = {one.uid for one in await self.machines()}
            await asyncio.sleep(QUIET_S)
            again = await wait_settled(self.cluster, keys, deadline_s=0.1, clock=CLOCK)
            if again.settled and before == {one.uid for one in await self.machines()}:
                return

    async def _begun(self, before: Sequence[LiveObject], deadline_s: float = 600.0) -> None:
        """Until a new Machine is there while an old one still is."""
        old = {one.uid for one in before}
        until = CLOCK.boottime_s() + deadline_s
        while CLOCK.boottime_s() < until:
            now = {one.uid for one in await self.machines()}
            if now - old and now & old:
                return
            await asyncio.sleep(0.3)
        raise AssertionError("the rollout never began")

    async def delete(self) -> None:
        for one in self.bodies:
            key = ObjectKey.of({**one, "metadata": {**one["metadata"], "namespace": self.name}})
            if key.kind == "Cluster":
                live = (await self.cluster.read([key])).found(key)
                if live is not None:
                    await self.cluster.delete(key, uid=live.uid, resource_version=live.resource_version)


def words(plan: Plan) -> str:
    """The impact of a plan in short: class, counts, rules."""
    found = [(change, change.impact) for change in plan.changes if change.impact and change.writes]
    pools = [pool for _, impact in found for pool in impact.pools]
    rules = sorted({cause.rule for pool in pools for cause in pool.causes})
    counts = [
        f"{word}{count}"
        for word, count in (
            ("replaces ", sum(pool.replaced for pool in pools)),
            ("+", sum(pool.added for pool in pools)),
            ("-", sum(pool.removed for pool in pools)),
        )
        if count
    ]
    classes = sorted({str(impact.kind) for _, impact in found})
    return f"{'/'.join(classes)} {' '.join(counts)} [{', '.join(rules)}]"


def one_of(bodies: Bodies, kind: str, name: str = "") -> dict[str, Any]:
    """The one body of a kind, or of a kind and the end of its name."""
    found = [one for one in bodies if one["kind"] == kind and one["metadata"]["name"].endswith(name)]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def set_at(value: Any, kind: str, name: str, *path: str | int) -> Callable[[Bodies], None]:
    """An edit that sets one field; None removes it."""

    def change(bodies: Bodies) -> None:
        there: Any = one_of(bodies, kind, name)
        for step in path[:-1]:
            there = there.setdefault(step, {}) if isinstance(there, dict) else there[step]
        if value is None:
            del there[path[-1]]
        elif isinstance(value, Mapping | list):
            there[path[-1]] = copy.deepcopy(value)
        else:
            there[path[-1]] = value

    return change


def each_of(*changes: Callable[[Bodies], None]) -> Callable[[Bodies], None]:
    def change(bodies: Bodies) -> None:
        for one in changes:
            one(bodies)

    return change
