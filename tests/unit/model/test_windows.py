"""Maintenance windows on the clock of the wall, changes of clocks included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterops.model.windows import Window, Windows, parse_spans

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def window(allow: str = "", deny: str = "", zone: str = "UTC", targets: str = "*") -> Window:
    return Window(
        targets=targets,
        allow=parse_spans(allow) if allow else (),
        deny=parse_spans(deny) if deny else (),
        timezone=zone,
    )


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def is_open(text: str, *each: Window, zone: str = "UTC", fold: int = 0) -> bool:
    return Windows(each).open_at(at(text, zone, fold))


def test_days_and_hours_are_those_of_the_place() -> None:
    one = window("Mon-Thu 08:00-15:00", zone=BERLIN)
    assert is_open("2026-11-23T08:00", one, zone=BERLIN)
    assert not is_open("2026-11-23T07:59:59", one, zone=BERLIN)
    assert not is_open("2026-11-23T15:00", one, zone=BERLIN)
    assert not is_open("2026-11-27T08:00", one, zone=BERLIN)
    assert is_open("2026-11-23T07:30", one)


def test_several_days_and_times_stand_in_one_line() -> None:
    one = window("Mon, Wed 08:00-09:00, Fri-Sun 22:00-24:00")
    for text, expected in (
        ("2026-11-23T08:30", True),
        ("2026-11-24T08:30", False),
        ("2026-11-25T08:30", True),
        ("2026-11-28T23:59", True),
        ("2026-11-29T00:30", False),
    ):
        assert is_open(text, one) is expected


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    one = window("Fri 22:00-04:00")
    assert is_open("2026-11-28T03:59", one)
    assert not is_open("2026-11-27T03:59", one)


def test_days_may_go_over_the_end_of_the_week() -> None:
    assert is_open("2026-11-29T12:00", window("Sat-Mon 10:00-14:00"))
    assert not is_open("2026-11-24T12:00", window("Sat-Mon 10:00-14:00"))


@pytest.mark.parametrize(
    "text",
    ["", "Mon", "Mo 08:00-09:00", "08:00", "08:00-25:00", "08:61-09:00", "08:00-08:00", "Mon 8-9", ",", "24:00-01:00"],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_spans(text)


def test_any_that_allows_opens_and_any_that_denies_closes() -> None:
    morning, evening, lunch = window("08:00-12:00"), window("11:00-20:00"), window(deny="11:30-12:30")
    assert is_open("2026-11-23T08:30", morning, evening, lunch)
    assert not is_open("2026-11-23T11:45", morning, evening, lunch)
    assert is_open("2026-11-23T19:00", morning, evening, lunch)
    assert not is_open("2026-11-23T21:00", morning, evening, lunch)


def test_without_one_that_allows_all_time_is_allowed() -> None:
    assert is_open("2026-11-23T21:00")
    assert is_open("2026-11-23T21:00", window(deny="11:30-12:30"))


def test_targets_are_chosen_by_a_glob() -> None:
    every = (window("08:00-09:00", targets="*/payments"), window("10:00-11:00", targets="eu-*"))
    assert [len(Windows.of(name, every).each) for name in ("eu-west-1/payments", "us/payments", "us/web")] == [2, 1, 0]


def test_a_window_in_the_hour_that_clocks_skip_does_not_open_on_that_day() -> None:
    one = Windows((window("Sun 02:15-02:45", zone=BERLIN),))
    assert one.next_opening(at("2026-03-28T12:00")) == at("2026-04-05T02:15", BERLIN)


def test_a_window_that_begins_in_the_skipped_hour_opens_after_it() -> None:
    one = Windows((window("Sun 02:15-04:00", zone=BERLIN),))
    assert one.next_opening(at("2026-03-28T12:00")) == at("2026-03-29T03:00", BERLIN) == at("2026-03-29T01:00")


@pytest.mark.parametrize(("zone", "day"), [(BERLIN, "2026-10-25T02:30"), (NEW_YORK, "2026-11-01T01:30")])
def test_the_hour_that_is_there_twice_is_open_twice(zone: str, day: str) -> None:
    hour = day[11:13]
    one = window(f"Sun {hour}:00-{int(hour) + 1:02}:00", zone=zone)
    assert is_open(day, one, zone=zone, fold=0)
    assert is_open(day, one, zone=zone, fold=1)
    opens = Windows((one,)).next_opening(at(day, zone) - timedelta(days=1))
    assert opens == at(f"{day[:11]}{hour}:00", zone)


def test_what_is_denied_for_ever_never_opens() -> None:
    assert Windows((window("Mon 08:00-09:00", deny="00:00-24:00"),)).next_opening(at("2026-11-23T08:30")) is None


SPANS = st.builds(
    "{} {:02}:{:02}-{:02}:{:02}".format,
    st.sampled_from(["Sun", "Sat-Mon", "Mon-Fri", "Mon-Sun"]),
    *([st.integers(0, 4), st.sampled_from([0, 15, 30])] * 2),
).filter(lambda text: text[-11:-6] != text[-5:])
WINDOWS = st.builds(window, SPANS, st.one_of(st.just(""), SPANS), st.sampled_from([BERLIN, NEW_YORK, "UTC"]))
CHANGES = st.sampled_from(["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"])


@settings(deadline=None, max_examples=40)
@given(st.lists(WINDOWS, min_size=1, max_size=2), CHANGES, st.integers(-48 * 60, 24 * 60))
def test_the_next_opening_is_the_first_minute_that_is_open(each: list[Window], day: str, minute: int) -> None:
    """Minute by minute around the changes of clocks, on both sides of the ocean."""
    now, windows = at(f"{day}T00:00") + timedelta(minutes=minute), Windows(tuple(each))
    found = windows.next_opening(now)
    steps = (now + timedelta(minutes=step) for step in range(3 * 24 * 60))
    first = next((step for step in steps if windows.open_at(step)), None)
    assert found == first or (first is None and (found is None or found > now + timedelta(days=2)))
