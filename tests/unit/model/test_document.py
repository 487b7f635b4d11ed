"""YAML as Kubernetes reads it. The table is also held against kustomize and a real API server in tests/doors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.errors import TerminalError
from clusterops.model.document import Mark, excerpt, load_document, load_documents, load_values, resolve_scalar
from tests.unit.model.yaml_cases import SCALARS


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_an_unquoted_scalar_means_what_kubernetes_takes_it_for(text: str, value: Any) -> None:
    found = resolve_scalar(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_both_loaders_agree_on_it(text: str, value: Any) -> None:
    assert load_values(f"v: {text}\n", "x.yaml") == [{"v": value}]
    assert load_document(f"v: {text}\n", "x.yaml").value == {"v": value}


def test_quotes_and_explicit_tags_decide() -> None:
    text = "a: '5'\nb: \"yes\"\nc: !!str 5\nd: !!int '5'\ne: !Custom text\nf: !!binary aGVsbG8=\ng: |\n  5\n"
    assert load_values(text, "x.yaml") == [
        {"a": "5", "b": "yes", "c": "5", "d": 5, "e": "text", "f": "hello", "g": "5\n"}
    ]


def test_keys_are_text() -> None:
    assert load_values("1: a\ntrue: b\nnull: c\n1.5: d\n", "x.yaml") == [
        {"1": "a", "true": "b", "null": "c", "1.5": "d"}
    ]


def test_merge_keys_fill_in_what_is_not_set() -> None:
    text = "base: &b {x: 1, w: 2}\nover: &o {x: 9}\none: {<<: *b, w: 3}\nmany: {<<: [*o, *b], z: 4}\n"
    (value,) = load_values(text, "x.yaml")
    assert value["one"] == {"x": 1, "w": 3} == load_document(text, "x.yaml").value["one"]
    assert value["many"] == {"x": 9, "w": 2, "z": 4} == load_document(text, "x.yaml").value["many"]


def test_a_quoted_merge_key_is_a_key() -> None:
    assert load_values('"<<": {x: 1}\n', "x.yaml") == [{"<<": {"x": 1}}]


def test_a_merged_value_has_the_place_where_it_is_written_and_an_overridden_one_that_of_the_override() -> None:
    document = load_document("base: &b\n  x: 1\n  w: 2\none:\n  <<: *b\n  x: 3\n", "x.yaml")
    assert document.mark(("one", "w")) == Mark(3, 6)
    assert document.mark(("one", "x")) == Mark(6, 6)


def test_places_are_of_values_and_of_keys() -> None:
    document = load_document("pools:\n  general:\n    replicas: five\n    taints: [a, b]\n", "values.yaml")
    assert document.mark(("pools", "general", "replicas")) == Mark(3, 15)
    assert document.key_mark(("pools", "general", "replicas")) == Mark(3, 5)
    assert document.mark(("pools", "general", "taints", 1)) == Mark(4, 17)
    assert document.mark(("pools", "general", "nothing")) == Mark(3, 5)


def test_empty_documents_are_left_out() -> None:
    assert load_values("---\n---\na: 1\n---\n# nothing\n---\nnull\n", "x.yaml") == [{"a": 1}]
    assert len(load_documents("---\na: 1\n---\n\n", "x.yaml")) == 1
    assert load_document("", "x.yaml").value == {}


def test_what_people_write_may_not_repeat_a_key() -> None:
    with pytest.raises(TerminalError, match=r"v.yaml:3:1: key 'a' is already set in line 1 \(yaml-duplicate-key\)"):
        load_document("a: 1\nb: 2\na: 3\n", "v.yaml")


def test_what_programs_print_may_and_the_last_one_wins_as_in_kubernetes() -> None:
    assert load_values("a: 1\na: 3\n", "x.yaml") == [{"a": 3}]


@pytest.mark.parametrize(
    "text", ["a: [1\nb: 2\n", "a: b: c\n", "\tx: 1\n", "a: *unknown\n", b"a: \xff\n", "a: 1\n- b\n", "a: \x00\n"]
)
def test_what_is_no_yaml_is_said_with_its_file(text: str | bytes) -> None:
    with pytest.raises(TerminalError, match=r"^v.yaml.*\(yaml-syntax\)$"):
        load_document(text, "v.yaml")
    with pytest.raises(TerminalError, match=r"^v.yaml.*\(yaml-syntax\)$"):
        load_values(text, "v.yaml")


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "[" * 900 + "]" * 900])
def test_what_has_no_end_is_an_error_and_no_crash(text: str) -> None:
    with pytest.raises(TerminalError, match="yaml-syntax"):
        load_values(text, "v.yaml")


def test_aliases_that_multiply_are_stopped() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(TerminalError, match="aliases"):
        load_values("\n".join(rows), "v.yaml")


def test_a_byte_order_mark_and_windows_lines_are_fine() -> None:
    assert load_document("\ufeffa: 1\r\nb: 2\r\n".encode(), "v.yaml").value == {"a": 1, "b": 2}


def test_an_excerpt_shows_the_line_its_number_and_the_place() -> None:
    text = "pools:\n  general:\n    replicas: five\n"
    assert excerpt(text, 3, 15, 4) == "    3 |     replicas: five\n      |               ^^^^"
    assert excerpt(text, 3, 0) == "    3 |     replicas: five"


def test_the_length_of_a_scalar_is_found_in_the_text() -> None:
    text = 'a: five # comment\nb: ["10.0.0.0/61", x]\nc: {d: e}\n'
    assert excerpt(text, 1, 4).count("^") == 4
    assert excerpt(text, 2, 5).count("^") == len('"10.0.0.0/61"')
    assert excerpt(text, 3, 8).count("^") == 1


@pytest.mark.parametrize(("line", "column"), [(0, 1), (9, 1), (-1, 3)])
def test_a_line_that_is_not_there_has_no_excerpt(line: int, column: int) -> None:
    assert excerpt("a: 1\n", line, column) == ""


@given(st.text(max_size=40), st.integers(0, 50), st.integers(1, 60))
def test_carets_stay_under_the_line(text: str, column: int, length: int) -> None:
    shown = excerpt(text, 1, column, length).splitlines()
    assert all("^" not in part or len(part) <= max(len(shown[0]), 8 + column) for part in shown[1:2])


@given(st.text(alphabet="0123456789abcdefxXoO_+-.eE:yYnN~", max_size=8))
def test_any_scalar_is_resolved_to_json(text: str) -> None:
    assert isinstance(resolve_scalar(text), str | int | float | bool | None)
