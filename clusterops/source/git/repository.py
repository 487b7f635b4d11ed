"""ports.Repository over a mirror: git's blocking work in threads, one lock per repository."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import pygit2
from structlog.stdlib import BoundLogger

from clusterops.errors import TerminalError, TransientError
from clusterops.model.commit_status import CommitStatus
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import Revision, Snapshot
from clusterops.ports import Clock
from clusterops.settings import NetworkSettings, RepositorySettings
from clusterops.source.git import notes
from clusterops.source.git.address import parse_address
from clusterops.source.git.merge import groups_of, merge_tree, passed_over, request_moved
from clusterops.source.git.mirror import DAMAGE, Mirror
from clusterops.source.git.publish import NotesPublisher
from clusterops.source.git.remote import configure_libgit2
from clusterops.source.git.tree import TreeWalker
from clusterops.source.git.watch import follow, poll

T = TypeVar("T")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,40}")
_PASSED_OVER: Final = 50
"""Commits of the branch that are looked back at, at the most."""
_SNAPSHOTS: Final = 4
"""Kept: the head, the one before it, and what a plan by hand looks at."""


class GitRepository:
    """The fleet repository through a bare mirror under ``mirror_dir``, which may be deleted at any time.

    Makes no connection before the first call. Raises TerminalError ``repository-url``.
    """

    def __init__(
        self,
        settings: RepositorySettings,
        network: NetworkSettings,
        mirror_dir: Path,
        logger: BoundLogger,
        *,
        clock: Clock,
    ) -> None:
        address = parse_address(settings.url)
        configure_libgit2(settings, network, mirror_dir / "ssh-home")
        self._settings = settings
        self._address = address
        self._clock = clock
        self._logger = logger
        self._mirror = Mirror(address, settings, network, folder=mirror_dir, logger=logger)
        self._publisher = NotesPublisher(self._mirror, logger)
        self._walker = TreeWalker()
        self._merge_walker = TreeWalker()
        self._snapshots: dict[str, Snapshot] = {}
        self._fetched = ""

    @property
    def url(self) -> str:
        return self._address.url

    async def fetch(self) -> Revision:
        """The branch's head. Raises what Mirror.fetch raises; a failed fetch changes nothing."""
        return await _in_thread(self._fetch)

    async def snapshot(self, commit: str) -> Snapshot:
        """Raises TerminalError ``commit-missing``; a damaged mirror is cloned again once."""
        return await _in_thread(lambda stop: self._snapshot(commit, stop))

    async def descends(self, commit: str, ancestor: str) -> bool:
        return await _in_thread(
            lambda _: self._mirror.blobs.use(lambda repository: _descends(repository, commit, ancestor))
        )

    async def merged(self, request: ChangeRequest, base: str) -> Snapshot:
        """Raises TerminalError ``merge-conflict``, TransientError ``request-moved``, and what ``fetch`` raises."""
        return await _in_thread(lambda stop: self._merged(request, base, stop))

    async def merge_groups(self) -> tuple[ChangeRequest, ...]:
        """Those of GitHub's merge queue, as the origin shows them now. Raises what ``fetch`` raises."""
        return await _in_thread(lambda stop: groups_of(self._mirror.remote_refs(stop), self._settings.branch))

    async def passed_over(self, commit: str, since: str) -> tuple[Revision, ...]:
        return await _in_thread(lambda _: self._mirror.blobs.use(lambda found: self._passed_over(found, commit, since)))

    async def moved(self) -> AsyncIterator[None]:
        """For a local repository only when the branch's commit is another one; see watch.follow."""
        every_s = self._settings.poll_s
        if (path := self._address.path) is None:
            events = poll(self._clock, every_s)
        else:
            events = follow(
                path,
                self._settings.branch,
                fetched=lambda: self._fetched,
                clock=self._clock,
                every_s=every_s,
                logger=self._logger,
            )
        async with aclosing(events):
            async for _ in events:
                yield

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Into the mirror's notes, then to the origin where it takes them; the latter never fails the caller."""
        await _in_thread(lambda stop: self._write(commit, statuses, stop))

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        """As of our last write or fetch: what others wrote is seen after the next fetch."""
        return await _in_thread(lambda _: self._read(commit))

    def _fetch(self, stop: threading.Event) -> Revision:
        try:
            revision, ahead = self._mirror.fetch(stop)
        except TerminalError:
            self._fetched = ""
            raise
        self._fetched = revision.commit
        if ahead and self._settings.push_notes:
            with self._mirror.held():
                self._publisher.publish(stop)
        return revision

    def _snapshot(self, commit: str, stop: threading.Event) -> Snapshot:
        if (known := self._snapshots.get(commit)) is not None:
            return known
        try:
            found = self._mirror.blobs.use(lambda repository: self._walk(repository, commit))
        except TransientError:
            self._mirror.clone(stop)
            found = self._mirror.blobs.use(lambda repository: self._walk(repository, commit))
        self._remember(found)
        return found

    def _merged(self, request: ChangeRequest, base: str, stop: threading.Event) -> Snapshot:
        with self._mirror.held():
            repository = self._mirror.write_handle()
            if request.head not in repository and self._mirror.fetch_ref(repository, request.ref, stop) != request.head:
                raise request_moved(request)
            try:
                files = self._merge_walker.files(repository, merge_tree(repository, base, request))
                found = repository[request.head].peel(pygit2.Commit)
            except DAMAGE as error:
                raise _unmerged(request, error) from error
        revision = replace(self._mirror.revision(found), branch=request.name)
        return Snapshot(revision=revision, files=files, reader=self._mirror.blobs, trusted=not request.fork)

    def _passed_over(self, repository: pygit2.Repository, commit: str, since: str) -> tuple[Revision, ...]:
        found = passed_over(repository, commit, since, _PASSED_OVER)
        return tuple(self._mirror.revision(repository[each].peel(pygit2.Commit)) for each in found)

    def _remember(self, snapshot: Snapshot) -> None:
        kept = {**self._snapshots, snapshot.revision.commit: snapshot}
        self._snapshots = dict(list(kept.items())[-_SNAPSHOTS:])

    def _walk(self, repository: pygit2.Repository, commit: str) -> Snapshot:
        found = repository.get(commit) if _COMMIT.fullmatch(commit) else None
        if not isinstance(found, pygit2.Commit):
            raise _missing(commit, self.url)
        files = self._walker.files(repository, str(found.tree_id))
        return Snapshot(revision=self._mirror.revision(found), files=files, reader=self._mirror.blobs)

    def _write(self, commit: str, statuses: Sequence[CommitStatus], stop: threading.Event) -> None:
        with self._mirror.held():
            try:
                repository = self._mirror.write_handle()
                changed = notes.write_statuses(repository, commit, statuses, self._clock.now())
            except DAMAGE as error:
                self._mirror.blobs.damaged = True
                raise _unwritable(self.url, error) from error
            if changed and self._settings.push_notes:
                self._publisher.publish(stop)

    def _read(self, commit: str) -> tuple[CommitStatus, ...]:
        text = self._mirror.blobs.use(lambda repository: notes.read_note(repository, notes.NOTES_REF, commit))
        return notes.statuses_of(text)


async def _in_thread(work: Callable[[threading.Event], T]) -> T:
    """A cancelled caller stops a transfer that is under way."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop)
    except asyncio.CancelledError:
        stop.set()
        raise


def _descends(repository: pygit2.Repository, commit: str, ancestor: str) -> bool:
    if commit == ancestor:
        return commit in repository
    return commit in repository and ancestor in repository and repository.descendant_of(commit, ancestor)


def _missing(commit: str, url: str) -> TerminalError:
    return TerminalError(
        "commit-missing",
        f"commit {commit}",
        f"is not in the mirror of {url}",
        hint="give a full commit id of the watched branch; a force-push may have dropped it",
    )


def _unwritable(url: str, error: Exception) -> TransientError:
    return TransientError(
        "mirror-unreadable",
        f"repository {url}",
        f"the status cannot be noted: {error}",
        hint="the next fetch makes the mirror anew",
    )


def _unmerged(request: ChangeRequest, error: Exception) -> TransientError:
    return TransientError(
        "mirror-unreadable",
        request.name,
        f"cannot be merged here: {str(error).strip() or type(error).__name__}",
        hint="tried again by itself; the mirror may be deleted at any time",
    )
