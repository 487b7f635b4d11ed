"""What a branch would hold after a merge that nobody has made yet."""

from __future__ import annotations

from typing import Final

import pygit2

from clusterops.errors import TerminalError, TransientError
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import FileEntry
from clusterops.source.git.tree import kind_of

_NAMED: Final = 5


def merge_files(repository: pygit2.Repository, base: str, request: ChangeRequest) -> dict[str, FileEntry]:
    """Every file by path. What both sides changed in one file is written as a new blob, and nothing else is.

    Raises TerminalError ``merge-conflict``, GitError or KeyError where the store cannot be read.
    """
    merged = repository.merge_commits(
        repository[base].peel(pygit2.Commit), repository[request.head].peel(pygit2.Commit)
    )
    if merged.conflicts is not None:
        raise _conflict(
            request, sorted({each.path for sides in merged.conflicts for each in sides if each is not None})
        )
    return {entry.path: FileEntry(str(entry.id), kind_of(int(entry.mode))) for entry in merged}


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
