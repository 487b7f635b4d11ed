"""A TargetDrift as it is kept in a FleetTarget's status: for people, and for the process that comes next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from clusterops.model.drift import (
    Author,
    Departed,
    DriftedField,
    DriftedObject,
    DriftRecord,
    Ignored,
    Remedy,
    TargetDrift,
)
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts
from clusterops.model.plan import MISSING
from clusterops.model.problem import Problem

VALUE_LIMIT: Final = 200
"""Characters of a value's JSON; a longer one is cut, and is a text then."""
OBJECTS_KEPT: Final = 50
FIELDS_KEPT: Final = 20
IGNORED_KEPT: Final = 50
PROBLEMS_KEPT: Final = 20

_Read = TypeVar("_Read")
_Word = TypeVar("_Word", bound=StrEnum)


def drift_body(drift: TargetDrift) -> dict[str, Any]:
    """The JSON form. ``count`` is of all drifted objects, of which the first are told; nothing empty is written.

    Without the revision and the values of ignored fields, so that it stays the same while drift does.
    """
    return _filled(
        count=len(drift.drifted),
        objects=[_object_body(one) for one in drift.drifted[:OBJECTS_KEPT]],
        ignored=[_ignored_body(one) for one in drift.ignored[:IGNORED_KEPT]],
        left={str(author): count for author, count in drift.left.items()},
        unknown=[problem.to_body() for problem in drift.unknown[:PROBLEMS_KEPT]],
        inSyncSince=_time_text(drift.in_sync_since),
        history=[_record_body(one) for one in drift.history],
    )


def drift_of(target: str, body: Mapping[str, Any]) -> TargetDrift:
    """Lenient: what a person broke there is left out. Revision and number of objects are not in it."""
    raw_left = body.get("left")
    return TargetDrift(
        target=target,
        drifted=_each(body.get("objects"), _object_of),
        ignored=_each(body.get("ignored"), _ignored_of),
        left=_left_of(raw_left) if isinstance(raw_left, Mapping) else {},
        unknown=_each(body.get("unknown"), _problem_of),
        in_sync_since=_time_of(body.get("inSyncSince")),
        history=_each(body.get("history"), _record_of),
    )


def _object_body(one: DriftedObject) -> dict[str, Any]:
    cost = _filled(replaced=one.cost.replaced, added=one.cost.added, removed=one.cost.removed)
    return _filled(
        object=str(one.key),
        what=str(one.what),
        fields=[_field_body(each) for each in one.fields[:FIELDS_KEPT]],
        remedy=str(one.remedy),
        why=one.why,
        cost=cost,
        unknownCost=one.unknown_cost,
        author=str(one.author),
        seenAt=_time_text(one.seen_at),
    )


def _object_of(raw: Mapping[str, Any]) -> DriftedObject:
    cost = raw.get("cost") or {}
    return DriftedObject(
        key=ObjectKey.parse(str(raw["object"])),
        what=Departed(raw["what"]),
        fields=_each(raw.get("fields"), _field_of),
        remedy=_word(Remedy, raw.get("remedy"), Remedy.REPORT),
        why=str(raw.get("why") or ""),
        cost=MachineCounts(**{name: int(cost.get(name) or 0) for name in ("replaced", "added", "removed")}),
        unknown_cost=bool(raw.get("unknownCost")),
        author=_word(Author, raw.get("author"), Author.UNKNOWN),
        seen_at=_time_of(raw.get("seenAt")),
    )


def _field_body(one: DriftedField) -> dict[str, Any]:
    values = {name: _short(value) for name, value in (("git", one.git), ("live", one.live)) if value is not MISSING}
    known = _filled(
        manager=one.manager,
        operation=one.operation,
        changedAt=_time_text(one.changed_at),
        author=str(one.author),
        user=one.user,
    )
    return {"pointer": one.pointer, **values, **known}


def _field_of(raw: Mapping[str, Any]) -> DriftedField:
    return DriftedField(
        pointer=str(raw["pointer"]),
        git=raw.get("git", MISSING),
        live=raw.get("live", MISSING),
        manager=str(raw.get("manager") or ""),
        operation=str(raw.get("operation") or ""),
        changed_at=_time_of(raw.get("changedAt")),
        author=_word(Author, raw.get("author"), Author.UNKNOWN),
        user=str(raw.get("user") or ""),
    )


def _ignored_body(one: Ignored) -> dict[str, Any]:
    field = one.field
    known = _filled(manager=field.manager, author=str(field.author), rule=one.rule)
    return {"object": str(one.key), "pointer": field.pointer, **known}


def _ignored_of(raw: Mapping[str, Any]) -> Ignored:
    return Ignored(key=ObjectKey.parse(str(raw["object"])), field=_field_of(raw), rule=str(raw.get("rule") or ""))


def _record_body(one: DriftRecord) -> dict[str, Any]:
    return _filled(
        at=_time_text(one.at),
        what=one.what,
        object=str(one.object) if one.object is not None else "",
        pointer=one.pointer,
        manager=one.manager,
        author=str(one.author),
        remedy=one.remedy,
    )


def _record_of(raw: Mapping[str, Any]) -> DriftRecord:
    at = _time_of(raw["at"])
    if at is None:
        raise ValueError("a record without its time")
    return DriftRecord(
        at=at,
        what=str(raw["what"]),
        object=ObjectKey.parse(str(raw["object"])) if raw.get("object") else None,
        pointer=str(raw.get("pointer") or ""),
        manager=str(raw.get("manager") or ""),
        author=_word(Author, raw.get("author"), Author.UNKNOWN),
        remedy=str(raw.get("remedy") or ""),
    )


def _problem_of(raw: Mapping[str, Any]) -> Problem:
    return Problem(
        code=str(raw["code"]),
        subject=str(raw.get("subject") or ""),
        message=str(raw.get("message") or ""),
        hint=str(raw.get("hint") or ""),
        path=str(raw.get("path") or ""),
        line=int(raw.get("line") or 0),
        column=int(raw.get("column") or 0),
    )


def _left_of(raw: Mapping[str, Any]) -> dict[Author, int]:
    return {author: int(raw[author]) for author in Author if isinstance(raw.get(author), int)}


def _each(raw: Any, read: Callable[[Mapping[str, Any]], _Read]) -> tuple[_Read, ...]:
    found = (_one(item, read) for item in raw) if isinstance(raw, list) else ()
    return tuple(one for one in found if one is not None)


def _one(item: Any, read: Callable[[Mapping[str, Any]], _Read]) -> _Read | None:
    try:
        return read(item)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _word(words: type[_Word], raw: Any, default: _Word) -> _Word:
    return next((word for word in words if word == raw), default)


def _filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value if len(text) <= VALUE_LIMIT else f"{text[: VALUE_LIMIT - 1]}…"


def _time_text(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def _time_of(raw: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(raw)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
