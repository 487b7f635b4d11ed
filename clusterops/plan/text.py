"""A plan as text and JSON: what happens first, objects second, fields last; always in the plan's order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from clusterops.model.impact import Impact, ImpactClass
from clusterops.model.plan import MISSING, Action, Change, FieldChange, Left, Plan, Reclaimed, Taken
from clusterops.plan.machines import (
    cause_words,
    impact_to_json,
    short_words,
    totals,
    whole,
)
from clusterops.plan.phrases import phrases

_SIGNS: Final = {
    Action.CREATE: "+",
    Action.ADOPT: "@",
    Action.UPDATE: "~",
    Action.ROTATE: "~",
    Action.PRUNE: "-",
    Action.HOLD: "=",
    Action.REFUSE: "!",
    Action.UNCHANGED: " ",
    Action.LEAVE: "≠",
}
_POOLS_SHOWN: Final = 12
_QUIET: Final = frozenset({ImpactClass.NONE, ImpactClass.IN_PLACE})
_VALUE_LIMIT: Final = 200
"""Characters of one value; a longer one is cut, as a whole file in a diff helps nobody."""


def summarise(plan: Plan) -> str:
    """One line: ``north/alpha: upgrade v1.33.4 -> v1.34.1; general scales 2 -> 4; 2 to update``."""
    found = phrases(plan)
    return f"{plan.target}: {'; '.join(found) if found else f'no change, {len(plan.changes)} objects equal'}"


def plan_to_text(plan: Plan) -> str:
    """For a terminal. One line an object, its fields below, unchanged objects only counted; ends with a newline."""
    lines = [summarise(plan)]
    for change in plan.changes:
        lines.extend(_text_rows(change))
    unchanged = plan.count(Action.UNCHANGED)
    if unchanged:
        lines.append(f"  {unchanged} object{'s' * (unchanged != 1)} unchanged")
    lines.extend(f"  warning: {warning.text}" for warning in plan.warnings)
    lines.append(f"plan {plan.id[:7]}")
    return "\n".join(lines) + "\n"


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Plain JSON values; no object bodies, no secret values. A missing value has no key."""
    return {
        "target": plan.target,
        "revision": plan.revision,
        "id": plan.id,
        "summary": summarise(plan),
        "counts": {str(action): plan.count(action) for action in Action if plan.count(action)},
        "impact": totals(whole(plan)),
        "waves": [[_json_change(change) for change in wave] for wave in plan.waves],
        "refusals": [problem.to_body() for problem in plan.refusals],
        "warnings": [problem.to_body() for problem in plan.warnings],
    }


def _text_rows(change: Change) -> Iterator[str]:
    if change.action is Action.UNCHANGED and not change.left:
        return
    why = f": {change.reason.message} ({change.reason.code})" if change.reason else ""
    told = short_words(change.impact) if change.impact and change.writes else ""
    machines = f"  ({told})" if told else ""
    yield f"  {_SIGNS.get(change.action, '?')} {change.action:<7} {change.key.label}{why}{machines}"
    if change.reason and change.reason.hint:
        yield f"      {change.reason.hint}"
    yield from (f"      {line}" for line in impact_lines(change))
    for field in told_fields(change):
        heals = "  (heals drift)" if field in change.heals else ""
        yield f"      {field.pointer}  {value_text(field.before)} -> {value_text(field.after)}{_owner(field)}{heals}"
    for line in owner_lines(change):
        yield f"      {line}"


def owner_lines(change: Change) -> Iterator[str]:
    """What the apply takes from others, leaves to them and hands over."""
    if change.adopts:
        yield f"taken over from {', '.join(change.adopts)}"
    for taken in change.takes:
        if taken.manager not in change.adopts:
            yield f"takes {taken.pointer} from {taken.manager}"
    for item in change.reclaims:
        if item.manager not in change.adopts:
            yield f"takes {item.pointer} from {item.manager}"
    for left in change.left:
        values = f"git {value_text(left.git)}, live {value_text(left.live)}"
        yield f"left to {left.manager}: {left.pointer} ({left.why}; {values})"
    for handed in change.hands_over:
        yield f"hands over {handed.pointer} = {value_text(handed.value)}"


def impact_lines(change: Change) -> Iterator[str]:
    """Of what is written: pools that another object than the changed one holds, with their causes; and notes."""
    impact = change.impact
    if impact is None or not change.writes:
        return
    elsewhere = [pool for pool in impact.pools if pool.owner != change.key and pool.kind not in _QUIET]
    for pool in elsewhere[:_POOLS_SHOWN]:
        causes = "; ".join(cause_words(cause) for cause in pool.causes)
        yield f"{pool.owner.label}  {short_words(Impact.of([pool]))}{f', by {causes}' if causes else ''}"
    if len(elsewhere) > _POOLS_SHOWN:
        yield f"and {len(elsewhere) - _POOLS_SHOWN} more"
    yield from (
        f"note: {note}" for note in dict.fromkeys((*impact.notes, *(pool.note for pool in impact.pools))) if note
    )


def told_fields(change: Change) -> tuple[FieldChange, ...]:
    """The fields of a row. Of what is left, the owner's line tells; not the field once more."""
    left = {one.pointer for one in change.left} if change.action is Action.LEAVE else set()
    return tuple(field for field in change.fields if field.pointer not in left)


def _owner(field: FieldChange) -> str:
    return f"  (owned by {field.manager})" if field.manager else ""


def value_text(value: Any) -> str:
    """On one line; of a long one the beginning, and how long it is."""
    if value is MISSING:
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = text.replace("\n", "\\n")
    return text if len(text) <= _VALUE_LIMIT else f"{text[:_VALUE_LIMIT]}… ({len(text)} characters)"


def _json_change(change: Change) -> dict[str, Any]:
    row: dict[str, Any] = {"key": str(change.key), "action": str(change.action)}
    if change.live is not None:
        row["uid"] = change.live.uid
    if change.impact is not None:
        row["impact"] = impact_to_json(change.impact)
    if change.fields:
        row["fields"] = [_json_field(field) for field in change.fields]
    if change.heals:
        row["heals"] = [field.pointer for field in change.heals]
    taken: tuple[Taken | Reclaimed, ...] = (*change.takes, *change.reclaims)
    if taken:
        row["takes"] = [{"pointer": one.pointer, "manager": one.manager} for one in taken]
    if change.left:
        row["left"] = [_json_left(left) for left in change.left]
    if change.hands_over:
        row["handsOver"] = [asdict(one) for one in change.hands_over]
    if change.adopts:
        row["adopts"] = list(change.adopts)
    if change.reason is not None:
        row["reason"] = change.reason.to_body()
    return row


def _json_left(left: Left) -> dict[str, Any]:
    row = {"pointer": left.pointer, "manager": left.manager, "git": left.git, "live": left.live, "why": left.why}
    return {name: value for name, value in row.items() if value is not MISSING}


def _json_field(field: FieldChange) -> dict[str, Any]:
    row: dict[str, Any] = {"pointer": field.pointer}
    if field.before is not MISSING:
        row["before"] = field.before
    if field.after is not MISSING:
        row["after"] = field.after
    if field.manager:
        row["manager"] = field.manager
    return row
