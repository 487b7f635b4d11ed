"""What a commit may do: budgets per region and for the fleet, and the exceptions that widen them for one change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from clusterops.model.problem import Problem, Retry


class Budget(StrEnum):
    """What is counted, in the words of fleet.yaml."""

    CLUSTERS_DELETED = "clustersDeleted"
    POOLS_DELETED = "poolsDeleted"
    MACHINES_REMOVED = "machinesRemoved"
    MACHINES_REPLACED = "machinesReplaced"


BUDGET_CODES: Final = {
    Budget.CLUSTERS_DELETED: "budget-clusters-deleted",
    Budget.POOLS_DELETED: "budget-pools-deleted",
    Budget.MACHINES_REMOVED: "budget-machines-removed",
    Budget.MACHINES_REPLACED: "budget-machines-replaced",
}
FLEET: Final = ""
"""Stands for the whole fleet where a region is meant."""
_WORDS: Final = {
    Budget.CLUSTERS_DELETED: ("deletes", "cluster"),
    Budget.POOLS_DELETED: ("deletes", "pool"),
    Budget.MACHINES_REMOVED: ("removes", "machine"),
    Budget.MACHINES_REPLACED: ("replaces", "machine"),
}
KEY_CODES: Final = frozenset(
    {
        "deletion-needs-second-key",
        "deletion-key-uid",
        "deletion-key-expired",
        "deletion-key-too-far-ahead",
    }
)
"""Why a Cluster that git dropped is not deleted: a second key is missing, or does not open."""
POLICY_CODES: Final = KEY_CODES | frozenset(BUDGET_CODES.values())
"""Verdicts of the policy: the plan itself is right, so they stand under ``clusterops/policy``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A count, or a share of what there is."""

    count: int = 0
    percent: int | None = None

    @classmethod
    def of(cls, value: int | str) -> Limit:
        """From a checked value of fleet.yaml: ``3`` or ``10%``."""
        return cls(count=value) if isinstance(value, int) else cls(percent=int(value.rstrip("%")))

    def among(self, total: int, *, largest: int = 0) -> int:
        """How many may go. A share is rounded up, and never stops what one cluster alone needs (``largest``)."""
        if self.percent is None:
            return self.count
        return max(math.ceil(total * self.percent / 100), largest if self.percent else 0)

    @property
    def text(self) -> str:
        return str(self.count) if self.percent is None else f"{self.percent}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """An entry of ``policy.exceptions``: one budget of one region, widened until the end of a day (UTC)."""

    budget: Budget
    region: str
    limit: Limit
    reason: str
    expires: date
    source: str = field(default="", compare=False)
    """``fleet.yaml:13``"""


DEFAULT_BUDGETS: Final[Mapping[Budget, Limit]] = {
    Budget.CLUSTERS_DELETED: Limit(count=1),
    Budget.POOLS_DELETED: Limit(count=1),
    Budget.MACHINES_REMOVED: Limit(percent=10),
    Budget.MACHINES_REPLACED: Limit(percent=20),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``policy`` of fleet.yaml. A budget that the file leaves out has its default; the fleet's have none."""

    budgets: Mapping[Budget, Limit] = field(default_factory=lambda: dict(DEFAULT_BUDGETS))
    fleet_budgets: Mapping[Budget, Limit] = field(default_factory=dict)
    exceptions: tuple[Exemption, ...] = ()
    deletion_key_days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One budget of one region (``FLEET``: of the fleet). ``targets`` are those that spend of it."""

    budget: Budget
    region: str
    spent: int
    limit: int
    targets: tuple[str, ...]
    exception: str = ""
    """The reason of the exception that makes the limit, "" for the budget itself."""
    source: str = field(default="", compare=False)
    """Where that exception stands."""
    total: int = field(default=0, compare=False)
    """How many there are; 0 where nobody counted."""
    expired: str = ""
    """An exception that would have helped, and no longer counts."""

    @property
    def over(self) -> bool:
        return self.spent > self.limit

    @property
    def problem(self) -> Problem:
        verb, noun = _WORDS[self.budget]
        where = f"in {self.region}" if self.region else "in the fleet"
        return Problem(
            code=BUDGET_CODES[self.budget],
            subject="",
            message=f"{verb} {self.spent} {noun}{'s' * (self.spent != 1)} {where}, budget {self.limit}{self.expired}",
            hint=self._hint,
            retry=Retry.HUMAN,
        )

    @property
    def _hint(self) -> str:
        if not self.region:
            return f"nothing is applied; split the commit, or widen policy.fleetBudgets.{self.budget} in it"
        entry = f"{{budget: {self.budget}, region: {self.region}, limit: {self.spent}, reason: TEXT, expires: DATE}}"
        return f"nothing is applied in {self.region}; split the commit, or add to policy.exceptions in it: {entry}"
