"""Commands that need neither a cluster nor any build beyond helm and kustomize: init, validate, render, explain."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
import yaml

from clusterops.app import build_renderer
from clusterops.cli import options
from clusterops.cli.locally import LocalFleet, choose_targets, open_fleet
from clusterops.cli.programs import render_settings
from clusterops.cli.screen import (
    Exit,
    Output,
    OutputOption,
    busy,
    explained,
    problems_of,
    run,
    say,
    say_json,
    say_problem,
)
from clusterops.cli.shipped import shipped
from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.model.fleet import Target
from clusterops.model.manifest import RenderedSet
from clusterops.model.problem import Problem
from clusterops.plan.phrases import counted
from clusterops.render import Explanation
from clusterops.render import explain as explain_value

CLOUDS: Final = ("dev",)
"""Clouds whose chart ships with this release."""


def register(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(validate)
    app.command()(render)
    app.command()(explain)


def init(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    cloud: Annotated[list[str] | None, typer.Option("--cloud", help=f"One of: {', '.join(CLOUDS)}.")] = None,
    output: Output = OutputOption,
) -> None:
    """Write a new fleet repository to start from."""
    with explained(output=output):
        unknown = sorted(set(cloud or ()) - set(CLOUDS))
        if unknown:
            raise TerminalError(
                "cloud-unknown",
                unknown[0],
                f"this release ships charts for: {', '.join(CLOUDS)}",
                hint="any chart works: start with --cloud dev and point `clouds:` in fleet.yaml at your own",
            )
        written = write_fleet_repository(directory)
    if output is Output.JSON:
        say_json({"directory": str(directory), "files": written})
        return
    say(f"{directory}: {len(written)} files written; two regions, one cluster each")
    say(f"Next: cd {directory} && git init -b main && clusterops validate")


def write_fleet_repository(directory: Path) -> list[str]:
    """Copies template and charts. Raises TerminalError ``directory-not-empty``; a half-written folder is removed."""
    if directory.exists() and any(directory.iterdir()):
        raise TerminalError(
            "directory-not-empty", str(directory), "init writes into a new or empty folder", hint="name another one"
        )
    existed = directory.exists()
    try:
        shutil.copytree(shipped("fleet-repo-template"), directory, dirs_exist_ok=True)
        shutil.copytree(shipped("charts"), directory / "charts", dirs_exist_ok=True)
    except OSError as error:
        if not existed:
            shutil.rmtree(directory, ignore_errors=True)
        raise TerminalError("directory-not-writable", str(directory), error.strerror or str(error)) from error
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def validate(
    targets: options.Targets = None,
    repo: options.Repo = Path(),
    revision: options.Rev = "",
    output: Output = OutputOption,
) -> None:
    """Check fleet.yaml, every layer and every render; needs no cluster."""
    started = time.monotonic()
    with explained(output=output):
        local = open_fleet(repo, revision)
        chosen = choose_targets(local.fleet.targets, targets) if not local.fleet.problems else ()
        with busy(f"rendering {len(chosen)} targets"):
            broken = run(_render_problems(local, chosen))
    of_fleet = (*local.fleet.problems, *local.fleet.unclaimed)
    problems = _in_order([*of_fleet, *(problem for found in broken.values() for problem in found)])
    seconds = time.monotonic() - started
    if output is Output.JSON:
        say_json(
            {
                "errors": [problem.to_body() for problem in problems],
                "warnings": [problem.to_body() for problem in local.fleet.warnings],
                "valid": len(chosen) - len(broken),
                "targets": len(local.fleet.targets),
                "seconds": round(seconds, 2),
            }
        )
    else:
        for warning in local.fleet.warnings:
            say(f"warning: {warning.text}" + (f"\n  {warning.hint}" if warning.hint else ""))
        for problem in problems:
            say_problem(problem, root=local.root, error=False)
        valid = counted(len(chosen) - len(broken), "cluster")
        say(f"{counted(len(problems), 'error')}, {valid} valid, {seconds:.1f} s")
    if problems:
        raise typer.Exit(Exit.ERROR)


def render(
    targets: options.Targets = None,
    every: options.All = False,
    repo: options.Repo = Path(),
    revision: options.Rev = "",
    output: Output = OutputOption,
) -> None:
    """Print the objects of a target as git wants them, as YAML."""
    with explained(output=output, root=None if revision else repo):
        local = open_fleet(repo, revision)
        local.refuse_broken()
        chosen = choose_targets(local.fleet.targets, [] if every else targets)
        with busy(f"rendering {len(chosen)} targets"):
            rendered, problems = run(_render(local, chosen))
    for problem in problems:
        say_problem(problem, root=local.root)
    for each in rendered:
        for warning in each.warnings:
            say_problem(warning)
        for skipped in each.skipped:
            say_problem(Problem(code="object-skipped", subject=skipped.key.label, message=skipped.reason))
    if output is Output.JSON:
        say_json({each.provenance.target: each.shown for each in rendered})
    else:
        bodies = [body for each in rendered for body in each.shown]
        say(yaml.dump_all(bodies, Dumper=yaml.CSafeDumper, sort_keys=False, width=1000).rstrip())
    if problems:
        raise typer.Exit(Exit.ERROR)


def explain(
    target: options.OneTarget,
    question: Annotated[
        str, typer.Argument(help="A values path (pools.general.replicas), or KIND/NAME:/pointer of a rendered object.")
    ],
    repo: options.Repo = Path(),
    revision: options.Rev = "",
    output: Output = OutputOption,
) -> None:
    """Say where a value comes from: file and line of the layer that sets it, and what it overrides."""
    with explained(output=output, root=None if revision else repo):
        local = open_fleet(repo, revision)
        local.refuse_broken()
        (chosen,) = choose_targets(local.fleet.targets, [target])
        with busy(f"looking for {question}"):
            answer = run(_explain(local, chosen, question))
    if output is Output.JSON:
        say_json(answer.to_body())
    else:
        say(answer.text)


async def _render_problems(local: LocalFleet, chosen: Sequence[Target]) -> dict[str, list[Problem]]:
    async with build_renderer(await render_settings()) as renderer:

        async def check(target: Target) -> list[Problem]:
            if target.problems:
                return list(target.problems)
            try:
                await renderer.render(local.snapshot, target)
            except ClusterOpsError as error:
                return list(problems_of(error))
            return []

        found = await asyncio.gather(*(check(target) for target in chosen))
    return {target.name: problems for target, problems in zip(chosen, found, strict=True) if problems}


async def _render(local: LocalFleet, chosen: Sequence[Target]) -> tuple[list[RenderedSet], list[Problem]]:
    """A target that cannot be rendered stops no other one; where that leaves none, its error is raised."""
    async with build_renderer(await render_settings()) as renderer:
        work = (renderer.render(local.snapshot, target) for target in chosen)
        found = await asyncio.gather(*work, return_exceptions=True)
    rendered = [each for each in found if isinstance(each, RenderedSet)]
    errors = [each for each in found if isinstance(each, BaseException)]
    for error in errors:
        if not rendered or not isinstance(error, ClusterOpsError):
            raise error
    return rendered, [problem for each in errors if isinstance(each, ClusterOpsError) for problem in problems_of(each)]


async def _explain(local: LocalFleet, target: Target, question: str) -> Explanation:
    _refuse_broken([target])
    async with build_renderer(await render_settings()) as renderer:
        return await explain_value(renderer, local.snapshot, target, question)


def _refuse_broken(chosen: Sequence[Target]) -> None:
    for target in chosen:
        for problem in target.problems:
            raise problem.error()


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Each once: a chart that is missing is one mistake, however many targets it stops."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.path, problem.line, problem.text))
