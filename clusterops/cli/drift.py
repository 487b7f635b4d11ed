"""`clusterops drift`: where the management cluster departs from git, who did it, and what a person may do about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml
from typer.core import TyperGroup

from clusterops.app import build_renderer, open_hands
from clusterops.cli import landing, options
from clusterops.cli.adoption import Adopted, Adoption
from clusterops.cli.healing import propose, put_back
from clusterops.cli.landing import Where, land, open_desk, say_landed
from clusterops.cli.locally import LocalFleet, choose_targets, refuse_elsewhere
from clusterops.cli.screen import (
    Exit,
    Output,
    OutputOption,
    busy,
    exit_code_of,
    explained,
    run,
    say,
    say_json,
    say_problem,
)
from clusterops.cli.work import asked_for, opened, settings_of, with_programs
from clusterops.drift.report_html import report_to_html
from clusterops.drift.report_json import SCHEMA_FILE, report_to_json
from clusterops.drift.report_markdown import report_to_markdown
from clusterops.drift.report_text import report_to_text
from clusterops.edit import Draft
from clusterops.errors import TerminalError
from clusterops.importers import rules_from, rules_to_yaml
from clusterops.model.document import load_documents
from clusterops.model.drift import DriftReport
from clusterops.model.fleet import Target
from clusterops.model.problem import Problem, Retry
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


@app.command()
def heal(
    target: options.OneTarget,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    repo: options.Repo = Path(),
    revision: options.Rev = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    management: options.Management = None,
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Put git back on one target, whatever it costs in machines: shows that, and asks.

    Budgets, rules and maintenance windows hold as for any commit. A daemon that leads does it, only if what was shown
    is still what would happen; without one it is done by hand, under the same Lease.
    """
    with explained(output=output, root=None if revision else repo):
        local, settings = opened(repo, revision), settings_of(config, kubeconfig, context, management)
        code = run(_heal(settings, local, target, yes=yes, output=output))
    raise typer.Exit(code)


@app.command()
def adopt(
    target: options.OneTarget,
    object_: Annotated[str, typer.Argument(metavar="OBJECT", help="KIND/NAME: MachineDeployment/ledger-general.")],
    pointer: Annotated[str, typer.Argument(metavar="POINTER", help="The field, as `drift` names it: /spec/replicas.")],
    branch: landing.Branch = "",
    message: landing.Message = "",
    push: landing.Push = None,
    dry_run: landing.DryRun = False,
    repo: options.Repo = Path(),
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    management: options.Management = None,
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Take a live value into git: edit the file that sets it, and nothing else.

    Only an edit after which the field renders as it lives, and no other field as it does not, is written. What other
    clusters share is never edited: the value is then set in the cluster's own file. Secrets are refused.
    """
    where = Where(branch=branch, message=message, push=push, dry_run=dry_run)
    with explained(output=output):
        _refuse_unclear(object_, pointer)
        settings = settings_of(config, kubeconfig, context, management)
        desk = open_desk(repo, where, settings)
        (chosen,) = choose_targets(desk.local.fleet.targets, [target])
        refuse_elsewhere(
            [chosen] if chosen.management != settings.daemon.management else [], settings.daemon.management
        )
        with busy(f"looking for what sets {pointer}"):
            found = run(_adopt(settings, desk.local, chosen, object_, pointer))
        draft = Draft(read=desk.read)
        if found.written is not None:
            draft.take(found.path, found.written, setting=found.setting, target=chosen.name)
        landed = land(desk, draft.edits, f"{chosen.name}: adopt {object_}:{pointer}")
    say_landed(landed, found.text.splitlines(), output, {**found.to_body(), "written": landed.written})


@app.command()
def rules(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="YAML of Argo CD's or Flux's objects; - for stdin.")
    ],
    output: Output = OutputOption,
) -> None:
    """Read Argo CD's `ignoreDifferences` and Flux's drift rules, and print them as `ignore:` of fleet.yaml."""
    with explained(output=output):
        documents = [document.value for file in files for document in load_documents(_read(file), str(file))]
        found = rules_from(documents)
    if output is Output.JSON:
        say_json(
            {
                "rules": yaml.safe_load(rules_to_yaml(found.rules)),
                "notCarried": [asdict(each) for each in found.not_carried],
            }
        )
        return
    say(rules_to_yaml(found.rules).rstrip("\n"))
    for missed in found.not_carried:
        typer.echo(f"not carried over: {missed.text}", err=True)


def schema_text() -> str:
    """Of `drift -o json`, as it ships."""
    return (resources.files("clusterops.drift") / SCHEMA_FILE).read_text(encoding="utf-8").rstrip("\n")


def exit_of(report: DriftReport, *, detailed: bool) -> Exit:
    """An error only where something could not be compared: drift itself is an answer."""
    if any(target.unknown for target in report.targets):
        return Exit.ERROR
    return Exit.CHANGES if detailed and report.drifted else Exit.DONE


async def _heal(settings: Settings, local: LocalFleet, name: str, *, yes: bool, output: Output) -> Exit:
    async with open_hands(await with_programs(settings)) as hands:
        with busy("planning"):
            asked, proposal = await propose(hands, local, name)
        body = proposal.to_body()
        if output is Output.TEXT:
            say(proposal.text)
        if not proposal.possible or proposal.plan is None:
            return _say_healed({**body, "done": False, "answer": ""}, proposal.obstacle, output, local)
        refused = None if yes or _agrees(output) else _not_agreed(proposal.target)
        if refused is not None:
            return _say_healed({**body, "done": False, "answer": ""}, refused, output, local)
        with busy("putting git back"):
            answer, outcome = await put_back(hands, asked, proposal.plan)
        problem = outcome.problem if outcome is not None else None
        return _say_healed({**body, "done": problem is None, "answer": answer}, problem, output, local)


def _agrees(output: Output) -> bool:
    """No where nobody can be asked."""
    return output is Output.TEXT and sys.stdin.isatty() and typer.confirm("Put this back?", err=True)


def _not_agreed(target: str) -> Problem:
    return Problem(
        code="heal-not-agreed",
        subject=target,
        message="nothing was put back: nobody said yes",
        hint=f"`clusterops drift heal {target} --yes` does it without asking",
        retry=Retry.HUMAN,
    )


def _say_healed(body: Mapping[str, Any], problem: Problem | None, output: Output, local: LocalFleet) -> Exit:
    if output is Output.JSON:
        say_json({**body, "problem": problem.to_body() if problem is not None else None})
    else:
        if body["answer"]:
            say(body["answer"])
        if problem is not None:
            say_problem(problem, root=local.root)
    return exit_code_of(problem) if problem is not None else Exit.DONE


def _refuse_unclear(object_: str, pointer: str) -> None:
    if object_.count("/") != 1 or not all(object_.split("/")):
        raise TerminalError("value-format", "OBJECT", f"{object_!r} is no KIND/NAME", hint="as MachineDeployment/web")
    if not pointer.startswith("/"):
        raise TerminalError("value-format", "POINTER", f"{pointer!r} is no JSON pointer", hint="as /spec/replicas")


async def _adopt(settings: Settings, local: LocalFleet, target: Target, object_: str, pointer: str) -> Adopted:
    found = await with_programs(settings)
    async with open_hands(found) as hands, build_renderer(found.render) as renderer:
        return await Adoption(
            renderer=renderer,
            cluster=hands.doors.cluster,
            local=local,
            target=target,
            object=object_,
            pointer=pointer,
        ).find()


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


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise TerminalError("file-not-readable", str(file), error.strerror or str(error), hint="name a file") from error


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TerminalError(
            "file-not-writable", str(file), error.strerror or str(error), hint="name another one with --file"
        ) from error
