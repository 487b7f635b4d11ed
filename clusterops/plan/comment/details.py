"""The fields, folded: what changes in each object, and where git says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from clusterops.model.plan import MISSING, Action, Change, FieldChange, Plan
from clusterops.model.preview import Place
from clusterops.plan.comment.markdown import cut, html, visible
from clusterops.plan.comment.parts import Fold, Item
from clusterops.plan.machines import short_words
from clusterops.plan.text import impact_lines, owner_lines, told_fields, value_text

_MACHINES_AT: Final = 70
_ORIGIN_AT: Final = 36
_LONGEST: Final = 300
"""Characters of a pointer, or of a sentence about an object."""
_WORDS: Final = {
    Action.CREATE: "created",
    Action.ADOPT: "adopted",
    Action.UPDATE: "updated",
    Action.ROTATE: "rotated",
    Action.PRUNE: "removed",
    Action.HOLD: "held",
    Action.REFUSE: "refused",
    Action.LEAVE: "drifted",
}


def fold_of(plan: Plan, origins: Mapping[Place, str], *, named: bool) -> Fold | None:
    """Of one target, ``named`` where there are others; None where no object has anything to tell."""
    changed = [change for change in plan.changes if change.action is not Action.UNCHANGED or change.left]
    if not changed:
        return None
    namespaces = {change.key.namespace for change in plan.changes}
    items = tuple(_item(plan.target, change, origins, bare=len(namespaces) == 1) for change in changed)
    name = f"<b>{html(plan.target)}</b>: " if named else ""
    return Fold(summary=f"{name}{_summary(changed)}", items=items)


def _summary(changed: list[Change]) -> str:
    """``6 objects change: 3 updated, 3 templates rotated``"""
    counts = {action: sum(change.action is action for change in changed) for action in _WORDS}
    told = [_counted(action, count) for action, count in counts.items() if count]
    writing = sum(change.writes for change in changed)
    verb = f" change{'s' * (writing == 1)}" if writing else ""
    count = writing or len(changed)
    return f"{count} object{'s' * (count != 1)}{verb}{': ' if told else ''}{', '.join(told)}"


def _counted(action: Action, count: int) -> str:
    noun = f" template{'s' * (count != 1)}" if action is Action.ROTATE else ""
    return f"{count}{noun} {_WORDS[action]}"


def _item(target: str, change: Change, origins: Mapping[Place, str], *, bare: bool) -> Item:
    label = f"{change.key.kind} {change.key.name}" if bare else change.key.label
    told = "; ".join(_told(change))
    line = f"  {visible(cut(label, _LONGEST))}".ljust(_MACHINES_AT if told else 0)
    return Item(line=f"{line} {visible(cut(told, _LONGEST))}".rstrip(), lines=tuple(_lines(target, change, origins)))


def _told(change: Change) -> Iterator[str]:
    machines = short_words(change.impact) if change.impact and change.writes else ""
    if change.action is Action.ROTATE:
        yield "rotated: content is immutable"
    elif change.action is not Action.UPDATE and change.action in _WORDS:
        why = f" ({change.reason.code})" if change.reason else ""
        yield f"{_WORDS[change.action]}{why}"
    if machines:
        yield machines
    if change.action is Action.UPDATE and change.reason is not None and not machines:
        yield change.reason.message


def _lines(target: str, change: Change, origins: Mapping[Place, str]) -> Iterator[str]:
    yield from (f"  {visible(cut(line, _LONGEST))}" for line in impact_lines(change))
    for field in told_fields(change):
        yield from _diff(field, origins.get((target, change.key, field.pointer), ""))
    yield from (f"! heals drift: {_pointer(field)}" for field in change.heals)
    yield from (f"! {visible(cut(line, _LONGEST))}" for line in owner_lines(change))


def _diff(field: FieldChange, origin: str) -> Iterator[str]:
    """The origin stands behind what will be, or behind what went where nothing will."""
    before = f"- {_pointer(field)}  {_value(field.before)}"
    after = f"+ {_pointer(field)}  {_value(field.after)}"
    gone = field.after is MISSING
    if field.before is not MISSING:
        yield _beside(before, origin if gone else "")
    if not gone:
        yield _beside(after, origin)


def _beside(line: str, origin: str) -> str:
    return f"{line.ljust(_ORIGIN_AT - 3)}   {visible(cut(origin, _LONGEST))}" if origin else line


def _pointer(field: FieldChange) -> str:
    return visible(cut(field.pointer, _LONGEST))


def _value(value: object) -> str:
    return visible(value_text(value))
