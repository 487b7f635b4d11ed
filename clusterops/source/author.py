"""Commits written straight into a bare repository on this machine: what the demo does in place of a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pygit2
from pygit2.enums import FileMode


def create_bare(directory: Path, files: Mapping[str, bytes], message: str, branch: str = "main") -> str:
    """A new bare repository whose first commit holds ``files`` (path to content). Returns the commit id."""
    repository = pygit2.init_repository(str(directory), bare=True, initial_head=branch)
    return _commit(repository, pygit2.Index(), files, message, branch, parents=[])


def commit_files(directory: Path, files: Mapping[str, bytes], message: str, branch: str = "main") -> str:
    """One more commit on ``branch`` that sets ``files`` and leaves the others. Returns the commit id."""
    repository = pygit2.Repository(str(directory))
    head = repository.branches.local[branch].peel(pygit2.Commit)
    index = pygit2.Index()
    index.read_tree(head.tree)
    return _commit(repository, index, files, message, branch, parents=[head.id])


def read_file(directory: Path, path: str, branch: str = "main") -> bytes:
    """Raises KeyError when the branch has no such file."""
    repository = pygit2.Repository(str(directory))
    blob = repository.branches.local[branch].peel(pygit2.Tree)[path]
    return bytes(blob.peel(pygit2.Blob).data)


def _commit(
    repository: pygit2.Repository,
    index: pygit2.Index,
    files: Mapping[str, bytes],
    message: str,
    branch: str,
    *,
    parents: list[pygit2.Oid],
) -> str:
    for path, content in files.items():
        index.add(pygit2.IndexEntry(path, repository.create_blob(content), FileMode.BLOB))
    author = pygit2.Signature("ClusterOps demo", "demo@clusterops.invalid")
    tree = index.write_tree(repository)
    return str(repository.create_commit(f"refs/heads/{branch}", author, author, message, tree, parents))
