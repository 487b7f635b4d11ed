"""Who wins a field: takes, leaves and hands over, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.capi.managers import Kin, kin
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.inventory import Entry, EntryState, Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Taken
from clusterops.model.sketch import said_of
from clusterops.plan.ownership import settle_owners
from clusterops.plan.pools import MAX_SIZE, MIN_SIZE
from clusterops.plan.wanted import Wanted
from tests.fleet_objects import body, topology_bodies

NOTES = body("v1", "ConfigMap", "notes", data={"text": "hello"})
SECRET = body("v1", "Secret", "token", data={"token": "b25l"})


def live(of: dict[str, Any], owners: dict[str, dict[str, Any]], **parts: Any) -> LiveObject:
    """As the server has it, with one Apply entry a manager."""
    entries = [
        {"manager": name, "operation": "Apply", "apiVersion": of["apiVersion"], "fieldsV1": fields}
        for name, fields in owners.items()
    ]
    return LiveObject.of({**of, **parts, "metadata": {**of["metadata"], "uid": "u", "managedFields": entries}})


def inventory(last: dict[str, Any] | None, key: ObjectKey) -> Inventory:
    """``last`` is what git said when it was last applied; None: an older release wrote the entry."""
    sketch = said_of(Manifest.of(last)) if last else None
    entry = Entry(key=key, api_version="v1", uid="u", state=EntryState.APPLIED, applied=sketch)
    return Inventory(owner="north/alpha", entries={key: entry})


def settled(
    git: dict[str, Any], found: LiveObject, last: dict[str, Any] | None, healing: Healing = NO_HEALING
) -> Wanted:
    return settle_owners(Wanted.as_written(Manifest.of(git)), found, inventory(last, found.key), healing)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clusterops", Kin.OURS),
        ("clusterops-replicas", Kin.OURS),
        ("cluster-autoscaler", Kin.AUTOSCALER),
        ("manager", Kin.CONTROLLER),
        ("capi-topology", Kin.CONTROLLER),
        ("capi-machinedeployment", Kin.CONTROLLER),
        ("kube-controller-manager", Kin.CONTROLLER),
        ("kustomize-controller", Kin.TOOL),
        ("argocd-controller", Kin.TOOL),
        ("fleetagent", Kin.TOOL),
        ("kubectl", Kin.PERSON),
        ("kubectl-client-side-apply", Kin.PERSON),
        ("helm", Kin.UNKNOWN),
        ("somebody", Kin.UNKNOWN),
    ],
)
def test_a_manager_is_known_by_its_name(name: str, expected: Kin) -> None:
    assert kin(name) is expected


def test_without_a_memory_nothing_is_taken() -> None:
    found = live(NOTES, {"kubectl-edit": {"f:data": {"f:text": {}}}}, data={"text": "theirs"})
    wanted = settled(NOTES, found, None)
    assert (wanted.takes, [left.pointer for left in wanted.left]) == ((), ["/data/text"])
    assert "data" not in wanted.manifest.body


def test_a_field_that_git_changed_is_taken_from_a_person() -> None:
    found = live(NOTES, {"kubectl-edit": {"f:data": {"f:text": {}}}}, data={"text": "theirs"})
    wanted = settled(NOTES, found, {**NOTES, "data": {"text": "older"}})
    assert wanted.takes == (Taken(pointer="/data/text", manager="kubectl-edit"),)
    assert wanted.left == ()
    assert wanted.manifest.body == NOTES


def test_a_controller_among_the_owners_keeps_the_field_for_all_of_them() -> None:
    owners: dict[str, dict[str, Any]] = {name: {"f:data": {"f:text": {}}} for name in ("kubectl-edit", "manager")}
    wanted = settled(NOTES, live(NOTES, owners, data={"text": "theirs"}), {**NOTES, "data": {"text": "older"}})
    assert (wanted.takes, wanted.left[0].manager) == ((), "manager")


def test_an_equal_value_is_nobodys_quarrel() -> None:
    wanted = settled(NOTES, live(NOTES, {"manager": {"f:data": {"f:text": {}}}}), NOTES)
    assert (wanted.takes, wanted.left, wanted.manifest.body) == ((), (), NOTES)


def test_a_manager_of_the_map_alone_does_not_own_its_fields() -> None:
    found = live(NOTES, {"manager": {"f:data": {".": {}}}, "clusterops": {"f:data": {"f:text": {}}}})
    wanted = settled({**NOTES, "data": {"text": "bye"}}, found, NOTES)
    assert wanted.left == ()


def test_an_atomic_list_belongs_to_its_owner_as_a_whole() -> None:
    git = body("v1", "ConfigMap", "notes", list=[{"name": "a"}])
    found = live(git, {"manager": {"f:list": {}}}, list=[{"name": "b"}])
    assert [left.pointer for left in settled(git, found, git).left] == ["/list"]


def test_a_secrets_values_are_in_no_row() -> None:
    found = live(SECRET, {"kubectl-edit": {"f:data": {"f:token": {}}}}, data={"token": "dHdv"})
    wanted = settled(SECRET, found, SECRET)
    assert [(left.git, left.live) for left in wanted.left] == [("(secret)", "(secret)")]


def _topology(replicas: int | None, bounds: tuple[int, int] | None = None) -> dict[str, Any]:
    found = topology_bodies(workers=2)[-1]
    pool = found["spec"]["topology"]["workers"]["machineDeployments"][0]
    pool.pop("replicas")
    if replicas is not None:
        pool["replicas"] = replicas
    if bounds:
        annotations = {name: str(value) for name, value in zip((MIN_SIZE, MAX_SIZE), bounds, strict=True)}
        pool["metadata"] = {"annotations": annotations}
    return dict(found)


@pytest.mark.parametrize(
    ("git", "count", "code"),
    [
        (_topology(None, (3, 20)), 7, ""),
        (_topology(4, (3, 20)), 7, ""),
        (_topology(None, (1, 5)), 7, "autoscaled-count-outside"),
        (_topology(None), 7, "topology-count-dropped"),
        (_topology(None), 1, ""),
        (_topology(5), 7, ""),
    ],
    ids=["within", "count beside bounds", "outside", "dropped", "dropped at one", "managed"],
)
def test_a_topologys_count_is_let_go_only_where_it_stays(git: dict[str, Any], count: int, code: str) -> None:
    """Seen with the real controllers: within the bounds it stays, without bounds it becomes 1."""
    pools: dict[str, Any] = {
        "f:topology": {"f:workers": {"f:machineDeployments": {'k:{"name":"general"}': {"f:replicas": {}}}}}
    }
    found = live(_topology(count), {"clusterops": {"f:spec": pools}})
    wanted = settled(git, found, _topology(count))
    assert (wanted.refused.code if wanted.refused else "") == code
    sent = wanted.manifest.body["spec"]["topology"]["workers"]["machineDeployments"][0]
    assert sent.get("replicas") == (5 if git == _topology(5) else None)
