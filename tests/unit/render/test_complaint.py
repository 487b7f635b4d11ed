"""The tools' own words without the noise. The texts are what helm 4.3.1 and kustomize 5.8.2 printed."""

from __future__ import annotations

import pytest

from clusterops.render.complaint import helm_complaint, kustomize_complaint

SOURCES = {
    "c/templates/x.yaml": "charts/c/templates/x.yaml",
    "c/templates/_h.tpl": "charts/c/templates/_h.tpl",
    "c/charts/lib/templates/y.yaml": "charts/lib/templates/y.yaml",
}
DEBUG = "\n\nUse --debug flag to render out invalid YAML\n"
HELM = [
    (
        'Error: c/templates/x.yaml:1:13\n  executing "c/templates/x.yaml" at <.Values.foo.bar>:\n'
        "    nil pointer evaluating interface {}.bar" + DEBUG,
        "at <.Values.foo.bar>: nil pointer evaluating interface {}.bar",
        ("charts/c/templates/x.yaml", 1, 14),
    ),
    (
        "Error: parse error at (c/templates/x.yaml:2): unclosed action started at c/templates/x.yaml:1" + DEBUG,
        "unclosed action started at",
        ("charts/c/templates/x.yaml", 1, 0),
    ),
    (
        "Error: execution error at (c/templates/x.yaml:1:3): no version given" + DEBUG,
        "no version given",
        ("charts/c/templates/x.yaml", 1, 4),
    ),
    (
        "Error: execution error at (c/charts/lib/templates/y.yaml:7:3): a: b is missing" + DEBUG,
        "a: b is missing",
        ("charts/lib/templates/y.yaml", 7, 4),
    ),
    (
        "Error: YAML parse error on c/templates/x.yaml: error converting YAML to JSON: yaml: line 1: did not find"
        " expected node content" + DEBUG,
        "prints no YAML: yaml: line 1: did not find expected node content",
        ("charts/c/templates/x.yaml", 0, 0),
    ),
    ("Error: chart requires kubeVersion: >= 2.0 which is incompatible with Kubernetes v1.34.0", None, ("", 0, 0)),
]


@pytest.mark.parametrize(("stderr", "message", "place"), HELM)
def test_helms_words_are_one_line_with_the_templates_place(
    stderr: str, message: str | None, place: tuple[str, int, int]
) -> None:
    found = helm_complaint(stderr.encode(), SOURCES)
    assert found.message == (message or stderr.removeprefix("Error: "))
    assert (found.path, found.line, found.column) == place


ROOT = "/tmp/clusterops-render-x"
HOME = "clusters/n/a"
KUSTOMIZE = [
    (
        "Error: accumulating resources: accumulating resources from 'a.yaml': MalformedYAMLError: yaml: line 2: did not"
        " find expected ',' or '}' in File: a.yaml",
        "did not find expected ',' or '}'",
        (f"{HOME}/a.yaml", 2),
    ),
    ('Error: invalid Kustomization: json: unknown field "foo"', None, (f"{HOME}", 0)),
    (
        "Error: replace operation does not apply: doc is missing path: /a/b: missing value",
        None,
        (f"{HOME}", 0),
    ),
    (
        "# Warning: 'bases' is deprecated.\nError: accumulating resources: accumulation err='accumulating resources"
        f" from '../../../base': '{ROOT}/base' must resolve to a file': recursed accumulation of path '{ROOT}/base':"
        ' invalid Kustomization: json: unknown field "foo"',
        None,
        ("base", 0),
    ),
]


@pytest.mark.parametrize(("stderr", "message", "place"), KUSTOMIZE)
def test_kustomizes_words_are_one_line_without_our_folder(
    stderr: str, message: str | None, place: tuple[str, int]
) -> None:
    found = kustomize_complaint(stderr.encode(), root=ROOT, directory=HOME)
    assert ROOT not in found.message
    assert "accumulat" not in found.message
    assert "Error: " not in found.message
    assert "# Warning" not in found.message
    if message is not None:
        assert found.message == message
    assert (found.path, found.line) == place
