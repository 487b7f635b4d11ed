"""The guards of a deletion taken away, to see that the mistakes would delete: a switch that only tests have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from clusterops.model.plan import Action, Change
from clusterops.plan.decide import Situation


def naive_prunes(situation: Situation, *_: Any) -> tuple[Change, ...]:
    """What an engine does that takes git's word for it: whatever it owns and git no longer has, goes."""
    dropped = sorted(key for key in situation.inventory.entries if key not in situation.desired)
    return tuple(Change(key=key, action=Action.PRUNE, live=situation.live.found(key)) for key in dropped)


def _nothing(*_: Any, **__: Any) -> dict[Any, Any]:
    return {}


async def _any_history(*_: Any, **__: Any) -> None:
    pass


@contextmanager
def guards_off() -> Iterator[None]:
    """No closed groups, no protected kinds, no verdict on the commit, no look at the history."""
    with (
        patch("clusterops.plan.build.prunes", naive_prunes),
        patch("clusterops.plan.build.held_group", lambda *_: frozenset()),
        patch("clusterops.plan.build._empty_render", naive_prunes),
        patch("clusterops.controller.judging.judge", _nothing),
        patch("clusterops.controller.history.History.check", _any_history),
    ):
        yield
