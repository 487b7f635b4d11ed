"""The rules in their order, and what has to be read for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from clusterops.capi.kinds import is_pool
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change
from clusterops.model.problem import Problem
from clusterops.plan.rules.replicas import plane_count
from clusterops.plan.rules.versions import beside_the_plane, wrong_way
from clusterops.plan.rules.view import View
from clusterops.plan.wanted import Wanted

Rule = Callable[[View, Change], Problem | None]

RULES: Final[tuple[Rule, ...]] = (wrong_way, beside_the_plane, plane_count)
"""The first that refuses a row speaks."""


def also_looked_at(manifests: Sequence[Manifest], live: LiveSet) -> frozenset[ObjectKey]:
    """Keys outside the target that the rules have to see: what a new or changed object refers to."""
    return frozenset()


def refusals(
    rows: Sequence[Change],
    wanted: Mapping[ObjectKey, Wanted],
    live: LiveSet,
    coming: Mapping[ObjectKey, Manifest],
) -> Mapping[ObjectKey, Problem]:
    """Why an object is not written, by the key that it would be sent under. Pools are judged last: they follow.

    ``coming`` is what targets of the same commit render that are applied before this one. O(rows * references).
    """
    blocked = frozenset(row.key for row in rows if not row.writes and row.action is not Action.UNCHANGED)
    view = View(wanted=wanted, live=live, coming=coming, blocked=blocked)
    judged = [row for row in rows if _is_judged(row)]
    found = _found(view, (row for row in judged if not is_pool(row.key)))
    after = replace(view, blocked=blocked | found.keys())
    return found | _found(after, (row for row in judged if is_pool(row.key)))


def _is_judged(row: Change) -> bool:
    """What would be written, and what the API server calls invalid: the rule may know what to do instead."""
    invalid = row.action is Action.REFUSE and row.reason is not None and row.reason.code == "object-invalid"
    return row.desired is not None and (row.writes or invalid)


def _found(view: View, rows: Iterable[Change]) -> dict[ObjectKey, Problem]:
    found = ((row.key, next((problem for rule in RULES if (problem := rule(view, row))), None)) for row in rows)
    return {key: problem for key, problem in found if problem is not None}
