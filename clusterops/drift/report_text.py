"""A drift report for a terminal: clusters first, then what departs, who did it and what putting it back costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from clusterops.drift.report_words import (
    HAPPENED,
    adopt_command,
    drifting,
    fleet_name,
    heal_command,
    ignored_words,
    object_name,
    outcome_words,
    seen_words,
    short_pointer,
    size_words,
    state_words,
    told_fields,
    value_text,
    who_words,
)
from clusterops.model.drift import Departed, DriftedField, DriftedObject, DriftReport, Remedy, TargetDrift

_TARGET_WIDTH: Final = 18
_FIELD_WIDTH: Final = 69
_WHO_WIDTH: Final = 41
_REMEDY_WIDTH: Final = 9


def report_to_text(report: DriftReport) -> str:
    """JOURNEY.md section 4; ends with a newline."""
    width = max([_TARGET_WIDTH, *(len(target.target) for target in report.targets if not target.in_sync)]) + 3
    lines = [_headline(report)]
    rows = [row for target in report.targets for row in _target_rows(target, report.taken_at, width)]
    hints = list(_hints(report))
    return "\n".join([*lines, *([""] if rows else []), *rows, *hints]) + "\n"


def _headline(report: DriftReport) -> str:
    ignored = ignored_words(report)
    told = f"   (ignored by rule: {ignored})" if ignored else ""
    return f"{fleet_name(report)}   {size_words(report)}: {state_words(report)}{told}"


def _target_rows(target: TargetDrift, now: datetime, width: int) -> Iterator[str]:
    name = target.target
    for drifted in target.drifted:
        for line in _object_rows(drifted, now):
            yield f"{name.ljust(width)}{line}"
            name = ""
    for problem in target.unknown:
        yield f"{name.ljust(width)}could not be compared: {problem.text}"
        name = ""


def _object_rows(drifted: DriftedObject, now: datetime) -> Iterator[str]:
    """A line per field, and one of its author below; the remedy stands with the first author."""
    told = f"{str(drifted.remedy).ljust(_REMEDY_WIDTH)}{outcome_words(drifted)}".rstrip()
    name = object_name(drifted.key)
    if drifted.what is not Departed.CHANGED:
        yield f"{name}  {HAPPENED[drifted.what]}"
        name = " " * len(name)
    fields = told_fields(drifted)
    authors = [(who, list(group)) for who, group in groupby(fields, lambda field: who_words(field, drifted, now))]
    for who, group in authors or [("", [])]:
        for field in group:
            yield _field_row(name, field, drifted.what)
            name = " " * len(name)
        yield f"{(who or seen_words(drifted, now)).ljust(_WHO_WIDTH - 2)}  {told}".rstrip()
        told = ""


def _field_row(name: str, field: DriftedField, what: Departed) -> str:
    place = f"{name}  {short_pointer(field.pointer)}".ljust(_FIELD_WIDTH)
    if what is Departed.OWNERSHIP_LOST:
        return f"{place}   as in git: {value_text(field.live)}"
    return f"{place}   git {value_text(field.git)}   live {value_text(field.live)}"


def _hints(report: DriftReport) -> Iterator[str]:
    found = [(target.target, drifted) for target in drifting(report) for drifted in target.drifted]
    open_ = sorted(found, key=lambda each: each[1].remedy is Remedy.LEAVE)
    if adopt := next((command for each in open_ if (command := adopt_command(*each))), ""):
        yield f"To take a live value into git: `{adopt}` (edits the file that sets it)"
    if heal := next((command for each in _dearest(found) if (command := heal_command(*each))), ""):
        yield f"To put git back now: `{heal}` (shows the machines and asks; obeys budgets and windows)"


def _dearest(found: Sequence[tuple[str, DriftedObject]]) -> list[tuple[str, DriftedObject]]:
    """What nobody heals unasked first."""

    def price(each: tuple[str, DriftedObject]) -> tuple[Any, ...]:
        cost = each[1].cost
        return (-(cost.replaced + cost.removed), not each[1].unknown_cost)

    return sorted(found, key=price)
