"""Fields that git sets and that somebody else owns with another value: where a plain apply would be refused.

**Source:** sigs.k8s.io/structured-merge-diff v6 merge/conflict.go and merge/update.go: an apply conflicts on every path
that it changes and that another manager owns; the owner of an atomic field owns all that lies below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clusterops.model.bodies import comparable, same, value_at
from clusterops.model.leaves import Leaf, Path, leaves, merged_tree, sole
from clusterops.model.live import LiveObject
from clusterops.model.managers import OURS
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING
from clusterops.plan.twins import as_git_calls, item_of, pointer_of, twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """One leaf. ``owners`` are names, none of ours; ``live`` is MISSING where the server has no such leaf.

    ``twin`` is the path of the live item that stands in the place of git's, whose pointer and value follow; then
    ``owners`` are those of all that is in it.
    """

    path: Path
    pointer: str
    git: Any
    live: Any
    owners: tuple[str, ...]
    twin: Path = ()
    item: str = ""
    item_value: Any = None


def contested(manifest: Manifest, found: LiveObject) -> tuple[Contested, ...]:
    """In document order. O(leaves * managers)."""
    body, tree = comparable(found.body), merged_tree(found.managers)
    said, seen = comparable(manifest.body), leaves(body, tree)
    wanted = leaves(said, tree)
    pairs = twins(wanted, seen) if _in_one_version(manifest, found) else {}
    there = as_git_calls(seen, pairs)
    other = {path: leaf for path, leaf in wanted.items() if not _equal(there.get(path), leaf)}
    theirs = {path: holding.owners for path, holding in as_git_calls(holdings(found), pairs).items()} if other else {}
    rows = tuple(
        Contested(path=path, pointer=leaf.pointer, git=leaf.value, live=_value(there, path), owners=owners)
        for path, leaf in other.items()
        if (owners := _owners(path, leaf, theirs))
    )
    return tuple(_of_twin(row, pairs, theirs, said) for row in rows) if pairs else rows


def _in_one_version(manifest: Manifest, found: LiveObject) -> bool:
    """Another version may have a map where this one has a list."""
    return manifest.api_version == found.body.get("apiVersion")


def _of_twin(
    row: Contested, pairs: Mapping[Path, Path], theirs: Mapping[Path, tuple[str, ...]], said: Mapping[str, Any]
) -> Contested:
    item = item_of(row.path, pairs)
    if not item:
        return row
    inside = (name for path, names in theirs.items() if path[: len(item)] == item for name in names)
    pointer = pointer_of(item, row.path, row.pointer)
    return replace(
        row,
        owners=tuple(sorted({*row.owners, *inside})),
        twin=pairs[item],
        item=pointer,
        item_value=value_at(said, pointer),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A leaf of a live object and the managers, `clusterops` left out, that own it."""

    leaf: Leaf
    owners: tuple[str, ...]


def holdings(found: LiveObject) -> dict[Path, Holding]:
    """What others own; a map or list item that is owned only as the place of its fields is no leaf."""
    body = comparable(found.body)
    known: dict[Path, Holding] = {}
    for manager in found.managers:
        if manager.subresource != "status" and manager.name != OURS:
            for path, leaf in sole(body, manager.fields).items():
                before = known[path].owners if path in known else ()
                known[path] = Holding(leaf=leaf, owners=tuple(sorted({*before, manager.name})))
    return known


def _owners(path: Path, leaf: Leaf, theirs: Mapping[Path, tuple[str, ...]]) -> tuple[str, ...]:
    above = [name for length in range(1, len(path) + 1) for name in theirs.get(path[:length], ())]
    if above or leaf.value == {}:
        return tuple(dict.fromkeys(above))
    below = [name for other, names in theirs.items() if other[: len(path)] == path for name in names]
    return tuple(dict.fromkeys(below))


def _value(there: Mapping[Path, Leaf], path: Path) -> Any:
    return there[path].value if path in there else MISSING


def _equal(there: Leaf | None, wanted: Leaf) -> bool:
    return there is not None and same(there.value, wanted.value)
