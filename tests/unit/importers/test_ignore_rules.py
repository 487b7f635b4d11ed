"""Rules of other tools about drift, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clusterops.importers import Imported, rules_from, rules_to_yaml
from clusterops.importers.paths import glob_of_regex, pointer_of_jq
from clusterops.model.document import load_values
from clusterops.model.ignore import IgnoreRule
from clusterops.source.fleet.fleet_file import parse_fleet_file

APPLICATION = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  ignoreDifferences:
  - group: cluster.x-k8s.io
    kind: MachineDeployment
    jsonPointers: [/spec/replicas, /metadata/annotations/a~1b]
    jqPathExpressions: ['.spec.template.spec.taints[].value', '.spec.list[] | select(.name == "x")']
    managedFieldsManagers: [kube-controller-manager]
  - group: ""
    kind: Secret
    name: token
    namespace: web
    jsonPointers: [/data, /status]
  - {group: '{a,b}', kind: Deployment, jsonPointers: [/spec]}
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd}
data:
  url: https://argo.example.org
  resource.customizations.ignoreDifferences.all: |
    managedFieldsManagers: [cluster-autoscaler]
  resource.customizations.ignoreDifferences.apps_Deployment: |
    jsonPointers: [/spec/replicas]
  resource.customizations.ignoreDifferences.Service: "jqPathExpressions: ['.spec.\\"clusterIP\\"']"
  resource.customizations.ignoreDifferences.apps_Broken: "["
  resource.customizations: |
    admissionregistration.k8s.io/MutatingWebhookConfiguration:
      ignoreDifferences: |
        jsonPointers: [/webhooks/0/clientConfig/caBundle]
"""
FLUX = """
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: flux}
spec:
  driftDetection:
    mode: enabled
    ignore:
    - paths: [/spec/replicas]
      target: {group: cluster.x-k8s.io, kind: MachineDeployment, name: general-.*, namespace: north}
    - paths: [""]
      target: {kind: Deployment}
    - paths: [/spec/x]
      target: {kind: Deployment, labelSelector: a=b}
    - paths: [/spec/y]
      target: {kind: (A|B)}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: clusters, namespace: flux}
spec:
  commonMetadata: {annotations: {kustomize.toolkit.fluxcd.io/ssa: Ignore}}
  ignore:
  - paths: [/spec/paused]
"""


def imported(text: str) -> Imported:
    return rules_from(load_values(text, "test.yaml"))


def words(found: Imported) -> list[str]:
    return [rule.words for rule in found.rules]


def test_an_applications_pointers_paths_and_managers_are_rules_by_themselves() -> None:
    found = imported(APPLICATION)
    assert words(found) == [
        "MachineDeployment /spec/replicas, /metadata/annotations/a~1b, /spec/template/spec/taints/*/value",
        "MachineDeployment any field by kube-controller-manager",
        "Secret web/token /data",
    ]
    assert {rule.source for rule in found.rules} == {"Application argocd/web"}
    assert [rule.group for rule in found.rules] == ["cluster.x-k8s.io", "cluster.x-k8s.io", ""]


def test_what_is_not_carried_is_named_with_the_reason() -> None:
    assert [one.text for one in imported(APPLICATION).not_carried] == [
        'Application argocd/web: MachineDeployment .spec.list[] | select(.name == "x"): is more than a path',
        "Application argocd/web: Secret /status: status is never compared",
        "Application argocd/web: {a,b}: its objects cannot be named here",
    ]


def test_an_application_set_is_read_by_its_template() -> None:
    (application,) = load_values(APPLICATION, "test.yaml")
    of = {**application, "kind": "ApplicationSet", "spec": {"template": {"spec": application["spec"]}}}
    assert words(rules_from([of])) == words(imported(APPLICATION))


def test_the_whole_systems_rules_are_read_in_the_keys_of_today_and_of_old() -> None:
    found = imported(CONFIG)
    assert words(found) == [
        "any object any field by cluster-autoscaler",
        "Deployment /spec/replicas",
        "Service /spec/clusterIP",
        "MutatingWebhookConfiguration /webhooks/0/clientConfig/caBundle",
    ]
    assert [rule.group for rule in found.rules] == ["*", "apps", "", "admissionregistration.k8s.io"]
    assert [one.why for one in found.not_carried] == ["is no YAML mapping"]


def test_flux_rules_become_globs_and_what_chooses_by_label_is_not_carried() -> None:
    found = imported(FLUX)
    assert words(found) == ["MachineDeployment north/general-* /spec/replicas", "any object /spec/paused"]
    assert [one.what for one in found.not_carried] == [
        '""',
        "labelSelector: a=b",
        "kind: (A|B)",
        "kustomize.toolkit.fluxcd.io/ssa: Ignore",
    ]


def test_lists_are_read_and_rules_stand_once() -> None:
    (application,) = load_values(APPLICATION, "test.yaml")
    assert rules_from([{"kind": "List", "items": [application, application]}]).rules == imported(APPLICATION).rules


def test_objects_that_say_nothing_give_nothing() -> None:
    odd: list[Mapping[str, Any]] = [
        {},
        {"kind": "ConfigMap", "apiVersion": "v1", "data": None},
        {"kind": "Application", "apiVersion": "argoproj.io/v1alpha1", "spec": {"ignoreDifferences": "x"}},
    ]
    assert rules_from(odd) == Imported()


@pytest.mark.parametrize(
    ("expression", "pointer"),
    [
        (".spec.replicas", "/spec/replicas"),
        (".spec.a[].b", "/spec/a/*/b"),
        (".spec.a[]?.b", "/spec/a/*/b"),
        (".spec.a[0].b", "/spec/a/0/b"),
        ('.metadata.labels["a/b~c"]', "/metadata/labels/a~1b~0c"),
        ('.metadata.labels."a/b"', "/metadata/labels/a~1b"),
        (".", None),
        ("", None),
        (".spec | keys", None),
        ('.spec.a[] | select(.b == "c")', None),
        (".spec.a[1:]", None),
        ("..", None),
    ],
)
def test_plain_jq_paths_are_pointers(expression: str, pointer: str | None) -> None:
    assert pointer_of_jq(expression) == pointer


@pytest.mark.parametrize(
    ("regex", "glob"),
    [
        ("MachineDeployment", "MachineDeployment"),
        ("^general-.*$", "general-*"),
        ("cluster.x-k8s.io", "cluster.x-k8s.io"),
        (r"cluster\.x-k8s\.io", "cluster.x-k8s.io"),
        ("(a|b)", None),
        ("a[0-9]+", None),
        ("a?", None),
    ],
)
def test_regular_expressions_that_are_names_are_globs(regex: str, glob: str | None) -> None:
    assert glob_of_regex(regex) == glob


def in_fleet_file(rules: tuple[IgnoreRule, ...]) -> tuple[list[str], tuple[IgnoreRule, ...]]:
    head = "apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: platform\nclouds: {}\n"
    parsed = parse_fleet_file(f"{head}{rules_to_yaml(rules)}".encode())
    return [problem.text for problem in parsed.problems], parsed.file.ignore


@pytest.mark.parametrize("text", [APPLICATION, CONFIG, FLUX])
def test_what_is_imported_is_what_fleet_yaml_reads(text: str) -> None:
    found = imported(text)
    problems, rules = in_fleet_file(found.rules)
    assert problems == []
    assert [(rule.words, rule.group) for rule in rules] == [(rule.words, rule.group) for rule in found.rules]


def test_no_rules_are_an_empty_list() -> None:
    assert yaml.safe_load(rules_to_yaml(())) == {"ignore": []}


NAMES = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@given(NAMES, NAMES.map(lambda text: f"/{text}"), NAMES)
def test_any_text_survives_the_way_into_fleet_yaml(name: str, pointer: str, manager: str) -> None:
    rule = IgnoreRule(source="x", kind=name, pointers=(pointer,), managers=(manager,))
    problems, (found,) = in_fleet_file((rule,))
    assert problems == []
    assert (found.kind, found.pointers, found.managers) == (name, (pointer,), (manager,))
