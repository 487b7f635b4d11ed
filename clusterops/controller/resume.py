"""Taking up where an earlier process stopped: the commits whose verdict still waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from clusterops.controller.due import Due
from clusterops.errors import ClusterOpsError
from clusterops.model.commit_status import State
from clusterops.model.revision import Revision
from clusterops.ports import Repository, StatusBoard
from clusterops.status import Contexts

ASKED_S: Final = 10.0
"""Longest that a board is waited for before a commit is begun."""


@dataclass(slots=True, kw_only=True)
class Share:
    """What of a commit is still to do: targets that need a pass, and targets that a later commit changed meanwhile."""

    due: list[Due] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which verdicts a commit has already, pending ones not counted. ``known``: it has any note at all.

    ``asked``: somebody answered; else nothing is known.
    """

    known: bool = False
    planned: bool = False
    applied: bool = False
    asked: bool = True


async def shares(due: Iterable[Due], head: Revision, repository: Repository) -> dict[Revision, Share]:
    """By commit, the head's first: an earlier commit gets its verdict although a restart came in between."""
    found = {head: Share()}
    texts: dict[str, Revision] = {"": head, head.text: head}
    for each in due:
        of = await _revision(each.unfinished_of, texts, repository)
        found.setdefault(of or head, Share()).due.append(each)
        before = await _revision(each.supersedes, texts, repository)
        if before is not None and before != head:
            found.setdefault(before, Share()).superseded.append(each.target.name)
    return found


async def standing(board: StatusBoard, commit: str, management: str) -> Standing:
    """A forge that does not answer soon holds no commit up."""
    try:
        async with asyncio.timeout(ASKED_S):
            return await read_standing(board, commit, management)
    except (ClusterOpsError, TimeoutError):
        return Standing(asked=False)


async def read_standing(board: StatusBoard, commit: str, management: str) -> Standing:
    """Raises what reading the board raises."""
    contexts = Contexts(management=management)
    noted = {status.context: status.state for status in await board.read_statuses(commit)}
    planned, applied = (noted.get(name, State.PENDING) is not State.PENDING for name in (contexts.plan, contexts.apply))
    return Standing(known=bool(noted), planned=planned, applied=applied)


async def revision_of(commit: str, repository: Repository) -> Revision | None:
    """None for a commit that is no longer there."""
    try:
        return (await repository.snapshot(commit)).revision if commit else None
    except ClusterOpsError:
        return None


async def _revision(text: str, texts: dict[str, Revision], repository: Repository) -> Revision | None:
    """Of ``main@3b9e0d1``."""
    if text not in texts:
        found = await revision_of(text.rpartition("@")[2], repository)
        if found is None:
            return None
        texts[text] = found
    return texts[text]
