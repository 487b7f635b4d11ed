"""Packed objects: as they were, small, found by namespace and label; what moves a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.kube.live.packing import Packer, signature
from clusterops.kube.live.shelf import Shelf, matches, parse_selector
from clusterops.model.live import LiveObject
from tests.fleet_objects import cluster_bodies

NAMES, PLACES, LABELS = ("a", "b", "c"), ("n", "m"), ("x", "y")


def deployment(number: int, **metadata: Any) -> LiveObject:
    body = cluster_bodies(f"c{number}", workers=number)[8]
    managers = [
        {
            "manager": "clusterops",
            "operation": "Apply",
            "apiVersion": "cluster.x-k8s.io/v1beta2",
            "time": f"2026-11-21T10:00:{number % 60:02}Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:version": {}}}}},
        },
        {
            "manager": "manager",
            "operation": "Update",
            "subresource": "status",
            "apiVersion": "cluster.x-k8s.io/v1beta2",
            "time": f"2026-11-21T10:01:{number % 60:02}Z",
            "fieldsV1": {"f:status": {"f:replicas": {}}},
        },
    ]
    known = {"uid": f"0b5ad9a4-0000-4000-8000-{number:012}", "resourceVersion": str(1000 + number), "generation": 1}
    whole = {**body["metadata"], **known, "managedFields": managers, **metadata}
    return LiveObject.of({**body, "metadata": whole, "status": {"replicas": number}})


def test_what_is_packed_comes_back_as_it_was() -> None:
    packer = Packer(signature)
    for number in range(70):
        live = deployment(number)
        back = packer.pack(live).unpack(live.key)
        assert back == live
        assert back.body == live.body
        assert [each.fields for each in back.managers] == [each.fields for each in live.managers]


def test_a_thousand_objects_of_a_kind_take_a_few_hundred_bytes_each() -> None:
    packer = Packer(signature)
    packed = [packer.pack(deployment(number)) for number in range(1000)]
    assert sum(len(each._deflated) for each in packed) < 250 * len(packed)
    assert len({each._dictionary for each in packed}) <= 4


@pytest.mark.parametrize(
    ("changed", "moves"),
    [
        ({"resourceVersion": "9999", "generation": 7}, False),
        ({"labels": {"a": "b"}}, True),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "Cluster", "name": "c", "uid": "u"}]}, True),
        ({"deletionTimestamp": "2026-11-21T10:00:00Z"}, True),
        ({"uid": "another"}, True),
        ({"managedFields": [{"manager": "kubectl-edit", "operation": "Update"}]}, True),
    ],
)
def test_a_signature_moves_with_content_owners_and_deletion(changed: Mapping[str, Any], moves: bool) -> None:
    assert (signature(deployment(1, **changed)) != signature(deployment(1))) is moves


def test_times_and_status_move_no_signature() -> None:
    first, second = deployment(1), deployment(1)
    later = [dict(raw, time="2027-01-01T00:00:00Z") for raw in _raw_managers(second)]
    body = {**second.body, "status": {"replicas": 77}, "metadata": {**second.body["metadata"], "managedFields": later}}
    assert signature(LiveObject.of(body)) == signature(first)


def _raw_managers(live: LiveObject) -> list[dict[str, Any]]:
    return [
        {
            "manager": each.name,
            "operation": each.operation,
            "subresource": each.subresource,
            "apiVersion": each.api_version,
            "fieldsV1": each.fields,
        }
        for each in live.managers
    ]


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("", ()),
        ("a=b", (("a", "b"),)),
        ("a==b,c", (("a", "b"), ("c", None))),
        ("a=", (("a", ""),)),
        ("!a", None),
        ("a!=b", None),
        ("a in (b, c)", None),
    ],
)
def test_selectors_are_read_or_left_to_the_server(text: str, selector: object) -> None:
    assert parse_selector(text) == selector


def thing(place: str, name: str, labels: Mapping[str, str]) -> LiveObject:
    metadata = {"namespace": place, "name": name, "uid": f"{place}-{name}", "labels": dict(labels)}
    return LiveObject.of({"apiVersion": "v1", "kind": "Thing", "metadata": metadata})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.sampled_from(NAMES),
            st.none() | st.dictionaries(st.sampled_from(LABELS), st.sampled_from(["1", "2"])),
            st.sampled_from(["", "x=1", "x=2,y", "y", "y=1,x=1"]),
        ),
        max_size=30,
    )
)
def test_a_shelf_finds_what_a_plain_search_finds(
    ops: list[tuple[str, str, dict[str, str] | None, str]],
) -> None:
    """None in place of labels takes the object away."""
    shelf, packer, plain = Shelf("", "Thing"), Packer(), dict[tuple[str, str], LiveObject]()
    for place, name, labels, text in ops:
        live = thing(place, name, labels or {})
        if labels is None:
            assert (shelf.pop(live.key) is not None) == (plain.pop((place, name), None) is not None)
        else:
            plain[place, name] = live
            shelf.put(live.key, packer.pack(live))
        selector = parse_selector(text)
        assert selector is not None
        for where in (None, *PLACES):
            near = [each for each in plain.values() if where in {None, each.key.namespace}]
            wanted = {each.key for each in near if matches(each.labels, selector)}
            assert {each.key for each in shelf.select(where, selector)} == wanted
        assert set(shelf) == {each.key for each in plain.values()}
        assert len(shelf) == len(plain)
