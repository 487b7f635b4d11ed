"""Layers of values, and a chart's schema with places."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.errors import TerminalError
from clusterops.model.canonical import canonical_json
from clusterops.model.problem import Problem
from clusterops.render.values import Layers, ValuesError, check_values, read_layer
from clusterops.render.values.layers import merge, parse_path, path_text, value_at, without_nulls
from tests.unit.render.repository import ROOT

CLUSTER = "clusters/north/alpha/values.yaml"
SCHEMA = (ROOT / "charts/cluster-dev/values.schema.json").read_bytes()
ONE_OF = "needs exactly one of `replicas`, `autoscale` and `external: true`"
CHART = (ROOT / "charts/cluster-dev/values.yaml").read_bytes()


def layers(*texts: str) -> Layers:
    paths = ["clouds/dev/values.yaml", "regions/north/values.yaml", CLUSTER][-len(texts) :]
    below = read_layer(CHART, "charts/cluster-dev/values.yaml", subject="t")
    own = (read_layer(text.encode(), path, subject="t") for text, path in zip(texts, paths, strict=True))
    return Layers(files=tuple(own), chart=below)


def problems(*texts: str) -> list[Problem]:
    stack = layers(*texts)
    with pytest.raises(ValuesError) as caught:
        check_values(stack, stack.merged, SCHEMA, schema_path="s", definition=CLUSTER)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            'version: v1.34.1\nnetwork:\n  pods: ["10.244.0.0/61"]\n',
            f'{CLUSTER}:3:10: network.pods[0]: "10.244.0.0/61" is not an address range (value-format)',
        ),
        (
            "version: v1.34.1\npools:\n  general:\n    replicas: five\n",
            f'{CLUSTER}:4:15: pools.general.replicas: "five" is not a whole number (value-type)',
        ),
        (
            "version: v1.34.1\ncontrolplane: {}\n",
            f"{CLUSTER}:2:1: controlplane: is not a key of this chart (value-unknown)",
        ),
        ("pools: {}\n", f"{CLUSTER}: version: is required: the Kubernetes version (value-missing)"),
        ("version: 1.34\n", f"{CLUSTER}:1:10: version: 1.34 is not text (value-type)"),
        ("version: '1.34'\n", f'{CLUSTER}:1:10: version: "1.34" is not a Kubernetes version (value-format)'),
        (
            "version: v1.34.1\ncontrolPlane: {replicas: 2}\n",
            f"{CLUSTER}:2:26: controlPlane.replicas: 2 is not one of 1, 3, 5, 7 (value-choice)",
        ),
        (
            "version: v1.34.1\npools: {a: {replicas: -1}}\n",
            f"{CLUSTER}:2:23: pools.a.replicas: -1 is less than 0 (value-range)",
        ),
        (
            "version: v1.34.1\npools: {a: {replicas: 1, autoscale: {min: 1, max: 2}}}\n",
            f"{CLUSTER}:2:12: pools.a: {ONE_OF} (value-conflict)",
        ),
        (
            "version: v1.34.1\npools: {a: {size: small}}\n",
            f"{CLUSTER}:2:12: pools.a: {ONE_OF} (value-conflict)",
        ),
        (
            "version: v1.34.1\npools:\n  a: {autoscale: {min: 1}}\n",
            f"{CLUSTER}:3:7: pools.a.autoscale.max: is required (value-missing)",
        ),
        (
            "version: v1.34.1\npools: {Big_One: {replicas: 1}}\n",
            f'{CLUSTER}:2:9: pools.Big_One: "Big_One" is not a name: small letters, digits and `-` (value-format)',
        ),
        (
            "version: v1.34.1\nhealthCheck: {unhealthyAfter: soon}\n",
            f'{CLUSTER}:2:31: healthCheck.unhealthyAfter: "soon" is not a duration (value-format)',
        ),
        (
            "version: v1.34.1\nnetwork: 10.0.0.0/8\n",
            f'{CLUSTER}:2:10: network: "10.0.0.0/8" is not a map (value-type)',
        ),
    ],
)
def test_a_mistake_is_one_line_at_its_place(text: str, line: str) -> None:
    assert [problem.text for problem in problems(text)] == [line]


def test_a_mistake_is_placed_in_the_layer_that_set_the_value() -> None:
    found = problems("healthCheck: {unhealthyAfter: soon}\n", "", "version: v1.34.1\n")
    assert [(each.path, each.line) for each in found] == [("clouds/dev/values.yaml", 1)]


@pytest.mark.parametrize(
    "kubeadm",
    [
        "files: [canary-song]",
        "files: [{path: 7, content: canary-song}]",
        "files: {content: canary-song}\n  users: [{name: 7, passwd: canary-song}]",
        "users: [canary-song]",
    ],
)
def test_what_machines_are_given_is_quoted_by_no_complaint(kubeadm: str) -> None:
    found = problems(f"version: v1.34.1\nkubeadm:\n  {kubeadm}\n")
    assert found
    assert all("canary-song" not in f"{each.text} {each.hint}" for each in found)


def test_all_mistakes_of_a_target_are_told_at_once_in_the_order_of_their_places() -> None:
    found = problems("sizes: {small: now}\n", "addon: [x]\n", "version: x\npools: {a: {replicas: two}}\n")
    assert [(each.path.partition("/")[0], each.line, each.code) for each in found] == [
        ("clouds", 1, "value-format"),
        ("clusters", 1, "value-format"),
        ("clusters", 2, "value-type"),
        ("regions", 1, "value-unknown"),
    ]


def test_hints_say_the_next_step() -> None:
    hints = {
        "version: v1.34.1\ncontrolPlan: {}\n": "did you mean `controlPlane`?",
        "version: v1.34.1\npools: {a: {replicas: five}}\n": "autoscale: {min: 3, max: 20}",
        "version: v1.34.1\nnetwork: {pods: [10.244.7.0/16]}\n": "the range that holds it is 10.244.0.0/16",
        "pools: {}\n": "try: `version: v1.34.1`",
        "version: v1.34.1\nnetwork: {pods: [10.244.0.0/61]}\n": "10.244.0.0/16",
    }
    for text, hint in hints.items():
        assert hint in problems(text)[0].hint


@pytest.mark.parametrize(
    "text",
    [
        "version: v1.34.1\n",
        "version: v1.34.1\npools: {a: {external: true}, b: {autoscale: {min: 0, max: 3}}}\n",
        "version: v1.34.1\nnetwork: {pods: 10.0.0.0/8, services: [fd00::/108], nodes: 10.1.0.0/16}\n",
        "version: v1.35.0-beta.1\npoolDefaults: {maxSurge: 25%, drainTimeout: 1h30m}\npaused: true\n",
    ],
)
def test_what_the_contract_allows_passes(text: str) -> None:
    stack = layers(text)
    check_values(stack, stack.merged, SCHEMA, schema_path="s", definition=CLUSTER)


def test_a_schema_that_is_none_is_the_charts_mistake() -> None:
    for text in (b"{", b'{"type": "nothing"}'):
        with pytest.raises(TerminalError, match="chart-schema-invalid"):
            check_values(layers(""), {}, text, schema_path="charts/c/values.schema.json", definition="")


def test_the_first_problem_is_the_errors_own_line() -> None:
    stack = layers("version: 1\nx: 2\n")
    with pytest.raises(ValuesError) as caught:
        check_values(stack, stack.merged, SCHEMA, schema_path="s", definition=CLUSTER)
    assert str(caught.value) == caught.value.problems[0].text


def test_maps_merge_lists_replace_and_null_takes_away() -> None:
    low: dict[str, Any] = {"a": {"x": 1, "w": 2}, "l": [1, 2], "n": {"k": 1}}
    high: dict[str, Any] = {"a": {"w": 3}, "l": [3], "n": None}
    assert without_nulls(merge(low, high)) == {"a": {"x": 1, "w": 3}, "l": [3]}


def test_the_reserved_block_is_not_passed_on() -> None:
    assert read_layer(b"a: 1\nclusterops: {mode: apply}\n", "v.yaml", subject="t").values == {"a": 1}


def test_a_values_file_that_is_no_map_is_refused() -> None:
    with pytest.raises(TerminalError, match="value-type"):
        read_layer(b"- a\n", "v.yaml", subject="t")


# Beyond 64 bits a whole number is a float in Kubernetes' YAML, here as there.
VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.text("abc é:#", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
MAPS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@given(MAPS, MAPS)
def test_a_layer_over_itself_and_an_empty_one_change_nothing(a: Any, b: Any) -> None:
    assert merge(merge(a, b), b) == merge(a, b)
    assert merge(a, {}) == merge({}, a) == a


@given(MAPS)
def test_values_files_survive_their_way_to_helm(values: Any) -> None:
    assert read_layer(canonical_json(values), "v.yaml", subject="t").values == values


def test_a_path_is_read_as_it_is_written() -> None:
    assert path_text(("network", "pods", 0)) == "network.pods[0]"
    assert parse_path("network.pods[0]") == ("network", "pods", 0)
    assert value_at({"network": {"pods": ["x"]}}, parse_path("network.pods[0]")) == "x"
