"""What would be done to one target, decided before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clusterops.model.deletion import Deletion
from clusterops.model.impact import Impact
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.problem import Problem
from clusterops.model.sketch import NOTHING, Sketch


class Action(StrEnum):
    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    ROTATE = "rotate"
    PRUNE = "prune"
    HOLD = "hold"
    REFUSE = "refuse"
    LEAVE = "leave"
    """Drift: git says the same as when it was last applied, the server does not, and it is only reported."""


WRITES = frozenset({Action.CREATE, Action.ADOPT, Action.UPDATE, Action.ROTATE, Action.PRUNE})


class Missing(StrEnum):
    """Stands for a value that is not there, so that null stays a value."""

    MISSING = "(none)"


MISSING = Missing.MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One leaf. ``pointer`` is RFC 6901; the values are JSON or MISSING, secrets already masked."""

    pointer: str
    before: Any
    after: Any
    manager: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A field that an apply would take from another manager by force."""

    pointer: str
    manager: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A field that git sets and that is not sent: another manager owns it by right, or it is drift to be reported."""

    pointer: str
    manager: str
    git: Any
    live: Any
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """A field that is applied alone, with its live value, as another manager of ours before git gives it up."""

    pointer: str
    value: Any
    manager: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaimed:
    """A list item that takes the place of git's under another key: its owner's part of it becomes ours.

    So the apply that follows removes it. ``path`` is the item's in managedFields, ``pointer`` git's leaf that it
    departs from, ``item`` what git says in its place.
    """

    path: tuple[str, ...]
    pointer: str
    manager: str
    item: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one object. ``reason`` says why for hold and refuse; ``desired`` is None for prune.

    ``desired`` is what is sent, ``written`` what git says: they differ in the name of a rotated template, in
    references to it, and in fields that are ``left`` to others. ``fields`` are told as the author wrote them.
    ``heals`` are those of them that the commit did not change: drift that is put back by the way, or was asked to be.
    ``adopts`` are the field managers whose entries become ours right before the apply, ``reclaims`` single items.
    ``applied`` is what will be remembered of it, fields included that are left to others for now; ``owed`` those of
    them that nobody else sets by right, so that they go on being drift.
    """

    key: ObjectKey
    action: Action
    desired: Manifest | None = None
    written: Manifest | None = None
    live: LiveObject | None = None
    fields: tuple[FieldChange, ...] = ()
    takes: tuple[Taken, ...] = ()
    left: tuple[Left, ...] = ()
    heals: tuple[FieldChange, ...] = ()
    hands_over: tuple[HandedOver, ...] = ()
    adopts: tuple[str, ...] = ()
    reclaims: tuple[Reclaimed, ...] = ()
    applied: Sketch | None = field(default=None, compare=False, repr=False)
    owed: Sketch = field(default=NOTHING, compare=False, repr=False)
    impact: Impact | None = None
    reason: Problem | None = None

    @property
    def writes(self) -> bool:
        return self.action in WRITES

    @property
    def stands(self) -> bool:
        """Whether it is there and needs no write, so that others may build on it."""
        return self.action is Action.UNCHANGED or (self.action is Action.LEAVE and self.live is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Changes of one target in waves: a wave starts when the one before it is done, its objects go together.

    Every desired object and every inventory entry stands in exactly one wave, unchanged and refused ones included.
    ``id`` is a hash of the rendered digest and, per object, its uid and the fields that we send or compare with
    their managers. ``refusals`` repeat the reasons of refused changes, then those of the whole target.
    """

    target: str
    revision: str
    waves: tuple[tuple[Change, ...], ...]
    refusals: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    id: str = ""
    deletion: Deletion | None = field(default=None, compare=False)
    """How far the removal of what git dropped is; None when nothing of it is on its way."""

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for wave in self.waves for change in wave)

    @property
    def writes(self) -> bool:
        return any(change.writes for change in self.changes)

    @property
    def impacts(self) -> tuple[Impact, ...]:
        """Of the changes that are written, in order."""
        return tuple(change.impact for change in self.changes if change.impact is not None and change.writes)

    @property
    def stuck(self) -> tuple[Problem, ...]:
        """Why what git wants cannot be judged or written now: the reasons of desired objects on hold, in order."""
        held = (change for change in self.changes if change.action is Action.HOLD and change.desired is not None)
        return tuple(change.reason for change in held if change.reason is not None)

    @property
    def present(self) -> tuple[ObjectKey, ...]:
        """What git wants and is there once the plan is carried out, in order: drift may leave objects deleted."""
        wanted = (change for change in self.changes if change.desired is not None)
        return tuple(one.key for one in wanted if one.action is not Action.LEAVE or one.live is not None)

    @property
    def left_apart(self) -> int:
        """Objects that keep another value than git's, as somebody else owns the field, or drift is only reported."""
        return sum(any(each.git != each.live for each in change.left) for change in self.changes)

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.changes)
