"""Differences leaf by leaf."""

from __future__ import annotations

from typing import Any

from clusterops.model.live import LiveObject
from clusterops.model.plan import MISSING
from clusterops.plan import diff

Tree = dict[str, Any]


def change(
    desired: dict[str, Any], live: dict[str, Any], *managed: tuple[str, dict[str, Any]]
) -> list[tuple[Any, ...]]:
    """(pointer, before, after, manager) of what applying one spec over another would do."""
    entries = [
        {"manager": name, "operation": "Apply" if name == "clusterops" else "Update", "fieldsV1": {"f:spec": tree}}
        for name, tree in managed
    ]
    named = {"apiVersion": "x/v1", "kind": "Thing", "metadata": {"name": "a", "managedFields": entries}}
    found = LiveObject.of({**named, "spec": live})
    wanted = {**named, "metadata": {"name": "a"}, "spec": desired}
    return [(one.pointer, one.before, one.after, one.manager) for one in diff(wanted, found.body, found.managers)]


def test_what_git_does_not_set_and_we_do_not_own_is_nobodys_business() -> None:
    assert change({"a": 1}, {"a": 1, "defaulted": True}) == []


def test_a_field_that_only_we_own_and_git_drops_goes() -> None:
    assert change({}, {"a": 1}, ("clusterops", {"f:a": {}})) == [("/spec/a", 1, MISSING, "")]


def test_a_field_that_somebody_owns_with_us_stays() -> None:
    assert change({}, {"a": 1}, ("clusterops", {"f:a": {}}), ("other", {"f:a": {}})) == []


def test_the_owner_of_a_field_that_would_change_is_named() -> None:
    assert change({"a": 2}, {"a": 1}, ("hpa", {"f:a": {}})) == [("/spec/a", 1, 2, "hpa")]


def test_a_pointer_is_escaped() -> None:
    assert change({"a/b~c": 2}, {"a/b~c": 1}) == [("/spec/a~1b~0c", 1, 2, "")]


def test_one_is_not_true() -> None:
    assert change({"a": True}, {"a": 1}) == [("/spec/a", 1, True, "")]


def test_an_item_of_a_list_by_key_keeps_its_identity_when_others_come_before_it() -> None:
    tree: Tree = {"f:list": {'k:{"id":"b"}': {".": {}, "f:id": {}, "f:v": {}}}}
    live = {"list": [{"id": "b", "v": 1}]}
    desired = {"list": [{"id": "a", "v": 0}, {"id": "b", "v": 2}]}
    assert change(desired, live, ("clusterops", tree)) == [
        ("/spec/list/0/id", MISSING, "a", ""),
        ("/spec/list/0/v", MISSING, 0, ""),
        ("/spec/list/1/v", 1, 2, ""),
    ]


def test_an_item_of_ours_that_git_drops_goes_as_a_whole() -> None:
    tree: Tree = {"f:list": {'k:{"id":"b"}': {".": {}, "f:id": {}, "f:v": {}}, 'k:{"id":"c"}': {".": {}, "f:id": {}}}}
    live = {"list": [{"id": "b", "v": 1}, {"id": "c"}]}
    assert change({"list": [{"id": "c"}]}, live, ("clusterops", tree)) == [
        ("/spec/list/0", {"id": "b", "v": 1}, MISSING, "")
    ]


def test_an_atomic_list_is_one_value() -> None:
    live = {"list": [{"name": "a"}]}
    desired = {"list": [{"name": "a"}, {"name": "b"}]}
    assert change(desired, live, ("clusterops", {"f:list": {}})) == [
        ("/spec/list", [{"name": "a"}], [{"name": "a"}, {"name": "b"}], "")
    ]


def test_a_set_is_compared_by_its_values() -> None:
    tree: Tree = {"f:set": {'v:"a"': {}, 'v:"b"': {}}}
    assert change({"set": ["b", "a"]}, {"set": ["a", "b"]}, ("clusterops", tree)) == []
    assert change({"set": ["a"]}, {"set": ["a", "b"]}, ("clusterops", tree)) == [("/spec/set/1", "b", MISSING, "")]


def test_an_empty_map_asks_only_that_the_field_is_there() -> None:
    assert change({"m": {}}, {"m": {"defaulted": 1}}) == []
    assert change({"m": {}}, {}) == [("/spec/m", MISSING, {}, "")]


def test_a_key_with_escaped_characters_is_the_same_key() -> None:
    tree: Tree = {"f:list": {'k:{"id":"\\u003cb\\u003e"}': {".": {}, "f:id": {}}}}
    assert change({"list": [{"id": "<b>"}]}, {"list": [{"id": "<b>"}]}, ("clusterops", tree)) == []
