"""A comment as parts that a forge takes: the first has what counts, folds go on in the next ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from clusterops.plan.comment.markdown import fence_for

MOST_PARTS: Final = 10
_ALL: Final = 1_000_000_000
_TRIES: Final = (
    (_ALL, _ALL),
    *((lines, _ALL) for lines in (2_000, 500, 200, 50, 20, 8, 3, 0)),
    *((0, items) for items in (50, 10, 0)),
)
"""Lines that an object keeps, and objects that a fold keeps, from try to try, until the comment holds them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a fold holds of one object: a line for it, and lines that may be cut and counted in their place."""

    line: str
    lines: tuple[str, ...] = ()

    def kept(self, most: int) -> tuple[str, ...]:
        if len(self.lines) <= most:
            return (self.line, *self.lines)
        return (self.line, *self.lines[:most], f"  … {len(self.lines) - most} more lines of this object")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """``summary`` is HTML. ``language`` "" holds Markdown, else a code block in that language."""

    summary: str
    items: tuple[Item, ...]
    language: str = "diff"

    def lines(self, most_lines: int, most_items: int) -> tuple[str, ...]:
        kept = tuple(line for item in self.items[:most_items] for line in item.kept(most_lines))
        more = len(self.items) - most_items
        return (*kept, f"  … {more} more objects") if more > 0 else kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every part has: ``marker`` of its number, ``title`` of its number and their count, and the last line."""

    marker: Callable[[int], str]
    title: Callable[[int, int], str]
    last: str

    def room(self, limit: int, number: int) -> int:
        """Characters that are left of a part."""
        title = self.title(MOST_PARTS, MOST_PARTS) if number > 1 else ""
        return limit - sum(len(line) + 2 for line in (self.marker(MOST_PARTS), title, self.last))

    def around(self, number: int, count: int, lines: Iterable[str]) -> str:
        title = (self.title(number, count),) if number > 1 else ()
        return "\n".join((self.marker(number), *title, *lines, "", self.last))


@dataclass(slots=True)
class _Part:
    room: int
    lines: list[str] = field(default_factory=list)
    fresh: bool = True
    """Nothing can be won by going on in the next one."""

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.lines.append(line)
            self.room -= len(line) + 1


def split(
    head: Sequence[str], folds: Sequence[Fold], foot: Sequence[str], *, frame: Frame, limit: int
) -> tuple[str, ...]:
    """At most ``MOST_PARTS`` of at most ``limit`` characters each.

    ``head`` and ``foot`` stand in the first. Where folds do not all find room, the fields of the largest objects are
    cut first, then objects, at last all of them; each time it says how many. O(characters).
    """
    for most_lines, most_items in _TRIES:
        told = [(fold, fold.lines(most_lines, most_items)) for fold in folds]
        parts = _packed(head, told, foot, frame=frame, limit=limit)
        if len(parts) <= MOST_PARTS:
            break
    else:
        said = f"The details of {len(folds)} clusters have no room here: `clusterops plan` prints them."
        parts = _packed((*head, "", said), (), foot, frame=frame, limit=limit)
    return tuple(frame.around(number, len(parts), part.lines) for number, part in enumerate(parts, start=1))


def _packed(
    head: Sequence[str], folds: Iterable[tuple[Fold, Sequence[str]]], foot: Sequence[str], *, frame: Frame, limit: int
) -> list[_Part]:
    room = frame.room(limit, 1)
    feet = ("", *foot)
    parts = [_first(head, room - _size(feet))] if _size(feet) < room else [_first(head, room)]
    first, has_foot = parts[0], _size(feet) < room
    for fold, lines in folds:
        _place(fold, lines, parts, frame=frame, limit=limit)
        if len(parts) > MOST_PARTS:
            break
    first.add(feet if has_foot else ())
    return parts


def _first(head: Sequence[str], room: int) -> _Part:
    """With all of the head, unless a forge takes less than that: then it says how much is missing."""
    part = _Part(room=room, fresh=False)
    if _size(head) <= room:
        part.add(head)
        return part
    kept = len(head)
    while kept and _size(_closed(head[:kept], len(head) - kept)) > room:
        kept -= 1
    part.add(_closed(head[:kept], len(head) - kept))
    return part


def _closed(lines: Sequence[str], missing: int) -> tuple[str, ...]:
    """With how many are missing, outside of a code block that they leave open."""
    is_open = sum(line.startswith("```") for line in lines) % 2
    said = f"… {missing} more lines have no room here: `clusterops plan` prints them."
    return (*lines, *(["```"] if is_open else []), "", said)


def _place(fold: Fold, lines: Sequence[str], parts: list[_Part], *, frame: Frame, limit: int) -> None:
    """A fold that does not fit is closed and opened again in the next part."""
    left, continued, fence = lines, False, fence_for(lines)
    while left and len(parts) <= MOST_PARTS:
        part, (before, after) = parts[-1], _wrapping(fold, fence, continued=continued)
        room = part.room - _size((*before, *after))
        count = _fitting(left, room)
        if count == 0 and not part.fresh:
            parts.append(_Part(room=frame.room(limit, len(parts) + 1)))
            continue
        taken = left[:count] or (f"{left[0][: max(0, room - 2)]}…",)
        part.add((*before, *taken, *after))
        part.fresh = False
        left, continued = left[len(taken) :], True


def _wrapping(fold: Fold, fence: str, *, continued: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    opened = f"<details><summary>{fold.summary}{' (continued)' if continued else ''}</summary>"
    if not fold.language:
        return ("", opened, ""), ("", "</details>")
    return ("", opened, "", f"{fence}{fold.language}"), (fence, "</details>")


def _fitting(lines: Sequence[str], room: int) -> int:
    for count, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return count
    return len(lines)


def _size(lines: Iterable[str]) -> int:
    return sum(len(line) + 1 for line in lines)
