"""Who owns a field of an object that is read in one version and was written in several."""

from __future__ import annotations

from typing import Any

from clusterops.drift.authors import writers
from clusterops.model.live import LiveObject

OLD, NEW = "cluster.x-k8s.io/v1beta1", "cluster.x-k8s.io/v1beta2"


def wrote(manager: str, version: str, fields: dict[str, Any], time: str = "2026-11-21T14:00:00Z") -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "apiVersion": version, "fieldsV1": fields, "time": time}


def owner(pointer: str, *managers: dict[str, Any]) -> str:
    spec = {"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": 2}}, "template": {"spec": {"nodeDrain": "1m"}}}
    metadata = {"name": "a", "namespace": "north", "managedFields": list(managers)}
    live = LiveObject.of({"apiVersion": OLD, "kind": "MachineDeployment", "metadata": metadata, "spec": spec})
    found = writers(live).newest(pointer)
    return found.name if found is not None else ""


SURGE: dict[str, Any] = {"f:spec": {"f:rollout": {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}}}
DRAIN: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:deletion": {"f:nodeDrainSeconds": {}}}}}}
COUNT: dict[str, Any] = {"f:spec": {"f:replicas": {}}}


def test_a_field_that_has_another_name_in_the_authors_version_is_still_the_authors() -> None:
    scaled = wrote("cluster-autoscaler", NEW, COUNT, "2026-11-21T15:00:00Z")
    assert owner("/spec/strategy/rollingUpdate/maxSurge", wrote("kubectl-edit", NEW, SURGE), scaled) == "kubectl-edit"


def test_the_nearest_name_decides_between_several() -> None:
    several = wrote("kubectl-edit", NEW, SURGE), wrote("terraform", NEW, DRAIN)
    assert owner("/spec/template/spec/nodeDrain", *several) == "terraform"


def test_nobody_is_named_where_several_are_as_near() -> None:
    several = wrote("kubectl-edit", NEW, SURGE), wrote("terraform", NEW, SURGE)
    assert owner("/spec/strategy/rollingUpdate/maxSurge", *several) == ""


def test_what_an_author_owns_by_the_same_name_in_both_versions_says_nothing_of_other_fields() -> None:
    assert owner("/spec/strategy/rollingUpdate/maxSurge", wrote("cluster-autoscaler", NEW, COUNT)) == ""
    assert owner("/spec/replicas", wrote("cluster-autoscaler", NEW, COUNT)) == "cluster-autoscaler"
