"""A body as an apply would leave it, where no dry run can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clusterops.model.plan import MISSING, FieldChange
from clusterops.model.pointer import tokens_of
from clusterops.plan.impact.owners import overlaid


def overlaid_with(live: Mapping[str, Any], desired: Mapping[str, Any], fields: Iterable[FieldChange]) -> Any:
    """``desired`` over ``live``, without the fields that git gave up."""
    merged: Any = overlaid(live, desired)
    for one in fields:
        if one.after is MISSING:
            merged = _without(merged, tokens_of(one.pointer))
    return merged


def _without(body: Any, path: tuple[str, ...]) -> Any:
    """Items of lists stay: what an apply leaves of them is not known without a dry run."""
    field = path[0] if path else ""
    if not isinstance(body, Mapping) or field not in body:
        return body
    if len(path) == 1:
        return {name: value for name, value in body.items() if name != field}
    return {**body, field: _without(body[field], path[1:])}
