"""One commit, and the immutable view of its tree."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class EntryKind(StrEnum):
    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit of a branch. ``commit`` is the full id, or ``"worktree"`` for files that are not committed."""

    repository: str
    branch: str
    commit: str
    committed_at: datetime
    subject: str = ""

    @property
    def short(self) -> str:
        return self.commit[:7] if len(self.commit) == 40 else self.commit

    @property
    def text(self) -> str:
        """``main@3b9e0d1``"""
        return f"{self.branch}@{self.short}"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """``id`` is the git blob id (for a symlink the id of the blob that holds its target)."""

    id: str
    kind: EntryKind = EntryKind.FILE


class BlobReader(Protocol):
    """Reads blobs; blocking (microseconds a blob), safe from any thread."""

    def read(self, entries: Sequence[tuple[str, str]]) -> list[bytes]:
        """Contents of (path, blob id) pairs, in order. Raises TransientError when the store cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The files of one commit: ids at once, contents on demand. Paths are relative, with ``/``, never ``..``."""

    revision: Revision
    files: Mapping[str, FileEntry]
    reader: BlobReader = field(compare=False, repr=False)
    trusted: bool = True
    """False for what comes from a fork: nothing of it is ever decrypted."""
    paths: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", tuple(sorted(self.files)))

    def read(self, path: str) -> bytes:
        """Raises KeyError when the path is no file of this snapshot."""
        return self.reader.read([(path, self.files[path].id)])[0]

    def read_all(self, paths: Sequence[str]) -> dict[str, bytes]:
        return dict(zip(paths, self.reader.read([(path, self.files[path].id) for path in paths]), strict=True))

    def under(self, directory: str) -> tuple[str, ...]:
        """All paths below a directory, sorted; ``""`` is the root. O(log n + result)."""
        if not directory:
            return self.paths
        prefix = f"{directory.rstrip('/')}/"
        start = bisect_left(self.paths, prefix)
        return self.paths[start : bisect_left(self.paths, prefix[:-1] + "0", start)]

    def ids(self, paths: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """(path, blob id) pairs: what a cache key is made of."""
        return tuple((path, self.files[path].id) for path in paths)
