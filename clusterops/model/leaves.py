"""Bodies as leaves by path, with list items addressed the way server-side apply addresses them.

**Source:** sigs.k8s.io/structured-merge-diff v6 fieldpath/serialize-pe.go: ``f:`` a field, ``k:`` an item by its
keys, ``v:`` a set's value, ``.`` the node itself. Which lists are maps or sets stands in the schema, which we do not
have; managedFields shows it for every list that anybody owns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clusterops.model.canonical import canonical_json
from clusterops.model.live import Manager
from clusterops.model.pointer import escape

Path = tuple[str, ...]
Tree = Mapping[str, Any]

_MERGE_KEYS: Final = ("name", "type", "key", "port")
"""What Kubernetes' own associative lists are keyed by most often; used only for lists that nobody owns yet."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """``pointer`` is RFC 6901, with the index that the item has in this body."""

    pointer: str
    value: Any


def merged_tree(managers: Sequence[Manager]) -> dict[str, Any]:
    """All managers' fieldsV1 in one, without those who write status only, which is never compared."""
    merged: dict[str, Any] = {}
    for manager in managers:
        if manager.subresource != "status":
            _merge(merged, manager.fields)
    return merged


def leaves(body: Any, tree: Tree) -> dict[Path, Leaf]:
    """Every leaf of a body in its own order. An empty map or list, and an atomic one, is a leaf."""
    found: dict[Path, Leaf] = {}
    _gather(body, tree, (), "", found)
    return found


def owned(body: Any, tree: Tree) -> dict[Path, Leaf]:
    """The leaves of a live body that ``tree`` (one manager's fieldsV1) owns.

    A whole list item stands at its own path too, when the manager owns the item itself.
    """
    found: dict[Path, Leaf] = {}
    _gather_owned(body, tree, (), "", found)
    return found


def sole(body: Any, tree: Tree) -> dict[Path, Leaf]:
    """As ``owned``, without list items and maps that ``tree`` owns only as the place of its fields."""
    found = owned(body, tree)
    return {path: leaf for path, leaf in found.items() if path and not _is_place(path, leaf, tree)}


def is_item(path: Path) -> bool:
    return bool(path) and path[-1][:2] in {"k:", "v:"}


def _is_place(path: Path, leaf: Leaf, tree: Tree) -> bool:
    if not isinstance(leaf.value, dict | list) or not leaf.value:
        return False
    return (is_item(path) and not path[-1].startswith("v:")) or "." in _node(path, tree)


def _node(path: Path, tree: Tree) -> Tree:
    """The tree's node at a path, {} where a step is written in another way (Go escapes ``<`` where we do not)."""
    node: Tree = tree
    for step in path:
        node = node.get(step) or {}
    return node


def _merge(into: dict[str, Any], tree: Tree) -> None:
    for step, child in tree.items():
        node = into.setdefault(step, {})
        if isinstance(child, Mapping):
            _merge(node, child)


def _gather(value: Any, tree: Tree | None, path: Path, pointer: str, found: dict[Path, Leaf]) -> None:
    """Into ``found``: a generator in each level of a body takes twice as long."""
    if isinstance(value, dict) and value and not (path and tree == {}):
        for field, child in value.items():
            step = f"f:{field}"
            below = None if tree is None else tree.get(step)
            _gather(child, below, (*path, step), f"{pointer}/{escape(str(field))}", found)
        return
    items = _items(value, tree) if isinstance(value, list) and value else None
    if items is None:
        found[path] = Leaf(pointer, value)
        return
    for index, (step, child) in enumerate(items):
        below = None if tree is None else _item_tree(step, tree)
        _gather(child, below, (*path, step), f"{pointer}/{index}", found)


def _items(value: Sequence[Any], tree: Tree | None) -> list[tuple[str, Any]] | None:
    """(step, item) in order; None for an atomic list."""
    steps = _steps(value, tree)
    if steps is None or len(set(steps)) != len(steps):
        return None
    return list(zip(steps, value, strict=True))


def _steps(value: Sequence[Any], tree: Tree | None) -> list[str] | None:
    if tree is None:
        return _conventional_steps(value)
    names = _key_names(tree)
    if names and all(isinstance(item, Mapping) for item in value):
        return [_known_step(item, names, tree) for item in value]
    if any(step.startswith("v:") for step in tree):
        return [f"v:{canonical_json(item).decode()}" for item in value]
    return None


def _key_names(tree: Tree) -> tuple[str, ...]:
    for step in tree:
        if step.startswith("k:"):
            return tuple(sorted(json.loads(step[2:])))
    return ()


def _known_step(item: Mapping[str, Any], names: Sequence[str], tree: Tree) -> str:
    """As the tree calls the item. Git may leave a key to its default (a port's protocol): if only one item fits, it is
    that.
    """
    mine = {name: item[name] for name in names if name in item}
    if len(mine) < len(names):
        known = (json.loads(step[2:]) for step in tree if step.startswith("k:"))
        fitting = [keys for keys in known if mine.items() <= keys.items()]
        mine = fitting[0] if len(fitting) == 1 else mine
    return f"k:{canonical_json(mine).decode()}"


def _key_step(item: Mapping[str, Any], names: Sequence[str]) -> str:
    return f"k:{canonical_json({name: item[name] for name in names if name in item}).decode()}"


def _conventional_steps(value: Sequence[Any]) -> list[str] | None:
    if not all(isinstance(item, Mapping) for item in value):
        return None
    for name in _MERGE_KEYS:
        if all(isinstance(item.get(name), str | int) for item in value):
            return [_key_step(item, (name,)) for item in value]
    return None


def _item_tree(step: str, tree: Tree) -> Tree | None:
    """The node of an item. Steps are compared as JSON: Go escapes ``<`` where we do not."""
    wanted = json.loads(step[2:])
    for known, child in tree.items():
        if known[:2] == step[:2] and json.loads(known[2:]) == wanted:
            return child if isinstance(child, Mapping) else None
    return None


def _gather_owned(value: Any, tree: Tree, path: Path, pointer: str, found: dict[Path, Leaf]) -> None:
    if not tree or (len(tree) == 1 and "." in tree):
        found[path] = Leaf(pointer, value)
        return
    if "." in tree and is_item(path):
        found[path] = Leaf(pointer, value)
    if isinstance(value, dict):
        for step, child in tree.items():
            field = step[2:]
            if field in value and step != ".":
                _gather_owned(value[field], child, (*path, step), f"{pointer}/{escape(field)}", found)
    elif isinstance(value, list):
        for index, (step, item) in enumerate(_items(value, tree) or ()):
            below = _item_tree(step, tree)
            if below is not None:
                _gather_owned(item, below, (*path, step), f"{pointer}/{index}", found)
