"""What all verdicts on a commit share: their contexts, the worst of what was found, counts and durations. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from clusterops.model.commit_status import TEXT_LIMIT, State
from clusterops.model.fleet import is_shared
from clusterops.model.problem import Problem, Retry
from clusterops.status.target_status import SUPERSEDED_CODES, SUSPENDED_CODES

_FAILURES: Final = frozenset({"not-gone"})
"""Tried again by itself, and a verdict all the same."""
QUIET: Final = SUSPENDED_CODES | SUPERSEDED_CODES
"""Codes that are a state of the target and no verdict on the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """Public names: ``clusterops/plan``, or ``clusterops-NAME/plan`` for a named management cluster."""

    management: str = "default"

    @property
    def prefix(self) -> str:
        return "clusterops" if self.management in {"", "default"} else f"clusterops-{self.management}"

    @property
    def plan(self) -> str:
        return f"{self.prefix}/plan"

    @property
    def policy(self) -> str:
        return f"{self.prefix}/policy"

    @property
    def apply(self) -> str:
        return f"{self.prefix}/apply"

    @property
    def drift(self) -> str:
        return f"{self.prefix}/drift"

    def apply_in(self, place: str) -> str:
        """Of a region, ``clusterops/apply: eu-west-1``, or of one cluster in it."""
        return f"{self.apply}: {place}"


DEFAULT_CONTEXTS: Final = Contexts()


def worst_of(found: Sequence[tuple[str, Problem]], limit: int = TEXT_LIMIT) -> tuple[State, str] | None:
    """Verdicts before outages, each in the given order; how many more targets there are, last."""
    if not found:
        return None
    ordered = sorted(found, key=lambda pair: pair[1].retry is Retry.BACKOFF)
    target, problem = ordered[0]
    others = len({name for name, _ in ordered} - {target})
    more = f" (+{others} more)" if others else ""
    passing = problem.retry is Retry.BACKOFF and problem.code not in _FAILURES
    state = State.ERROR if passing else State.FAILURE
    return state, problem_text(target, problem, limit - len(more)) + more


def problem_text(target: str, problem: Problem, limit: int = TEXT_LIMIT) -> str:
    """The problem's line, naming the target, cut in its middle so that the code stays readable."""
    text = problem.text if not target or target in problem.text else f"{target}: {problem.text}"
    if len(text) <= limit:
        return text
    code = f" ({problem.code})"
    return f"{text[: limit - len(code) - 1].rstrip()}…{code}"


def noun(names: Collection[str], count: int) -> str:
    """Clusters, unless something shared is among them."""
    return plural("target" if any(map(is_shared, names)) else "cluster", count)


def plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def duration_text(seconds: float) -> str:
    """``43s``, ``41m``, ``1h30m``: two units at most, rounded down."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes // 60}h{minutes % 60}m" if minutes % 60 else f"{minutes // 60}h"
