"""What is remembered of an object as it was last applied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.model.inventory import Entry, EntryState, Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action
from clusterops.model.report import ApplyReport, ApplyRow, Result
from clusterops.model.sketch import Sketch

PATHS = st.lists(st.text(min_size=1), min_size=1).map(tuple)
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
KEY = ObjectKey(group="", kind="ConfigMap", namespace="north", name="notes")
SKETCH = Sketch.of([(("f:data", "f:text"), "hello")])


@given(st.dictionaries(PATHS, VALUES), st.booleans())
def test_a_sketch_survives_being_stored(leaves: dict[tuple[str, ...], object], secret: bool) -> None:
    sketch = Sketch.of(leaves.items(), secret=secret)
    assert Sketch.parse(str(sketch)) == sketch
    assert all(sketch.says(path, value) for path, value in leaves.items())


def test_a_sketch_tells_a_changed_value_and_an_unknown_field() -> None:
    assert SKETCH.knows(("f:data", "f:text"))
    assert not SKETCH.says(("f:data", "f:text"), "bye")
    assert not SKETCH.knows(("f:data", "f:more"))


def test_nothing_of_a_secrets_values_is_kept() -> None:
    ours, theirs = (Sketch.of([(("f:data", "f:token"), value)], secret=True) for value in ("one", "two"))
    assert str(ours) == str(theirs)
    assert ours.says(("f:data", "f:token"), "anything")


@pytest.mark.parametrize("text", ["", "fields", "values:AAAA", "fields:AAAA", "fields:%%"])
def test_what_is_no_sketch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Sketch.parse(text)


def test_an_inventory_of_an_older_release_is_read_and_remembers_nothing() -> None:
    body = {"format": 1, "entries": [{"key": str(KEY), "version": "v1", "uid": "u", "state": "applied"}]}
    assert Inventory.from_body("north/alpha", body).entries[KEY].applied is None


def test_an_inventory_keeps_sketches_through_storage() -> None:
    entry = Entry(key=KEY, api_version="v1", uid="u", state=EntryState.APPLIED, applied=SKETCH)
    stored = Inventory(owner="north/alpha", entries={KEY: entry}).to_body()
    assert Inventory.from_body("north/alpha", stored).entries[KEY].applied == SKETCH


@pytest.mark.parametrize(
    ("result", "uid", "remembered"),
    [
        (Result.APPLIED, "u", "new"),
        (Result.SKIPPED, "u", "new"),
        (Result.FAILED, "u", "old"),
        (Result.CANCELLED, "u", "old"),
        (Result.FAILED, "another", None),
    ],
)
def test_only_what_was_applied_or_found_so_is_remembered(result: Result, uid: str, remembered: str | None) -> None:
    sketches = {name: Sketch.of([(("f:data",), name)]) for name in ("old", "new")}
    known = Entry(key=KEY, api_version="v1", uid="u", state=EntryState.APPLIED, applied=sketches["old"])
    row = ApplyRow(key=KEY, action=Action.UPDATE, result=result, api_version="v1", uid=uid, applied=sketches["new"])
    before = empty_inventory("north/alpha").widened([known], revision="c1")
    entry = before.narrowed(ApplyReport(rows=(row,)), revision="c2").entries[KEY]
    assert entry.applied == (sketches[remembered] if remembered else None)
