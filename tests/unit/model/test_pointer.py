"""Text of JSON pointers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clusterops.model.pointer import escape, tokens_of


@given(st.lists(st.text(alphabet="a~/01", max_size=4)))
def test_whatever_a_field_is_called_its_pointer_leads_to_it(fields: list[str]) -> None:
    assert list(tokens_of("".join(f"/{escape(field)}" for field in fields))) == fields
