"""Laws of the source room: a tree is what its checkout is, a quick look is never wrong, notes merge like sets."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import event, given, settings
from hypothesis import strategies as st

from clusterops.errors import TerminalError
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.document import load_document
from clusterops.source.fleet.quick import look_quickly
from clusterops.source.git.notes import encode_status, merge_lines, read_lines, statuses_of, write_lines
from clusterops.source.worktree import resolve_revision, snapshot_worktree
from tests.unit.source.origins import git

names = st.text(st.sampled_from("abcXYZ019-_. é"), min_size=1, max_size=8).filter(
    lambda name: name.strip() == name and name.strip(".") != "" and not name.startswith((".git", "-"))
)
contents = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode))
trees = st.dictionaries(st.lists(names, min_size=1, max_size=3).map("/".join), contents, min_size=1, max_size=6)


def _write(root: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        place = root / path
        if any(parent.is_file() for parent in place.parents) or place.is_dir():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


@settings(max_examples=25, deadline=None)
@given(files=trees, more=trees)
def test_the_snapshot_of_a_commit_is_that_of_its_checkout(files: dict[str, bytes], more: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        git(root, "init", "-q", "-b", "main")
        _write(root, files)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "one")
        _write(root, more)
        dirty = snapshot_worktree(root)
        before = dirty.read_all(dirty.paths)
        git(root, "add", "-A")
        git(root, "commit", "-q", "--allow-empty", "-m", "two")
        clean, committed = snapshot_worktree(root), resolve_revision(root, "HEAD")
        assert dirty.files == clean.files == committed.files
        assert before == clean.read_all(clean.paths) == committed.read_all(committed.paths)


words = st.sampled_from(
    ["a", "b", "yes", "1", "null", "x.y", "{a: 1}", "[a, b]", "{a, a}", "'q'", "&n", "*n", "|", "é"]
)
keys = st.sampled_from(["a", "b", "c", "clusterops", "yes", "true", "on", "1", "'a'", "<<", "- a", "- - a", "-", "?"])
yaml_lines = st.builds(
    lambda indent, key, colon, value, end: f"{' ' * indent}{key}{colon}{value}{end}",
    st.integers(0, 5),
    keys,
    st.sampled_from([": ", ":", "", ":  "]),
    st.one_of(st.just(""), words),
    st.sampled_from(["", " # it's", "  ", "#x"]),
)


def _check_quick_look(text: str) -> bool:
    """Whether it was accepted; fails when it was and should not have been."""
    quick = look_quickly(text.encode())
    if quick is None:
        return False
    try:
        value = load_document(text, "x").value
    except TerminalError as error:
        raise AssertionError(f"accepted {text!r}: {error}") from error
    assert set(value) == quick.keys
    assert load_document(quick.block, "x").value.get("clusterops") == value.get("clusterops")
    return True


@settings(max_examples=500, deadline=None)
@given(lines=st.lists(yaml_lines, max_size=7))
def test_what_a_quick_look_accepts_of_any_lines_the_full_reader_reads_the_same(lines: list[str]) -> None:
    _check_quick_look("\n".join(lines))


Node = str | list["Node"] | list[tuple[str, "Node"]]
plain_keys = st.sampled_from(["a", "b", "c", "d.e", "clusterops", "pools"])
scalars = st.sampled_from(["x", "10", "10.0.0.0/16", "v1.34.1", "{a: 1, b: 2}", "{a: 1, a: 2}", "[x, y]", "", "a b"])
nodes: st.SearchStrategy[Node] = st.recursive(
    scalars,
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3),
        st.lists(st.tuples(plain_keys, children), min_size=1, max_size=4),
    ),
    max_leaves=8,
)


def _render(node: Node, indent: int, step: int) -> list[str]:
    """Block style; a sequence below a key begins in the key's own column when ``step`` is 0."""
    if isinstance(node, str):
        return [" " * indent + node]
    found: list[str] = []
    for item in node:
        if isinstance(item, tuple):
            key, value = item
            deeper = indent + (step if isinstance(value, list) and not isinstance(value[0], tuple) else 2)
            found += _after(" " * indent + f"{key}:", value, deeper, step, joins=False)
        else:
            found += _after(" " * indent + "-", item, indent + 2, step, joins=True)
    return found


def _after(head: str, value: Node, indent: int, step: int, *, joins: bool) -> list[str]:
    if isinstance(value, str):
        return [f"{head} {value}".rstrip()]
    below = _render(value, indent, step)
    return [f"{head} {below[0].strip()}", *below[1:]] if joins else [head, *below]


@settings(max_examples=400, deadline=None)
@given(
    top=st.lists(st.tuples(plain_keys, nodes), min_size=1, max_size=5, unique_by=lambda pair: pair[0]),
    step=st.sampled_from([0, 2]),
    again=st.booleans(),
)
def test_what_a_quick_look_accepts_of_a_likely_file_is_right(
    top: list[tuple[str, Node]], step: int, again: bool
) -> None:
    lines = _render([*top, *top[:1]] if again else [*top], 0, step)
    accepted = _check_quick_look("\n".join(lines))
    assert not (accepted and again)
    event(f"accepted: {accepted}")


def test_a_quick_look_accepts_the_files_that_people_write() -> None:
    pools = "pools:\n  a:\n    replicas: 3\n  b: {replicas: 3}\n"
    text = f"version: v1.34.1  # it's\n{pools}addons:\n- calico\n- x: 1\n  z: 2\n"
    assert _check_quick_look(text)
    assert _check_quick_look(f"{text}clusterops:\n  labels: {{ring: late}}\n")


statuses = st.builds(
    CommitStatus,
    context=st.text(min_size=1, max_size=20).filter(lambda text: "\uffff" not in text),
    state=st.sampled_from(State),
    text=st.text(max_size=200),
    at=st.datetimes().map(lambda at: at.replace(tzinfo=UTC)),
)


@given(found=st.lists(statuses, max_size=5, unique_by=lambda status: status.context))
def test_statuses_survive_their_note_in_the_order_of_their_contexts(found: list[CommitStatus]) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    text = write_lines({status.context: encode_status(status, now) for status in found})
    assert statuses_of(text) == tuple(sorted(found, key=lambda status: status.context))
    assert write_lines(read_lines(text)) == text


lines_of = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"))


@given(base=lines_of, ours=lines_of, theirs=lines_of)
def test_a_merge_keeps_our_changes_and_loses_no_context(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    merged = merge_lines(base, ours, theirs)
    assert set(merged) == set(ours) | set(theirs)
    assert all(merged[key] == ours[key] for key in ours if base.get(key) != ours[key])
    assert all(merged[key] == theirs[key] for key in theirs if ours.get(key) in {None, base.get(key)})
