"""What every command says the same way: errors with their place and next step, JSON, tables, progress, exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from clusterops.cli.environment import wants_traceback
from clusterops.errors import ClusterOpsError, RefusedError
from clusterops.model.document import excerpt
from clusterops.model.problem import Problem, Retry, SeveralProblems

T = TypeVar("T")


_SECRETIVE: Final = re.compile(r"""kind["']?:\s*["']?Secret\b|ENC\[AES256_GCM,""")

_SECRET_KEY: Final = re.compile(r"""(token|password|passphrase|secret|private_?key)\w*["']?\s*:""", re.IGNORECASE)


class Exit(IntEnum):
    """Stable: scripts depend on them."""

    DONE = 0
    ERROR = 1
    CHANGES = 2
    REFUSED = 3
    USAGE = 64


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


OutputOption = typer.Option(Output.TEXT, "--output", "-o", help="text, or json for programs.")


def console() -> Console:
    """For people, on stderr: progress and errors. Rich keeps NO_COLOR and plain pipes plain."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """A line of the answer, on stdout."""
    typer.echo(text)


def say_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str))


def say_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """kubectl's shape: aligned, no lines, complete words."""
    if not sys.stdout.isatty():
        widths = [max([len(c), *(len(row[i]) for row in rows)]) for i, c in enumerate(columns)]
        for row in [columns, *rows]:
            say("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def say_problem(problem: Problem, *, root: Path | None = None, error: bool = True) -> None:
    """The line, the source where it stands, and the next step; ``root`` is in the fleet repository."""
    typer.echo(problem.text, err=error)
    if root is not None and problem.path and problem.line and (shown := _source(root, problem)):
        typer.echo(shown, err=error)
    if problem.hint:
        typer.echo(f"  {problem.hint}", err=error)


def problems_of(error: ClusterOpsError) -> tuple[Problem, ...]:
    """All that an error stands for: a check of values finds several at once."""
    return error.problems if isinstance(error, SeveralProblems) else (Problem.of(error),)


def exit_code_of(problem: Problem) -> Exit:
    return Exit.REFUSED if problem.retry is Retry.HUMAN else Exit.ERROR


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a command's coroutine; Ctrl-C cancels it and ends with 130."""
    try:
        return asyncio.run(main)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def explained(*, output: Output = Output.TEXT, root: Path | None = None) -> Iterator[None]:
    """Turns an error into its line, the source and the next step, and the right exit code.

    JSON: ``{"error": {…}}``, and all of them as ``errors`` where there are several. A defect of ours is
    ``internal-error``, its traceback shown only where $CLUSTEROPS_TRACEBACK asks for it.
    """
    try:
        yield
    except ClusterOpsError as error:
        _say_error(problems_of(error), output, root)
        raise typer.Exit(Exit.REFUSED if isinstance(error, RefusedError) else Exit.ERROR) from error
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if wants_traceback():
            raise
        _say_error((_defect(error),), output, root)
        raise typer.Exit(Exit.ERROR) from error


def _say_error(problems: Sequence[Problem], output: Output, root: Path | None) -> None:
    if output is Output.JSON:
        bodies = [problem.to_body() for problem in problems]
        say_json({"error": bodies[0]} | ({"errors": bodies} if len(bodies) > 1 else {}))
        return
    for problem in problems:
        say_problem(problem, root=root)


def _defect(error: Exception) -> Problem:
    return Problem(
        code="internal-error",
        subject="clusterops",
        message=f"{type(error).__name__}: {error}",
        hint="a defect of ClusterOps: run it again with CLUSTEROPS_TRACEBACK=1 and report what it prints",
        retry=Retry.BACKOFF,
    )


@contextmanager
def busy(what: str, *, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """A spinner with elapsed time on a terminal; nothing elsewhere, where lines of its own would only be noise."""
    out = console()
    if not out.is_terminal:
        yield
        return
    started = clock()
    with out.status(what):
        yield
    if clock() - started > 2:
        out.print(f"{what} {clock() - started:.0f}s ✓")


def _source(root: Path, problem: Problem) -> str:
    folder = root.absolute()
    """The line as it stands on disk; none where it could show a secret, whatever the problem."""
    fleet = next((each for each in (folder, *folder.parents) if (each / "fleet.yaml").is_file()), folder)
    try:
        text = (fleet / problem.path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    line = excerpt(text, problem.line, problem.column, 1)
    return "" if _SECRETIVE.search(text) or _SECRET_KEY.search(line) else line
