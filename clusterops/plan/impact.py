"""What each change of a plan does to machines, predicted from the live Machines and what they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clusterops.model.impact import Impact
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.neighbours import Neighbours, Query
from clusterops.model.plan import Change
from clusterops.plan.wanted import Wanted


def queries(
    changed: Iterable[ObjectKey], wanted: Mapping[ObjectKey, Wanted], live: LiveSet, neighbours: Neighbours
) -> frozenset[Query]:
    """The lists that ``impacts`` looks at, given what is known; ask again with the answers until it is empty."""
    return frozenset()


def impacts(
    changes: Iterable[Change], wanted: Mapping[ObjectKey, Wanted], live: LiveSet, neighbours: Neighbours
) -> Mapping[ObjectKey, Impact]:
    """By the key of the change. What cannot be predicted is UNKNOWN with a note, never none."""
    return {}
