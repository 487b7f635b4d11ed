"""Commit statuses as git notes: one JSON line per context, in the note of a commit under refs/notes/clusterops.

Notes are spread over 256 subtrees by the first byte of the commit's id, so that a write costs the same for the
ten-thousandth commit as for the first. **Source:** git's notes.c reads any mix of fan-outs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pygit2
from pygit2.enums import FileMode

from clusterops.model.commit_status import CommitStatus, State

NOTES_REF: Final = "refs/notes/clusterops"
TRACKING_REF: Final = "refs/clusterops/origin-notes"
"""Where the origin's notes stand in the mirror; outside refs/notes, so that git shows one set only."""
_FOREIGN: Final = "\uffff"

Lines = dict[str, str]
"""One line per context. A line that is not ours is kept under a key of its own, after all contexts."""


def read_lines(text: str) -> Lines:
    return {_context_of(line): line for line in text.split("\n") if line.strip()}


def write_lines(lines: Mapping[str, str]) -> str:
    return "".join(f"{lines[key]}\n" for key in sorted(lines))


def _context_of(line: str) -> str:
    decoded = _decode(line)
    return decoded.context if decoded else _FOREIGN + line


def _decode(line: str) -> CommitStatus | None:
    try:
        value = json.loads(line)
        return CommitStatus(
            context=str(value["context"]), state=State(value["state"]), text=str(value["text"]), at=_moment(value)
        )
    except (ValueError, KeyError, TypeError):
        return None


def _moment(value: Mapping[str, Any]) -> datetime | None:
    at = value.get("at")
    return datetime.fromisoformat(at) if at else None


def encode_status(status: CommitStatus, now: datetime) -> str:
    """The line of a status; ``now`` (aware UTC) where it does not say when."""
    at = (status.at or now).isoformat()
    value = {"context": status.context, "state": status.state.value, "text": status.text, "at": at}
    return json.dumps(value, ensure_ascii=False)


def statuses_of(text: str) -> tuple[CommitStatus, ...]:
    """Ours only, ordered by context."""
    decoded = (_decode(line) for _, line in sorted(read_lines(text).items()))
    return tuple(status for status in decoded if status is not None)


def merge_lines(base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> Lines:
    """Three ways, per context: what we changed since ``base`` wins, everything else is theirs or kept."""
    changed = {key: line for key, line in ours.items() if base.get(key) != line}
    return {**ours, **theirs, **changed}


def read_note(repository: pygit2.Repository, ref: str, commit: str) -> str:
    """The note's text, "" when there is none."""
    tree = _tree_of(repository, ref)
    path = _locate(tree, commit) if tree is not None else None
    return _text(repository, str(_entry(tree, path).id)) if tree is not None and path else ""


def write_statuses(repository: pygit2.Repository, commit: str, statuses: Sequence[CommitStatus], now: datetime) -> bool:
    """Replaces the given contexts in the commit's note and keeps the others; False when nothing changed."""
    before = read_note(repository, NOTES_REF, commit)
    lines = {**read_lines(before), **{status.context: encode_status(status, now) for status in statuses}}
    text = write_lines(lines)
    if text == before:
        return False
    tree = _put(repository, _tree_of(repository, NOTES_REF), commit, text)
    _advance(repository, tree, f"clusterops: {commit[:12]}", _parents(repository, NOTES_REF))
    return True


def join_tracking(repository: pygit2.Repository) -> bool:
    """Brings the origin's notes into ours; True when ours then hold something that the origin has not."""
    ours, theirs = _target(repository, NOTES_REF), _target(repository, TRACKING_REF)
    if theirs is None or ours == theirs:
        return ours is not None and theirs is None
    if ours is None or repository.descendant_of(theirs, ours):
        repository.references.create(NOTES_REF, theirs, force=True)
        return False
    if not repository.descendant_of(ours, theirs):
        _merge(repository, ours, theirs)
    return True


def _merge(repository: pygit2.Repository, ours: pygit2.Oid, theirs: pygit2.Oid) -> None:
    base_id = repository.merge_base(ours, theirs)
    base = _notes(repository, base_id) if base_id else {}
    mine, yours = _notes(repository, ours), _notes(repository, theirs)
    tree: pygit2.Tree | None = repository[theirs].peel(pygit2.Tree)
    for commit in sorted(commit for commit, blob in mine.items() if base.get(commit) not in {blob, yours.get(commit)}):
        sides = (read_lines(_text(repository, side.get(commit, ""))) for side in (base, mine, yours))
        tree = repository[_put(repository, tree, commit, write_lines(merge_lines(*sides)))].peel(pygit2.Tree)
    assert tree is not None
    _advance(repository, tree.id, "clusterops: join two writers", [theirs, ours])


def _notes(repository: pygit2.Repository, notes_commit: pygit2.Oid) -> dict[str, str]:
    """Blob id of each annotated commit's note. O(notes), so only where two writers met."""
    return dict(_walk(repository[notes_commit].peel(pygit2.Tree), ""))


def _walk(tree: pygit2.Tree, prefix: str) -> Iterator[tuple[str, str]]:
    for item in tree:
        name = f"{prefix}{item.name}"
        if isinstance(item, pygit2.Tree):
            yield from _walk(item, name)
        else:
            yield name, str(item.id)


def _text(repository: pygit2.Repository, blob_id: str) -> str:
    return repository[blob_id].read_raw().decode("utf-8", "replace") if blob_id else ""


def _target(repository: pygit2.Repository, ref: str) -> pygit2.Oid | None:
    reference = repository.references.get(ref)
    target = reference.resolve().target if reference is not None else None
    return target if isinstance(target, pygit2.Oid) else None


def _parents(repository: pygit2.Repository, ref: str) -> list[pygit2.Oid]:
    target = _target(repository, ref)
    return [] if target is None else [target]


def _tree_of(repository: pygit2.Repository, ref: str) -> pygit2.Tree | None:
    target = _target(repository, ref)
    return None if target is None else repository[target].peel(pygit2.Tree)


def _child(tree: pygit2.Tree, name: str) -> pygit2.Object | None:
    return tree[name] if name in tree else None  # noqa: SIM401  a Tree has no get()


def _locate(tree: pygit2.Tree, rest: str) -> tuple[str, ...] | None:
    """Where a commit's note stands, at any depth of fan-out."""
    if rest in tree:
        return (rest,)
    deeper = _child(tree, rest[:2])
    below = _locate(deeper, rest[2:]) if isinstance(deeper, pygit2.Tree) else None
    return (rest[:2], *below) if below else None


def _entry(tree: pygit2.Object, path: tuple[str, ...]) -> pygit2.Object:
    assert isinstance(tree, pygit2.Tree)
    return tree[path[0]] if len(path) == 1 else _entry(tree[path[0]], path[1:])


def _put(repository: pygit2.Repository, tree: pygit2.Tree | None, commit: str, text: str) -> pygit2.Oid:
    path = (_locate(tree, commit) if tree is not None else None) or (commit[:2], commit[2:])
    return _insert(repository, tree, path, repository.create_blob(text.encode("utf-8", "replace")))


def _insert(
    repository: pygit2.Repository, tree: pygit2.Tree | None, path: tuple[str, ...], blob: pygit2.Oid
) -> pygit2.Oid:
    builder = repository.TreeBuilder(tree) if tree is not None else repository.TreeBuilder()
    if len(path) == 1:
        builder.insert(path[0], blob, FileMode.BLOB)
        return builder.write()
    below = None if tree is None else _child(tree, path[0])
    subtree = below if isinstance(below, pygit2.Tree) else None
    builder.insert(path[0], _insert(repository, subtree, path[1:], blob), FileMode.TREE)
    return builder.write()


def _advance(repository: pygit2.Repository, tree: pygit2.Oid, message: str, parents: list[pygit2.Oid]) -> None:
    author = pygit2.Signature("clusterops", "clusterops@localhost")
    commit = repository.create_commit(None, author, author, message, tree, parents)
    repository.references.create(NOTES_REF, commit, force=True)
