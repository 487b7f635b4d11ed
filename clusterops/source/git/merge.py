"""What a branch would hold after a merge that nobody has made yet, or that only its merge queue has made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pygit2

from clusterops.errors import TerminalError, TransientError
from clusterops.model.request import ChangeRequest

_NAMED: Final = 5
_QUEUED: Final = re.compile(r"refs/heads/gh-readonly-queue/(?P<base>.+)/pr-(?P<number>[0-9]+)-[0-9a-f]{40}")
"""**Source:** GitHub, "Managing a merge queue": the branches on which a queue has its groups tested."""


def merge_tree(repository: pygit2.Repository, base: str, request: ChangeRequest) -> str:
    """The tree's id. Trees and blobs that neither side has are written; no reference moves.

    A merge group is a merge already: its own tree. Raises TerminalError ``merge-conflict``, GitError or KeyError where
    the store cannot be read.
    """
    head = repository[request.head].peel(pygit2.Commit)
    if not request.number:
        return str(head.tree_id)
    merged = repository.merge_commits(repository[base].peel(pygit2.Commit), head)
    if merged.conflicts is not None:
        raise _conflict(
            request, sorted({each.path for sides in merged.conflicts for each in sides if each is not None})
        )
    return str(merged.write_tree(repository))


def groups_of(refs: Iterable[tuple[str, str]], branch: str) -> tuple[ChangeRequest, ...]:
    """The branch's merge groups among (reference, commit) pairs, ordered by reference."""
    return tuple(
        ChangeRequest(number=0, head=commit, ref=ref, base=branch, title=f"request {found['number']} in the queue")
        for ref, commit in sorted(refs)
        if (found := _QUEUED.fullmatch(ref)) is not None and found["base"] == branch
    )


def passed_over(repository: pygit2.Repository, commit: str, since: str, limit: int) -> list[str]:
    """First parents of ``commit`` back to ``since``, both left out, newest first.

    None where ``since`` is not among the first ``limit`` of them: they were not made on top of it. With "", those.
    """
    found: list[str] = []
    current = repository[commit].peel(pygit2.Commit)
    while current.parents and len(found) < limit:
        current = current.parents[0]
        if str(current.id) == since:
            return found
        found.append(str(current.id))
    return [] if since else found


def request_moved(request: ChangeRequest) -> TransientError:
    return TransientError(
        "request-moved",
        request.name,
        f"{request.ref} is no longer at {request.head[:7]}",
        hint="looked at again as soon as the forge tells its new head",
    )


def _conflict(request: ChangeRequest, paths: list[str]) -> TerminalError:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return TerminalError(
        "merge-conflict",
        request.name,
        f"cannot be merged into {request.base}: both changed {', '.join(paths[:_NAMED])}{more}",
        hint=f"merge or rebase onto {request.base}, and push again",
        path=paths[0] if paths else "",
    )
