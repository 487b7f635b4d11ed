"""managedFields as values: which fields are ours, and one manager's entries made another's."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from clusterops.model.leaves import Path, merged_tree
from clusterops.model.live import Manager

OURS: Final = "clusterops"
"""Our field manager."""


def is_our_apply(manager: Manager) -> bool:
    return manager.name == OURS and manager.operation == "Apply" and not manager.subresource


def our_tree(managers: Iterable[Manager]) -> dict[str, Any]:
    """fieldsV1 of what our applies own."""
    return merged_tree([one for one in managers if is_our_apply(one)])


def taken_over(
    managers: Sequence[Manager], names: Collection[str], *, by: str, api_version: str
) -> tuple[Manager, ...]:
    """The entries of ``names`` folded into one Apply entry of ``by``, in ``api_version``; all others as they are.

    An entry for ``status`` stays whoever wrote it. **Source:** k8s.io/client-go util/csaupgrade v0.36, except that
    entries of several versions become one: paths that a version does not have own nothing there.
    """
    mine = [one for one in managers if _goes(one, names) or _is_applier(one, by)]
    if not any(_goes(one, names) for one in mine):
        return tuple(managers)
    fields: dict[str, Any] = {}
    for one in mine:
        merge(fields, one.fields)
    time = max(one.time for one in mine)
    folded = Manager(name=by, operation="Apply", api_version=api_version, time=time, fields=fields)
    return (folded, *(one for one in managers if one not in mine))


def reclaimed(
    managers: Sequence[Manager], items: Mapping[str, Collection[Path]], *, by: str, api_version: str
) -> tuple[Manager, ...]:
    """List items moved from the entries of their managers into the Apply entry of ``by``; all else as it is.

    ``items`` are paths by manager's name. The same sequence where nobody of these owns such an item any more.
    """
    rest: list[Manager] = []
    moved: dict[str, Any] = {}
    for one in managers:
        fields: Mapping[str, Any] = one.fields
        for path in items.get(one.name, ()) if one.subresource != "status" else ():
            fields = _moved(fields, path, moved)
        if fields:
            rest.append(one if fields is one.fields else replace(one, fields=fields))
    if not moved:
        return tuple(managers)
    mine = next((one for one in rest if _is_applier(one, by)), None)
    merged = copy.deepcopy(dict(mine.fields)) if mine is not None else {}
    merge(merged, moved)
    entry = replace(mine or Manager(name=by, operation="Apply", api_version=api_version), fields=merged)
    return (entry, *(one for one in rest if one is not mine))


def _moved(tree: Mapping[str, Any], path: Path, into: dict[str, Any]) -> Mapping[str, Any]:
    """The tree without the node at a path, which goes ``into`` another; steps above that are empty then go too.

    An empty node would own the whole field.
    """
    step = next((known for known in tree if _is_step(known, path[0])), None)
    if step is None:
        return tree
    if len(path) == 1:
        merge(into.setdefault(step, {}), tree[step])
        return {known: child for known, child in tree.items() if known != step}
    below: dict[str, Any] = {}
    left = _moved(tree[step], path[1:], below)
    if not below:
        return tree
    merge(into.setdefault(step, {}), below)
    others = {known: child for known, child in tree.items() if known != step}
    return {**others, step: left} if left else others


def _is_step(known: str, wanted: str) -> bool:
    """Keys are compared as JSON: Go escapes ``<`` where we do not."""
    if known == wanted:
        return True
    return known[:2] == wanted[:2] == "k:" and bool(json.loads(known[2:]) == json.loads(wanted[2:]))


def to_body(managers: Iterable[Manager]) -> list[dict[str, Any]]:
    """metadata.managedFields as the API server takes it."""
    return [
        {
            "manager": one.name,
            "operation": one.operation,
            "apiVersion": one.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": dict(one.fields),
            **({"subresource": one.subresource} if one.subresource else {}),
            **({"time": one.time} if one.time else {}),
        }
        for one in managers
    ]


def merge(into: dict[str, Any], tree: Mapping[str, Any]) -> None:
    """Adds one fieldsV1 to another, in place."""
    for step, child in tree.items():
        node = into.setdefault(step, {})
        if isinstance(child, Mapping):
            merge(node, child)


def _goes(manager: Manager, names: Collection[str]) -> bool:
    return manager.name in names and manager.subresource != "status"


def _is_applier(manager: Manager, name: str) -> bool:
    return manager.name == name and manager.operation == "Apply" and not manager.subresource
