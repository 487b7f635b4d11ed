"""The values file of a new cluster, as a person would write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.edit.pools import Size
from clusterops.edit.spelling import flow_text, key_text
from clusterops.edit.values import value_under
from clusterops.model.plan import MISSING

OWN: Final = (("network", "nodes"), ("endpoint", "host"), ("clusterops", "namespace"))
"""What belongs to one cluster alone, so that no other may have it as well."""
_BLOCK_DEPTH: Final = {"pools": 2}
"""How deep a map is written in lines of its own; beyond that, and everything else, in flow style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCluster:
    """``nodes`` is its range of addresses, "" for none; ``control_plane`` 0 leaves the count to lower layers."""

    version: str
    sizes: Sequence[Size] = ()
    size: str = ""
    control_plane: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    nodes: str = ""


def cluster_text(new: NewCluster, like: Mapping[str, Any]) -> str:
    """``like`` are another cluster's own values, whose shape it takes but for what belongs to that one alone."""
    values = without(like, OWN)
    ordered: dict[str, Any] = {"version": new.version}
    plane = _merged(values.get("controlPlane"), {"replicas": new.control_plane} if new.control_plane else {})
    pools = _pools(values.get("pools") or {}, new)
    network = _merged(values.get("network"), {"nodes": new.nodes} if new.nodes else {})
    ours = _merged(values.get("clusterops"), {})
    if new.labels:
        ours["labels"] = _merged(ours.get("labels"), new.labels)
    named = {"controlPlane": plane, "pools": pools, "network": network}
    ordered |= {key: value for key, value in named.items() if value}
    ordered |= {key: value for key, value in values.items() if key not in ordered and key not in {*named, "clusterops"}}
    if ours:
        ordered["clusterops"] = ours
    return "".join(_written(key, value, _BLOCK_DEPTH.get(key, 0), 0) for key, value in ordered.items())


def without(values: Mapping[str, Any], pointers: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """Maps that become empty go as well."""
    kept = dict(values)
    for head, *rest in pointers:
        below = kept.get(head)
        if not rest:
            kept.pop(head, None)
        elif isinstance(below, Mapping) and value_under(below, tuple(rest)) is not MISSING:
            kept[head] = without(below, [tuple(rest)])
            if not kept[head]:
                del kept[head]
    return kept


def _pools(known: Mapping[str, Any], new: NewCluster) -> dict[str, Any]:
    """Those that are named, where any is; each with what ``like`` says of one of that name."""
    if not new.sizes:
        return {name: _merged(pool, {"size": new.size} if new.size else {}) for name, pool in known.items()}
    return {each.pool: _pool(known.get(each.pool) or {}, each, new.size) for each in new.sizes}


def _pool(known: Mapping[str, Any], size: Size, machine_size: str) -> dict[str, Any]:
    count: dict[str, Any] = {"replicas": size.count}
    if size.bounds is not None:
        count = {"autoscale": dict(zip(("min", "max"), size.bounds, strict=True))}
    rest = without(known, [("replicas",), ("autoscale",), ("external",)])
    if machine_size:
        rest.pop("machineType", None)
    return {**count, **_merged(rest, {"size": machine_size} if machine_size else {})}


def _merged(below: Any, over: Mapping[str, Any]) -> dict[str, Any]:
    return {**(below if isinstance(below, Mapping) else {}), **over}


def _written(key: str, value: Any, depth: int, indent: int) -> str:
    head = f"{' ' * indent}{key_text(key)}:"
    if depth and isinstance(value, Mapping) and value:
        return f"{head}\n" + "".join(_written(str(k), each, depth - 1, indent + 2) for k, each in value.items())
    return f"{head} {flow_text(value, in_flow=isinstance(value, Mapping | list))}\n"
