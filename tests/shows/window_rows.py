"""Windows, moments and what must hold then, worked out by hand from the rules that the zones publish; no code of ours.

Rules of 2026 (tz database): Berlin changes on 29 March and 25 October at 01:00Z, London at the same moments; New York
on 8 March 07:00Z and 1 November 06:00Z; St. John's 8 March 05:30Z; Sydney 4 April 16:00Z and 3 October 16:00Z; Lord
Howe, by half an hour, 4 April 15:00Z and 3 October 15:30Z; Chatham 4 April 14:00Z; Auckland 26 September 14:00Z;
Santiago, at midnight, 5 April 03:00Z and 6 September 04:00Z; Casablanca, for Ramadan, 15 February 02:00Z. Kolkata
(+05:30), Kathmandu (+05:45), Kiritimati (+14) and Pago Pago (-11) never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BERLIN: Final = "Europe/Berlin"
NEW_YORK: Final = "America/New_York"
SYDNEY: Final = "Australia/Sydney"
LORD_HOWE: Final = "Australia/Lord_Howe"
SANTIAGO: Final = "America/Santiago"
NEVER: Final = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """One window of fleet.yaml."""

    zone: str
    allow: str = ""
    deny: str = ""

    @property
    def text(self) -> str:
        return " ".join(f"{word} {hours}" for word, hours in (("allow", self.allow), ("deny", self.deny)) if hours)


@dataclass(frozen=True, slots=True)
class Row:
    """At ``utc``, when the clock there shows ``local`` (of the first window's zone). ``opens`` "" is never, else UTC.

    An open one opens now.
    """

    hours: tuple[Hours, ...]
    utc: str
    local: str
    open: bool
    opens: str = NEVER


def _of(*hours: Hours, rows: tuple[tuple[str, str, str | None], ...]) -> tuple[Row, ...]:
    """Each row: UTC, local, and the next opening, None where it is open."""
    return tuple(Row(hours, utc, local, opens is None, utc if opens is None else opens) for utc, local, opens in rows)


GROUPS: Final[dict[str, tuple[Row, ...]]] = {
    "spring gap": (
        *_of(
            Hours(BERLIN, "Sun 02:00-04:00"),
            rows=(
                ("2026-03-29T00:59", "Sun 01:59", "2026-03-29T01:00"),
                ("2026-03-29T01:00", "Sun 03:00", None),
                ("2026-03-29T01:59", "Sun 03:59", None),
                ("2026-03-29T02:00", "Sun 04:00", "2026-04-05T00:00"),
            ),
        ),
        *_of(Hours(BERLIN, "Sun 02:15-02:45"), rows=(("2026-03-28T12:00", "Sat 13:00", "2026-04-05T00:15"),)),
        *_of(Hours(NEW_YORK, "Sun 02:00-03:00"), rows=(("2026-03-08T06:30", "Sun 01:30", "2026-03-15T06:00"),)),
        *_of(Hours("Europe/London", "01:30-02:30"), rows=(("2026-03-29T00:59", "Sun 00:59", "2026-03-29T01:00"),)),
        *_of(
            Hours(BERLIN, deny="Sun 02:00-03:00"),
            rows=(("2026-03-29T00:59", "Sun 01:59", None), ("2026-03-29T01:00", "Sun 03:00", None)),
        ),
    ),
    "autumn fold": (
        *_of(
            Hours(BERLIN, "Sun 02:00-03:00"),
            rows=(
                ("2026-10-24T23:59", "Sun 01:59", "2026-10-25T00:00"),
                ("2026-10-25T00:00", "Sun 02:00", None),
                ("2026-10-25T00:59", "Sun 02:59", None),
                ("2026-10-25T01:00", "Sun 02:00", None),
                ("2026-10-25T01:59", "Sun 02:59", None),
                ("2026-10-25T02:00", "Sun 03:00", "2026-11-01T01:00"),
            ),
        ),
        *_of(Hours(BERLIN, deny="Sun 02:00-03:00"), rows=(("2026-10-25T00:30", "Sun 02:30", "2026-10-25T02:00"),)),
        *_of(
            Hours(NEW_YORK, "Sun 00:30-01:30"),
            rows=(
                ("2026-11-01T05:29", "Sun 01:29", None),
                ("2026-11-01T05:30", "Sun 01:30", "2026-11-01T06:00"),
                ("2026-11-01T06:29", "Sun 01:29", None),
                ("2026-11-01T06:30", "Sun 01:30", "2026-11-08T05:30"),
            ),
        ),
        *_of(
            Hours("Africa/Casablanca", "Sun 02:00-03:00"),
            rows=(
                ("2026-02-15T01:30", "Sun 02:30", None),
                ("2026-02-15T02:30", "Sun 02:30", None),
                ("2026-02-15T03:00", "Sun 03:00", "2026-02-22T02:00"),
            ),
        ),
    ),
    "half-hour zones": (
        *_of(
            Hours("Asia/Kolkata", "Mon-Fri 09:00-17:00"),
            rows=(
                ("2026-11-23T03:29", "Mon 08:59", "2026-11-23T03:30"),
                ("2026-11-23T11:29", "Mon 16:59", None),
                ("2026-11-23T11:30", "Mon 17:00", "2026-11-24T03:30"),
            ),
        ),
        *_of(Hours("Asia/Kathmandu", "Tue 00:00-01:00"), rows=(("2026-11-23T18:14", "Mon 23:59", "2026-11-23T18:15"),)),
        *_of(
            Hours("America/St_Johns", "Sun 02:30-03:30"),
            rows=(
                ("2026-03-08T05:29", "Sun 01:59", "2026-03-08T05:30"),
                ("2026-03-08T05:59", "Sun 03:29", None),
                ("2026-03-08T06:00", "Sun 03:30", "2026-03-15T05:00"),
            ),
        ),
        *_of(Hours(LORD_HOWE, "Sun 02:00-02:30"), rows=(("2026-10-03T15:29", "Sun 01:59", "2026-10-10T15:00"),)),
        *_of(
            Hours(LORD_HOWE, "Sun 01:30-02:00"),
            rows=(
                ("2026-04-04T14:30", "Sun 01:30", None),
                ("2026-04-04T15:00", "Sun 01:30", None),
                ("2026-04-04T15:29", "Sun 01:59", None),
                ("2026-04-04T15:30", "Sun 02:00", "2026-04-11T15:00"),
            ),
        ),
        *_of(
            Hours("Pacific/Chatham", "Sun 03:00-03:30"),
            rows=(
                ("2026-04-04T13:15", "Sun 03:00", None),
                ("2026-04-04T13:45", "Sun 03:30", "2026-04-04T14:15"),
                ("2026-04-04T14:44", "Sun 03:29", None),
            ),
        ),
    ),
    "southern hemisphere": (
        *_of(
            Hours(SYDNEY, "Sun 01:00-05:00"),
            rows=(
                ("2026-10-03T15:59", "Sun 01:59", None),
                ("2026-10-03T16:00", "Sun 03:00", None),
                ("2026-10-03T18:00", "Sun 05:00", "2026-10-10T14:00"),
            ),
        ),
        *_of(
            Hours(SYDNEY, "Sun 02:00-03:00"),
            rows=(
                ("2026-04-04T15:30", "Sun 02:30", None),
                ("2026-04-04T16:30", "Sun 02:30", None),
                ("2026-04-04T17:00", "Sun 03:00", "2026-04-11T16:00"),
            ),
        ),
        *_of(
            Hours("Pacific/Auckland", "Sun 02:10-02:50"), rows=(("2026-09-26T13:00", "Sun 01:00", "2026-10-03T13:10"),)
        ),
        *_of(
            Hours(SANTIAGO, "Sun 00:00-02:00"),
            rows=(
                ("2026-09-06T03:59", "Sat 23:59", "2026-09-06T04:00"),
                ("2026-09-06T04:59", "Sun 01:59", None),
                ("2026-09-06T05:00", "Sun 02:00", "2026-09-13T03:00"),
            ),
        ),
        *_of(
            Hours(SANTIAGO, "Sat 23:00-24:00"),
            rows=(
                ("2026-04-05T02:30", "Sat 23:30", None),
                ("2026-04-05T03:30", "Sat 23:30", None),
                ("2026-04-05T04:00", "Sun 00:00", "2026-04-12T03:00"),
            ),
        ),
    ),
    "date line": (
        *_of(
            Hours("Pacific/Kiritimati", "Mon 08:00-12:00"),
            rows=(
                ("2026-11-22T17:59", "Mon 07:59", "2026-11-22T18:00"),
                ("2026-11-22T18:00", "Mon 08:00", None),
                ("2026-11-22T22:00", "Mon 12:00", "2026-11-29T18:00"),
            ),
        ),
        *_of(
            Hours("Pacific/Pago_Pago", "Sun 20:00-24:00"),
            rows=(
                ("2026-11-23T06:59", "Sun 19:59", "2026-11-23T07:00"),
                ("2026-11-23T10:59", "Sun 23:59", None),
                ("2026-11-23T11:00", "Mon 00:00", "2026-11-30T07:00"),
            ),
        ),
    ),
    "over midnight": (
        *_of(
            Hours(BERLIN, "Fri 22:00-04:00"),
            rows=(
                ("2026-11-27T02:00", "Fri 03:00", "2026-11-27T21:00"),
                ("2026-11-28T02:59", "Sat 03:59", None),
                ("2026-11-28T03:00", "Sat 04:00", "2026-12-04T21:00"),
            ),
        ),
        *_of(Hours(BERLIN, "Sun 22:00-04:00"), rows=(("2026-11-30T02:00", "Mon 03:00", None),)),
        *_of(
            Hours(BERLIN, "Sat 23:00-03:00"),
            rows=(
                ("2026-10-25T01:30", "Sun 02:30", None),
                ("2026-10-25T02:00", "Sun 03:00", "2026-10-31T22:00"),
            ),
        ),
        *_of(
            Hours(BERLIN, "Sat 23:00-02:30"),
            rows=(
                ("2026-03-29T00:59", "Sun 01:59", None),
                ("2026-03-29T01:00", "Sun 03:00", "2026-04-04T21:00"),
            ),
        ),
        *_of(
            Hours(BERLIN, "Sat 23:00-02:30"),
            rows=(
                ("2026-10-25T00:29", "Sun 02:29", None),
                ("2026-10-25T00:30", "Sun 02:30", "2026-10-25T01:00"),
                ("2026-10-25T01:29", "Sun 02:29", None),
                ("2026-10-25T01:30", "Sun 02:30", "2026-10-31T22:00"),
            ),
        ),
        *_of(
            Hours(SANTIAGO, "Sat 23:00-01:00"),
            rows=(
                ("2026-09-06T03:30", "Sat 23:30", None),
                ("2026-09-06T04:00", "Sun 01:00", "2026-09-13T02:00"),
            ),
        ),
    ),
    "allow and deny": (
        *_of(
            Hours(BERLIN, "Mon-Fri 08:00-18:00", deny="12:00-13:00"),
            rows=(
                ("2026-11-23T10:59", "Mon 11:59", None),
                ("2026-11-23T11:30", "Mon 12:30", "2026-11-23T12:00"),
            ),
        ),
        *_of(
            Hours(BERLIN, "Mon-Fri 08:00-18:00", deny="Fri 00:00-24:00"),
            rows=(("2026-11-27T09:00", "Fri 10:00", "2026-11-30T07:00"),),
        ),
        *_of(
            Hours(BERLIN, "09:00-17:00"),
            Hours(NEW_YORK, deny="08:00-12:00"),
            rows=(
                ("2026-11-23T13:30", "Mon 14:30", "2026-11-24T08:00"),
                ("2026-03-09T11:59", "Mon 12:59", None),
                ("2026-03-09T12:00", "Mon 13:00", "2026-03-10T08:00"),
            ),
        ),
        *_of(
            Hours("UTC", "08:00-12:00"),
            Hours("UTC", "11:00-20:00"),
            rows=(("2026-11-23T12:00", "Mon 12:00", None), ("2026-11-23T20:00", "Mon 20:00", "2026-11-24T08:00")),
        ),
        *_of(
            Hours("UTC", "Mon 08:00-09:00", deny="00:00-24:00"),
            rows=(("2026-11-23T08:30", "Mon 08:30", NEVER),),
        ),
    ),
    "24:00": (
        *_of(
            Hours("UTC", "Sat 22:00-24:00"),
            rows=(
                ("2026-11-28T23:59", "Sat 23:59", None),
                ("2026-11-29T00:00", "Sun 00:00", "2026-12-05T22:00"),
            ),
        ),
        *_of(
            Hours(BERLIN, "00:00-24:00"),
            rows=(("2026-10-25T00:30", "Sun 02:30", None), ("2026-03-29T01:00", "Sun 03:00", None)),
        ),
    ),
    "week ends": (
        *_of(
            Hours(BERLIN, "Sat-Sun 00:00-24:00"),
            rows=(
                ("2026-11-27T22:59", "Fri 23:59", "2026-11-27T23:00"),
                ("2026-11-28T23:00", "Sun 00:00", None),
                ("2026-11-29T22:59", "Sun 23:59", None),
                ("2026-11-29T23:00", "Mon 00:00", "2026-12-04T23:00"),
                ("2026-03-29T21:59", "Sun 23:59", None),
                ("2026-03-29T22:00", "Mon 00:00", "2026-04-03T22:00"),
            ),
        ),
        *_of(
            Hours(NEW_YORK, deny="Fri 12:00-24:00, Sat-Sun 00:00-24:00"),
            rows=(
                ("2026-11-27T16:59", "Fri 11:59", None),
                ("2026-11-27T17:00", "Fri 12:00", "2026-11-30T05:00"),
                ("2026-10-31T12:00", "Sat 08:00", "2026-11-02T05:00"),
            ),
        ),
        *_of(Hours("UTC", "Sat-Mon 10:00-14:00"), rows=(("2026-11-24T10:00", "Tue 10:00", "2026-11-28T10:00"),)),
    ),
}
"""By what they show."""
