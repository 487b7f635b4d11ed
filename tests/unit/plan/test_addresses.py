"""The range that a new cluster takes."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.plan.addresses import next_free, overlapping


@pytest.mark.parametrize(
    ("within", "taken", "expected"),
    [
        ("10.64.0.0/14", [], "10.64.0.0/24"),
        ("10.64.0.0/14", ["10.64.7.0/24"], "10.64.8.0/24"),
        ("10.64.0.0/14", ["10.64.0.0/24", "10.64.7.0/25"], "10.64.8.0/24"),
        ("10.64.0.0/22", ["10.64.3.0/24"], "10.64.0.0/24"),
        ("10.64.0.0/22", ["10.64.0.0/24", "10.64.2.0/23"], "10.64.1.0/24"),
        ("10.64.0.0/22", ["10.64.0.0/16"], None),
        ("10.64.0.0/25", [], "10.64.0.0/25"),
        ("10.64.0.0/25", ["10.64.0.0/28"], None),
        ("10.64.0.0/22", ["10.80.0.0/24", "fd00::/64"], "10.64.0.0/24"),
        ("fd00::/48", ["fd00::/64"], "fd00:0:0:1::/64"),
        ("0.0.0.0/0", ["255.255.255.0/24"], "0.0.0.0/24"),
    ],
)
def test_it_is_the_one_behind_the_last_and_then_the_first_gap(
    within: str, taken: list[str], expected: str | None
) -> None:
    found = next_free(ip_network(within), map(ip_network, taken))
    assert found == (ip_network(expected) if expected else None)


@given(st.lists(st.tuples(st.integers(0, 2**10 - 1), st.integers(22, 28)), max_size=12))
def test_it_never_overlaps_and_is_only_refused_where_nothing_is_left(spans: list[tuple[int, int]]) -> None:
    within = IPv4Network("10.64.0.0/22")
    taken = [IPv4Network((int(within.network_address) + at, length), strict=False) for at, length in spans]
    found = next_free(within, taken)
    free = [each for each in within.subnets(new_prefix=24) if overlapping(each, taken) is None]
    assert (found in free) if free else found is None
