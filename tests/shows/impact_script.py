"""What a lane of show 7 is made of: edits that are known to roll, to roll nothing, or to be met half-way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.shows.impact_clusters import (
    Bodies,
)
from tests.shows.impact_lane import Edit, set_at

Change = Callable[[Bodies], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A lane before it runs: what git has at first, and what is done to it."""

    name: str
    bodies: Bodies
    edits: Sequence[Edit]


def nothing(name: str, rule: str, change: Change, **more: Any) -> Edit:
    return Edit(name=name, rule=rule, change=change, expects="nothing", **more)


def rolls(name: str, rule: str, change: Change, **more: Any) -> Edit:
    return Edit(name=name, rule=rule, change=change, expects="rolls", **more)


def begins(name: str, rule: str, change: Change) -> Edit:
    """A rollout that the next edit meets half-way."""
    return Edit(name=name, rule=rule, change=change, until_begun=True)


def new(*made: Mapping[str, Any]) -> Change:
    """Objects that git has from now on."""
    return lambda bodies: bodies.extend(copy.deepcopy(dict(one)) for one in made)


def content_of(kind: str, name: str, note: str) -> Change:
    """Other content under the same name in git."""
    return set_at({"labels": {"note": note}}, kind, name, "spec", "template", "metadata")
