"""What is remembered of an object after an apply, and how a later state departs from it."""

from __future__ import annotations

from typing import Any

from clusterops.model.live import LiveObject, Manager
from clusterops.model.sketch import Departure, Sketch, departure, held_of

OURS: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:ring": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {"f:matchLabels": {}},
        "f:taints": {'k:{"key":"a"}': {".": {}, "f:key": {}}},
    },
}
BODY: dict[str, Any] = {
    "metadata": {"labels": {"ring": "late"}},
    "spec": {"replicas": 4, "selector": {"matchLabels": {}}, "taints": [{"key": "a", "effect": "NoSchedule"}]},
}


def live(body: dict[str, Any] = BODY, *managers: Manager, kind: str = "MachineDeployment") -> LiveObject:
    metadata = {"name": "general", "namespace": "north", "uid": "u", **body.get("metadata", {})}
    whole = {"apiVersion": "v1" if kind == "Secret" else "cluster.x-k8s.io/v1beta2", "kind": kind, **body}
    raw = [
        {"manager": one.name, "operation": one.operation, "fieldsV1": one.fields, "subresource": one.subresource}
        for one in managers or (Manager(name="clusterops", operation="Apply", fields=OURS),)
    ]
    return LiveObject.of({**whole, "metadata": {**metadata, "managedFields": raw}})


def changed(**spec: Any) -> dict[str, Any]:
    return {**BODY, "spec": {**BODY["spec"], **spec}}


def without(field: str) -> Manager:
    spec = {name: tree for name, tree in OURS["f:spec"].items() if name != field}
    return Manager(name="clusterops", operation="Apply", fields={**OURS, "f:spec": spec})


def test_what_was_just_held_does_not_depart() -> None:
    assert not departure(held_of(live()), live())


def test_another_value_departs_whoever_owns_it() -> None:
    kubectl = Manager(name="kubectl-edit", operation="Update", fields={"f:spec": {"f:replicas": {}}})
    found = departure(held_of(live()), live(changed(replicas=5), without("f:replicas"), kubectl))
    assert (len(found.changed), len(found.lost)) == (1, 0)


def test_a_field_that_went_departs() -> None:
    spec = {name: value for name, value in BODY["spec"].items() if name != "replicas"}
    assert len(departure(held_of(live()), live({**BODY, "spec": spec})).changed) == 1


def test_the_same_value_under_another_owner_is_lost_and_not_changed() -> None:
    found = departure(held_of(live()), live(BODY, without("f:replicas")))
    assert (len(found.changed), len(found.lost)) == (0, 1)


def test_what_others_set_beside_our_fields_is_no_departure() -> None:
    beside = changed(
        paused=True, selector={"matchLabels": {"set": "by a webhook"}}, taints=[{"key": "a", "effect": "NoExecute"}]
    )
    assert not departure(held_of(live()), live(beside))


def test_an_empty_map_that_went_departs() -> None:
    spec = {name: value for name, value in BODY["spec"].items() if name != "selector"}
    assert departure(held_of(live()), live({**BODY, "spec": spec})).changed


def test_a_secret_keeps_no_value_and_departs_by_its_owner() -> None:
    tree: dict[str, Any] = {"f:data": {"f:password": {}}}
    ours = Manager(name="clusterops", operation="Apply", fields=tree)
    held = held_of(live({"data": {"password": "b2xk"}}, ours, kind="Secret"))
    assert set(held.leaves.values()) == {b""}
    edited = live(
        {"data": {"password": "bmV3"}}, Manager(name="kubectl-edit", operation="Update", fields=tree), kind="Secret"
    )
    assert departure(held, edited) == Departure(lost=frozenset(held.leaves))


def test_status_writers_own_nothing_that_is_held() -> None:
    status = Manager(name="clusterops", operation="Apply", subresource="status", fields={"f:spec": {"f:replicas": {}}})
    assert held_of(live(BODY, status)) == Sketch(leaves={})
