"""`resize` where pools are plain objects: MachineDeployments, MachinePools, or those of a Cluster's topology."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clusterops.capi.kinds import is_cluster, is_control_plane, is_pool
from clusterops.capi.pools import counts_itself
from clusterops.capi.rollout.spelling import MAX_SIZE, MIN_SIZE
from clusterops.edit.draft import Draft
from clusterops.edit.pools import Size, autoscaled, not_autoscaled, pool_unknown
from clusterops.edit.sources import Body, Found, Sources, bodies, not_said, write
from clusterops.edit.values import value_under
from clusterops.model.document import Pointer
from clusterops.model.plan import MISSING

_TOPOLOGY_POOLS: Final = ("machineDeployments", "machinePools")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """``place`` is above its ``replicas``, ``metadata`` that of its annotations."""

    names: tuple[str, ...]
    body: Body
    place: Pointer
    metadata: Pointer

    @property
    def annotations(self) -> Mapping[str, Any]:
        found = value_under(self.body.body, (*self.metadata, "annotations"))
        return found if isinstance(found, Mapping) else {}

    @property
    def counts_itself(self) -> bool:
        return counts_itself({"metadata": {"annotations": self.annotations}})

    @property
    def replicas(self) -> Found | None:
        pointer = (*self.place, "replicas")
        value = value_under(self.body.body, pointer)
        return None if value is MISSING else self.body.at(pointer, value)


def resize_in_objects(draft: Draft, sources: Sources, size: Size) -> None:
    """A pool is called by its object's name, with or without the cluster's before it, or by its name in the topology.

    Raises what ``resize_in_values`` raises, and TerminalError ``edit-not-possible``.
    """
    pools = [pool for body in bodies(draft, sources) for pool in _pools(body, sources.cluster)]
    chosen = next((pool for pool in pools if size.pool in pool.names), None)
    if chosen is None:
        known = {pool.names[-1]: None for pool in pools}
        raise pool_unknown(size.pool, known, sources.target, sources.where)
    if size.bounds is not None:
        _bound(draft, sources, chosen, size)
    elif chosen.counts_itself:
        shown = f"{chosen.annotations.get(MIN_SIZE)}..{chosen.annotations.get(MAX_SIZE)}"
        raise autoscaled(size, shown, sources.target, chosen.body.path)
    elif chosen.replicas is None:
        raise not_said(sources, f"count of {size.pool}")
    else:
        write(draft, sources, chosen.replicas, size.count)


def resize_plane_object(draft: Draft, sources: Sources, count: int) -> None:
    """Of the one control plane that the files hold."""
    for body in bodies(draft, sources):
        key = body.key
        pointer: Pointer = ("spec", "replicas") if is_control_plane(key) else ()
        if is_cluster(key):
            pointer = ("spec", "topology", "controlPlane", "replicas")
        value = value_under(body.body, pointer) if pointer else MISSING
        if value is not MISSING:
            write(draft, sources, body.at(pointer, value), count)
            return
    raise not_said(sources, "count of the control plane")


def _bound(draft: Draft, sources: Sources, pool: _Pool, size: Size) -> None:
    assert size.bounds is not None
    if not {MIN_SIZE, MAX_SIZE} <= pool.annotations.keys():
        hint = f"annotate it with {MIN_SIZE} and {MAX_SIZE} to hand its count over"
        raise not_autoscaled(size, sources.target, pool.body.path, hint)
    for name, bound in zip((MIN_SIZE, MAX_SIZE), size.bounds, strict=True):
        pointer = (*pool.metadata, "annotations", name)
        write(draft, sources, pool.body.at(pointer, pool.annotations[name]), str(bound))


def _pools(body: Body, cluster: str) -> Iterator[_Pool]:
    key = body.key
    if is_pool(key) and key.kind != "MachineSet":
        short = body.name.removeprefix(f"{cluster}-").removeprefix("${CLUSTER_NAME}-")
        yield _Pool(names=(body.name, short), body=body, place=("spec",), metadata=("metadata",))
    if is_cluster(key):
        for kind in _TOPOLOGY_POOLS:
            yield from _of_topology(body, ("spec", "topology", "workers", kind))


def _of_topology(body: Body, above: Pointer) -> Iterator[_Pool]:
    found = value_under(body.body, above)
    for place, each in enumerate(found if isinstance(found, list) else ()):
        if isinstance(each, Mapping) and each.get("name"):
            here = (*above, place)
            yield _Pool(names=(str(each["name"]),), body=body, place=here, metadata=(*here, "metadata"))
