"""Where the management cluster departs from git, and who did it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from clusterops.model.ignore import IgnoreRule
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts
from clusterops.model.problem import Problem


class Departed(StrEnum):
    """What happened to an object."""

    CHANGED = "changed"
    """A field that git sets has another value."""
    OWNERSHIP_LOST = "ownership-lost"
    """Every value is git's, and somebody else owns some of them now."""
    DELETED = "deleted"
    REPLACED = "replaced"
    """Deleted and made anew by somebody else: another uid."""
    FOREIGN = "foreign-owned"
    """Another tool applies it, or another target or fleet has claimed it."""
    EXTRA = "extra"
    """Belongs to a cluster by its label, and stands neither in git nor in an inventory, nor has a controller."""


class Author(StrEnum):
    """Whose field manager wrote last."""

    AUTOSCALER = "autoscaler"
    CONTROLLER = "controller"
    """Of Cluster API, a provider, or Kubernetes itself."""
    TOOL = "tool"
    """Another GitOps tool."""
    PERSON = "person"
    """kubectl."""
    UNKNOWN = "unknown"


class Remedy(StrEnum):
    """What is done about it."""

    HEAL = "heal"
    """Git is put back at once."""
    REPORT = "report"
    """The policy says so."""
    HOLD = "hold"
    """Healed later: outside of the maintenance window, or too many heals in a short time."""
    ASK = "ask"
    """Healing would replace or remove machines, or cannot be told not to: `clusterops drift heal` asks."""
    FIGHT = "fight"
    """Healed several times and changed back each time: nothing more is done until somebody looks."""
    LEAVE = "leave"
    """Nothing heals it: it is the other side's by right, or only a person can decide (an extra object, a Cluster)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """Which drift a pass may put back, by the key that an object is sent under."""

    keys: frozenset[ObjectKey] = frozenset()
    """Healed only where that replaces and removes no machine."""
    every: bool = False
    """All of the target, whatever it costs: to see that, or because a person asked for it."""
    withheld: frozenset[ObjectKey] = frozenset()
    """Not even where git changes another field of the object."""
    ignored: tuple[IgnoreRule, ...] = ()
    """Fields that these take out stay with their owner, whatever else is written of the object."""

    def covers(self, key: ObjectKey) -> bool:
        return self.every or (key in self.keys and key not in self.withheld)

    def ignores(self, key: ObjectKey, pointer: str, managers: Iterable[str]) -> bool:
        names = tuple(managers)
        rules = [rule for rule in self.ignored if rule.concerns(key)]
        return any(rule.covers(pointer, name) for rule in rules for name in names)


NO_HEALING = Healing()


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedField:
    """One leaf. The values are JSON or ``plan.MISSING``, secrets masked; ``manager`` is "" when nobody owns it now."""

    pointer: str
    git: Any
    live: Any
    manager: str = ""
    operation: str = ""
    """``Apply`` or ``Update``."""
    changed_at: datetime | None = None
    """Of the manager's last write to any of its fields, as managedFields has it (whole seconds)."""
    author: Author = Author.UNKNOWN
    user: str = ""
    """Only where the API server's audit log is fed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A drifted field that a rule takes out. ``rule`` as people know it: ``fleet.yaml:25``, an annotation, built-in."""

    key: ObjectKey
    field: DriftedField
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedObject:
    """``fields`` is empty for an object that is deleted or extra. ``cost`` is what healing would do to machines.

    ``unknown_cost`` is set where nobody can tell; ``why`` says what ``remedy`` does not.
    """

    key: ObjectKey
    what: Departed
    fields: tuple[DriftedField, ...] = ()
    remedy: Remedy = Remedy.REPORT
    why: str = ""
    cost: MachineCounts = field(default_factory=MachineCounts)
    unknown_cost: bool = False
    author: Author = Author.UNKNOWN
    seen_at: datetime | None = None
    """When this process, or an earlier one that wrote it down, saw it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRecord:
    """One line of a target's history, newest last; at most HISTORY of them are kept in its FleetTarget.

    ``what`` is a Departed, or ``in-sync`` when the last drift went; ``remedy`` is what was done, ``heal`` once applied.
    """

    at: datetime
    what: str
    object: ObjectKey | None = None
    pointer: str = ""
    manager: str = ""
    author: Author = Author.UNKNOWN
    remedy: str = ""


HISTORY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDrift:
    """One target. ``objects`` is how many its inventory holds; ``drifted`` ordered by key.

    ``left`` counts fields that git sets and that are others' by right, by author; ``unknown`` says what could not be
    compared (a kind that RBAC forbids, say): never in sync while it is not empty.
    """

    target: str
    revision: str = ""
    objects: int = 0
    drifted: tuple[DriftedObject, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    left: Mapping[Author, int] = field(default_factory=dict)
    unknown: tuple[Problem, ...] = ()
    in_sync_since: datetime | None = None
    history: tuple[DriftRecord, ...] = ()

    @property
    def in_sync(self) -> bool:
        return not self.drifted and not self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """A fleet at one moment; ``targets`` ordered by name, all of them, in sync or not."""

    fleet: str
    revision: str
    """``platform@c81e77d`` is made of both by the faces; this is ``main@c81e77d``."""
    taken_at: datetime
    targets: tuple[TargetDrift, ...] = ()

    @property
    def drifted(self) -> tuple[TargetDrift, ...]:
        return tuple(target for target in self.targets if not target.in_sync)

    @property
    def objects(self) -> int:
        return sum(target.objects for target in self.targets)
