"""managedFields as values: which fields are ours, and one manager's entries made another's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from clusterops.model.leaves import merged_tree
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
