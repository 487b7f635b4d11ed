"""From what departs to what is told of a target: ignored or not, since when, what is done, and its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from clusterops.drift.history import after
from clusterops.drift.ignore import sift
from clusterops.drift.remedy import Remedied, remedied
from clusterops.model.drift import DriftedObject, TargetDrift
from clusterops.model.fleet import DriftPolicy
from clusterops.model.ignore import IgnoreRule
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.plan import Plan
from clusterops.model.windows import Windows


def judged(
    drift: TargetDrift,
    objects: Iterable[DriftedObject],
    *,
    before: TargetDrift,
    now: datetime,
    policy: DriftPolicy = DriftPolicy.REPORT,
    rules: Iterable[IgnoreRule] = (),
    annotations: Mapping[ObjectKey, Iterable[Mapping[str, str]]] | None = None,
    windows: Windows | None = None,
) -> Remedied:
    """``drift`` with these objects, as `explained` tells them; ``before`` is what was known of the target last.

    Its history goes on from ``before``; what was healed meanwhile has to stand there.
    """
    sifted = sift(objects, rules, annotations=annotations)
    drifted = tuple(_seen(one, before, now) for one in sifted.kept)
    known = replace(drift, drifted=drifted, ignored=sifted.ignored, history=before.history)
    found = remedied(known, policy=policy, windows=windows or Windows(), before=before, now=now)
    told = replace(found.drift, in_sync_since=_since(found.drift, before, now))
    return replace(found, drift=replace(told, history=after(before.history, before, told, now)))


def annotations_of(
    objects: Iterable[DriftedObject], healing: Plan, live: Mapping[ObjectKey, LiveObject | Absent | Unreadable]
) -> dict[ObjectKey, tuple[Mapping[str, str], ...]]:
    """What git's object and the live one carry, for those that are drifted."""
    written = {change.key: change.written.annotations for change in healing.changes if change.written is not None}
    found: dict[ObjectKey, tuple[Mapping[str, str], ...]] = {}
    for one in objects:
        seen = live.get(one.key)
        there = seen.annotations if isinstance(seen, LiveObject) else {}
        found[one.key] = (written.get(one.key, {}), there)
    return found


def _seen(one: DriftedObject, before: TargetDrift, now: datetime) -> DriftedObject:
    known = next((each for each in before.drifted if (each.key, each.what) == (one.key, one.what)), None)
    return replace(one, seen_at=known.seen_at if known is not None and known.seen_at else now)


def _since(drift: TargetDrift, before: TargetDrift, now: datetime) -> datetime | None:
    if not drift.in_sync:
        return None
    return before.in_sync_since if before.in_sync and before.in_sync_since else now
