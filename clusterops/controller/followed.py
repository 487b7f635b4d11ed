"""An open request as it is followed: what is known of it, and what stands on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from clusterops.capi.kinds import is_cluster
from clusterops.controller.commands import Asked
from clusterops.controller.preview import Merge
from clusterops.model.key import ObjectKey
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem, Retry
from clusterops.model.request import ChangeRequest

_AWAY: Final = "api-unreachable"


@dataclass(slots=True, kw_only=True)
class Followed:
    """``preview`` is the last that was made, ``planned`` the merge that it was made from, ``told`` what people see."""

    request: ChangeRequest
    merge: Merge | None = None
    planned: Merge | None = None
    preview: Preview | None = None
    told: Preview | None = None
    announced: bool = False
    """Whether ``pending`` stands on its head."""
    stale: bool = False
    """What lives moved, or somebody asks: the plan may be another one."""
    touches: frozenset[str] | None = None
    """Targets that it changes; None before anybody looked."""
    moved: set[ObjectKey] | None = None
    """What moved while it is being planned."""
    unread: bool = True
    """Whether somebody may have commented."""
    heard: set[str] = field(default_factory=set)
    """Comments that were read: who edits one asks for nothing."""
    asked: list[Asked] = field(default_factory=list)
    """Commands without their answer."""
    lost: int = 0
    """How often its reference was not where the forge said."""
    doubted_until_s: float | None = None
    """It changes nothing any more: it may be merged, and the forge's list may not know yet (boot-time clock)."""
    _keys: frozenset[ObjectKey] = frozenset()

    @property
    def name(self) -> str:
        return self.request.ref

    def is_still(self, request: ChangeRequest) -> bool:
        """Whether nobody pushed to it since: its title may be another one."""
        return (self.request.head, self.request.fork) == (request.head, request.fork)

    def needs(self, merge: Merge) -> bool:
        """Whether another plan has to be made."""
        return self.stale or self.preview is None or self.planned is None or not self.planned.same_work(merge)

    def made(self, preview: Preview, merge: Merge) -> None:
        self.preview, self.planned = preview, merge
        plans = (outcome.plan for outcome in preview.outcomes if outcome.plan is not None)
        self._keys = frozenset(change.key for plan in plans for change in plan.changes)

    def compares(self, keys: Iterable[ObjectKey]) -> bool:
        """Whether its plans look at one of these; a shared class looks at every Cluster."""
        leads = self.planned is not None and self.planned.leads
        return any(key in self._keys or (leads and is_cluster(key)) for key in keys)

    def is_doubted(self, now_s: float) -> bool:
        return self.doubted_until_s is not None and now_s < self.doubted_until_s

    def vanishes(self, merge: Merge) -> bool:
        """Whether the branch took away what the same head was going to do."""
        if self.told is None or self.told.request.head != merge.request.head:
            return False
        return not merge.due and not merge.fleet.problems and bool(self.told.outcomes)


def says_same(one: Preview, other: Preview) -> bool:
    """Whether people would read the same, times and the branch's commit aside."""
    return _said(one) == _said(other)


def _said(preview: Preview) -> tuple[object, ...]:
    problems = [(each.target, each.problem.text) for each in preview.outcomes if each.problem is not None]
    stopped = [problem.text for problem in preview.problems]
    unclaimed = preview.fleet.unclaimed
    return preview.request.head, preview.plan_id, problems, stopped, preview.weights, dict(preview.rivals), unclaimed


def passes(preview: Preview) -> bool:
    """Whether something kept it from a verdict that may be over by itself."""
    stopped = (outcome.problem for outcome in preview.outcomes)
    return any(each is not None and each.retry is Retry.BACKOFF for each in (*preview.problems, *stopped))


def is_away(preview: Preview) -> bool:
    """Whether the API server could not be asked."""
    stopped = [outcome.problem for outcome in preview.outcomes if outcome.problem is not None]
    stuck = [problem for outcome in preview.outcomes if outcome.plan is not None for problem in outcome.plan.stuck]
    return any(problem.code == _AWAY for problem in (*preview.problems, *stopped, *stuck))


def without_cluster(preview: Preview, since: datetime) -> Preview:
    """No verdict at all, rather than half of one."""
    away = Problem(
        code=_AWAY,
        subject="",
        message=f"management cluster unreachable since {since:%H:%M}Z",
        hint="planned again by itself",
        retry=Retry.BACKOFF,
    )
    return replace(preview, outcomes=(), weights=(), problems=(away,))
