"""What `new cluster` finds out before it writes: whether the name is free, and which range of addresses comes next."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from clusterops.cli.locally import LocalFleet
from clusterops.edit.values import value_under
from clusterops.errors import ClusterOpsError, RefusedError, TerminalError
from clusterops.model.document import load_values
from clusterops.model.fleet import HelmRecipe, Region
from clusterops.plan.addresses import LENGTHS, Range, next_free, overlapping
from clusterops.source.fleet.recipe import VALUES

_NODES = ("network", "nodes")


def region_for(local: LocalFleet, name: str) -> Region:
    """Of ``REGION/NAME``, which is free. Raises TerminalError ``name-invalid``, ``region-unknown``, ``name-taken``."""
    region, slash, cluster = name.partition("/")
    if not slash or not region or not cluster or "/" in cluster:
        hint = f"one of {', '.join(f'{each}/NAME' for each in local.fleet.regions) or 'REGION/NAME'}"
        raise TerminalError("name-invalid", name, "is not REGION/NAME", hint=hint)
    found = local.fleet.regions.get(region)
    if found is None or not found.cloud:
        close = get_close_matches(region, local.fleet.regions, n=1)
        known = f"known: {', '.join(sorted(local.fleet.regions)) or 'none yet'}"
        hint = f"did you mean {close[0]}?" if close else f"{known}; a region begins with regions/NAME/region.yaml"
        raise TerminalError("region-unknown", name, f"the fleet has no region {region}", hint=hint)
    if name in local.fleet.targets or local.snapshot.under(f"clusters/{name}"):
        raise TerminalError(
            "name-taken", name, "is a cluster of the fleet already", hint="take another name", path=f"clusters/{name}"
        )
    _refuse_being_deleted(local, name)
    return found


def _refuse_being_deleted(local: LocalFleet, name: str) -> None:
    for key in local.fleet.keys_for(name):
        raise RefusedError(
            "name-being-deleted",
            name,
            "has a second key: a cluster of that name is being deleted, or is to be",
            hint=f"take another name, or remove {key.path} once `clusterops status {name}` says that it is gone",
            path=key.path,
        )


Proposed = Mapping[str, tuple[str, bytes]]
"""Files that are on other branches only: branch and content by path."""


def nodes_for(local: LocalFleet, region: Region, wanted: str, *, proposed: Proposed) -> str:
    """``wanted``, or the next free range of the region; "" where the region has none to give.

    What is ``proposed`` for another cluster is taken too: two requests would else get the same range.

    Raises TerminalError ``range-invalid``, ``range-taken``, ``range-exhausted``.
    """
    networks = region.facts.get("networks") or {}
    within = _range(networks.get("nodes"))
    taken = dict((*_proposed(local, region, proposed), *_taken(local, region)))
    if wanted:
        return _checked(wanted, within, taken, region)
    if within is None:
        return ""
    found = next_free(within, taken)
    if found is None:
        raise TerminalError(
            "range-exhausted",
            f"region {region.name}",
            f"no /{LENGTHS[within.version]} is left of {within} ({len(taken)} are taken)",
            hint="widen `networks.nodes`, or say which range is free: --nodes RANGE",
            path=f"regions/{region.name}/region.yaml",
        )
    return str(found)


def _checked(wanted: str, within: Range | None, taken: Mapping[Range, str], region: Region) -> str:
    asked = _range(wanted)
    if asked is None:
        raise TerminalError("range-invalid", "--nodes", f"{wanted!r} is not an address range", hint="10.64.7.0/24")
    outside = within is not None and (asked.version != within.version or not _inside(asked, within))
    if outside:
        hint = f"take one of {within} (regions/{region.name}/region.yaml: networks.nodes)"
        raise TerminalError("range-invalid", "--nodes", f"{asked} is not of region {region.name}", hint=hint)
    other = overlapping(asked, taken)
    if other is not None:
        hint = "leave --nodes out for the next free one"
        raise TerminalError("range-taken", "--nodes", f"{asked} overlaps {other} of {taken[other]}", hint=hint)
    return str(asked)


def _inside(one: Range, other: Range) -> bool:
    return (
        int(other.network_address) <= int(one.network_address)
        and one.prefixlen >= other.prefixlen
        and one.overlaps(other)
    )


def _taken(local: LocalFleet, region: Region) -> Iterator[tuple[Range, str]]:
    """Of every cluster whose addresses this region's can reach: in it, or in the same routing domain."""
    for name, target in local.fleet.targets.items():
        if target.region is None or not isinstance(target.recipe, HelmRecipe):
            continue
        if target.region.name != region.name and not _routed(target.region, region):
            continue
        path = f"clusters/{name}/{VALUES}"
        found = _nodes(local.snapshot.read(path), path) if path in local.snapshot.files else None
        if found is not None:
            yield found, name


def _proposed(local: LocalFleet, region: Region, proposed: Proposed) -> Iterator[tuple[Range, str]]:
    for path, (branch, content) in proposed.items():
        _, name, *rest = path.split("/")
        other = local.fleet.regions.get(name)
        if other is None or rest[1:] != [VALUES] or (name != region.name and not _routed(other, region)):
            continue
        found = _nodes(content, path)
        if found is not None:
            yield found, f"{name}/{rest[0]} on branch {branch}"


def _routed(one: Region, other: Region) -> bool:
    domains = [(each.facts.get("networks") or {}).get("routingDomain") for each in (one, other)]
    return bool(domains[0]) and domains[0] == domains[1]


def _nodes(content: bytes, path: str) -> Range | None:
    """None also for a file that cannot be read: whose it is will be told that."""
    try:
        documents = load_values(content, path)
    except ClusterOpsError:
        return None
    return _range(value_under(documents[0] if documents else {}, _NODES))


def _range(text: Any) -> Range | None:
    try:
        return ipaddress.ip_network(text) if isinstance(text, str) and "/" in text else None
    except ValueError:
        return None
