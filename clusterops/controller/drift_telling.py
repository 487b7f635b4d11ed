"""Drift, told where people look: FleetTarget status, Events, metrics and the log. Nothing is told twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from clusterops.controller.records import Records
from clusterops.drift.body import drift_body, drift_of
from clusterops.drift.history import healed
from clusterops.drift.line import line_of
from clusterops.model.canonical import digest_of
from clusterops.model.drift import Author, DriftedObject, Remedy, TargetDrift
from clusterops.model.fleet import region_of
from clusterops.model.key import ObjectKey
from clusterops.model.problem import Problem
from clusterops.model.sketch import Sketch
from clusterops.status import StoredTarget, event_body, record_event
from clusterops.status.crds import API_VERSION
from clusterops.telemetry import Logger, Metrics

DRIFTED: Final = "Drifted"
HEALED: Final = "Healed"
FIGHT: Final = "DriftFight"
IN_SYNC: Final = "InSync"
NOT_HEALED: Final = "NotHealed"


@dataclass(slots=True, kw_only=True)
class Telling:
    """``drifts`` is what is known of every target, by name; who tells of one has put it in before."""

    records: Records
    logger: Logger
    metrics: Metrics
    drifts: dict[str, TargetDrift] = field(default_factory=dict)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever drift of a target, or the number of targets, may be another one; for one reader, who clears it."""
    _healed: dict[str, tuple[DriftedObject, ...]] = field(default_factory=dict)
    """Put back, and not told yet."""
    _rebased: dict[str, set[ObjectKey]] = field(default_factory=dict)
    """Objects whose other measure was written: once is enough, the next apply writes it again."""
    _out_since: dict[str, datetime] = field(default_factory=dict)
    """Targets that are not in sync, and since when that is known."""
    _counting: dict[str, set[str]] = field(default_factory=dict)
    """Of each region, the targets of which something is drifted or ignored."""

    def restored(self, stored: StoredTarget) -> TargetDrift:
        """What an earlier process wrote down; it told of it, too."""
        known = drift_of(stored.target, stored.status.drift)
        self._note(known)
        return known

    async def tell(self, now: TargetDrift, before: TargetDrift, held: Mapping[ObjectKey, Sketch]) -> None:
        """Raises what writing the FleetTarget raises."""
        self._note(now)
        await self._write(now, held)
        healed = self._healed.pop(now.target, ())
        for reason, note in (*_put_back(healed), *_news(now, before)):
            await self._event(now, reason, note)

    async def _write(self, now: TargetDrift, held: Mapping[ObjectKey, Sketch]) -> None:
        stored = self.records.known.get(now.target)
        if stored is None:
            return
        body, rebased = _written(now), self._rebased.setdefault(now.target, set())
        moved = body != dict(stored.status.drift)
        if moved or not held.keys() <= rebased:
            await self.records.note_drift(now.target, body, held)
            rebased |= held.keys()

    async def _event(self, now: TargetDrift, reason: str, note: str) -> None:
        stored = self.records.known.get(now.target)
        self.logger.info("drift", target=now.target, revision=now.revision, state=reason, text=note)
        if stored is None:
            return
        at = self.records.clock.now()
        body = event_body(
            stored.key,
            reason=reason,
            note=note,
            revision=digest_of([now.revision, note, at.isoformat()]),
            now=at,
            instance=self.records.identity,
            uid=stored.uid,
            api_version=API_VERSION,
            action="Drift",
            warning=reason in {DRIFTED, FIGHT, NOT_HEALED},
        )
        await record_event(self.records.cluster, body)

    async def refused(self, target: str, problem: Problem) -> None:
        """Why what a person asked for was not put back."""
        known = self.drifts.get(target, TargetDrift(target=target))
        await self._event(known, NOT_HEALED, f"{problem.text}; {problem.hint}")

    def healed(self, target: str, keys: Collection[ObjectKey]) -> None:
        """Applied just now; written with the next look, which finds them in sync."""
        self.metrics.drift_heals.labels(region=region_of(target)).inc(len(keys))
        known = self.drifts.get(target)
        if known is None:
            return
        at = self.records.clock.now()
        put_back = [one for one in known.drifted if one.key in keys]
        self._healed[target] = (*self._healed.get(target, ()), *put_back)
        self.drifts[target] = replace(known, history=healed(known.history, known, keys, at))
        self.logger.info("drift healed", target=target, objects=[str(one.key) for one in put_back])

    def forgotten(self, target: str) -> None:
        """It is nobody's any more."""
        if self.drifts.pop(target, None) is not None:
            self._out_since.pop(target, None)
            self._count(target, counts=False)
            self.moved.set()

    def _note(self, now: TargetDrift) -> None:
        self.drifts[now.target] = now
        if now.in_sync:
            self._out_since.pop(now.target, None)
        else:
            self._out_since.setdefault(now.target, _first_seen(now) or self.records.clock.now())
        self._count(now.target, counts=bool(now.drifted or now.ignored))
        self.moved.set()

    def _count(self, target: str, *, counts: bool) -> None:
        """Of its region: O(targets that are out of sync, or ignore something)."""
        region = region_of(target)
        new = region not in self._counting
        names = self._counting.setdefault(region, set())
        if not (new or counts or target in names):
            return
        (names.add if counts else names.discard)(target)
        mine = [self.drifts[name] for name in names]
        drifted = Counter(one.author for drift in mine for one in drift.drifted)
        for author in Author:
            self.metrics.drift_objects.labels(region=region, **{"class": str(author)}).set(drifted[author])
        self.metrics.drift_ignored.labels(region=region).set(sum(len(drift.ignored) for drift in mine))
        if new:
            self.metrics.seconds_since_in_sync.labels(region=region).set_function(partial(self._seconds, region))

    def _seconds(self, region: str) -> float:
        since = [at for name, at in self._out_since.items() if region_of(name) == region]
        return max(0.0, (self.records.clock.now() - min(since)).total_seconds()) if since else 0.0


def _first_seen(drift: TargetDrift) -> datetime | None:
    return min((one.seen_at for one in drift.drifted if one.seen_at is not None), default=None)


def _written(now: TargetDrift) -> dict[str, Any]:
    """Of a target that was never out of sync nothing is written."""
    return drift_body(now) if now.drifted or now.unknown or now.history else {}


def _put_back(healed: Sequence[DriftedObject]) -> Iterable[tuple[str, str]]:
    if healed:
        yield HEALED, _with_more("put back: ", healed)


def _with_more(lead: str, told: Sequence[DriftedObject]) -> str:
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return f"{lead}{line_of(told[0])}{more}"


def _news(now: TargetDrift, before: TargetDrift) -> Iterable[tuple[str, str]]:
    """(reason, text) of each Event."""
    known = {one.key: _essence(one) for one in before.drifted}
    fresh = [one for one in now.drifted if known.get(one.key) != _essence(one)]
    for remedy, reason in ((Remedy.FIGHT, FIGHT), (None, DRIFTED)):
        told = [one for one in fresh if (one.remedy is Remedy.FIGHT) == (remedy is Remedy.FIGHT)]
        if told:
            yield reason, _with_more("", told)
    if now.in_sync and before.drifted:
        yield IN_SYNC, f"{now.objects} objects are as git has them at {now.revision}"


def _essence(one: DriftedObject) -> Any:
    return one.what, one.remedy, [(each.pointer, each.git, each.live, each.manager) for each in one.fields]
