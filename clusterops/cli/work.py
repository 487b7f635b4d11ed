"""Commands about targets on the management cluster: plan, apply, reconcile, pause, resume, status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from clusterops.app import Hands, open_hands
from clusterops.cli import options
from clusterops.cli.environment import read_settings
from clusterops.cli.locally import LocalFleet, choose_targets, full_name, is_known, open_fleet, refuse_elsewhere
from clusterops.cli.programs import render_settings
from clusterops.cli.rollout_screen import why_held
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
    say_table,
)
from clusterops.controller.by_hand import Asked
from clusterops.controller.halts import halted_rollouts, rewritten
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Target
from clusterops.model.report import Outcome, Result, Stage
from clusterops.model.rollout import Reach
from clusterops.plan import (
    PlannedPace,
    fleet_summary,
    pace_text,
    pace_to_json,
    plan_to_json,
    plan_to_markdown,
    plan_to_text,
    planned_pace,
    steps_words,
)
from clusterops.plan.rollout import reach_of
from clusterops.settings import Settings
from clusterops.status import Phase, StoredFleet, StoredTarget


class PlanOutput(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    app.command()(plan)
    app.command()(apply)
    app.command()(reconcile)
    app.command()(pause)
    app.command()(resume)
    app.command()(status)


def plan(
    targets: options.Targets = None,
    every: options.All = False,
    repo: options.Repo = Path(),
    revision: options.Rev = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    management: options.Management = None,
    config: options.Config = None,
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="text, json or markdown.")] = PlanOutput.TEXT,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes.")
    ] = False,
) -> None:
    """Say what would happen to each target; needs read access only and writes nothing.

    Without a target: every one of the fleet, and those that are recorded on the management cluster but gone from git.
    """
    with explained(output=Output.JSON if output is PlanOutput.JSON else Output.TEXT, root=None if revision else repo):
        local, settings = opened(repo, revision), settings_of(config, kubeconfig, context, management)
        with busy("planning"):
            outcomes = run(_plan(settings, local, targets if targets and not every else []))
    _say_plans(outcomes, _pace_of(outcomes, local), output, local)
    raise typer.Exit(_exit_of(outcomes) or (Exit.CHANGES if detailed_exitcode and _changes(outcomes) else Exit.DONE))


def apply(
    targets: options.NamedTargets = None,
    every: options.All = False,
    repo: options.Repo = Path(),
    revision: options.Rev = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    management: options.Management = None,
    config: options.Config = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until every object is healthy, or `settleTimeout`.")] = False,
    output: Output = OutputOption,
) -> None:
    """Apply targets by hand, under the same Lease as the daemon, so never beside one.

    All of them at once: canaries, soak, limits and windows are for commits that the daemon takes from the branch.
    """
    if not targets and not every:
        raise typer.BadParameter("name the targets to apply, or say --all")
    with explained(output=output, root=None if revision else repo):
        local, settings = opened(repo, revision), settings_of(config, kubeconfig, context, management)
        with busy("applying"):
            outcomes = run(_apply(settings, local, targets if targets and not every else [], wait=wait))
    if output is Output.JSON:
        say_json({name: outcome_body(outcome) for name, outcome in outcomes.items()})
    else:
        for name, outcome in outcomes.items():
            _say_applied(name, outcome, local)
    raise typer.Exit(_exit_of(outcomes))


def reconcile(
    target: options.OneTarget,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Ask the daemon for a pass over one target now."""
    _ask(target, "reconcile", partial(settings_of, config, kubeconfig, context, None), output)


def pause(
    target: options.OneTarget,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Stop ClusterOps for one target; Cluster API itself goes on."""
    _ask(target, "pause", partial(settings_of, config, kubeconfig, context, None), output)


def resume(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="End its pause; without one: whatever of the fleet is halted.")
    ] = "",
    revision: Annotated[
        str,
        typer.Option("--revision", help="The halted rollout's revision, or the full commit id of a rewritten history."),
    ] = "",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """End a pause of one target, or go on with a halted rollout, or after a rewritten history."""
    read = partial(settings_of, config, kubeconfig, context, None)
    if target:
        _ask(target, "resume", read, output)
        return
    with explained(output=output):
        answers = run(_go_on(read(), revision))
    if output is Output.JSON:
        say_json({"answers": answers})
    else:
        say("\n".join(answers) or "nothing is halted")


def status(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="One target, or none for all.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow until interrupted.")] = False,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Show where targets stand, as the management cluster has it recorded."""
    with explained(output=output):
        settings = settings_of(config, kubeconfig, context, None)
        run(_status(settings, target, watch=watch, output=output))


def outcome_body(outcome: Outcome) -> dict[str, Any]:
    """The JSON form of one target's pass."""
    return {
        "target": outcome.target,
        "revision": outcome.revision,
        "stage": str(outcome.stage),
        "problem": outcome.problem.to_body() if outcome.problem else None,
        "plan": plan_to_json(outcome.plan) if outcome.plan else None,
        "applied": outcome.report.count(Result.APPLIED) if outcome.report else 0,
        "settled": bool(outcome.health and outcome.health.settled),
    }


def settings_of(config: Path | None, kubeconfig: Path | None, context: str | None, management: str | None) -> Settings:
    given = {"cluster.kubeconfig": kubeconfig, "cluster.context": context, "daemon.management": management}
    return read_settings(file=config, overrides=given)


def opened(repo: Path, revision: str) -> LocalFleet:
    """Raises the first problem of the whole fleet."""
    local = open_fleet(repo, revision)
    local.refuse_broken()
    return local


async def asked_for(hands: Hands, local: LocalFleet, names: Sequence[str]) -> Asked:
    """The named targets of this management cluster, or all; those that are gone from git are only known there."""
    management = hands.settings.daemon.management
    missing = [name for name in names if not is_known(name, local.fleet.targets)]
    gone = await _gone(hands, local, missing) if missing or not names else {}
    chosen = choose_targets({**local.fleet.targets, **gone}, names)
    ours = [target for target in chosen if target.name in gone or target.management == management]
    if names:
        refuse_elsewhere([target for target in chosen if target not in ours], management)
    return Asked(
        fleet=local.fleet,
        snapshot=local.snapshot,
        targets=[target for target in ours if target.name not in gone],
        gone=[target for target in ours if target.name in gone],
    )


async def _gone(hands: Hands, local: LocalFleet, missing: Sequence[str]) -> Mapping[str, Target]:
    """Where the cluster cannot be asked, a name that git does not know is a mistake rather than a memory."""
    try:
        return await hands.gone(local.fleet)
    except ClusterOpsError:
        choose_targets(local.fleet.targets, missing)
        raise


async def with_programs(settings: Settings) -> Settings:
    """Finds helm and kustomize, or builds them."""
    return replace(settings, render=await render_settings(settings.render))


async def _plan(settings: Settings, local: LocalFleet, names: Sequence[str]) -> dict[str, Outcome]:
    async with open_hands(await with_programs(settings)) as hands:
        return await hands.plan(await asked_for(hands, local, names))


async def _apply(settings: Settings, local: LocalFleet, names: Sequence[str], *, wait: bool) -> dict[str, Outcome]:
    async with open_hands(await with_programs(settings)) as hands:
        asked = await asked_for(hands, local, names)
        return await hands.apply(replace(asked, wait=wait, begins=partial(_warn_unpaced, local)))


def _ask(target: str, what: str, read: Callable[[], Settings], output: Output) -> None:
    with explained(output=output):
        answer = run(_asked_of_cluster(read(), target, what))
    if output is Output.JSON:
        say_json({"target": target, "asked": what, "answer": answer})
    else:
        say(answer)


async def _asked_of_cluster(settings: Settings, target: str, what: str) -> str:
    async with open_hands(settings) as hands:
        known = await hands.wishes.recorded()
        stored = known[full_name(target, known)]
        if what == "reconcile":
            return await hands.wishes.ask_for_pass(stored)
        return await hands.wishes.suspend(stored, suspended=what == "pause")


async def _go_on(settings: Settings, revision: str) -> list[str]:
    async with open_hands(settings) as hands:
        return [answer for stored in await hands.wishes.fleets() for answer in await _resumed(hands, stored, revision)]


async def _resumed(hands: Hands, stored: StoredFleet, revision: str) -> list[str]:
    """One halt of the fleet goes on: the named one, else the first. A rewritten history waits before any rollout."""
    fleet, head, halts = stored.key.name, rewritten(stored), halted_rollouts(stored)
    named = [halt for halt in halts if revision and revision in {halt.revision, halt.revision.rpartition("@")[2]}]
    if head and not named:
        return [await hands.wishes.confirm_history(fleet, revision or head)]
    chosen = named if revision else halts[:1]
    answers = [await hands.wishes.resume_rollout(fleet, halt) for halt in chosen]
    others = [halt.revision for halt in halts if halt not in chosen]
    return answers + [f"{fleet}: still halted: {', '.join(others)}"] * bool(others)


async def _status(settings: Settings, target: str, *, watch: bool, output: Output) -> None:
    async with open_hands(settings) as hands:
        shown = ""
        while True:
            known = await hands.wishes.recorded()
            chosen = [full_name(target, known)] if target else sorted(known)
            waits = await _waits(hands, [known[name] for name in chosen])
            text = repr([(known[name].status, waits[name]) for name in chosen])
            if text != shown:
                one = known[chosen[0]] if target and watch and output is Output.TEXT else None
                if one is not None and one.status.phase in {Phase.DELETING, Phase.DELETED}:
                    say(f"{datetime.now():%H:%M:%S} {one.status.message}")
                else:
                    _say_status([known[name] for name in chosen], waits, output)
                shown = text
            if not watch:
                return
            await asyncio.sleep(2)


async def _waits(hands: Hands, shown: Sequence[StoredTarget]) -> dict[str, str]:
    """What held targets wait for."""
    fleets = await hands.wishes.fleets() if any(each.status.phase == Phase.HELD for each in shown) else []
    return {each.target: why_held(each, fleets) for each in shown}


def _say_status(shown: Sequence[StoredTarget], waits: Mapping[str, str], output: Output) -> None:
    if output is Output.JSON:
        say_json([_stored_body(each, waits[each.target]) for each in shown])
    elif not shown:
        say("no target is recorded on this management cluster yet")
    else:
        say_table(
            ["TARGET", "PHASE", "REVISION", "SETTLED", "OBJECTS", "MESSAGE"],
            [_stored_row(each, waits[each.target]) for each in shown],
        )


def _stored_row(stored: StoredTarget, waits: str) -> list[str]:
    status = stored.status
    phase = "Suspended" if stored.suspend else status.phase or "-"
    objects = f"{status.objects.settled}/{status.objects.total}"
    return [
        stored.target,
        phase,
        status.observed_revision or "-",
        status.settled_revision or "-",
        objects,
        waits or status.message,
    ]


def _stored_body(stored: StoredTarget, waits: str) -> dict[str, Any]:
    return {
        "target": stored.target,
        "fleet": stored.fleet,
        "suspended": stored.suspend,
        "inventory": stored.inventory.to_body(),
        "status": stored.status.to_body(),
        **({"waits": waits} if waits else {}),
    }


def _pace_of(outcomes: Mapping[str, Outcome], local: LocalFleet) -> PlannedPace | None:
    """How a commit with these plans would go."""
    return planned_pace({name: reach_of(outcome.plan, name) for name, outcome in outcomes.items()}, local.fleet)


def _say_plans(
    outcomes: Mapping[str, Outcome], pace: PlannedPace | None, output: PlanOutput, local: LocalFleet
) -> None:
    if output is PlanOutput.JSON:
        paced = {"pace": pace_to_json(pace)} if pace is not None else {}
        say_json({name: outcome_body(outcome) for name, outcome in outcomes.items()} | paced)
        return
    if pace is not None:
        say(fleet_summary([outcome.plan for outcome in outcomes.values() if outcome.plan], pace))
        say(pace_text(pace) + "\n")
    to_text = plan_to_markdown if output is PlanOutput.MARKDOWN else plan_to_text
    for outcome in outcomes.values():
        if outcome.plan is not None:
            say(to_text(outcome.plan).rstrip("\n"))
        if outcome.problem is not None:
            say_problem(outcome.problem, root=local.root, error=False)


def _exit_of(outcomes: Mapping[str, Outcome]) -> Exit:
    """Refused only where nothing failed: an error says that something else has to be mended first."""
    problems = [outcome.problem for outcome in outcomes.values() if outcome.problem]
    plans = [outcome.plan for outcome in outcomes.values() if outcome.plan]
    problems += [problem for plan in plans for problem in (*plan.refusals, *plan.stuck)]
    return min((exit_code_of(problem) for problem in problems), default=Exit.DONE)


def _changes(outcomes: Mapping[str, Outcome]) -> bool:
    return any(outcome.plan and outcome.plan.writes for outcome in outcomes.values())


def _warn_unpaced(local: LocalFleet, reaches: Mapping[str, tuple[Reach, int]]) -> None:
    pace = planned_pace(reaches, local.fleet)
    if pace is not None:
        steps = steps_words(pace) or "in steps"
        note = f"warning: applies to {pace.clusters} clusters at once; a commit to the branch goes {steps}"
        typer.echo(note, err=True)


def _say_applied(name: str, outcome: Outcome, local: LocalFleet) -> None:
    results = (Result.APPLIED, Result.PRUNED, Result.DELETING)
    written = sum(outcome.report.count(result) for result in results) if outcome.report else 0
    objects = f"{written} object{'s' * (written != 1)} written"
    if outcome.problem is None:
        how = {Stage.DONE: "settled", Stage.APPLY: "applied", Stage.HEALTH: "applied"}.get(outcome.stage, "not applied")
        say(f"{name}: {how}, {objects}" + (f"; {outcome.deletion}" if outcome.deletion else ""))
        return
    say(f"{name}: stopped at {outcome.stage}, {objects}")
    say_problem(outcome.problem, root=local.root)
