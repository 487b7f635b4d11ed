"""A plan as text, JSON and Markdown: what happens first, objects second, fields last; always in the plan's order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from clusterops.model.impact import Impact, ImpactClass, PoolImpact
from clusterops.model.plan import MISSING, Action, Change, FieldChange, Left, Plan, Reclaimed, Taken
from clusterops.plan.machines import (
    cause_words,
    impact_to_json,
    machine_words,
    order_words,
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
_CLUSTERS_SHOWN: Final = 20
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


def plan_to_markdown(plan: Plan) -> str:
    """For a comment: a row on what happens, refusals, then details folded; ends with a newline."""
    lines = [*_table(plan), ""]
    for problem in plan.refusals:
        lines.append(f"❌ `{problem.text}`" + (f"  \n{problem.hint}" if problem.hint else ""))
    lines.extend(f"⚠️ {warning.text}" for warning in plan.warnings)
    if plan.refusals or plan.warnings:
        lines.append("")
    changed = [change for change in plan.changes if change.action is not Action.UNCHANGED or change.left]
    if changed:
        lines.extend(_folded(plan, changed))
    lines.append(f"<sub>plan {plan.id[:7]} · {len(plan.changes)} objects compared</sub>")
    return "\n".join(lines) + "\n"


def _table(plan: Plan) -> Iterator[str]:
    """A row for the target, and where it reaches several clusters one for each of these."""
    happens, impact = "; ".join(phrases(plan)) or "nothing", whole(plan)
    yield "| cluster | what happens | machines | order |"
    yield "|---|---|---|---|"
    yield _cells(f"**{plan.target}**", happens, machine_words(impact.pools), order_words(impact))
    by_cluster: dict[str, list[PoolImpact]] = {}
    for pool in impact.pools:
        if pool.cluster is not None and (pool.added or pool.removed or pool.replaced):
            by_cluster.setdefault(f"{pool.cluster.namespace}/{pool.cluster.name}", []).append(pool)
    most = sorted(by_cluster, key=lambda name: (-sum(pool.replaced for pool in by_cluster[name]), name))
    if len(most) > 1:
        for name in most[:_CLUSTERS_SHOWN]:
            one = Impact.of(by_cluster[name])
            rules = ", ".join(dict.fromkeys(cause.rule for pool in one.pools for cause in pool.causes))
            yield _cells(name, rules, machine_words(one.pools), order_words(one))
        if len(most) > _CLUSTERS_SHOWN:
            yield _cells(f"{len(most) - _CLUSTERS_SHOWN} more", "", "", "")


def _cells(*cells: str) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _text_rows(change: Change) -> Iterator[str]:
    if change.action is Action.UNCHANGED and not change.left:
        return
    why = f": {change.reason.message} ({change.reason.code})" if change.reason else ""
    told = short_words(change.impact) if change.impact and change.writes else ""
    machines = f"  ({told})" if told else ""
    yield f"  {_SIGNS.get(change.action, '?')} {change.action:<7} {change.key.label}{why}{machines}"
    if change.reason and change.reason.hint:
        yield f"      {change.reason.hint}"
    yield from (f"      {line}" for line in _impact_lines(change))
    for field in _told(change):
        heals = "  (heals drift)" if field in change.heals else ""
        yield f"      {field.pointer}  {_shown(field.before)} -> {_shown(field.after)}{_owner(field)}{heals}"
    for line in _of_owners(change):
        yield f"      {line}"


def _of_owners(change: Change) -> Iterator[str]:
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
        yield f"left to {left.manager}: {left.pointer} ({left.why}; git {_shown(left.git)}, live {_shown(left.live)})"
    for handed in change.hands_over:
        yield f"hands over {handed.pointer} = {_shown(handed.value)}"


def _impact_lines(change: Change) -> Iterator[str]:
    """Pools that another object than the changed one holds, with their causes; and notes."""
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


def _told(change: Change) -> tuple[FieldChange, ...]:
    """Of what is left, the owner's line tells; not the field once more."""
    left = {one.pointer for one in change.left} if change.action is Action.LEAVE else set()
    return tuple(field for field in change.fields if field.pointer not in left)


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


def _folded(plan: Plan, changed: list[Change]) -> Iterator[str]:
    counts = {action: plan.count(action) for action in Action if action is not Action.UNCHANGED and plan.count(action)}
    text = ", ".join(f"{count} {action}" for action, count in counts.items())
    yield f"<details><summary>{len(changed)} object{'s' * (len(changed) != 1)}: {text}</summary>"
    yield ""
    yield "```diff"
    for change in changed:
        told = short_words(change.impact) if change.impact and change.writes else ""
        why = f"  {change.reason.code}" if change.reason else ""
        yield f"  {change.action} {change.key.label}{why}{f'  {told}' if told else ''}"
        yield from (f"  {_fenced(line)}" for line in _impact_lines(change))
        for field in _told(change):
            yield from _diff_lines(field)
        yield from (f"! heals drift: {field.pointer}" for field in change.heals)
        for line in _of_owners(change):
            yield f"! {_fenced(line)}"
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
