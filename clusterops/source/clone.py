"""The clone that a person works in: commits on a branch of it, with nothing of the person's own touched.

A branch that is checked out nowhere gets its commit in the object store alone: the checkout, its index and whatever is
being worked on there stay as they are. On the branch that is checked out, exactly the named files are written, staged
and committed, and only where they carry no uncommitted change.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import FileMode, FileStatus

from clusterops.errors import RefusedError, TerminalError, TransientError

_BROKEN: Final = (pygit2.GitError, KeyError, OSError, ValueError)
_HEADS: Final = "refs/heads/"
Sign = Callable[[str, str, str], str]
"""Makes a signed commit of a tree's id, its parent's and a message; gives its id."""
_LARGEST_BYTES: Final = 1024 * 1024
"""Of a file on another branch that is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """What the next commit of ``branch`` builds on. ``base`` is where the branch is to be merged into.

    ``local`` is the commit of the branch here, "" where it is only at the remote or nowhere; ``new``: nowhere.
    """

    branch: str
    base: str
    base_commit: str
    commit: str
    local: str = ""
    new: bool = False


class Clone:
    """``root`` is the folder of fleet.yaml, which may be below that of the repository."""

    def __init__(self, root: Path) -> None:
        """Raises TerminalError ``git-missing`` where no working tree of git holds ``root``, ``git-unreadable``."""
        self.root = root.resolve()
        try:
            found = pygit2.discover_repository(str(self.root))
            repository = pygit2.Repository(found) if found else None
        except pygit2.GitError as error:
            raise TerminalError(
                "git-unreadable", str(root), f"its git repository cannot be opened: {error}", hint="see `git status`"
            ) from error
        if repository is None or not repository.workdir:
            raise TerminalError(
                "git-missing", str(root), "is in no git repository", hint="`git init -b main`, commit, then again"
            )
        self._repository = repository
        relative = self.root.relative_to(Path(repository.workdir).resolve()).as_posix()
        self._prefix = "" if relative == "." else f"{relative}/"

    @property
    def remotes(self) -> tuple[str, ...]:
        return tuple(name for name in self._repository.remotes.names() if name)

    def remote_of(self, branch: str) -> str:
        """Where the branch is pushed to: its upstream's, else origin, else the only one; "" for none."""
        config, known = self._repository.config, self.remotes
        name = f"branch.{branch}.remote"
        own = config[name] if name in config else ""  # noqa: SIM401 (pygit2's Config has no get)
        if own in known:
            return own
        return "origin" if "origin" in known else known[0] if len(known) == 1 else ""

    def base_of(self, wanted: str, remote: str) -> str:
        """``wanted`` where it is there, else what the remote calls its head. Raises TerminalError ``base-unknown``."""
        if self._id(f"{_HEADS}{wanted}") or self._id(f"refs/remotes/{remote}/{wanted}"):
            return wanted
        head = self._repository.references.get(f"refs/remotes/{remote}/HEAD") if remote else None
        prefix = f"refs/remotes/{remote}/"
        if head is not None and isinstance(head.target, str) and head.target.startswith(prefix):
            return head.target.removeprefix(prefix)
        raise TerminalError(
            "base-unknown",
            wanted,
            "is no branch of this clone, so a new branch has nothing to begin at",
            hint="commit there first, `git fetch`, or name the watched branch: CLUSTEROPS_REPOSITORY_BRANCH",
        )

    def tip(self, branch: str, base: str, remote: str) -> Tip:
        """Raises TerminalError ``branch-name``, ``branch-behind``, ``branch-diverged``, ``branch-elsewhere``."""
        if not pygit2.reference_is_valid_name(f"{_HEADS}{branch}") or branch.startswith("-"):
            raise TerminalError("branch-name", branch, "is no name that git takes for a branch", hint="--branch NAME")
        local, theirs = self._id(f"{_HEADS}{branch}"), self._id(f"refs/remotes/{remote}/{branch}")
        start = self._id(f"refs/remotes/{remote}/{base}") or self._id(f"{_HEADS}{base}")
        found = self._newer(branch, remote, local, theirs) or start
        self._check_checkout(branch, local, found)
        return Tip(branch=branch, base=base, base_commit=start, commit=found, local=local, new=not local and not theirs)

    @property
    def signs(self) -> bool:
        """Whether the person signs every commit."""
        config = self._repository.config
        return "commit.gpgsign" in config and config.get_bool("commit.gpgsign")

    def commit(self, tip: Tip, files: Mapping[str, bytes | None], message: str, *, sign: Sign | None = None) -> str:
        """A commit on ``tip`` that has exactly these changes; None removes a file. Returns its id.

        ``files`` are from the root of the fleet, and on disk already where the branch is checked out. Raises
        TerminalError ``author-missing``, TransientError ``branch-moved``, and what ``sign`` raises; the branch is
        where it was then.
        """
        author = self._author()
        changed = {self._prefix + path: content for path, content in files.items()}
        try:
            index = self._index_with(tip.commit, changed)
            tree = index.write_tree(self._repository)
            made = (
                self._made(author, tree, tip.commit, message) if sign is None else sign(str(tree), tip.commit, message)
            )
            if self._is_head(tip.branch):
                self._stage(changed, index)
            self._move(tip, made, message)
        except _BROKEN as error:
            raise TransientError(
                "branch-moved",
                f"branch {tip.branch}",
                f"could not be moved: {error}",
                hint="is another git command running here? run it again",
            ) from error
        return made

    def elsewhere(self, folder: str, *, known: Container[str]) -> dict[str, tuple[str, bytes]]:
        """Files below ``folder`` that a branch has and ``known`` has not: its name and the content, by path.

        Of branches here and at the remotes, in order of their names; the first one that has a file is taken.
        """
        found: dict[str, tuple[str, bytes]] = {}
        seen: set[str] = set()
        for name in sorted(self._repository.references):
            branch = name.removeprefix(_HEADS).removeprefix("refs/remotes/")
            if branch == name or branch.endswith("/HEAD"):
                continue
            for path, blob in self._files_of(name, folder, seen):
                if path not in known and blob.size <= _LARGEST_BYTES:
                    found.setdefault(path, (branch, blob.data))
        return found

    def _files_of(self, reference: str, folder: str, seen: set[str]) -> Iterator[tuple[str, pygit2.Blob]]:
        """Trees in ``seen`` were looked at for another branch, at the same path."""
        try:
            top = self._repository.references[reference].peel(pygit2.Tree)[self._prefix + folder]
        except KeyError:
            return
        stack: list[tuple[str, pygit2.Object]] = [(folder, top)]
        while stack:
            path, item = stack.pop()
            if isinstance(item, pygit2.Blob):
                yield path, item
            elif isinstance(item, pygit2.Tree) and f"{path} {item.id}" not in seen:
                seen.add(f"{path} {item.id}")
                stack.extend((f"{path}/{each.name}", each) for each in item)

    def refuse_uncommitted(self, paths: Iterable[str]) -> None:
        """Raises RefusedError ``file-uncommitted`` where one is not as the checked out commit has it."""
        for path in paths:
            try:
                status = self._repository.status_file(self._prefix + path)
            except KeyError:
                continue
            if status != FileStatus.CURRENT:
                raise RefusedError(
                    "file-uncommitted",
                    "",
                    "has changes of yours that are not committed, and would be committed with it",
                    hint=f"commit or stash them: `git diff HEAD -- {path}`",
                    path=path,
                )

    def is_head(self, tip: Tip) -> bool:
        """Whether the branch is checked out here, so that its files on disk change with it."""
        return self._is_head(tip.branch)

    def is_ahead(self, tip: Tip) -> bool:
        """Whether it has commits that its base has not."""
        if tip.new or not tip.base_commit:
            return False
        return self._repository.ahead_behind(tip.commit, tip.base_commit)[0] > 0

    def _id(self, name: str) -> str:
        reference = self._repository.references.get(name) if pygit2.reference_is_valid_name(name) else None
        return "" if reference is None else str(reference.peel(pygit2.Commit).id)

    def _newer(self, branch: str, remote: str, local: str, theirs: str) -> str:
        if not local or not theirs or local == theirs:
            return local or theirs
        if self._repository.descendant_of(local, theirs):
            return local
        if self._repository.descendant_of(theirs, local):
            return theirs
        ahead, behind = self._repository.ahead_behind(local, theirs)
        raise TerminalError(
            "branch-diverged",
            f"branch {branch}",
            f"has {ahead} commit{'s' * (ahead != 1)} here that {remote} has not, and {remote} has {behind} others",
            hint=f"`git switch {branch} && git pull --rebase`, then again; nothing was changed",
        )

    def _check_checkout(self, branch: str, local: str, found: str) -> None:
        if not local:
            return
        if self._is_head(branch):
            if local != found:
                hint = f"`git pull --ff-only`, then again: {branch} is checked out here"
                raise TerminalError(
                    "branch-behind", f"branch {branch}", "is behind its remote; nothing was changed", hint=hint
                )
        elif self._repository.branches.local[branch].is_checked_out():
            hint = "run it there, or take another branch"
            raise TerminalError("branch-elsewhere", f"branch {branch}", "is checked out in another worktree", hint=hint)

    def _is_head(self, branch: str) -> bool:
        if self._repository.head_is_unborn or self._repository.head_is_detached:
            return False
        return self._repository.head.name == f"{_HEADS}{branch}"

    def _author(self) -> pygit2.Signature:
        try:
            return self._repository.default_signature
        except _BROKEN as error:
            raise TerminalError(
                "author-missing",
                "git",
                "does not know who commits",
                hint="`git config --global user.name NAME` and `git config --global user.email ADDRESS`",
            ) from error

    def _made(self, author: pygit2.Signature, tree: pygit2.Oid, parent: str, message: str) -> str:
        parents = [pygit2.Oid(hex=parent)]
        return str(self._repository.create_commit(None, author, author, message, tree, parents))

    def _index_with(self, commit: str, changed: Mapping[str, bytes | None]) -> pygit2.Index:
        """The commit's tree with the changes, as an index of its own; a file that is there keeps its mode."""
        index = pygit2.Index()
        index.read_tree(self._repository[commit].peel(pygit2.Tree))
        for path, content in changed.items():
            if content is None:
                index.remove(path)
                continue
            mode = index[path].mode if path in index else FileMode.BLOB
            index.add(pygit2.IndexEntry(path, self._repository.create_blob(content), mode))
        return index

    def _stage(self, changed: Mapping[str, bytes | None], made: pygit2.Index) -> None:
        """Into the index of the checkout, whose files are written already; what else is staged there stays staged."""
        index = self._repository.index
        index.read()
        for path, content in changed.items():
            if content is None:
                index.remove(path)
            else:
                index.add(made[path])
        index.write()

    def _move(self, tip: Tip, made: str, message: str) -> None:
        """Only from where it was seen: whoever moved it meanwhile is not overwritten."""
        name = f"{_HEADS}{tip.branch}"
        reference = self._repository.references.get(name)
        if (str(reference.peel(pygit2.Commit).id) if reference is not None else "") != tip.local:
            raise ValueError("somebody else moved it meanwhile")
        if reference is None:
            self._repository.references.create(name, made)
        else:
            reference.set_target(made, f"commit: {message.partition(chr(10))[0]}")
