"""Generations of templates that nothing refers to any more, and who was cloned from them."""

from __future__ import annotations

from collections.abc import Mapping

from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.neighbours import Neighbours, Query
from clusterops.model.problem import Problem
from clusterops.plan.wanted import Wanted


def queries(wanted: Mapping[ObjectKey, Wanted], live: LiveSet, inventory: Inventory) -> frozenset[Query]:
    """The lists that ``in_use`` looks at; none where no template was dropped."""
    return frozenset()


def in_use(found: LiveObject, neighbours: Neighbours) -> Problem | None:
    """Why a template that git dropped stays: a Machine or MachineSet was cloned from it, or nobody can say."""
    return None
