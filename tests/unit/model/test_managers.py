"""managedFields: a list item that goes from one manager to another."""

from __future__ import annotations

from typing import Any

from clusterops.model.live import Manager
from clusterops.model.managers import reclaimed

ITEM: dict[str, Any] = {".": {}, "f:name": {}, "f:value": {}}


def step(value: str) -> str:
    return f'k:{{"name":"v","value":"{value}"}}'


def manager(name: str, fields: dict[str, Any], *, operation: str = "Update", subresource: str = "") -> Manager:
    return Manager(name=name, operation=operation, api_version="x/v1", subresource=subresource, fields=fields)


def fields_of(found: tuple[Manager, ...]) -> dict[str, Any]:
    return {one.name: one.fields for one in found}


def test_only_the_item_goes_and_what_is_empty_without_it() -> None:
    theirs = {"f:spec": {"f:args": {step("7"): ITEM}, "f:count": {}}}
    ours = {"f:spec": {"f:args": {step("1"): ITEM}}}
    managers = (manager("person", theirs), manager("ours", ours, operation="Apply"))
    found = reclaimed(managers, {"person": [("f:spec", "f:args", step("7"))]}, by="ours", api_version="x/v1")
    assert fields_of(found) == {
        "person": {"f:spec": {"f:count": {}}},
        "ours": {"f:spec": {"f:args": {step("1"): ITEM, step("7"): ITEM}}},
    }
    assert ours == {"f:spec": {"f:args": {step("1"): ITEM}}}


def test_a_manager_that_owned_nothing_else_is_gone_and_we_own_it_though_we_owned_nothing() -> None:
    managers = (manager("person", {"f:args": {step("7"): ITEM}}),)
    found = reclaimed(managers, {"person": [("f:args", step("7"))]}, by="ours", api_version="x/v1")
    assert [(one.name, one.operation, one.api_version) for one in found] == [("ours", "Apply", "x/v1")]
    assert fields_of(found) == {"ours": {"f:args": {step("7"): ITEM}}}


def test_an_item_that_go_writes_in_another_way_is_the_same() -> None:
    managers = (manager("person", {"f:args": {step("\\u003c7"): ITEM}}),)
    found = reclaimed(managers, {"person": [("f:args", step("<7"))]}, by="ours", api_version="x/v1")
    assert fields_of(found) == {"ours": {"f:args": {step("\\u003c7"): ITEM}}}


def test_nothing_moves_where_it_is_not_owned_any_more_or_in_status() -> None:
    managers = (manager("person", {"f:a": {}}), manager("person", {"f:args": {step("7"): ITEM}}, subresource="status"))
    assert reclaimed(managers, {"person": [("f:args", step("7"))]}, by="ours", api_version="x/v1") == managers
