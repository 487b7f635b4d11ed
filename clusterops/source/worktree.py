"""The working tree of a clone, and revisions of it: what the CLI looks at before anything is pushed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import pygit2
from pygit2.enums import FileStatus

from clusterops.errors import TerminalError, TransientError
from clusterops.model.revision import EntryKind, FileEntry, Revision, Snapshot
from clusterops.source.git.tree import BlobStore, TreeWalker, kind_of

T = TypeVar("T")
FLEET_FILE: Final = "fleet.yaml"
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""As in RepositorySettings: no manifest is that large."""
_ON_DISK: Final = (
    FileStatus.WT_NEW
    | FileStatus.WT_MODIFIED
    | FileStatus.WT_TYPECHANGE
    | FileStatus.WT_RENAMED
    | FileStatus.CONFLICTED
)
_NO_ID: Final = "0" * 40
_BROKEN: Final = (pygit2.GitError, KeyError, OSError, ValueError)


def find_fleet_root(path: Path) -> Path:
    """The nearest directory upwards that holds a fleet.yaml. Raises TerminalError ``fleet-file-missing``."""
    start = path.absolute()
    for folder in (start, *start.parents):
        if (folder / FLEET_FILE).is_file():
            return folder
    raise TerminalError(
        "fleet-file-missing",
        "fleet",
        f"no {FLEET_FILE} in {start} or above it",
        hint="change into a clone of the fleet repository, or write a new one with `clusterops init DIR`",
        path=FLEET_FILE,
    )


def snapshot_worktree(directory: Path, branch: str = "worktree") -> Snapshot:
    """The files as they are on disk: those that git tracks, and untracked ones that it does not ignore.

    An unchanged file has the id and content that git has for it, so the snapshot of a clean checkout equals that of
    its commit. Without git around it, all files below ``directory``. Symbolic links are recorded, never followed.
    """
    root = directory.resolve()
    repository = _repository(root)
    disk: dict[str, FileEntry] = {}
    tracked: dict[str, FileEntry] = {}
    if repository is None:
        disk = dict(_walk_disk(root))
    else:
        tracked, disk = _from_git(repository, root)
    revision = Revision(repository=str(root), branch=branch, commit="worktree", committed_at=datetime.now(UTC))
    reader = WorktreeReader(root, frozenset(disk), repository.path if repository is not None else "")
    return Snapshot(revision=revision, files={**tracked, **disk}, reader=reader)


def resolve_revision(directory: Path, rev: str) -> Snapshot:
    """A commit of the local clone, by any git revision: ``HEAD~1``, a branch, a tag, an abbreviated id.

    Paths are relative to ``directory``. Raises TerminalError ``revision-unknown``.
    """
    root = directory.resolve()
    repository = _repository(root)
    if repository is None:
        raise _unknown(rev, f"{root} is not in a git repository")
    try:
        commit = repository.revparse_single(rev).peel(pygit2.Commit)
        tree = _subtree(commit, _prefix(repository, root))
        files = TreeWalker().files(repository, str(tree.id)) if tree is not None else {}
    except _BROKEN as error:
        raise _unknown(rev, f"git has no such commit here: {error}") from error
    place = repository.path
    reader = BlobStore(lambda: pygit2.Repository(place), max_file_bytes=MAX_FILE_BYTES)
    return Snapshot(revision=_revision(repository, root, commit, rev), files=files, reader=reader)


class WorktreeReader:
    """Changed files from disk, each checked against the id that it had; the rest from git."""

    def __init__(self, root: Path, on_disk: frozenset[str], repository_path: str) -> None:
        self._root = root
        self._on_disk = on_disk
        self._store = BlobStore(lambda: pygit2.Repository(repository_path), max_file_bytes=MAX_FILE_BYTES)

    def read(self, entries: Sequence[tuple[str, str]]) -> list[bytes]:
        """Raises TransientError ``file-changed`` when one is no longer what the snapshot saw."""
        tracked = [entry for entry in entries if entry[0] not in self._on_disk]
        found = dict(zip(tracked, self._store.read(tracked), strict=True)) if tracked else {}
        return [found[entry] if entry in found else self._read(*entry) for entry in entries]

    def _read(self, path: str, id_: str) -> bytes:
        try:
            _, content = _read_disk(self._root / path, path)
        except OSError as error:
            raise _changed(path) from error
        if str(pygit2.hash(content)) != id_:
            raise _changed(path)
        return content


def _repository(root: Path) -> pygit2.Repository | None:
    """The one whose working tree holds ``root``."""
    try:
        found = pygit2.discover_repository(str(root))
        repository = pygit2.Repository(found) if found else None
    except _BROKEN:
        return None
    inside = repository is not None and repository.workdir and root.is_relative_to(Path(repository.workdir).resolve())
    return repository if inside else None


def _prefix(repository: pygit2.Repository, root: Path) -> str:
    """Of the paths below ``root`` in git: ``""``, or ``deploy/fleet/``."""
    relative = root.relative_to(Path(repository.workdir or "").resolve()).as_posix()
    return "" if relative == "." else f"{relative}/"


def _from_git(repository: pygit2.Repository, root: Path) -> tuple[dict[str, FileEntry], dict[str, FileEntry]]:
    prefix = _prefix(repository, root)
    status = _below(repository.status(untracked_files="all", ignored=False), prefix)
    gone = {path for path, flags in status.items() if flags & FileStatus.WT_DELETED}
    changed = {path for path, flags in status.items() if flags & _ON_DISK}
    tracked = {path: entry for path, entry in _below(_index(repository), prefix).items() if path not in gone | changed}
    return tracked, {path.rstrip("/"): entry for path in sorted(changed) if (entry := _disk_entry(root, path))}


def _index(repository: pygit2.Repository) -> dict[str, FileEntry]:
    return {entry.path: FileEntry(str(entry.id), kind_of(int(entry.mode))) for entry in repository.index}


def _below(values: Mapping[str, T], prefix: str) -> dict[str, T]:
    return {path.removeprefix(prefix): value for path, value in values.items() if path.startswith(prefix)}


def _walk_disk(root: Path) -> Iterator[tuple[str, FileEntry]]:
    for folder, directories, names in os.walk(root):
        directories[:] = sorted(name for name in directories if name != ".git")
        links = [name for name in directories if (Path(folder) / name).is_symlink()]
        for name in (*links, *names):
            path = (Path(folder) / name).relative_to(root).as_posix()
            if (entry := _disk_entry(root, path)) is not None:
                yield path, entry


def _disk_entry(root: Path, path: str) -> FileEntry | None:
    """None for what is no file (a socket, say) or is gone again."""
    if path.endswith("/") or ((root / path).is_dir() and not (root / path).is_symlink()):
        return FileEntry(_NO_ID, EntryKind.SUBMODULE)
    try:
        kind, content = _read_disk(root / path, path)
    except OSError:
        return None
    return FileEntry(str(pygit2.hash(content)), kind)


def _read_disk(place: Path, path: str) -> tuple[EntryKind, bytes]:
    mode = place.lstat().st_mode
    if stat.S_ISLNK(mode):
        return EntryKind.SYMLINK, os.fsencode(os.readlink(place))
    if not stat.S_ISREG(mode):
        raise OSError(f"{path} is no file")
    return EntryKind.FILE, place.read_bytes()


def _subtree(commit: pygit2.Commit, prefix: str) -> pygit2.Tree | None:
    if not prefix:
        return commit.tree
    below = commit.tree[prefix.rstrip("/")]
    return below if isinstance(below, pygit2.Tree) else None


def _revision(repository: pygit2.Repository, root: Path, commit: pygit2.Commit, rev: str) -> Revision:
    by_id = str(commit.id).startswith(rev.lower())
    head = "" if repository.head_is_unborn else repository.head.shorthand
    return Revision(
        repository=str(root),
        branch=head if by_id else rev,
        commit=str(commit.id),
        committed_at=datetime.fromtimestamp(commit.commit_time, UTC),
        subject=commit.message.partition("\n")[0].strip(),
    )


def _unknown(rev: str, why: str) -> TerminalError:
    hint = "`git log --oneline` lists commits; `git fetch` brings those of the origin"
    return TerminalError("revision-unknown", f"revision {rev!r}", why, hint=hint)


def _changed(path: str) -> TransientError:
    return TransientError("file-changed", "", "changed while it was being read", hint="run it again", path=path)
