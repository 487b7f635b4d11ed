"""Notes on their way to the origin: pushed, joined with another writer's, or kept in the mirror."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import pygit2
from structlog.stdlib import BoundLogger

from clusterops.errors import ClusterOpsError
from clusterops.source.git.mirror import DAMAGE, Mirror
from clusterops.source.git.notes import NOTES_REF, TRACKING_REF, join_tracking

_ATTEMPTS: Final = 5
"""Against other writers of the same notes; each attempt joins theirs first."""


class NotesPublisher:
    """Pushes the mirror's notes. What cannot be pushed stays in the mirror and is said once, never raised."""

    def __init__(self, mirror: Mirror, logger: BoundLogger) -> None:
        self._mirror = mirror
        self._logger = logger
        self._said = ""

    def publish(self, stop: threading.Event) -> bool:
        """Call it while the mirror is ``held``; whether the origin has them now."""
        why = "other writers were faster each time"
        for _ in range(_ATTEMPTS):
            try:
                if not (why := self._push(stop)):
                    self._said = ""
                    return True
                if not self._join(stop):
                    break
            except (*DAMAGE, ClusterOpsError) as error:
                why = error.message if isinstance(error, ClusterOpsError) else str(error)
                break
        self._say(why)
        return False

    def _push(self, stop: threading.Event) -> str:
        """Why the origin did not take them, "" when it did."""
        repository = self._mirror.write_handle()
        try:
            if self._mirror.address.path is not None:
                return push_local(repository, self._mirror.address.path)
            return "; ".join(self._mirror.push_notes(repository, stop))
        except (pygit2.GitError, ValueError) as error:
            return str(error) or type(error).__name__

    def _join(self, stop: threading.Event) -> bool:
        """Takes over what the origin has; False when that is nothing new, so that pushing again is in vain."""
        repository = self._mirror.write_handle()
        before = _id(repository, TRACKING_REF)
        self._mirror.fetch_notes(repository, stop)
        join_tracking(repository)
        return _id(repository, TRACKING_REF) != before

    def _say(self, why: str) -> None:
        if why != self._said:
            url = self._mirror.address.url
            self._logger.warning("notes cannot be pushed, kept in the mirror", repository=url, why=why)
        self._said = why


def push_local(repository: pygit2.Repository, origin_path: Path) -> str:
    """libgit2 pushes to no repository with a working tree; notes are checked out nowhere, so we hand them over.

    Objects first, the reference last and only if it is still what we have joined. Returns why not, "" when done.
    """
    origin = pygit2.Repository(str(origin_path))
    ours, known = repository.references[NOTES_REF].target, origin.references.get(NOTES_REF)
    if known is not None and known.target == ours:
        return ""
    if known is not None and not _descends(repository, ours, known.target):
        return "the origin has notes that are not here"
    _copy(repository, origin, ours)
    if known is None:
        origin.references.create(NOTES_REF, ours)
    else:
        known.set_target(ours)
    return ""


def _descends(repository: pygit2.Repository, ours: pygit2.Oid | str, known: pygit2.Oid | str) -> bool:
    return known in repository and repository.descendant_of(ours, known)


def _copy(source: pygit2.Repository, into: pygit2.Repository, id_: pygit2.Oid | str) -> None:
    """Everything reachable that is not there: what is reachable goes first, so a cut leaves nothing dangling."""
    if id_ in into:
        return
    kept = source[id_]
    if isinstance(kept, pygit2.Commit):
        for below in (kept.tree_id, *kept.parent_ids):
            _copy(source, into, below)
    elif isinstance(kept, pygit2.Tree):
        for item in kept:
            _copy(source, into, item.id)
    into.write(kept.type, kept.read_raw())


def _id(repository: pygit2.Repository, ref: str) -> str:
    reference = repository.references.get(ref)
    return "" if reference is None else str(reference.target)
