"""One walk over a commit's tree, and blobs on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import pygit2

from clusterops.errors import TerminalError, TransientError
from clusterops.model.revision import EntryKind, FileEntry

T = TypeVar("T")
_DIRECTORY: Final = 0o040000
_KINDS: Final = {0o120000: EntryKind.SYMLINK, 0o160000: EntryKind.SUBMODULE}
_NEVER: Final = frozenset({"", ".", "..", ".git"})

Listing = tuple[tuple[str, str, FileEntry | None], ...]
"""(name, id, entry) of one tree; the entry is None for a subtree."""


class TreeWalker:
    """Lists trees, remembering those of the last walk by id: an unchanged subtree is not read again."""

    def __init__(self) -> None:
        self._known: dict[str, Listing] = {}

    def files(self, repository: pygit2.Repository, tree_id: str) -> dict[str, FileEntry]:
        """Every file by path. Raises KeyError or GitError when the store is broken, TerminalError ``path-escapes``."""
        used: dict[str, Listing] = {}
        found: dict[str, FileEntry] = {}
        for path, entry in self._walk(repository, tree_id, "", used):
            found[path] = entry
        self._known = used
        return found

    def _walk(
        self, repository: pygit2.Repository, tree_id: str, prefix: str, used: dict[str, Listing]
    ) -> Iterator[tuple[str, FileEntry]]:
        listing = used[tree_id] = self._known.get(tree_id) or _list_tree(repository, tree_id, prefix)
        for name, id_, entry in listing:
            if entry is None:
                yield from self._walk(repository, id_, f"{prefix}{name}/", used)
            else:
                yield prefix + name, entry


def kind_of(mode: int) -> EntryKind:
    """Of a git file mode that is no directory."""
    return _KINDS.get(mode, EntryKind.FILE)


def _list_tree(repository: pygit2.Repository, tree_id: str, prefix: str) -> Listing:
    tree = repository[tree_id]
    if not isinstance(tree, pygit2.Tree):
        raise KeyError(tree_id)
    return tuple(_list_entry(item, prefix) for item in tree)


def _list_entry(item: pygit2.Object, prefix: str) -> tuple[str, str, FileEntry | None]:
    name = (item.raw_name or b"").decode("utf-8", "surrogateescape")
    if name in _NEVER:
        raise TerminalError("path-escapes", "commit", f"holds a file named {prefix}{name}", path=prefix.rstrip("/"))
    id_, mode = str(item.id), int(item.filemode)
    return name, id_, None if mode == _DIRECTORY else FileEntry(id_, kind_of(mode))


class BlobStore:
    """A repository opened for reading, one thread at a time; opened anew once when it changed under us."""

    def __init__(self, open_repository: Callable[[], pygit2.Repository], *, max_file_bytes: int) -> None:
        self._open = open_repository
        self._max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._repository: pygit2.Repository | None = None
        self.damaged = False
        """Set when an object could not be read: the next fetch makes the mirror anew."""

    def read(self, entries: Sequence[tuple[str, str]]) -> list[bytes]:
        """Contents of (path, blob id) pairs, in order.

        Raises TerminalError ``file-too-large``, TransientError ``mirror-unreadable``.
        """
        return self.use(lambda repository: [self._blob(repository, path, id_) for path, id_ in entries])

    def use(self, work: Callable[[pygit2.Repository], T]) -> T:
        """``work`` with the repository, under the lock. Raises TransientError ``mirror-unreadable``."""
        with self._lock:
            try:
                return work(self._current())
            except (KeyError, pygit2.GitError, OSError, ValueError):
                self._repository = None
            try:
                return work(self._current())
            except (KeyError, pygit2.GitError, OSError, ValueError) as error:
                self.damaged = True
                raise _unreadable(error) from error

    def renew(self) -> None:
        """The mirror was replaced."""
        with self._lock:
            self._repository, self.damaged = None, False

    def _current(self) -> pygit2.Repository:
        if self._repository is None:
            self._repository = self._open()
        return self._repository

    def _blob(self, repository: pygit2.Repository, path: str, id_: str) -> bytes:
        blob = repository[id_]
        if not isinstance(blob, pygit2.Blob):
            raise KeyError(id_)
        if blob.size > self._max_file_bytes:
            raise _too_large(path, blob.size, self._max_file_bytes)
        return bytes(blob.data)


def _too_large(path: str, size: int, limit: int) -> TerminalError:
    return TerminalError(
        "file-too-large",
        "",
        f"holds {size} bytes, more than the {limit} that a manifest may have",
        hint="keep such files out of the fleet repository, or raise max_file_bytes",
        path=path,
    )


def _unreadable(error: Exception) -> TransientError:
    return TransientError(
        "mirror-unreadable",
        "repository mirror",
        f"an object cannot be read: {str(error).strip() or type(error).__name__}",
        hint="the next fetch makes the mirror anew; it may also be deleted at any time",
    )
