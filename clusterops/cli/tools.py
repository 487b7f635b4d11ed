"""``clusterops tools``: which programs are there, and building those that are not."""

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from clusterops.cli.environment import cache_dir
from clusterops.cli.screen import Output, OutputOption, console, explained, run, say_json, say_table
from clusterops.toolchain import PASSED_VARIABLES, TOOLS, Located, Progress, ToolchainSettings, ensure, locate

app = typer.Typer(help="The programs that ClusterOps drives: found, or built with Go.", no_args_is_help=True)

_PLAIN_EVERY_S = 15.0


def toolchain_settings() -> ToolchainSettings:
    """What the environment says about where tools are and how Go reaches its modules."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return ToolchainSettings(
        cache_dir=cache_dir(),
        environment={key: value for key, value in os.environ.items() if key in PASSED_VARIABLES},
        kubebuilder_assets=Path(assets) if assets else None,
    )


@app.command("list")
def list_tools(output: Output = OutputOption) -> None:
    """Show each tool, its version and where it comes from; builds nothing."""
    with explained(output=output):
        located = run(_locate_all(toolchain_settings()))
    if output is Output.JSON:
        say_json([_row(found) for found in located])
        return
    rows: list[tuple[str, ...]] = []
    for found in located:
        rows.append((found.name, found.version, found.source, str(found.path or "-")))
        rows += [("", "", "passed over", reason) for reason in found.passed_over]
    say_table(("TOOL", "VERSION", "SOURCE", "PATH"), rows)


@app.command()
def install(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="A tool as `tools list` names it. None: every one.")
    ] = None,
    output: Output = OutputOption,
) -> None:
    """Build the tools that are not there yet."""
    wanted = names or [tool.name for tool in TOOLS]
    with explained(output=output):
        located = run(_install(wanted, toolchain_settings(), quiet=output is Output.JSON))
    if output is Output.JSON:
        say_json([_row(found) for found in located])


@asynccontextmanager
async def shown_progress() -> AsyncIterator[Progress]:
    """Progress as a person at a terminal, or the reader of a log, wants to see it; on standard error."""
    out = console()
    if not out.is_terminal:
        yield PlainProgress()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[said]}"),
    )
    with Bars(*columns, console=out) as bars:
        yield _RichProgress(bars)


class PlainProgress:
    """One line when something begins or ends, and one about every 15 s between."""

    def __init__(self) -> None:
        self._next_s: dict[str, float] = {}
        self._said: dict[str, str] = {}

    def started(self, tool: str, what: str) -> None:
        self._next_s[tool] = _PLAIN_EVERY_S
        typer.echo(what, err=True)

    def line(self, tool: str, text: str) -> None:
        self._said[tool] = text

    def waiting(self, tool: str, elapsed_s: float) -> None:
        if elapsed_s < self._next_s.get(tool, _PLAIN_EVERY_S):
            return
        self._next_s[tool] = elapsed_s + _PLAIN_EVERY_S
        typer.echo(f"  {tool}: {in_words(elapsed_s)} so far; {self._said.get(tool, '')}".rstrip("; "), err=True)

    def finished(self, tool: str, elapsed_s: float, source: str) -> None:
        if source == "built":
            typer.echo(f"{tool}: built in {in_words(elapsed_s)}", err=True)


class _RichProgress:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def started(self, tool: str, what: str) -> None:
        if tool in self._tasks:
            self._bars.update(self._tasks[tool], description=what)
        else:
            self._tasks[tool] = self._bars.add_task(what, total=None, said="")

    def line(self, tool: str, text: str) -> None:
        if tool in self._tasks:
            self._bars.update(self._tasks[tool], said=text[:60])

    def waiting(self, tool: str, elapsed_s: float) -> None:
        """The bar counts the time by itself."""

    def finished(self, tool: str, elapsed_s: float, source: str) -> None:
        if tool in self._tasks:
            task = self._tasks[tool]
            self._bars.update(task, description=f"{tool}: {source}", said="", total=1, completed=1)
            self._bars.stop_task(task)


def in_words(elapsed_s: float) -> str:
    """``2m51s``, ``8s``."""
    minutes, seconds = divmod(round(elapsed_s), 60)
    return f"{minutes}m{seconds:02d}s" if minutes else f"{seconds}s"


async def _locate_all(settings: ToolchainSettings) -> list[Located]:
    return [await locate(tool.name, settings) for tool in TOOLS]


async def _install(names: Sequence[str], settings: ToolchainSettings, *, quiet: bool) -> list[Located]:
    begun = time.monotonic()
    async with shown_progress() as progress:
        paths = await ensure(names, settings, progress)
    if not quiet:
        typer.echo(f"{len(paths)} tools are there after {in_words(time.monotonic() - begun)}")
    return [await locate(name, settings) for name in paths]


def _row(found: Located) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "source": found.source,
        "path": str(found.path) if found.path else None,
        "passedOver": list(found.passed_over),
    }
