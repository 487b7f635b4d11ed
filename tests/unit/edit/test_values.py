"""One value of a file changes; every other byte stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterops.edit.draft import Draft
from clusterops.edit.values import set_value
from clusterops.errors import TerminalError
from clusterops.model.document import Pointer, load_document, load_documents
from clusterops.model.plan import MISSING

T = TypeVar("T")
FILE = """\
# the ledger
version: v1.34.1        # do not touch
controlPlane: {replicas: 3, size: "large"}
pools:
    general:
        # ring-fenced for the payment API
        replicas: 4     # by CHG-2310
        labels: {}
        note: 'it''s 4'
    batch:

    late: ~
network:
    pods: ["10.244.0.0/16"]   # one range
script: |
    echo 1

    echo 2

# the end
"""


def at(tree: Any, pointer: Pointer) -> Any:
    for part in pointer:
        tree = tree[part]
    return tree


@pytest.mark.parametrize(
    ("pointer", "value", "old", "new", "line"),
    [
        (("pools", "general", "replicas"), 5, "replicas: 4  ", "replicas: 5  ", 7),
        (("version",), "v1.34.2", "v1.34.1", "v1.34.2", 2),
        (("controlPlane", "replicas"), 5, "{replicas: 3", "{replicas: 5", 3),
        (("controlPlane", "size"), "a: b", '"large"', '"a: b"', 3),
        (("pools", "general", "note"), "it's 5", "'it''s 4'", "'it''s 5'", 9),
        (("network", "pods"), ["10.0.0.0/8", "yes"], '["10.244.0.0/16"]', '[10.0.0.0/8, "yes"]', 14),
        (("network", "pods", 0), "10.0.0.0/8", '"10.244.0.0/16"', '"10.0.0.0/8"', 14),
        (("pools", "late"), True, "late: ~", "late: true", 12),
        (("script",), "echo 3\n", "echo 1\n\n    echo 2\n\n#", "echo 3\n\n#", 15),
    ],
)
def test_a_value_is_replaced_in_its_place(pointer: Pointer, value: Any, old: str, new: str, line: int) -> None:
    written = set_value(FILE, pointer, value, path="values.yaml")
    assert (written.text, written.line) == (FILE.replace(old, new), line)


@pytest.mark.parametrize(
    ("pointer", "value", "after", "added", "line"),
    [
        (("pools", "general", "maxSurge"), 2, "'it''s 4'\n", "        maxSurge: 2\n", 10),
        (("pools", "new", "replicas"), 2, "late: ~\n", "    new:\n        replicas: 2\n", 14),
        (("paused",), True, "echo 2\n\n", "paused: true\n", 20),
        (("kubeadm", "files"), [{"path": "/a"}], "echo 2\n\n", "kubeadm:\n    files: [{path: /a}]\n", 21),
    ],
)
def test_a_new_key_comes_last_in_its_map(pointer: Pointer, value: Any, after: str, added: str, line: int) -> None:
    written = set_value(FILE, pointer, value, path="values.yaml")
    assert (written.text, written.line) == (FILE.replace(after, after + added), line)


@pytest.mark.parametrize(
    ("text", "pointer", "expected"),
    [
        ("a: {b: 1,}\n", ("a", "c"), "a: {b: 1, c: x,}\n"),
        ("a: {}\n", ("a", "c"), "a: {c: x}\n"),
        ("a: {b: {}}\n", ("a", "c", "d"), "a: {b: {}, c: {d: x}}\n"),
        ("a:\n", ("a", "c"), "a: {c: x}\n"),
        ("a:   # none\n", ("a", "c"), "a: {c: x}   # none\n"),
        ("a: 1", ("b",), "a: 1\nb: x\n"),
        ("a: 1\r\n", ("b",), "a: 1\r\nb: x\r\n"),
        ("", ("a", "b"), "a:\n  b: x\n"),
        ("# nothing yet\n", ("a",), "# nothing yet\na: x\n"),
        ("a: &here 1\n", ("b",), "a: &here 1\nb: x\n"),
        ("base: &b {r: 1}\na:\n  <<: *b\n", ("a", "r"), "base: &b {r: 1}\na:\n  <<: *b\n  r: x\n"),
        ("n: &n 1\na: *n\n", ("a",), "n: &n 1\na: x\n"),
        ("yes: 1\n", ("true",), "yes: x\n"),
        ("- a: 1\n  b: 2\n", (0, "b"), "- a: 1\n  b: x\n"),
        ("a: >-\n  one\n  two\n\nb: 1\n", ("a",), "a: |-\n  x\n\nb: 1\n"),
    ],
)
def test_every_way_of_writing_a_map(text: str, pointer: Pointer, expected: str) -> None:
    assert set_value(text, pointer, "x", path="v.yaml").text == expected


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        ("v1.34.1", "v1.34.1"),
        ("10m", "10m"),
        ("m5.large", "m5.large"),
        ("1", '"1"'),
        ("yes", '"yes"'),
        ("1:30", '"1:30"'),
        ("2026-11-21", '"2026-11-21"'),
        ("a b", "a b"),
        ("a #b", '"a #b"'),
        ("a: b", '"a: b"'),
        ("*", '"*"'),
        ("", '""'),
        ("é\u2028", '"é\\U00002028"'),
        (1.5, "1.5"),
        (None, "null"),
        ([], "[]"),
    ],
)
def test_text_is_quoted_where_some_reader_takes_it_for_something_else(value: Any, spelt: str) -> None:
    assert set_value("a: 1\n", ("a",), value, path="v.yaml").text == f"a: {spelt}\n"


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("a: &n 1\nb: *n\n", ("a",)),
        ("a: &n {x: 1}\nb: *n\n", ("a", "x")),
        ("a: &n {x: 1}\nb: *n\n", ("b", "x")),
        ("a:\n  # why\n  - 1\n", ("a",)),
        ("a: 1\n", ("a", "b")),
        ("a: [1]\n", ("a", 1)),
        ("a: [1]\n", ("a", "b")),
    ],
)
def test_what_would_change_something_else_is_refused(text: str, pointer: Pointer) -> None:
    with pytest.raises(TerminalError) as caught:
        set_value(text, pointer, 7, path="v.yaml")
    assert (caught.value.code, caught.value.path) == ("edit-not-possible", "v.yaml")


def test_one_document_of_several() -> None:
    text = "---\n# none\n---\na: 1\n---\na: 2\n"
    assert set_value(text, ("a",), 3, path="v.yaml", document=1).text == text.replace("a: 2", "a: 3")


def test_what_stood_there_is_told() -> None:
    assert set_value(FILE, ("pools", "general", "replicas"), 5, path="v").before == 4
    assert set_value(FILE, ("paused",), True, path="v").before is MISSING


# Random files: every style, with comments and blank lines between.

NAMES = st.text("abcXYZ01_-./é", min_size=1, max_size=6)
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(-1e6, 1e6).map(lambda number: round(number, 3)).filter(lambda number: not number.is_integer())
    | st.text(max_size=12)
    | st.sampled_from(
        ["v1.34.1", "10m", "a: b", "x #y", "*a", "&a", "!t", "- a", "{a}", "'q'", '"q"', "\n", "1:30", "a\nb\n"]
    )
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
VALUES = st.dictionaries(NAMES, TREES, min_size=1, max_size=5)


class Writer:
    """Writes a tree as a person might: block or flow, plain or quoted, comments here and there."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def choose(self, *options: T) -> T:
        return self.draw(st.sampled_from(options))

    def scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        plain = value.replace(".", "").isalnum() and value.isascii() and value[0].isalpha()
        if plain and load_document(f"a: {value}", "").value == {"a": value} and self.choose(True, False):
            return value
        if value.isprintable() and self.choose(True, False):
            return "'" + value.replace("'", "''") + "'"
        quoted = json.dumps(value, ensure_ascii=False)
        return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)

    def flow(self, value: Any) -> str:
        gap = self.choose("", " ")
        if isinstance(value, dict):
            return (
                "{"
                + gap
                + ", ".join(f"{self.scalar(key)}: {self.flow(each)}" for key, each in value.items())
                + gap
                + "}"
            )
        if isinstance(value, list):
            return "[" + gap + ", ".join(map(self.flow, value)) + gap + "]"
        return self.scalar(value)

    def tail(self) -> str:
        return self.choose("", "", "  # why: {not} [this]") + "\n" + self.choose("", "", "\n", "# between\n")

    def block(self, value: Any, indent: int) -> str:
        """What follows the colon or the dash."""
        if isinstance(value, dict) and value and self.choose(True, True, False):
            step = indent + self.choose(2, 4)
            lines = [f"{' ' * step}{self.scalar(key)}:{self.block(each, step)}" for key, each in value.items()]
            return self.tail() + "".join(lines)
        if isinstance(value, list) and value and self.choose(True, False):
            step = indent + self.choose(0, 2)
            return self.tail() + "".join(f"{' ' * step}-{self.block(each, step + 1)}" for each in value)
        if isinstance(value, str) and value.rstrip("\n").isprintable() and value[:1].strip() and value.count("\n") == 1:
            return f" |\n{' ' * (indent + 2)}{value}"
        return f" {self.flow(value)}" + self.tail()

    def file(self, values: Mapping[str, Any]) -> str:
        return self.choose("", "# head\n") + "".join(
            f"{self.scalar(key)}:{self.block(each, 0)}" for key, each in values.items()
        )


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    values = draw(VALUES)
    return Writer(draw).file(values), values


def leaves(tree: Any, pointer: Pointer = ()) -> list[Pointer]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    below = [found for key, each in items for found in leaves(each, (*pointer, key))]
    return below if isinstance(tree, dict | list) and tree else [pointer]


def put(tree: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer:
        return value
    if isinstance(tree, list):
        return [put(each, pointer[1:], value) if place == pointer[0] else each for place, each in enumerate(tree)]
    return {**tree, pointer[0]: put(tree.get(pointer[0], {}), pointer[1:], value)}


def untouched(before: str, after: str) -> tuple[str, str]:
    """What is left of both between the longest common beginning and end."""
    head = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    one, other = before[head:], after[head:]
    tail = next(
        (n for n, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)) if a != b),
        min(len(one), len(other)),
    )
    return one[: len(one) - tail], other[: len(other) - tail]


@settings(max_examples=150, deadline=None)
@given(file=files(), value=SCALARS, data=st.data())
def test_any_value_of_any_file_changes_and_nothing_else(
    file: tuple[str, dict[str, Any]], value: Any, data: st.DataObject
) -> None:
    text, values = file
    assert load_document(text, "v.yaml").value == values
    pointer = data.draw(st.sampled_from(leaves(values)))
    written = set_value(text, pointer, value, path="v.yaml")
    assert load_document(written.text, "v.yaml").value == put(values, pointer, value)
    assert written.text.count("#") - str(value).count("#") >= text.count("#") - str(at(values, pointer)).count("#")
    gone, _ = untouched(text, written.text)
    if not isinstance(at(values, pointer), str):
        assert "\n" not in gone


@settings(max_examples=150, deadline=None)
@given(file=files(), value=TREES, name=NAMES, data=st.data())
def test_any_new_key_is_added_and_nothing_is_taken_away(
    file: tuple[str, dict[str, Any]], value: Any, name: str, data: st.DataObject
) -> None:
    text, values = file
    maps = [
        pointer
        for pointer in {leaf[:length] for leaf in leaves(values) for length in range(len(leaf) + 1)}
        if isinstance(at(values, pointer), dict)
    ]
    parent = data.draw(st.sampled_from(sorted(maps, key=str)))
    if name in at(values, parent):
        return
    written = set_value(text, (*parent, name, "below"), value, path="v.yaml")
    assert load_documents(written.text, "v.yaml")[0].value == put(values, (*parent, name, "below"), value)
    kept = iter(written.text)
    assert all(char in kept for char in text), "the old text is no subsequence of the new one"


@settings(max_examples=60, deadline=None)
@given(file=files(), data=st.data())
def test_one_edit_after_another_adds_up_and_is_told_once_each(
    file: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    """As `resize` and `upgrade` do it: each sees what the one before it wrote, and nothing else of the file moves."""
    text, values = file
    draft, wanted = Draft(read=lambda path: text.encode() if path == "v.yaml" else None), values
    chosen = data.draw(st.lists(st.sampled_from(leaves(values)), min_size=1, max_size=4, unique=True))
    for pointer in chosen:
        value = data.draw(SCALARS)
        draft.set("v.yaml", pointer, value, target="eu/web")
        wanted = put(wanted, pointer, value)
    assert load_document(draft.text("v.yaml"), "v.yaml").value == wanted
    assert len(draft.edits.edits) <= len(chosen)
    assert draft.edits.files.keys() == ({"v.yaml"} if draft.text("v.yaml") != text else set())
    for edit in draft.edits.edits:
        assert edit.setting in {".".join(map(str, pointer)) for pointer in chosen}
