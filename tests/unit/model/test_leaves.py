"""How items of lists are addressed."""

from __future__ import annotations

from typing import Any

from clusterops.model.leaves import leaves

TREE: dict[str, Any] = {"f:ports": {'k:{"port":53,"protocol":"TCP"}': {}, 'k:{"port":53,"protocol":"UDP"}': {}}}
ONE: dict[str, Any] = {"f:ports": {'k:{"port":443,"protocol":"TCP"}': {"f:name": {}}}}


def steps(tree: dict[str, Any], *items: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(path[1] for path in leaves({"ports": list(items)}, tree)))


def test_a_key_that_is_left_to_its_default_is_that_of_the_only_item_that_fits() -> None:
    assert steps(ONE, {"port": 443, "name": "https"}) == ['k:{"port":443,"protocol":"TCP"}']


def test_where_two_items_fit_or_none_does_an_item_is_called_as_it_says_itself() -> None:
    assert steps(TREE, {"port": 53}) == ['k:{"port":53}']
    assert steps(ONE, {"port": 80}) == ['k:{"port":80}']
    assert steps(TREE, {"port": 53, "protocol": "UDP"}) == ['k:{"port":53,"protocol":"UDP"}']
