"""One look at a target: what departs from what was applied, explained by the plan that would put it back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from clusterops.controller.planning import plan_target
from clusterops.controller.reconcile import unforeseen
from clusterops.controller.work import Doors, Work
from clusterops.drift.compare import Departing, departed, left, unknown
from clusterops.drift.explain import explained
from clusterops.drift.judge import annotations_of, judged
from clusterops.errors import ClusterOpsError
from clusterops.model.drift import DriftedObject, Healing, Remedy, TargetDrift
from clusterops.model.fleet import DriftPolicy, Fleet, FleetFile, Target
from clusterops.model.ignore import IgnoreRule
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.sketch import Sketch, held_of
from clusterops.model.windows import Window, Windows
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


def drift_rules(fleet: Fleet) -> object:
    """All that decides what drift is and what is done about it, in fleet.yaml and in single targets; to be compared."""
    overruled = {name: target.drift for name, target in fleet.targets.items() if target.drift is not fleet.file.drift}
    return fleet.file.drift, fleet.file.ignore, fleet.file.windows, overruled


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
    name = work.target.name
    departing = departed(inventory, live, target=name, fleet=work.target.fleet)
    drift = TargetDrift(
        target=name,
        revision=work.revision,
        objects=len(inventory.entries),
        left=left(inventory, live),
        unknown=tuple(dict.fromkeys((*unknown(inventory, live), *problems))),
        history=before.history,
    )
    bench = _Bench(before=before, rules=rules, may_heal=may_heal, at=doors.clock.now(), departing=departing)
    if not departing and not extras:
        return bench.judge(drift, ())
    try:
        plan = await healing_plan(work, doors) if departing else _NO_PLAN
    except ClusterOpsError as error:
        return bench.give_up(drift, Problem.of(error))
    except Exception as error:
        return bench.give_up(drift, unforeseen(error, name, doors.logger, revision=work.revision))
    found = explained(departing, plan, live, inventory=inventory, extras=extras)
    looked = bench.judge(drift, found.objects, annotations_of(found.objects, plan, live))
    return replace(looked, held=_rebased(found.settled, plan, inventory))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What is held against whatever a look has found."""

    before: TargetDrift
    rules: Rules
    may_heal: bool
    at: datetime
    departing: Mapping[ObjectKey, Departing]

    def judge(
        self,
        drift: TargetDrift,
        objects: Collection[DriftedObject],
        annotations: Mapping[ObjectKey, Iterable[Mapping[str, str]]] | None = None,
    ) -> Looked:
        found = judged(
            drift,
            objects,
            before=self.before,
            now=self.at,
            policy=self.rules.policy if self.may_heal else DriftPolicy.REPORT,
            rules=self.rules.ignore,
            annotations=annotations,
            windows=Windows.of(drift.target, self.rules.windows),
        )
        again_s = max(0.0, (found.again_at - self.at).total_seconds()) if found.again_at is not None else None
        return Looked(drift=found.drift, departing=self.departing, again_s=again_s)

    def give_up(self, drift: TargetDrift, why: Problem) -> Looked:
        """Nothing is explained: what departs is told as a whole."""
        seen = {one.key: one.seen_at for one in self.before.drifted}
        drifted = tuple(
            DriftedObject(
                key=key,
                what=one.what,
                why=f"not explained: {why.text}",
                unknown_cost=True,
                seen_at=seen.get(key) or self.at,
            )
            for key, one in sorted(self.departing.items())
        )
        told = replace(drift, drifted=drifted, unknown=tuple(dict.fromkeys((*drift.unknown, why))))
        return Looked(drift=told, departing=self.departing, doubtful=why.retry is Retry.BACKOFF)


def _rebased(settled: Collection[ObjectKey], plan: Plan, inventory: Inventory) -> dict[ObjectKey, Sketch]:
    """Only in the version that it was applied in: another one has other paths."""
    rows = {change.key: change for change in plan.changes if change.key in settled and change.live is not None}
    return {
        key: held_of(row.live, row.applied) | row.owed
        for key, row in rows.items()
        if row.live is not None and row.live.body.get("apiVersion") == inventory.entries[key].api_version
    }


async def read_entries(inventories: Iterable[Inventory], cluster: Cluster) -> dict[ObjectKey, Seen]:
    """In as few requests as the door can make of it."""
    versions = {key: entry.api_version for each in inventories for key, entry in each.entries.items()}
    return dict((await cluster.read_as(versions)).objects) if versions else {}


_NO_PLAN = Plan(target="", revision="", waves=())
