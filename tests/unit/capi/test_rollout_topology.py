"""What a topology generates: patches, variables, templates, and when a generated template gets a successor."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from clusterops.capi.rollout.difference import IncomputableError
from clusterops.capi.rollout.go_templates import rendered
from clusterops.capi.rollout.patches import OPAQUE, opaque_in
from clusterops.capi.rollout.regenerate import rotates
from clusterops.capi.rollout.topology import Blueprint, Generated, class_key, generated
from tests.fleet_objects import topology_bodies

VARIABLES = {
    "name": "web",
    "count": 3.0,
    "on": True,
    "off": False,
    "deep": {"zone": "a"},
    "builtin": {"cluster": {"name": "alpha"}},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{ .name }}-{{ .builtin.cluster.name }}", "web-alpha"),
        ("{{ .deep.zone }}", "a"),
        ("{{ .count }}", "3"),
        ("{{ .on }}", "true"),
        ("{{ if .on }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if .off }}yes{{ else if .on }}second{{ else }}no{{ end }}", "second"),
        ("{{ if not .off }}yes{{ end }}", "yes"),
        ('{{ if eq .name "web" }}true{{ end }}', "true"),
        ('{{ if and .on (ne .name "web") }}true{{ end }}', ""),
        ("{{ .name | quote }}", '"web"'),
        ('{{ .missing | default "x" }}', "x"),
        ("a {{- .name -}} b", "awebb"),
        ('{{ printf "%s:%d" .name .count }}', "web:3"),
        ("{{ .missing }}", "<no value>"),
        ("{{/* said */}}{{ .name }}", "web"),
    ],
)
def test_templates_render_as_go_does(template: str, text: str) -> None:
    assert rendered(template, VARIABLES) == text


@pytest.mark.parametrize(
    "template", ["{{ range .x }}{{ end }}", "{{ .name | sha256sum }}", "{{ $a := 1 }}", "{{ if .on }}"]
)
def test_what_is_not_known_here_is_said(template: str) -> None:
    with pytest.raises(IncomputableError):
        rendered(template, VARIABLES)


def blueprint(bodies: list[dict[str, Any]]) -> Blueprint:
    by_kind = {one["kind"]: one for one in bodies}
    templates = {
        (one["apiVersion"].partition("/")[0], one["kind"], one["metadata"]["name"]): one
        for one in bodies
        if one["kind"].endswith("Template")
    }
    return Blueprint(cluster=by_kind["Cluster"], cluster_class=by_kind["ClusterClass"], templates=templates)


def patched_bodies(
    step: dict[str, Any], *, variables: list[dict[str, Any]] | None = None, **patch: Any
) -> list[dict[str, Any]]:
    """A class with one patch of the workers' bootstrap template; its Cluster has ``variables``."""
    bodies = copy.deepcopy(topology_bodies())
    by_kind = {one["kind"]: one for one in bodies}
    selector = {
        "apiVersion": "bootstrap.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmConfigTemplate",
        "matchResources": {"machineDeploymentClass": {"names": ["work*"]}},
    }
    definition = {"selector": selector, "jsonPatches": [{"op": "add", **step}]}
    spec = by_kind["ClusterClass"]["spec"]
    spec["patches"] = [{"name": "one", "definitions": [definition], **patch}]
    default = {"openAPIV3Schema": {"type": "string", "default": "hello"}}
    spec["variables"] = [{"name": "motd", "schema": default}, {"name": "on", "schema": {"openAPIV3Schema": {}}}]
    by_kind["Cluster"]["spec"]["topology"]["variables"] = variables or []
    return bodies


def bootstrap_of(made: Generated) -> Any:
    return made.pools["MachineDeployment", "general"].bootstrap["template"]["spec"]


PATH = "/spec/template/spec/preKubeadmCommands"


def test_a_value_is_patched_in() -> None:
    bodies = patched_bodies({"path": PATH, "value": ["true"]})
    assert bootstrap_of(generated(blueprint(bodies), {}))["preKubeadmCommands"] == ["true"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [([], "hello"), ([{"name": "motd", "value": "other"}], "other")],
    ids=["default", "said"],
)
def test_a_variable_is_its_default_or_what_the_cluster_says(variables: list[dict[str, Any]], expected: str) -> None:
    bodies = patched_bodies({"path": f"{PATH}", "valueFrom": {"variable": "motd"}}, variables=variables)
    assert bootstrap_of(generated(blueprint(bodies), {}))["preKubeadmCommands"] == expected


def test_a_pool_has_its_own_value_of_a_variable() -> None:
    bodies = patched_bodies({"path": PATH, "valueFrom": {"variable": "motd"}})
    pools = next(one for one in bodies if one["kind"] == "Cluster")["spec"]["topology"]["workers"]["machineDeployments"]
    pools[0]["variables"] = {"overrides": [{"name": "motd", "value": "own"}]}
    assert bootstrap_of(generated(blueprint(bodies), {}))["preKubeadmCommands"] == "own"


def test_a_template_is_read_as_yaml() -> None:
    value = {"template": '["{{ .motd }}", "{{ .builtin.machineDeployment.class }}"]'}
    bodies = patched_bodies({"path": PATH, "valueFrom": value})
    assert bootstrap_of(generated(blueprint(bodies), {}))["preKubeadmCommands"] == ["hello", "worker"]


def test_a_patch_that_is_off_changes_nothing() -> None:
    bodies = patched_bodies({"path": PATH, "value": ["true"]}, enabledIf="{{ .on }}")
    assert "preKubeadmCommands" not in bootstrap_of(generated(blueprint(bodies), {}))


def test_a_template_that_cannot_be_rendered_stands_for_what_it_reads() -> None:
    step = {"path": PATH, "valueFrom": {"template": "{{ .motd | sha256sum }}"}}
    one, same = (bootstrap_of(generated(blueprint(patched_bodies(step)), {})) for _ in range(2))
    other = patched_bodies(step, variables=[{"name": "motd", "value": "x"}])
    assert OPAQUE in one["preKubeadmCommands"]
    assert one == same
    assert one != bootstrap_of(generated(blueprint(other), {}))
    assert opaque_in({"a": [one]})


def test_a_runtime_extension_is_not_computed() -> None:
    bodies = patched_bodies({"path": PATH, "value": []}, external={"generatePatchesExtension": "x"})
    with pytest.raises(IncomputableError, match="runtime extension"):
        generated(blueprint(bodies), {})


def test_a_patch_that_does_not_fit_is_not_computed() -> None:
    bodies = patched_bodies({"op": "replace", "path": "/spec/template/spec/none/here", "value": 1})
    with pytest.raises(IncomputableError, match="not there"):
        generated(blueprint(bodies), {})


def test_a_generated_template_is_followed_by_another_only_when_its_spec_changes() -> None:
    one, two = {"template": {"spec": {"a": 1}}}, {"template": {"spec": {"a": 2}}}
    assert not rotates(one, one, one)
    assert rotates(one, two, one)
    assert not rotates(one, two, {**two, "default": True}), "what is live already as it will be stays"
    assert rotates(two, one, {"template": {"spec": {"a": 3}}})


def test_a_class_is_named_in_both_spellings() -> None:
    new = {"metadata": {"namespace": "north"}, "spec": {"topology": {"classRef": {"name": "a", "namespace": "shared"}}}}
    old = {"metadata": {"namespace": "north"}, "spec": {"topology": {"class": "a"}}}
    assert [(key.namespace, key.name) for one in (new, old) if (key := class_key(one))] == [
        ("shared", "a"),
        ("north", "a"),
    ]
