"""The last 30 days of a fleet's drift as inline SVG: drifted objects per day, stacked by who did it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Final

from clusterops.drift.report_page import Html, element
from clusterops.drift.report_words import AUTHORS
from clusterops.model.drift import HISTORY, Author, DriftReport, TargetDrift

DAYS: Final = 30
_WIDTH, _HEIGHT = 900, 190
_LEFT, _TOP, _BOTTOM = 34, 12, 24
_LABEL_EVERY: Final = 5

Days = Mapping[date, Mapping[Author, int]]


def daily(report: DriftReport) -> Days:
    """The last DAYS days in UTC, oldest first; each object once a day, with the last author of that day."""
    today = report.taken_at.astimezone(UTC).date()
    days = [today - timedelta(days=DAYS - 1 - each) for each in range(DAYS)]
    seen = {
        (record.at.astimezone(UTC).date(), target.target, record.object): record.author
        for target in report.targets
        for record in target.history
        if record.object is not None
    }
    found: dict[date, dict[Author, int]] = {day: {} for day in days}
    for (day, _, _), author in seen.items():
        if day in found:
            found[day][author] = found[day].get(author, 0) + 1
    return found


def reach(report: DriftReport) -> tuple[str, ...]:
    """What the figure cannot know, in sentences: records begin late, or a target keeps only its last ones."""
    start = report.taken_at - timedelta(days=DAYS)
    oldest = min((record.at for target in report.targets for record in target.history), default=None)
    if oldest is None:
        return ("No drift is on record.",)
    late = (f"The oldest record is of {day_text(oldest.date())}.",) if oldest > start else ()
    cut = [target for target in report.targets if _is_cut(target, start)]
    if not cut:
        return late
    since = max(target.history[0].at for target in cut).date()
    who = cut[0].target if len(cut) == 1 else f"{len(cut)} clusters"
    keeps = f"keep{'s' * (len(cut) == 1)} only the last {HISTORY} changes"
    return (*late, f"{who} {keeps}: before {day_text(since)} some of theirs are not counted.")


def day_text(day: date) -> str:
    """``21 Nov``"""
    return f"{day.day} {day:%b}"


def chart(days: Days) -> Html:
    """Bars with the figures as tooltips; ``chart_rows`` has them for paper."""
    top = _round_up(max(sum(counts.values()) for counts in days.values()))
    step = (_WIDTH - _LEFT) / len(days)
    bars = [bar for place, (day, counts) in enumerate(days.items()) for bar in _bars(day, counts, place, step, top)]
    labels = [_label(day, place, step) for place, day in enumerate(days) if place % _LABEL_EVERY == 0]
    lines = [line for count in (0, top // 2, top) for line in _line(count, top)]
    name = f"Drifted objects per day from {day_text(min(days))} to {day_text(max(days))}"
    return element("svg", *lines, *bars, *labels, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=name)


def legend(days: Days) -> Html:
    sums = {author: sum(counts.get(author, 0) for counts in days.values()) for author in AUTHORS}
    items = [
        element("li", element("i", class_=str(author)), f"{AUTHORS[author]} {count}")
        for author, count in sums.items()
        if count
    ]
    return element("ul", *items, class_="legend")


def chart_rows(days: Days) -> Iterator[Html]:
    """The same in figures, days with drift only."""
    for day, counts in days.items():
        if counts:
            cells = (str(counts.get(author, "")) for author in AUTHORS)
            yield element("tr", element("td", day_text(day), class_="whole"), *(element("td", cell) for cell in cells))


def _bars(day: date, counts: Mapping[Author, int], place: int, step: float, top: int) -> Iterable[Html]:
    foot = float(_HEIGHT - _BOTTOM)
    for author in AUTHORS:
        count = counts.get(author, 0)
        if count:
            height = count * (_HEIGHT - _TOP - _BOTTOM) / top
            foot -= height
            told = element("title", f"{day_text(day)}: {AUTHORS[author]} {count}")
            left = f"{_LEFT + place * step + 2:.1f}"
            place_of = {"x": left, "y": f"{foot:.1f}", "width": f"{step - 4:.1f}", "height": f"{height:.1f}"}
            yield element("rect", told, class_=str(author), **place_of)


def _label(day: date, place: int, step: float) -> Html:
    return element("text", day_text(day), x=f"{_LEFT + (place + 0.5) * step:.1f}", y=_HEIGHT - 8, text_anchor="middle")


def _line(count: int, top: int) -> Iterable[Html]:
    at = f"{_HEIGHT - _BOTTOM - count * (_HEIGHT - _TOP - _BOTTOM) / top:.1f}"
    yield element("line", x1=_LEFT, x2=_WIDTH, y1=at, y2=at, stroke="#d5d9e0")
    yield element("text", str(count), x=_LEFT - 6, y=float(at) + 4, text_anchor="end")  # type: ignore[arg-type]


def _round_up(count: int) -> int:
    """Even, so that its half is whole."""
    return max(2, 2 * ceil(count / 2))


def _is_cut(target: TargetDrift, start: datetime) -> bool:
    return len(target.history) >= HISTORY and target.history[0].at > start
