"""Shows maintenance windows beside the clocks of the world: for each window and moment open or held, and until when.

usage: python -m tests.shows.show_20_windows      (a second; from the project's root)

What must be stands in tests/shows/window_rows.py, by hand. Exit 1 where the program says otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from clusterops.model.windows import Window, Windows, parse_spans
from tests.shows.window_rows import GROUPS, Hours, Row


def windows_of(row: Row) -> Windows:
    return Windows(tuple(map(_window, row.hours)))


def _window(hours: Hours) -> Window:
    allow, deny = (parse_spans(text) if text else () for text in (hours.allow, hours.deny))
    return Window(targets="*", allow=allow, deny=deny, timezone=hours.zone)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(row: Row) -> tuple[str, bool, str]:
    """Local time, whether it is open, and the next opening, as the program has them."""
    now, windows = moment(row.utc), windows_of(row)
    opens = windows.next_opening(now)
    local = now.astimezone(ZoneInfo(row.hours[0].zone))
    return f"{local:%a %H:%M}", windows.open_at(now), f"{opens:%Y-%m-%dT%H:%M}" if opens is not None else ""


def wrong(row: Row) -> str:
    """How the program differs from what must be; "" where it does not."""
    must = (row.local, row.open, row.opens)
    return "" if told(row) == must else f"WRONG: the program says {told(row)}"


def _lines(rows: tuple[Row, ...]) -> Iterator[str]:
    for row in rows:
        hours = " + ".join(f"{each.text} {each.zone}" for each in row.hours)
        opens = row.opens.replace("T", " ") + "Z" if row.opens else "never"
        state = "open" if row.open else f"held, opens {opens}"
        yield f"  {hours:<62} {row.utc.replace('T', ' ')}Z  {row.local}  {state:<30} {wrong(row)}".rstrip()


def main() -> bool:
    for name, rows in GROUPS.items():
        print(f"{name}\n" + "\n".join(_lines(rows)))
    every = [row for rows in GROUPS.values() for row in rows]
    zones = {hours.zone for row in every for hours in row.hours}
    failed = sum(bool(wrong(row)) for row in every)
    print(f"\n{len(every)} rows, {len(zones)} zones: {failed or 'none'} other than worked out by hand")
    return not failed


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
