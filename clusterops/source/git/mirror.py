"""A bare mirror of one repository, made anew when it is damaged.

``<digest>.git`` is a symbolic link to the generation in use, which is replaced in one step. Each generation has a path
of its own, because libgit2 keeps open packs by path for the whole process (**Source:** libgit2 1.9
src/libgit2/mwindow.c, git_mwindow_get_pack): at the old path, a new clone would read the old, damaged pack.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import pygit2
from pygit2.enums import FetchPrune
from structlog.stdlib import BoundLogger

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.model.revision import Revision
from clusterops.settings import NetworkSettings, RepositorySettings
from clusterops.source.git.address import Address
from clusterops.source.git.notes import NOTES_REF, TRACKING_REF, join_tracking
from clusterops.source.git.remote import Callbacks, is_network_error, proxy_for, translate
from clusterops.source.git.tree import BlobStore

_LOCK_POLL_S: Final = 0.05
_MOST_PACKS: Final = 100
"""Each fetch leaves a pack, and every lookup asks every pack: beyond this many the mirror is made anew."""
DAMAGE: Final = (pygit2.GitError, KeyError, OSError, ValueError)
"""What libgit2 raises over a store that it cannot read."""


class Mirror:
    """Every method blocks; those that write hold a lock on disk, so daemon and CLI may share the folder."""

    def __init__(
        self,
        address: Address,
        settings: RepositorySettings,
        network: NetworkSettings,
        *,
        folder: Path,
        logger: BoundLogger,
    ) -> None:
        self.address = address
        self.path = folder / f"{address.digest}.git"
        self.blobs = BlobStore(self._open, max_file_bytes=settings.max_file_bytes)
        self._settings = settings
        self._network = network
        self._logger = logger
        self._thread_lock = threading.Lock()

    def fetch(self, stop: threading.Event) -> tuple[Revision, bool]:
        """The branch's head, and whether our notes are ahead of the origin's.

        Raises TerminalError ``branch-missing``, ``repository-empty``, ``repository-forbidden``,
        ``repository-untrusted``; TransientError ``repository-unreachable``, ``mirror-locked``.
        """
        with self.held():
            return self._fetch_or_clone(stop)

    def clone(self, stop: threading.Event) -> None:
        """Makes the mirror anew, whatever is there. Raises what ``fetch`` raises."""
        with self.held():
            self._clone(stop)

    def fetch_notes(self, repository: pygit2.Repository, stop: threading.Event) -> None:
        """The origin's notes alone, into TRACKING_REF; call it while ``held``."""
        self._transfer(repository, [f"+{NOTES_REF}:{TRACKING_REF}"], stop)

    def fetch_ref(self, repository: pygit2.Repository, ref: str, stop: threading.Event) -> str:
        """The commit that the origin has there, "" for none; call it while ``held``. Raises what ``fetch`` raises."""
        kept = f"refs/clusterops/{ref.removeprefix('refs/')}"
        try:
            self._transfer(repository, [f"+{ref}:{kept}"], stop)
        except DAMAGE as error:
            raise translate(error, self.address) from error
        found = repository.references.get(kept)
        return str(found.peel(pygit2.Commit).id) if found is not None else ""

    def remote_refs(self, stop: threading.Event) -> list[tuple[str, str]]:
        """Every reference that the origin shows, with its commit. Raises what ``fetch`` raises."""
        try:
            remote = self._open().remotes.create_anonymous(self.address.url)
            heads = remote.list_heads(callbacks=self._callbacks(stop), proxy=proxy_for(self.address, self._network))
        except DAMAGE as error:
            raise translate(error, self.address) from error
        return [(head.name or "", str(head.oid)) for head in heads]

    def push_notes(self, repository: pygit2.Repository, stop: threading.Event) -> list[str]:
        """What the server says against it; empty when they are there. Raises GitError as libgit2 has it."""
        callbacks = self._callbacks(stop)
        remote = repository.remotes.create_anonymous(self.address.url)
        remote.push([f"{NOTES_REF}:{NOTES_REF}"], callbacks=callbacks, proxy=proxy_for(self.address, self._network))
        return callbacks.rejections

    def write_handle(self) -> pygit2.Repository:
        """For the one caller that is inside ``held``."""
        return self._open()

    @contextmanager
    def held(self) -> Iterator[None]:
        """One writer at a time, over all threads and processes; a killed one lets go by itself."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._thread_lock, self.path.with_suffix(".lock").open("w") as file:
            self._flock(file)
            self._sweep()
            yield

    def _flock(self, file: IO[str]) -> None:
        deadline = time.monotonic() + self._settings.timeout_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise self._locked() from error
                time.sleep(_LOCK_POLL_S)
            else:
                return

    def _locked(self) -> TransientError:
        return TransientError(
            "mirror-locked",
            f"repository {self.address.url}",
            f"another process has held its mirror for {self._settings.timeout_s:.0f} s",
            hint=f"see who has {self.path.with_suffix('.lock')} open; tried again by itself",
        )

    def _sweep(self) -> None:
        """What a killed process left: we hold the lock, so nobody is using it."""
        current = self.path.resolve()
        for generation in self.path.parent.glob(f"{self.path.stem}.gen-*"):
            if generation.resolve() != current:
                shutil.rmtree(generation, ignore_errors=True)
        for pattern in ("*.lock", "refs/**/*.lock", "objects/**/*_git2_*"):
            for file in current.glob(pattern):
                file.unlink(missing_ok=True)

    def _open(self) -> pygit2.Repository:
        return pygit2.Repository(str(self.path.resolve()))

    def _fetch_or_clone(self, stop: threading.Event) -> tuple[Revision, bool]:
        self._check_origin()
        if not self.path.exists() or self.blobs.damaged or self._packs() > _MOST_PACKS:
            return self._clone(stop)
        try:
            return self._fetch_into(self._open(), stop)
        except ClusterOpsError:
            raise
        except DAMAGE as error:
            if self._is_unreachable(error):
                raise translate(error, self.address) from error
            self._logger.warning("mirror is damaged, cloning again", repository=self.address.url, why=str(error))
            return self._clone(stop)

    def _is_unreachable(self, error: Exception) -> bool:
        """A local origin was opened a moment ago, so what fails then is the mirror."""
        return self.address.path is None and is_network_error(error)

    def _check_origin(self) -> None:
        if self.address.path is None:
            return
        try:
            pygit2.Repository(str(self.address.path))
        except DAMAGE as error:
            raise translate(error, self.address) from error

    def _packs(self) -> int:
        return sum(1 for _ in self.path.glob("objects/pack/*.pack"))

    def _clone(self, stop: threading.Event) -> tuple[Revision, bool]:
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.path.stem}.gen-", dir=self.path.parent))
        try:
            found = self._fetch_into(pygit2.init_repository(str(fresh), bare=True), stop)
            self._use(fresh)
        except DAMAGE as error:
            raise translate(error, self.address) from error
        finally:
            self._sweep()
        return found

    def _use(self, generation: Path) -> None:
        link = generation / "link"
        link.symlink_to(generation.name)
        link.replace(self.path)
        self.blobs.renew()

    def _fetch_into(self, repository: pygit2.Repository, stop: threading.Event) -> tuple[Revision, bool]:
        head = f"refs/heads/{self._settings.branch}"
        heads = self._transfer(repository, [f"+{head}:{head}", f"+{NOTES_REF}:{TRACKING_REF}"], stop)
        reference = repository.references.get(head)
        if reference is None:
            raise self._no_branch(heads)
        commit = reference.peel(pygit2.Commit)
        repository[commit.tree_id]
        return self.revision(commit), join_tracking(repository)

    def _transfer(self, repository: pygit2.Repository, refspecs: list[str], stop: threading.Event) -> list[str]:
        """Fetches and prunes exactly these; the branches that the origin has."""
        remote = repository.remotes.create_anonymous(self.address.url)
        proxy = proxy_for(self.address, self._network)
        remote.fetch(refspecs, callbacks=self._callbacks(stop), prune=FetchPrune.PRUNE, proxy=proxy)
        names = (head.name or "" for head in remote.list_heads(connect=False))
        return sorted(name.removeprefix("refs/heads/") for name in names if name.startswith("refs/heads/"))

    def _callbacks(self, stop: threading.Event) -> Callbacks:
        return Callbacks(self.address, self._settings, stop)

    def revision(self, commit: pygit2.Commit) -> Revision:
        return Revision(
            repository=self.address.url,
            branch=self._settings.branch,
            commit=str(commit.id),
            committed_at=datetime.fromtimestamp(commit.commit_time, UTC),
            subject=commit.message.partition("\n")[0].strip(),
        )

    def _no_branch(self, heads: list[str]) -> TerminalError:
        subject = f"repository {self.address.url}"
        if not heads:
            hint = "commit a fleet.yaml and push it; `clusterops init DIR` writes one"
            return TerminalError("repository-empty", subject, "has no commit yet", hint=hint)
        shown = ", ".join(heads[:5]) + (", …" if len(heads) > 5 else "")
        message = f"has no branch {self._settings.branch!r}; nothing is applied or removed until it is back"
        return TerminalError("branch-missing", subject, message, hint=f"push it, or watch one of: {shown}")
