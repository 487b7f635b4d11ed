"""The state of all targets as a status of the head commit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus, State
from clusterops.model.drift import TargetDrift
from clusterops.status.verdict_texts import DEFAULT_CONTEXTS, Contexts

_CODE: Final = " (drifted)"


def drift_status(
    targets: Sequence[TargetDrift], *, contexts: Contexts = DEFAULT_CONTEXTS, at: datetime | None = None
) -> CommitStatus:
    """``300 clusters in sync``, or which drifted, or that nobody can tell of some."""
    state, text = _verdict(targets)
    return CommitStatus(context=contexts.drift, state=state, text=text, at=at)


def _verdict(targets: Sequence[TargetDrift]) -> tuple[State, str]:
    of = _clusters(len(targets))
    drifted = [target.target for target in targets if target.drifted]
    if drifted:
        lead = f"{len(drifted)} of {of} drifted: "
        return State.FAILURE, f"{lead}{_names(drifted, TEXT_LIMIT - len(lead) - len(_CODE))}{_CODE}"
    doubtful = [target for target in targets if target.unknown]
    if doubtful:
        return State.ERROR, f"{len(doubtful)} of {of} not compared: {doubtful[0].unknown[0].text}"
    return State.SUCCESS, f"{of} in sync"


def _clusters(count: int) -> str:
    return f"{count} cluster{'s' * (count != 1)}"


def _names(names: Sequence[str], limit: int) -> str:
    """As many whole ones as fit, ``...`` for the rest."""
    told = ", ".join(names)
    while len(told) > limit and len(names) > 1:
        names = names[:-1]
        told = f"{', '.join(names)}, ..."
    return told
