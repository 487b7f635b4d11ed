"""What a request would do, as it was planned from one merge and one look at the live cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clusterops.model.canonical import digest_of
from clusterops.model.fleet import Fleet
from clusterops.model.key import ObjectKey
from clusterops.model.policy import Weight
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import Revision

Place = tuple[str, ObjectKey, str]
"""Target, object, pointer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """``outcomes`` are of the targets whose inputs the request changes, by name."""

    request: ChangeRequest
    base: Revision
    fleet: Fleet
    """Of the merge; the base's where there is no merge."""
    planned_at: datetime
    outcomes: tuple[Outcome, ...] = ()
    weights: tuple[Weight, ...] = ()
    rendered: int = 0
    """Of these targets, how many were."""
    total: int = 0
    """Targets of the fleet that are ours."""
    problems: tuple[Problem, ...] = ()
    """What stops the whole of it: a merge conflict, or what is wrong in fleet.yaml."""
    origins: Mapping[Place, str] = field(default_factory=dict)
    """Where a value comes from, ``clusters/eu/pay/values.yaml:6``."""
    rivals: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By target, other open requests that change it, too."""

    @property
    def plan_id(self) -> str:
        """Equal as long as the same would be done for the same reasons; "" where nothing is planned."""
        plans = [[outcome.target, outcome.plan.id] for outcome in self.outcomes if outcome.plan is not None]
        return digest_of(plans) if plans else ""
