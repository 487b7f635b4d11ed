"""A drift report for a forge's issue or comment: a row per field, then what is ignored and the next steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from clusterops.drift.report_words import (
    HAPPENED,
    adopt_command,
    counted,
    drifting,
    fleet_name,
    heal_command,
    ignored_words,
    object_name,
    outcome_words,
    seen_words,
    size_words,
    state_words,
    told_fields,
    value_text,
    who_words,
)
from clusterops.model.drift import Departed, DriftedField, DriftedObject, DriftReport

_ROWS_SHOWN: Final = 100
_ESCAPED: Final = str.maketrans({char: f"\\{char}" for char in "\\`*_[]|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


def report_to_markdown(report: DriftReport) -> str:
    """The first line finds the text again; ends with a newline. At most 100 rows: the rest is counted."""
    drifted = drifting(report)
    rows = [row for target in drifted for each in target.drifted for row in _rows(target.target, each, report.taken_at)]
    of = f"{len(drifted)} of {counted(len(report.targets), 'cluster')}"
    lines = [f"<!-- clusterops:drift {_plain(report.fleet)} -->", f"### Drift: {of}", "", *_table(rows)]
    for target in report.targets:
        for problem in target.unknown:
            lines.append(f"⚠️ **{_text(target.target)}** could not be compared: {_text(problem.text)}")
            lines.append("")
    if commands := list(dict.fromkeys(_commands(report))):
        lines += ["```console", *commands, "```", ""]
    ignored = f" · ignored by rule: {ignored_words(report)}" if ignored_words(report) else ""
    stand = f"{size_words(report)}: {state_words(report)}{ignored}"
    lines.append(f"<sub>{_text(fleet_name(report))} · {stand} · {report.taken_at:%Y-%m-%d %H:%M}Z</sub>")
    return "\n".join(lines) + "\n"


def _table(rows: list[str]) -> Iterator[str]:
    if not rows:
        return
    yield "| cluster | object | field | git | live | who | what happens |"
    yield "|---|---|---|---|---|---|---|"
    yield from rows[:_ROWS_SHOWN]
    if len(rows) > _ROWS_SHOWN:
        yield f"| {len(rows) - _ROWS_SHOWN} more | | | | | | |"
    yield ""


def _rows(target: str, drifted: DriftedObject, now: datetime) -> Iterator[str]:
    """The remedy stands with the first field."""
    name, told = f"**{_text(target)}**", f"{drifted.remedy}: {outcome_words(drifted)}".removesuffix(": ")
    for field in told_fields(drifted) or (None,):
        cells = (name, _text(object_name(drifted.key)), *_field_cells(drifted, field, now), _text(told))
        yield f"| {' | '.join(cells)} |"
        name, told = "", ""


def _field_cells(drifted: DriftedObject, field: DriftedField | None, now: datetime) -> tuple[str, ...]:
    what = "" if drifted.what is Departed.CHANGED else HAPPENED[drifted.what]
    if field is None:
        return (what, "", "", _text(seen_words(drifted, now)))
    place = _text(field.pointer) + (f" ({what})" if what else "")
    who = who_words(field, drifted, now) or seen_words(drifted, now)
    return (place, _text(value_text(field.git)), _text(value_text(field.live)), _text(who))


def _commands(report: DriftReport) -> Iterator[str]:
    """The first of each."""
    found = [(target.target, drifted) for target in drifting(report) for drifted in target.drifted]
    for command in (adopt_command, heal_command):
        yield from [_plain(text) for each in found if (text := command(*each))][:1]


def _text(text: str) -> str:
    """Neither Markdown nor HTML, in one cell of a table."""
    return _plain(text).translate(_ESCAPED)


def _plain(text: str) -> str:
    """On one line, where it can neither close a comment nor a fence."""
    line = " ".join(text.split())
    return line.replace("-->", "--&gt;").replace("```", "'''")
