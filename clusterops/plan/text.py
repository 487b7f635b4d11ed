"""A plan as text, JSON and Markdown: what happens first, objects second, fields last; always in the plan's order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from clusterops.model.plan import MISSING, Action, Change, FieldChange, Plan
from clusterops.plan.phrases import phrases

_SIGNS: Final = {
    Action.CREATE: "+",
    Action.ADOPT: "@",
    Action.UPDATE: "~",
    Action.PRUNE: "-",
    Action.HOLD: "=",
    Action.REFUSE: "!",
    Action.UNCHANGED: " ",
}
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
        "waves": [[_json_change(change) for change in wave] for wave in plan.waves],
        "refusals": [problem.to_body() for problem in plan.refusals],
        "warnings": [problem.to_body() for problem in plan.warnings],
    }


def plan_to_markdown(plan: Plan) -> str:
    """For a comment: a row on what happens, refusals, then details folded; ends with a newline."""
    happens = "; ".join(phrases(plan)) or "nothing"
    lines = ["| cluster | what happens |", "|---|---|", f"| **{_cell(plan.target)}** | {_cell(happens)} |", ""]
    for problem in plan.refusals:
        lines.append(f"❌ `{problem.text}`" + (f"  \n{problem.hint}" if problem.hint else ""))
    lines.extend(f"⚠️ {warning.text}" for warning in plan.warnings)
    if plan.refusals or plan.warnings:
        lines.append("")
    changed = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    if changed:
        lines.extend(_folded(plan, changed))
    lines.append(f"<sub>plan {plan.id[:7]} · {len(plan.changes)} objects compared</sub>")
    return "\n".join(lines) + "\n"


def _text_rows(change: Change) -> Iterator[str]:
    if change.action is Action.UNCHANGED:
        return
    why = f": {change.reason.message} ({change.reason.code})" if change.reason else ""
    yield f"  {_SIGNS.get(change.action, '?')} {change.action:<7} {change.key.label}{why}"
    if change.reason and change.reason.hint:
        yield f"      {change.reason.hint}"
    for field in change.fields:
        yield f"      {field.pointer}  {_shown(field.before)} -> {_shown(field.after)}{_owner(field)}"


def _owner(field: FieldChange) -> str:
    return f"  (owned by {field.manager})" if field.manager else ""


def _shown(value: Any) -> str:
    if value is MISSING:
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = text.replace("\n", "\\n")
    return text if len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 1] + "…"


def _json_change(change: Change) -> dict[str, Any]:
    row: dict[str, Any] = {"key": str(change.key), "action": str(change.action)}
    if change.live is not None:
        row["uid"] = change.live.uid
    if change.fields:
        row["fields"] = [_json_field(field) for field in change.fields]
    if change.reason is not None:
        row["reason"] = change.reason.to_body()
    return row


def _json_field(field: FieldChange) -> dict[str, Any]:
    row: dict[str, Any] = {"pointer": field.pointer}
    if field.before is not MISSING:
        row["before"] = field.before
    if field.after is not MISSING:
        row["after"] = field.after
    if field.manager:
        row["manager"] = field.manager
    return row


def _folded(plan: Plan, changed: list[Change]) -> Iterator[str]:
    counts = {action: plan.count(action) for action in Action if action is not Action.UNCHANGED and plan.count(action)}
    text = ", ".join(f"{count} {action}" for action, count in counts.items())
    yield f"<details><summary>{len(changed)} object{'s' * (len(changed) != 1)}: {text}</summary>"
    yield ""
    yield "```diff"
    for change in changed:
        why = f"  {change.reason.code}" if change.reason else ""
        yield f"  {change.action} {change.key.label}{why}"
        for field in change.fields:
            yield from _diff_lines(field)
    yield "```"
    yield "</details>"
    yield ""


def _diff_lines(field: FieldChange) -> Iterator[str]:
    if field.before is not MISSING:
        yield f"- {field.pointer}  {_fenced(_shown(field.before))}"
    if field.after is not MISSING:
        yield f"+ {field.pointer}  {_fenced(_shown(field.after))}"


def _fenced(text: str) -> str:
    """A value cannot close the code block that it stands in."""
    return text.replace("```", "'''")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("->", "→")
