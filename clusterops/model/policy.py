"""What a commit may do: budgets per region and for the fleet, and the exceptions that widen them for one change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final


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
