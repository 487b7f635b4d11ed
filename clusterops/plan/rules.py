"""Refusals that save a day: what Cluster API would accept, and nobody can want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.neighbours import Neighbours
from clusterops.model.problem import Problem
from clusterops.plan.wanted import Wanted


def also_looked_at(manifests: Sequence[Manifest], live: LiveSet) -> frozenset[ObjectKey]:
    """Keys outside the target that the rules have to see: what a new or changed object refers to."""
    return frozenset()


def refusals(wanted: Mapping[ObjectKey, Wanted], live: LiveSet, neighbours: Neighbours) -> Mapping[ObjectKey, Problem]:
    """Why an object is not written, by the key that it would be sent under."""
    return {}
