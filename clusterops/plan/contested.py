"""Fields that git sets and that somebody else owns with another value: where a plain apply would be refused.

**Source:** sigs.k8s.io/structured-merge-diff v6 merge/conflict.go and merge/update.go: an apply conflicts on every path
that it changes and that another manager owns; the owner of an atomic field owns all that lies below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clusterops.model.bodies import comparable, same
from clusterops.model.leaves import Leaf, Path, leaves, merged_tree, sole
from clusterops.model.live import LiveObject
from clusterops.model.managers import OURS
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """One leaf. ``owners`` are names, none of ours; ``live`` is MISSING where the server has no such leaf."""

    path: Path
    pointer: str
    git: Any
    live: Any
    owners: tuple[str, ...]


def contested(manifest: Manifest, found: LiveObject) -> tuple[Contested, ...]:
    """In document order. O(leaves * managers)."""
    body, tree = comparable(found.body), merged_tree(found.managers)
    there = leaves(body, tree)
    wanted = leaves(comparable(manifest.body), tree)
    other = {path: leaf for path, leaf in wanted.items() if not _equal(there.get(path), leaf)}
    theirs = {path: holding.owners for path, holding in holdings(found).items()} if other else {}
    return tuple(
        Contested(path=path, pointer=leaf.pointer, git=leaf.value, live=_value(there, path), owners=owners)
        for path, leaf in other.items()
        if (owners := _owners(path, leaf, theirs))
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
