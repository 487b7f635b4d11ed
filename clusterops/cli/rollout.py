"""`clusterops rollout status`: how far commits are on their way through the fleet, who waits, and for what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Annotated

import typer

from clusterops.app import Hands, open_hands
from clusterops.cli import options
from clusterops.cli.locally import full_name
from clusterops.cli.rollout_screen import View
from clusterops.cli.screen import Exit, Output, OutputOption, explained, run, say, say_json, say_table
from clusterops.cli.work import settings_of
from clusterops.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Look at commits on their way through the fleet.",
    epilog="Exit codes: 0 done, 1 error; with --detailed-exitcode 2 while one is under way, 3 while one is halted.",
)


@app.callback()
def rollout() -> None:
    """A group of one command, as long as there is one."""


@app.command()
def status(
    targets: options.Targets = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow until interrupted.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every target, however many there are.")] = False,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    config: options.Config = None,
    output: Output = OutputOption,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 while a rollout is under way, 3 while one is halted.")
    ] = False,
) -> None:
    """Say what is done, on its way, failed and held, and why; as the management cluster has it recorded."""
    with explained(output=output):
        settings = settings_of(config, kubeconfig, context, None)
        views = run(_follow(settings, targets or [], watch=watch, every=every, output=output))
    raise typer.Exit(exit_of(views) if detailed_exitcode else Exit.DONE)


def exit_of(views: Iterable[View]) -> Exit:
    """Halted before under way: that one waits for a person."""
    told = tuple(views)
    if any(view.halted for view in told):
        return Exit.REFUSED
    return Exit.CHANGES if any(view.rollouts for view in told) else Exit.DONE


async def _follow(
    settings: Settings, names: Iterable[str], *, watch: bool, every: bool, output: Output
) -> tuple[View, ...]:
    async with open_hands(settings) as hands:
        shown, views = "", await _views(hands, tuple(names))
        async for _ in _moments(hands, watch=watch):
            if shown:
                views = await _views(hands, tuple(names))
            text = repr([view.to_body() for view in views])
            if text != shown:
                _say(views, every=every, output=output)
                shown = text
        return views


async def _moments(hands: Hands, *, watch: bool) -> AsyncIterator[None]:
    """Once, or whenever a Fleet was written: that is where rollouts are told."""
    yield
    if watch:
        async for _ in hands.wishes.fleets_moved():
            yield


async def _views(hands: Hands, names: tuple[str, ...]) -> tuple[View, ...]:
    fleets, targets = await hands.wishes.fleets(), await hands.wishes.recorded()
    chosen = frozenset(full_name(name, targets) for name in names)
    concerned = {targets[name].fleet for name in chosen} or {fleet.key.name for fleet in fleets}
    return tuple(
        View(
            stored=fleet,
            targets=[one for one in targets.values() if one.fleet == fleet.key.name],
            now=hands.doors.clock.now(),
            chosen=chosen,
        )
        for fleet in fleets
        if fleet.key.name in concerned
    )


def _say(views: tuple[View, ...], *, every: bool, output: Output) -> None:
    if output is Output.JSON:
        say_json([view.to_body() for view in views])
    elif not views:
        say("no fleet is recorded on this management cluster yet")
    for view in views if output is Output.TEXT else ():
        view.say(say, say_table, every=every)
