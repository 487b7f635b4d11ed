"""The algebra of keys, digests and inventories."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clusterops.model.canonical import digest_of
from clusterops.model.inventory import Entry, EntryState, Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action
from clusterops.model.report import ApplyReport, ApplyRow, Result

_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?", fullmatch=True)
KEYS = st.builds(
    ObjectKey,
    group=st.one_of(st.just(""), _NAMES),
    kind=st.from_regex(r"[A-Z][A-Za-z]{0,8}", fullmatch=True),
    namespace=st.one_of(st.none(), _NAMES),
    name=_NAMES,
)
ENTRIES = st.builds(Entry, key=KEYS, api_version=_NAMES, uid=_NAMES, state=st.sampled_from(EntryState))
INVENTORIES = st.lists(ENTRIES, unique_by=lambda entry: entry.key, max_size=6).map(
    lambda entries: Inventory(owner="n/a", revision="c0", entries={entry.key: entry for entry in entries})
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(KEYS)
def test_the_text_of_a_key_round_trips(key: ObjectKey) -> None:
    assert ObjectKey.parse(str(key)) == key


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_a_digest_ignores_the_order_of_keys(content: dict[str, Any]) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": content}
    turned = {field: body[field] for field in reversed(body)} | {"data": dict(reversed(list(content.items())))}
    assert Manifest.of(turned).digest == Manifest.of(body).digest == digest_of(body)


@given(INVENTORIES)
def test_an_inventory_survives_being_stored(inventory: Inventory) -> None:
    assert Inventory.from_body(inventory.owner, inventory.to_body()) == inventory


@given(INVENTORIES, st.lists(ENTRIES, max_size=4))
def test_widening_forgets_nothing(inventory: Inventory, entries: list[Entry]) -> None:
    widened = inventory.widened(entries, revision="c1")
    assert widened.keys == inventory.keys | {entry.key for entry in entries}
    for key, entry in inventory.entries.items():
        assert (widened.entries[key].uid, widened.entries[key].state) == (entry.uid, entry.state)


@given(INVENTORIES, st.data())
def test_narrowing_leaves_applied_and_owned_without_pruned(inventory: Inventory, data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.one_of(KEYS, st.sampled_from(sorted(inventory.keys) or [_KEY])), unique=True))
    results = [data.draw(st.sampled_from(Result)) for _ in keys]
    rows = tuple(
        ApplyRow(key=key, action=Action.UPDATE, result=result, api_version="v1", uid="u" * (result is Result.APPLIED))
        for key, result in zip(keys, results, strict=True)
    )
    narrowed = inventory.narrowed(ApplyReport(rows=rows), revision="c1")
    applied = {row.key for row in rows if row.result is Result.APPLIED}
    pruned = {row.key for row in rows if row.result is Result.PRUNED}
    assert narrowed.keys == applied | (inventory.keys - pruned)


_KEY = ObjectKey(group="", kind="ConfigMap", namespace="n", name="x")
