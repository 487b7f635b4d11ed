"""List items that somebody gave another key: git's item and the live one that stands in its place.

Where a list is keyed by name and value (the extraArgs of kubeadm), an edit of a value takes an item away and puts
another one in. To a server-side apply they are strangers, and it would add git's beside it; for people, and for the
schema that wants each name once, they are one item that changed.

**Source:** Cluster API v1.14 api/bootstrap/kubeadm/v1beta2/kubeadm_types.go, ExtraArgs and KubeletExtraArgs:
listMapKey name and value, and a validation rule that wants each name once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from clusterops.model.bodies import comparable, with_leaf
from clusterops.model.leaves import Path, leaves, merged_tree
from clusterops.model.live import LiveObject
from clusterops.model.plan import Reclaimed

_NAME: Final = "name"
"""By which an item is known. Items that share another key (taints of a key, ports of a number) may well be two."""

Value = TypeVar("Value")


def twins(wanted: Collection[Path], there: Collection[Path]) -> dict[Path, Path]:
    """Path of the live item by the path of git's; only where each side has a single item of that name. O(leaves)."""
    if all(path in there for path in wanted):
        return {}
    ours, theirs = _items(wanted), _items(there)
    known = {path for paths in theirs.values() for path in paths}
    pairs = ((paths[0], theirs.get(place, ())) for place, paths in ours.items() if len(paths) == 1)
    return {git: found[0] for git, found in pairs if len(found) == 1 and git not in known}


def as_git_calls(found: Mapping[Path, Value], pairs: Mapping[Path, Path]) -> Mapping[Path, Value]:
    """The same by path, what lies in a live twin under the path of git's item."""
    if not pairs:
        return found
    named = {live: git for git, live in pairs.items()}
    return {_renamed(path, named): value for path, value in found.items()}


def item_of(path: Path, items: Iterable[Path]) -> Path:
    """The one of ``items`` that a path is or lies in, () where it is none."""
    return next((item for item in items if path[: len(item)] == item), ())


def pointer_of(item: Path, below: Path, pointer: str) -> str:
    """Of the item in which the leaf ``below`` stands at ``pointer``."""
    return "/".join(pointer.split("/")[: len(item) + 1])


def with_items(body: Mapping[str, Any], found: LiveObject, reclaims: Sequence[Reclaimed]) -> Mapping[str, Any]:
    """An object with git's items in the place of their twins."""
    there = leaves(comparable(body), merged_tree(found.managers))
    for one in reclaims:
        leaf = next(((path, leaf) for path, leaf in there.items() if path[: len(one.path)] == one.path), None)
        if leaf is not None:
            body = with_leaf(body, pointer_of(one.path, leaf[0], leaf[1].pointer), one.item)
    return body


def as_applied(found: LiveObject, first: LiveObject | None, reclaims: Sequence[Reclaimed]) -> Mapping[str, Any]:
    """What the apply comes to: what the server made of everything else (``first``), and git's items.

    Identity and status are those of the live object, so that nothing else is told as an edit.
    """
    if first is None:
        return with_items(found.body, found, reclaims)
    said, before = comparable(first.body), comparable(found.body)
    kept = {field: value for field, value in found.body.items() if field not in before}
    server = {f: v for f, v in found.body["metadata"].items() if f not in (before.get("metadata") or {})}
    body = {**kept, **said, "metadata": {**server, **(said.get("metadata") or {})}}
    return with_items(body, found, reclaims)


def _items(paths: Iterable[Path]) -> dict[tuple[Path, str], list[Path]]:
    """Items of several keys, by the list that they are in and by their name."""
    found: dict[tuple[Path, str], dict[Path, None]] = {}
    for path in paths:
        for at, step in enumerate(path):
            if step.startswith("k:") and (name := _name(step)):
                found.setdefault((path[:at], name), {})[path[: at + 1]] = None
    return {place: list(items) for place, items in found.items()}


@lru_cache(maxsize=4096)
def _name(step: str) -> str:
    """Empty for an item without one, or of one key: with another key that is another item, to everybody."""
    keys = json.loads(step[2:])
    return str(keys.get(_NAME, "")) if len(keys) > 1 else ""


def _renamed(path: Path, named: Mapping[Path, Path]) -> Path:
    live = item_of(path, named)
    return (*named[live], *path[len(live) :]) if live else path
