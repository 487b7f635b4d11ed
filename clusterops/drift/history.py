"""The last events of a target's drift: what came, what was put back, when all was well again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from clusterops.drift.authors import latest
from clusterops.model.drift import HISTORY, DriftedObject, DriftRecord, Remedy, TargetDrift
from clusterops.model.key import ObjectKey

IN_SYNC: Final = "in-sync"


def after(before: tuple[DriftRecord, ...], was: TargetDrift, now: TargetDrift, at: datetime) -> tuple[DriftRecord, ...]:
    """What is drifted now and was not, or not so, and that all is in sync again; with nothing new ``before`` itself.

    Another value of a field that is drifted already is nothing new. What was healed is told by ``healed``.
    """
    known = {one.key: _essence(one) for one in was.drifted}
    fresh = [
        _record(one, at, remedy=_not_yet(one.remedy)) for one in now.drifted if known.get(one.key) != _essence(one)
    ]
    if was.drifted and now.in_sync:
        fresh.append(DriftRecord(at=at, what=IN_SYNC))
    return _last(before, fresh)


def healed(
    before: tuple[DriftRecord, ...], was: TargetDrift, keys: Collection[ObjectKey], at: datetime
) -> tuple[DriftRecord, ...]:
    """To be told once an apply has put these back, whatever became of them since: fights are counted by it.

    All that one apply put back has the same time.
    """
    return _last(before, [_record(one, at, remedy=str(Remedy.HEAL)) for one in was.drifted if one.key in keys])


def _not_yet(remedy: Remedy) -> str:
    """A heal that is only meant to be is none: fights are counted by those that were done."""
    return "" if remedy is Remedy.HEAL else str(remedy)


def _record(one: DriftedObject, at: datetime, *, remedy: str) -> DriftRecord:
    field = latest(one.fields)
    return DriftRecord(
        at=at,
        what=str(one.what),
        object=one.key,
        pointer=field.pointer if field is not None else "",
        manager=field.manager if field is not None else "",
        author=one.author,
        remedy=remedy,
    )


def _essence(one: DriftedObject) -> Any:
    """A remedy that changes with the hour is no news; that a fight was given up is."""
    fields = frozenset((field.pointer, field.manager) for field in one.fields)
    return one.what, fields, one.remedy is Remedy.FIGHT


def _last(before: tuple[DriftRecord, ...], fresh: Iterable[DriftRecord]) -> tuple[DriftRecord, ...]:
    more = tuple(fresh)
    return (*before, *more)[-HISTORY:] if more else before
