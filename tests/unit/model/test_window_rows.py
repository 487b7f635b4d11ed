"""Windows beside the clocks of the world, as `python -m tests.shows.show_20_windows` shows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.shows.show_20_windows import wrong
from tests.shows.window_rows import GROUPS, Row


@pytest.mark.parametrize("rows", GROUPS.values(), ids=GROUPS.keys())
def test_windows_open_and_close_as_worked_out_by_hand(rows: tuple[Row, ...]) -> None:
    assert [(row, found) for row in rows if (found := wrong(row))] == []


def test_the_table_would_tell_a_difference() -> None:
    row = GROUPS["autumn fold"][0]
    others = (replace(row, open=not row.open), replace(row, opens="2026-10-25T01:00"), replace(row, local="Sun 02:59"))
    assert all(map(wrong, others))
