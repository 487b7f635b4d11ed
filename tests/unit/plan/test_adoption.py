"""What becoming the successor of another field manager removes, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.model.live import LiveObject, Manager
from clusterops.model.managers import taken_over
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, FieldChange
from clusterops.plan.adoption import armed, predecessors, removals, removed

GIT = Manifest.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}, "data": {"text": "hello"}})


def live(data: dict[str, Any], *managers: tuple[str, str, dict[str, Any]], **metadata: Any) -> LiveObject:
    entries = [
        {"manager": name, "operation": operation, "apiVersion": "v1", "fieldsV1": fields}
        for name, operation, fields in managers
    ]
    return LiveObject.of(
        {**GIT.body, "data": data, "metadata": {"name": "notes", "uid": "u", "managedFields": entries, **metadata}}
    )


def owns(*fields: str) -> dict[str, Any]:
    return {"f:data": {".": {}, **{f"f:{field}": {} for field in fields}}}


def rows(found: LiveObject) -> tuple[FieldChange, ...]:
    return removed(removals(GIT, found, predecessors(GIT, found)), found, None)


def test_what_an_old_manager_alone_set_and_git_does_not_is_removed() -> None:
    found = live({"text": "hello", "more": "x"}, ("kubectl", "Apply", owns("text", "more")))
    assert rows(found) == (FieldChange(pointer="/data/more", before="x", after=MISSING),)


def test_what_a_controller_owns_too_stays() -> None:
    found = live(
        {"text": "hello", "more": "x"}, ("helm", "Update", owns("text", "more")), ("manager", "Update", owns("more"))
    )
    assert rows(found) == ()


def test_what_nobody_owns_stays() -> None:
    assert rows(live({"text": "hello", "more": "x"}, ("kubectl", "Apply", owns("text")))) == ()


def test_bookkeeping_is_not_told() -> None:
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    fields = {"f:metadata": {"f:annotations": {".": {}, f"f:{annotation}": {}}}, **owns("text")}
    found = live({"text": "hello"}, ("kubectl", "Update", fields), annotations={annotation: "{}"})
    assert rows(found) == ()
    assert removals(GIT, found, predecessors(GIT, found))


def test_what_the_server_sets_to_the_same_again_is_no_change() -> None:
    found = live({"text": "hello", "more": "x", "kind": "y"}, ("kubectl", "Update", owns("text", "more", "kind")))
    again = live({"text": "hello", "more": "x", "kind": "z"})
    told = removed(removals(GIT, found, predecessors(GIT, found)), found, again)
    assert told == (FieldChange(pointer="/data/kind", before="y", after="z"),)


def test_old_entries_become_one_of_ours_and_status_and_controllers_keep_theirs() -> None:
    entries = (
        Manager(name="kubectl", operation="Update", api_version="v1", time="2026-01-02T00:00:00Z", fields=owns("a")),
        Manager(name="helm", operation="Update", api_version="v1beta1", fields=owns("b")),
        Manager(name="kubectl", operation="Update", subresource="status", api_version="v1", fields=owns("c")),
        Manager(name="manager", operation="Update", api_version="v1", fields=owns("d")),
    )
    mine, *others = taken_over(entries, ("helm", "kubectl"), by="clusterops", api_version="v1")
    assert (mine.name, mine.operation, mine.fields) == ("clusterops", "Apply", owns("a", "b"))
    assert tuple(others) == entries[2:]


@pytest.mark.parametrize(
    ("metadata", "manager", "words"),
    [
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "c", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
            "kubectl",
            "Flux Kustomization flux/c owns it too",
        ),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "app:v1/x"}}, "kubectl", "Argo CD Application app owns"),
        ({"labels": {"app.kubernetes.io/instance": "app"}}, "argocd-controller", "Argo CD Application app owns"),
        ({}, "argocd-application-controller", "Argo CD owns"),
        ({"annotations": {"objectset.rio.cattle.io/id": "x"}}, "kubectl", "Rancher Fleet owns"),
        ({"labels": {"app.kubernetes.io/instance": "app"}}, "helm", ""),
        ({}, "kubectl", ""),
    ],
)
def test_a_live_tool_is_recognised_and_named(metadata: dict[str, Any], manager: str, words: str) -> None:
    problem = armed(live({"text": "hello"}, (manager, "Apply", owns("text")), **metadata))
    assert (problem.message if problem else "").startswith(words)
    assert (problem is None) == (words == "")
