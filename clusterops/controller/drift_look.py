"""One look at a target: what departs from what was applied, explained by the plan that would put it back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from clusterops.capi.kinds import is_cluster
from clusterops.controller.planning import plan_target
from clusterops.controller.reconcile import unforeseen
from clusterops.controller.work import Doors, Work
from clusterops.drift.compare import Departing, departed, left, unknown
from clusterops.drift.explain import explained
from clusterops.errors import ClusterOpsError
from clusterops.model.drift import Author, Departed, DriftedObject, Healing, Remedy, TargetDrift
from clusterops.model.fleet import DriftPolicy, FleetFile, Target
from clusterops.model.ignore import IgnoreRule
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.sketch import Sketch, held_of
from clusterops.model.windows import Window
from clusterops.ports import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What git says of drift in one target."""

    policy: DriftPolicy = DriftPolicy.REPORT
    ignore: tuple[IgnoreRule, ...] = ()
    windows: tuple[Window, ...] = ()

    @classmethod
    def of(cls, file: FleetFile, target: Target) -> Self:
        return cls(policy=target.drift, ignore=file.ignore, windows=file.windows)


Seen = LiveObject | Absent | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """``departing`` is what the look was about; ``held`` another measure for objects that are as git has them."""

    drift: TargetDrift
    departing: Mapping[ObjectKey, Departing]
    held: Mapping[ObjectKey, Sketch] = field(default_factory=dict)
    again_s: float | None = None
    """After which time alone may change what is done about it."""
    doubtful: bool = False
    """Not explained: to be looked at again."""

    @property
    def to_heal(self) -> frozenset[ObjectKey]:
        return frozenset(one.key for one in self.drift.drifted if one.remedy is Remedy.HEAL)


async def healing_plan(work: Work, doors: Doors) -> Plan:
    """As if everything were put back. Raises what rendering and reading raise; costs no request of our own records."""
    for problem in work.target.problems:
        raise problem.error()
    rendered = await doors.renderer.render(work.snapshot, work.target)
    record = doors.records.looked_up(work.target)
    return await plan_target(replace(work, healing=Healing(every=True)), doors, rendered, record, {})


async def look(
    work: Work,
    doors: Doors,
    *,
    inventory: Inventory,
    live: Mapping[ObjectKey, Seen],
    before: TargetDrift,
    extras: Collection[LiveObject] = (),
    problems: Iterable[Problem] = (),
    rules: Rules,
    may_heal: bool = False,
) -> Looked:
    """Never raises an expected error: what cannot be explained is told without fields, and why.

    A target of which nothing departs costs no plan.
    """
    at, name = doors.clock.now(), work.target.name
    departing = departed(inventory, live, target=name, fleet=work.target.fleet)
    drift = TargetDrift(
        target=name,
        revision=work.revision,
        objects=len(inventory.entries),
        left=left(inventory, live),
        unknown=tuple(dict.fromkeys((*unknown(inventory, live), *problems))),
        history=before.history,
    )
    if not departing and not extras:
        return Looked(drift=_since(drift, before, at), departing=departing)
    try:
        plan = await healing_plan(work, doors) if departing else _NO_PLAN
    except ClusterOpsError as error:
        return _unexplained(drift, departing, before, Problem.of(error), at)
    except Exception as error:
        problem = unforeseen(error, name, doors.logger, revision=work.revision)
        return _unexplained(drift, departing, before, problem, at)
    found = explained(departing, plan, live, inventory=inventory, extras=extras)
    policy = rules.policy if may_heal else DriftPolicy.REPORT
    drift = replace(drift, drifted=tuple(_decided(_seen_before(one, before, at), policy) for one in found.objects))
    return Looked(drift=_since(drift, before, at), departing=departing, held=_rebased(found.settled, plan, inventory))


def _rebased(settled: Collection[ObjectKey], plan: Plan, inventory: Inventory) -> dict[ObjectKey, Sketch]:
    """Only in the version that it was applied in: another one has other paths."""
    rows = {change.key: change for change in plan.changes if change.key in settled and change.live is not None}
    return {
        key: held_of(row.live) | row.owed
        for key, row in rows.items()
        if row.live is not None and row.live.body.get("apiVersion") == inventory.entries[key].api_version
    }


def _seen_before(one: DriftedObject, before: TargetDrift, at: datetime) -> DriftedObject:
    known = next((each for each in before.drifted if (each.key, each.what) == (one.key, one.what)), None)
    return replace(one, seen_at=known.seen_at if known is not None and known.seen_at else at)


def _decided(one: DriftedObject, policy: DriftPolicy) -> DriftedObject:
    if one.what in {Departed.EXTRA, Departed.FOREIGN, Departed.REPLACED} or is_cluster(one.key):
        return replace(one, remedy=Remedy.LEAVE)
    if one.unknown_cost or one.cost.replaced or one.cost.removed:
        return replace(one, remedy=Remedy.ASK)
    healed = policy is DriftPolicy.HEAL and (one.author is Author.PERSON or one.what is Departed.DELETED)
    return replace(one, remedy=Remedy.HEAL if healed else Remedy.REPORT)


def _since(drift: TargetDrift, before: TargetDrift, at: datetime) -> TargetDrift:
    if not drift.in_sync:
        return drift
    return replace(drift, in_sync_since=before.in_sync_since if before.in_sync and before.in_sync_since else at)


def _unexplained(
    drift: TargetDrift, departing: Mapping[ObjectKey, Departing], before: TargetDrift, why: Problem, at: datetime
) -> Looked:
    objects = tuple(
        DriftedObject(key=key, what=one.what, why=f"not explained: {why.text}", unknown_cost=True)
        for key, one in sorted(departing.items())
    )
    drifted = tuple(_seen_before(one, before, at) for one in objects)
    told = replace(drift, drifted=drifted, unknown=tuple(dict.fromkeys((*drift.unknown, why))))
    return Looked(drift=told, departing=departing, doubtful=why.retry is Retry.BACKOFF)


async def read_entries(inventories: Iterable[Inventory], cluster: Cluster) -> dict[ObjectKey, Seen]:
    """In as few requests as the door can make of it."""
    keys = {key for inventory in inventories for key in inventory.entries}
    return dict((await cluster.read(keys)).objects) if keys else {}


_NO_PLAN = Plan(target="", revision="", waves=())
