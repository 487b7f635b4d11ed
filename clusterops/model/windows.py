"""Maintenance windows: days and hours of a week as a clock on the wall of some place shows them.

A window is open whenever that clock shows one of its times. So what lies in the hour that a change of clocks skips is
not open on that day, and what lies in the hour that is there twice is open both times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES: Final = 24 * 60
_HORIZON: Final = timedelta(days=15)
"""A week may miss a window over a change of clocks; two do not."""
_SOON: Final = timedelta(days=1)
"""Most windows open every day, and a day is looked through in a tenth of the time."""
_PART: Final = re.compile(
    r"(?:(?P<first>[A-Z][a-z]{2})(?:-(?P<last>[A-Z][a-z]{2}))?)?\s*(?:(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """``start`` to before ``end``, in minutes after midnight, on ``days`` (0 is Monday).

    One whose end is not after its start ends on the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    def holds(self, weekday: int, minute: float) -> bool:
        """Whether it covers that minute of that day."""
        if self.start < self.end:
            return weekday in self.days and self.start <= minute < self.end
        begun = weekday in self.days and minute >= self.start
        return begun or ((weekday - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """``targets`` is a glob of target names; ``timezone`` an IANA name. ``source`` is ``fleet.yaml:24``."""

    targets: str
    allow: tuple[Span, ...] = ()
    deny: tuple[Span, ...] = ()
    timezone: str = "UTC"
    source: str = ""

    def concerns(self, target: str) -> bool:
        return fnmatchcase(target, self.targets)

    def allows(self, at: datetime) -> bool:
        return _within(self.allow, at.astimezone(ZoneInfo(self.timezone)))

    def denies(self, at: datetime) -> bool:
        return _within(self.deny, at.astimezone(ZoneInfo(self.timezone)))


@dataclass(frozen=True, slots=True)
class Windows:
    """Those of one target. Any that allows opens, any that denies closes; where none allows, all time is allowed."""

    each: tuple[Window, ...] = ()

    @classmethod
    def of(cls, target: str, windows: Iterable[Window]) -> Windows:
        return cls(tuple(one for one in windows if one.concerns(target)))

    def open_at(self, now: datetime) -> bool:
        """``now`` is aware."""
        allowing = [one for one in self.each if one.allow]
        allowed = not allowing or any(one.allows(now) for one in allowing)
        return allowed and not any(one.denies(now) for one in self.each)

    def next_opening(self, now: datetime) -> datetime | None:
        """The first moment from ``now`` on at which it is open, in UTC; None where there is none within two weeks."""
        if self.open_at(now):
            return now.astimezone(UTC)
        return self._opening(now, _SOON) or self._opening(now, _HORIZON)

    def _opening(self, now: datetime, within: timedelta) -> datetime | None:
        edges = sorted({edge for one in self.each for edge in _edges(one, now, within)})
        return next((edge for edge in edges if now < edge <= now + within and self.open_at(edge)), None)


def is_time_zone(name: str) -> bool:
    """Whether this machine knows a time zone of that name."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return False
    return True


def parse_spans(text: str) -> tuple[Span, ...]:
    """``Mon-Thu 08:00-15:00, Sat, Sun 22:00-04:00``; without days every day. Raises ValueError."""
    spans: list[Span] = []
    days: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None or not part.strip():
            raise ValueError(f"{part.strip()!r} is no days and hours")
        days |= _days(found["first"], found["last"])
        if found["start"]:
            spans.append(_span(days, found["start"], found["end"]))
            days = set()
    if days or not spans:
        raise ValueError("days without hours")
    return tuple(spans)


def _days(first: str | None, last: str | None) -> set[int]:
    if first is None:
        return set()
    begin = _day(first)
    count = (_day(last) - begin) % 7 if last else 0
    return {(begin + step) % 7 for step in range(count + 1)}


def _day(name: str) -> int:
    if name not in DAYS:
        raise ValueError(f"{name!r} is none of {', '.join(DAYS)}")
    return DAYS.index(name)


def _span(days: set[int], start: str, end: str) -> Span:
    begin, finish = _minute(start), _minute(end)
    if begin in {finish, _DAY_MINUTES}:
        raise ValueError(f"{start}-{end} is no time: a whole day is 00:00-24:00")
    return Span(days=frozenset(days or range(7)), start=begin, end=finish)


def _minute(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if minutes > 59 or hours * 60 + minutes > _DAY_MINUTES:
        raise ValueError(f"{text} is no time of day")
    return hours * 60 + minutes


def _within(spans: Sequence[Span], local: datetime) -> bool:
    minute = local.hour * 60 + local.minute + local.second / 60
    return any(span.holds(local.weekday(), minute) for span in spans)


def _edges(window: Window, now: datetime, within: timedelta) -> Iterator[datetime]:
    """Moments at which a window may open or close within that time; more than there are, never fewer."""
    zone, here = ZoneInfo(window.timezone), now.astimezone(ZoneInfo(window.timezone))
    midnights = [
        datetime.combine(here.date() + timedelta(days=day), time(), zone) for day in range(-1, within.days + 2)
    ]
    minutes = {minute % _DAY_MINUTES for span in (*window.allow, *window.deny) for minute in (span.start, span.end)}
    for midnight in midnights:
        walls = (midnight.replace(hour=minute // 60, minute=minute % 60) for minute in minutes)
        yield from (wall.replace(fold=fold).astimezone(UTC) for wall in walls for fold in (0, 1))
        yield from _change_of_clocks(midnight.astimezone(UTC), zone)


def _change_of_clocks(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The moment within a day (and two hours) from which the clock of a place is another one."""
    end = start + timedelta(hours=26)
    before = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return
    while end - start > timedelta(minutes=1):
        middle = start + (end - start) / 2
        middle = middle.replace(second=0, microsecond=0)
        if middle <= start:
            middle = start + timedelta(minutes=1)
        start, end = (middle, end) if middle.astimezone(zone).utcoffset() == before else (start, middle)
    yield end
