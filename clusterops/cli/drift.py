"""`clusterops drift`: where the management cluster departs from git, who did it, and what a person may do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from clusterops.app import open_hands
from clusterops.cli import options
from clusterops.cli.locally import LocalFleet
from clusterops.cli.screen import Exit, Output, busy, explained, run, say
from clusterops.cli.work import asked_for, opened, settings_of, with_programs
from clusterops.drift.report_html import report_to_html
from clusterops.drift.report_json import SCHEMA_FILE, report_to_json
from clusterops.drift.report_markdown import report_to_markdown
from clusterops.drift.report_text import report_to_text
from clusterops.errors import TerminalError
from clusterops.model.drift import DriftReport
from clusterops.settings import Settings

SHOW: Final = "show"


class DriftGroup(TyperGroup):
    """`drift` and `drift eu-west-1/ledger` mean `drift show`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args[:1] and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, list(args) if named else [SHOW, *args])


class DriftOutput(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


app = typer.Typer(
    cls=DriftGroup,
    subcommand_metavar="[COMMAND] [ARGS]...",
    help="Say where the management cluster departs from git, and who did it. Without a command: `show`.",
    epilog="Exit codes: 0 all could be compared, 1 something could not, 2 there is drift (with --detailed-exitcode).",
)


@app.command()
def show(
    targets: options.Targets = None,
    repo: options.Repo = Path(),
    revision: options.Rev = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    management: options.Management = None,
    config: options.Config = None,
    output: Annotated[
        DriftOutput, typer.Option("--output", "-o", help="text, json, markdown or html (one file, no network).")
    ] = DriftOutput.TEXT,
    file: Annotated[Path | None, typer.Option("--file", help="Write the report here instead of to stdout.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of `-o json` and exit.")] = False,
    detailed_exitcode: Annotated[bool, typer.Option("--detailed-exitcode", help="Exit 2 when there is drift.")] = False,
) -> None:
    """Compare targets with what was applied; reads only.

    Told are fields that somebody changed since, with the manager that did, and what putting git back does to machines.
    """
    if schema:
        say(schema_text())
        return
    with explained(output=Output.JSON if output is DriftOutput.JSON else Output.TEXT, root=None if revision else repo):
        local, settings = opened(repo, revision), settings_of(config, kubeconfig, context, management)
        with busy("comparing"):
            report = run(_report(settings, local, targets or []))
        text = _told(report, output, {rule.source: rule.words for rule in local.fleet.file.ignore})
        if file is not None:
            _write(file, text)
    if file is None:
        say(text.rstrip("\n"))
    else:
        say(f"{file}: {len(report.drifted)} of {len(report.targets)} targets are not in sync")
    raise typer.Exit(exit_of(report, detailed=detailed_exitcode))


def schema_text() -> str:
    """Of `drift -o json`, as it ships."""
    return (files("clusterops.drift") / SCHEMA_FILE).read_text(encoding="utf-8").rstrip("\n")


def exit_of(report: DriftReport, *, detailed: bool) -> Exit:
    """An error only where something could not be compared: drift itself is an answer."""
    if any(target.unknown for target in report.targets):
        return Exit.ERROR
    return Exit.CHANGES if detailed and report.drifted else Exit.DONE


async def _report(settings: Settings, local: LocalFleet, names: Sequence[str]) -> DriftReport:
    async with open_hands(await with_programs(settings)) as hands:
        return await hands.drift(await asked_for(hands, local, names))


def _told(report: DriftReport, output: DriftOutput, rules: Mapping[str, str]) -> str:
    match output:
        case DriftOutput.JSON:
            return json.dumps(report_to_json(report), indent=2, sort_keys=True, ensure_ascii=False)
        case DriftOutput.MARKDOWN:
            return report_to_markdown(report)
        case DriftOutput.HTML:
            return report_to_html(report, rules=rules)
        case DriftOutput.TEXT:
            return report_to_text(report)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TerminalError(
            "file-not-writable", str(file), error.strerror or str(error), hint="name another one with --file"
        ) from error
