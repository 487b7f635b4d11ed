"""The pure parts of finding a value by changing it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.render.search import changed_values, field_at, leaves_of, sentinels
from clusterops.render.values.layers import merge, value_at

VALUES = st.recursive(
    st.booleans() | st.integers(0, 9) | st.sampled_from(["a", "v1.2", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3))
def test_changing_one_leaf_over_the_values_changes_that_leaf_alone(values: dict[str, Any]) -> None:
    for leaf in leaves_of(values, ()):
        if isinstance(value_at(values, leaf), dict | list):
            continue
        other = sentinels(value_at(values, leaf), values)[0]
        after = merge(values, changed_values({leaf: other}, values))
        assert value_at(after, leaf) == other
        for still in leaves_of(values, ()):
            assert still == leaf or value_at(after, still) == value_at(values, still)


@pytest.mark.parametrize(
    ("value", "first"),
    [
        (True, False),
        (3, 4),
        ("v1.34.1", "v1.34.2"),
        ("10.244.0.0/16", "10.244.0.0/17"),
        ("40%", "41%"),
        ("10m", "11m"),
        ("text", "textx"),
        (None, "clusterops"),
    ],
)
def test_a_sentinel_is_another_value_of_the_same_kind(value: Any, first: Any) -> None:
    assert sentinels(value, {})[0] == first


def test_where_a_value_names_one_of_several_the_sentinel_names_another() -> None:
    assert sentinels("medium", {"sizes": {"small": 1, "medium": 2}})[0] == "small"


def test_a_field_is_found_by_its_json_pointer() -> None:
    body = {"a": {"x/y": [{"m~n": 1}]}}
    assert field_at(body, "/a/x~1y/0/m~0n") == 1
    for pointer in ("/b", "/a/x~1y/1", "/a/x~1y/0/m~0n/deeper"):
        with pytest.raises(KeyError):
            field_at(body, pointer)
