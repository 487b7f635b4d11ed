"""Where an edit of the fleet's files goes: into the working tree, or as a commit on a branch, pushed and proposed.

One way for every command that edits files.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from clusterops.cli.locally import LocalFleet, open_fleet
from clusterops.cli.requests import Proposed, forge_of, has_token, propose, token_missing
from clusterops.cli.screen import Exit, Output, busy, exit_code_of, run, say, say_json, say_problem
from clusterops.drift.report_words import value_text
from clusterops.edit import Edit, Edits, write_files
from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.model.plan import MISSING
from clusterops.model.problem import Problem
from clusterops.settings import Settings
from clusterops.source.clone import Clone, Tip
from clusterops.source.transfer import Transfer
from clusterops.source.worktree import find_fleet_root, resolve_revision

Branch = Annotated[
    str,
    typer.Option(
        "--branch",
        "-b",
        help="Commit on this branch, made where it is not there, instead of editing the working tree.",
    ),
]
Message = Annotated[
    str, typer.Option("--message", "-m", help="Of the commit, and of the request: say why. Default: what changes.")
]
Push = Annotated[
    bool | None,
    typer.Option(
        "--push/--no-push",
        help="Push the branch and open the request; default: where the clone has a remote.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the diff; write nothing.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What a person said about it. ``push`` None: where there is a remote."""

    branch: str = ""
    message: str = ""
    push: bool | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not self.branch and (self.message or self.push):
            raise typer.BadParameter("--message and --push go with --branch: without it nothing is committed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """``local`` is the fleet that is edited: the working tree, or the tip of the branch. ``remote`` "": no push."""

    root: Path
    local: LocalFleet
    where: Where
    settings: Settings
    clone: Clone | None = None
    tip: Tip | None = None
    remote: str = ""

    def read(self, path: str) -> bytes | None:
        """None where there is no such file; a link or a submodule counts as one."""
        return self.local.snapshot.read(path) if path in self.local.snapshot.files else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What became of an edit. ``problem`` is what failed after the commit was made."""

    edits: Edits
    where: Where
    commit: str = ""
    pushed_to: str = ""
    proposed: Proposed | None = None
    problem: Problem | None = None

    @property
    def written(self) -> bool:
        return bool(self.edits.files) and not self.where.dry_run

    @property
    def words(self) -> str:
        """``committed 5e0c77a, pull request 412 opened``"""
        if self.where.dry_run:
            return "nothing was written (--dry-run)"
        if not self.where.branch:
            return "written, not committed" if self.edits.files else "nothing to write"
        made = f"committed {self.commit[:7]}" if self.commit else "nothing to commit"
        if self.proposed is not None:
            return f"{made}, {self.proposed.words}"
        if self.pushed_to:
            return f"{made}, pushed to {self.pushed_to}/{self.where.branch}"
        return f"{made} on {self.where.branch}, not pushed" if self.commit else made

    def to_body(self) -> dict[str, Any]:
        files = self.edits.files
        return {
            "edits": [edit_body(each) for each in self.edits.edits],
            "files": {
                "written": sorted(path for path, content in files.items() if content is not None),
                "removed": sorted(path for path, content in files.items() if content is None),
            },
            "dryRun": self.where.dry_run,
            "branch": self.where.branch,
            "commit": self.commit,
            "pushedTo": self.pushed_to,
            "request": self._request_body(),
            **({"error": self.problem.to_body()} if self.problem else {}),
        }

    def _request_body(self) -> dict[str, Any] | None:
        if self.proposed is None:
            return None
        request = self.proposed.request
        return {"number": request.number, "url": request.url, "opened": self.proposed.opened}


def open_desk(repo: Path, where: Where, settings: Settings) -> Desk:
    """Fetches first where it will push, so that the branch is edited as it is by now.

    Raises the first problem of the whole fleet, and what Clone and Transfer raise.
    """
    root = find_fleet_root(repo)
    if not where.branch:
        local = open_fleet(root)
        local.refuse_broken()
        return Desk(root=root, local=local, where=where, settings=settings)
    clone = Clone(root)
    remote = _remote(clone, where)
    if remote and not where.dry_run:
        with busy(f"fetching {remote}"):
            run(_transfer(root, remote).fetch())
    known = clone.remote_of(where.branch)
    tip = clone.tip(where.branch, clone.base_of(settings.repository.branch, known), known)
    local = replace(open_fleet(root, tip.commit), root=root)
    local.refuse_broken()
    return Desk(root=root, local=local, where=where, settings=settings, clone=clone, tip=tip, remote=remote)


def proposed_files(desk: Desk) -> dict[str, tuple[str, bytes]]:
    """Files under clusters/ that other branches of the clone have and this one has not: branch and content by path."""
    try:
        clone = desk.clone or Clone(desk.root)
    except TerminalError:
        return {}
    return clone.elsewhere("clusters", known=desk.local.snapshot.files)


def land(desk: Desk, edits: Edits, title: str) -> Landed:
    """Writes or commits it. What fails from the push on is told, not raised: the commit is there."""
    landed = Landed(edits=edits, where=desk.where)
    if desk.where.dry_run:
        return landed
    if desk.clone is None or desk.tip is None:
        write_files(desk.root, edits.files, edits.before)
        return landed
    message = desk.where.message or _message(title, edits)
    if edits.files:
        landed = replace(landed, commit=_commit(desk, desk.clone, desk.tip, edits, message))
    elif not desk.clone.is_ahead(desk.tip):
        return landed
    try:
        with busy(f"pushing {desk.where.branch}" if desk.remote else "committing"):
            return run(_publish(desk, desk.tip, landed, message))
    except ClusterOpsError as error:
        return replace(landed, problem=Problem.of(error))


def say_landed(
    landed: Landed,
    lines: Sequence[str],
    output: Output,
    more: Mapping[str, Any] | None = None,
    *,
    targets: Sequence[str] = (),
) -> None:
    """The lines, and what became of them: behind the one, or below several; then the next step.

    ``targets`` are worth a plan first. Raises typer.Exit where the push or the request failed.
    """
    if output is Output.JSON:
        say_json({**landed.to_body(), **(more or {})})
    else:
        one = len(lines) == 1
        say(f"{lines[0]}        {landed.words}" if one else "\n".join([*lines, landed.words]))
        if landed.where.dry_run:
            say_diff(landed)
        if landed.proposed is not None and landed.proposed.request.url:
            say(landed.proposed.request.url)
        if landed.written and not landed.where.branch:
            plan = f"clusterops plan {' '.join(targets)}; then " if targets else ""
            say(f"Next: {plan}git add {' '.join(_places(landed.edits))} && git commit, and open a request")
        if landed.problem is not None:
            say_problem(landed.problem)
    if landed.problem is not None:
        raise typer.Exit(exit_code_of(landed.problem) or Exit.ERROR)


def _places(edits: Edits) -> list[str]:
    """What `git add` has to be told; of a directory that goes, the directory."""
    gone = [PurePosixPath(path).parent for path, content in edits.files.items() if content is None]
    tops = sorted({str(each) for each in gone if not any(other in each.parents for other in gone)})
    return [*(path for path, content in edits.files.items() if content is not None), *tops]


def say_diff(landed: Landed) -> None:
    for path, after in landed.edits.files.items():
        before = landed.edits.before.get(path)
        names = (f"a/{path}" if before is not None else "/dev/null", f"b/{path}" if after is not None else "/dev/null")
        old, new = ((each or b"").decode(errors="replace").splitlines() for each in (before, after))
        say("\n".join(unified_diff(old, new, *names, lineterm="")))


def edit_text(edit: Edit) -> str:
    """``clusters/eu-west-1/payments/values.yaml:1   version: v1.33.4 -> v1.34.1``"""
    return f"{edit.path}:{edit.line}   {edit.setting}: {value_text(edit.before)} -> {value_text(edit.after)}"


def edit_body(edit: Edit) -> dict[str, Any]:
    """The JSON form; ``before`` is absent where the file did not set it."""
    before = {} if edit.before is MISSING else {"before": edit.before}
    place = {"path": edit.path, "line": edit.line, "setting": edit.setting, "target": edit.target}
    return {**place, **before, "after": edit.after}


def _remote(clone: Clone, where: Where) -> str:
    if where.push is False:
        return ""
    found = clone.remote_of(where.branch)
    if where.push and not found:
        raise TerminalError(
            "remote-missing", "git", "the clone has no remote to push to", hint="`git remote add origin URL`"
        )
    return found


def _transfer(root: Path, remote: str) -> Transfer:
    return Transfer(root, remote, dict(os.environ))


def _commit(desk: Desk, clone: Clone, tip: Tip, edits: Edits, message: str) -> str:
    """In the checkout too where the branch is checked out; put back as it was where no commit comes of it."""
    sign = partial(_signed, desk.root) if clone.signs else None
    if not clone.is_head(tip):
        return clone.commit(tip, edits.files, message, sign=sign)
    clone.refuse_uncommitted(edits.files)
    write_files(desk.root, edits.files, edits.before)
    try:
        return clone.commit(tip, edits.files, message, sign=sign)
    except BaseException:
        write_files(desk.root, edits.before, edits.files)
        raise


def _signed(root: Path, tree: str, parent: str, message: str) -> str:
    return run(_transfer(root, "").sign(tree, parent, message))


async def _publish(desk: Desk, tip: Tip, landed: Landed, message: str) -> Landed:
    if not desk.remote:
        return landed
    await _transfer(desk.root, desk.remote).push(tip.branch)
    landed = replace(landed, pushed_to=desk.remote)
    try:
        return replace(landed, proposed=await _proposed(desk, tip, message))
    except ClusterOpsError as error:
        return replace(landed, problem=Problem.of(error))


async def _proposed(desk: Desk, tip: Tip, message: str) -> Proposed | None:
    """None where no forge is configured, or the branch is the watched one itself."""
    base = await asyncio.to_thread(resolve_revision, desk.root, tip.base_commit)
    file = forge_of(base)
    if file is None or tip.branch == tip.base:
        return None
    if not has_token(desk.settings.forge):
        raise token_missing(file)
    return await propose(file, desk.settings, branch=tip.branch, base=tip.base, message=message)


def _message(title: str, edits: Edits) -> str:
    lines = [edit_text(each) for each in edits.edits]
    return f"{title}\n\n" + "\n".join(lines) + "\n" if len(lines) > 1 else f"{title}\n"
