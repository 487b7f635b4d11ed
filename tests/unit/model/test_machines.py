"""Counting machines: replaced, added and removed are three different things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.model.machines import MachineCounts, MachineTally

UIDS = st.frozensets(st.sampled_from("abcdefgh"))


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        ("abc", "abc", ""),
        ("abc", "abd", "1 machine replaced"),
        ("abc", "defgh", "3 machines replaced, 2 added"),
        ("abc", "d", "1 machine replaced, 2 removed"),
        ("", "ab", "2 machines added"),
        ("ab", "", "2 machines removed"),
    ],
)
def test_what_happened_in_words(before: str, now: str, text: str) -> None:
    assert MachineCounts.between(frozenset(before), frozenset(now)).text == text


def test_progress_never_claims_more_than_was_predicted() -> None:
    predicted = MachineCounts(replaced=12, added=2)
    assert predicted.progress_text(MachineCounts(replaced=4)) == "4 of 12 machines replaced, 0 of 2 added"
    assert predicted.progress_text(MachineCounts(replaced=14, removed=1)) == "12 of 12 machines replaced, 0 of 2 added"
    assert MachineCounts().progress_text(MachineCounts(replaced=4)) == ""


@given(UIDS, UIDS)
def test_counts_explain_the_difference_in_size(before: frozenset[str], now: frozenset[str]) -> None:
    counts = MachineCounts.between(before, now)
    assert len(now) - len(before) == counts.added - counts.removed
    assert counts.replaced + counts.removed == len(before - now)


@given(UIDS, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_tally_survives_being_stored(before: frozenset[str], replaced: int, added: int, removed: int) -> None:
    tally = MachineTally(predicted=MachineCounts(replaced=replaced, added=added, removed=removed), before=before)
    assert MachineTally.from_body(tally.to_body()) == tally
    assert tally.so_far == MachineCounts()
