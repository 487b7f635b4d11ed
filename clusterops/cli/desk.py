"""`clusterops new cluster`, `resize` and `upgrade`: the right line of the right file, committed and proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clusterops.cli import landing, options
from clusterops.cli.checking import check
from clusterops.cli.environment import read_settings
from clusterops.cli.landing import Desk, Landed, Where, edit_text, land, open_desk, proposed_files, say_landed
from clusterops.cli.locally import choose_targets
from clusterops.cli.new_cluster import nodes_for, region_for
from clusterops.cli.own_files import layers_of, refuse_foreign, region_values, sources_of
from clusterops.cli.screen import Output, OutputOption, busy, explained, run
from clusterops.drift.report_words import value_text
from clusterops.edit import Draft, Edits
from clusterops.edit.clusters import NewCluster, cluster_text
from clusterops.edit.pool_objects import resize_in_objects, resize_plane_object
from clusterops.edit.pools import Size, parse_size, resize_control_plane, resize_in_values
from clusterops.edit.versions import check_image
from clusterops.edit.versions import upgrade as upgrade_sources
from clusterops.errors import TerminalError
from clusterops.model.fleet import HelmRecipe, Target
from clusterops.source.fleet.recipe import VALUES

_TITLE: Final = 100
_SIZE_HELP: Final = "POOL=N, or POOL=MIN..MAX for the autoscaler's bounds."

new = typer.Typer(help="Write something new into the fleet's files.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(new, name="new")
    app.command()(resize)
    app.command()(upgrade)


@new.command("cluster")
def new_cluster(
    name: Annotated[str, typer.Argument(metavar="REGION/NAME", help="A region of the fleet, and a name free in it.")],
    version: Annotated[str, typer.Option("--version", help="Kubernetes, v1.34.1; default: that of --like.")] = "",
    pools: Annotated[list[str] | None, typer.Option("--pool", metavar="POOL=N", help=_SIZE_HELP)] = None,
    size: Annotated[str, typer.Option("--size", help="Of the pools' machines, one of `sizes`: large.")] = "",
    control_plane: Annotated[
        int | None,
        typer.Option("--control-plane", min=1, help="Its machines: 1, 3 or 5; default: what the cloud says."),
    ] = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="KEY=VALUE, for example ring=canary.")] = None,
    like: Annotated[str, typer.Option("--like", help="Take the shape of this cluster.")] = "",
    nodes: Annotated[str, typer.Option("--nodes", help="Its range of addresses; default: the next free one.")] = "",
    branch: landing.Branch = "",
    message: landing.Message = "",
    push: landing.Push = None,
    dry_run: landing.DryRun = False,
    repo: options.Repo = Path(),
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Write a new cluster's values.yaml, with the next free range of its region's addresses.

    Nothing is written that does not validate and render. Without --branch it is an edit of the working tree.
    """
    where = Where(branch=branch, message=message, push=push, dry_run=dry_run)
    sizes, labels = _sizes(pools), _labels(label)
    if not version and not like:
        raise typer.BadParameter("say --version, or --like another cluster")
    with explained(output=output):
        desk = open_desk(repo, where, read_settings(file=config))
        region = region_for(desk.local, name)
        shape = _like(desk, like) if like else {}
        wanted = NewCluster(
            version=_spelled(version or str(shape.get("version") or "")),
            sizes=sizes,
            size=size,
            control_plane=control_plane or 0,
            labels=labels,
            nodes=nodes_for(desk.local, region, nodes, proposed=proposed_files(desk)),
        )
        check_image(name, region_values(desk.local, region), wanted.version)
        draft = Draft(read=desk.read)
        draft.create(f"clusters/{name}/{VALUES}", cluster_text(wanted, shape))
        landed = _land(desk, draft.edits, [name], f"new cluster {name}")
    told = ", ".join(part for part in (wanted.version, *(each.words for each in sizes), wanted.nodes) if part)
    line = f"clusters/{name}/{VALUES}   new: {told}"
    say_landed(landed, [line], output, {"target": name, "nodes": wanted.nodes}, targets=[name])


def resize(
    target: options.OneTarget,
    pools: Annotated[list[str] | None, typer.Argument(metavar="POOL=N", help=_SIZE_HELP)] = None,
    control_plane: Annotated[
        int | None, typer.Option("--control-plane", min=1, help="Machines of the control plane: 1, 3 or 5.")
    ] = None,
    branch: landing.Branch = "",
    message: landing.Message = "",
    push: landing.Push = None,
    dry_run: landing.DryRun = False,
    repo: options.Repo = Path(),
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Set how many machines pools have, in the cluster's own file; comments and formatting stay.

    Nothing is written that does not validate and render. Without --branch it is an edit of the working tree.
    """
    where = Where(branch=branch, message=message, push=push, dry_run=dry_run)
    sizes = _sizes(pools)
    if not sizes and control_plane is None:
        raise typer.BadParameter("say what is to have how many: POOL=N, or --control-plane N")
    with explained(output=output):
        desk = open_desk(repo, where, read_settings(file=config))
        (chosen,) = choose_targets(desk.local.fleet.targets, [target])
        draft = Draft(read=desk.read)
        _resize(desk, draft, chosen, sizes, control_plane)
        landed = _land(desk, draft.edits, [chosen.name])
    _say_edits(landed, [chosen.name], output, f"{chosen.name} has that size already")


def upgrade(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[TARGET]... VERSION", help="Which clusters (or --label), and to which: v1.34.1."),
    ],
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Of all clusters those with KEY=VALUE: ring=canary.")
    ] = None,
    branch: landing.Branch = "",
    message: landing.Message = "",
    push: landing.Push = None,
    dry_run: landing.DryRun = False,
    repo: options.Repo = Path(),
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Set the Kubernetes version of clusters, in their own files and in one commit; comments and formatting stay.

    One minor at a time and never down; where a region lists images, the version has to have one. Nothing is written
    that does not validate and render. Without --branch it is an edit of the working tree.
    """
    where = Where(branch=branch, message=message, push=push, dry_run=dry_run)
    *names, version = words
    labels = _labels(label)
    if not names and not labels:
        raise typer.BadParameter("name the clusters before the version, or choose them with --label")
    version = _spelled(version)
    with explained(output=output):
        desk = open_desk(repo, where, read_settings(file=config))
        chosen = _chosen(desk, names, labels)
        draft = Draft(read=desk.read)
        for target in chosen:
            sources = sources_of(desk.local, target)
            refuse_foreign(desk.local, target, sources, "version")
            upgrade_sources(draft, sources, version)
        targets = [target.name for target in chosen]
        landed = _land(desk, draft.edits, targets, f"upgrade {len(chosen)} clusters to {version}" * (len(chosen) > 1))
    _say_edits(landed, targets, output, f"{', '.join(targets)}: at {version} already")


def _resize(desk: Desk, draft: Draft, target: Target, sizes: Sequence[Size], control_plane: int | None) -> None:
    sources = sources_of(desk.local, target)
    for size in sizes:
        if sources.manifests:
            resize_in_objects(draft, sources, size)
        else:
            refuse_foreign(desk.local, target, sources, "pools")
            resize_in_values(draft, sources.values, sources.merged, size, target=target.name)
    if control_plane is not None and sources.manifests:
        resize_plane_object(draft, sources, control_plane)
    elif control_plane is not None:
        refuse_foreign(desk.local, target, sources, "controlPlane")
        resize_control_plane(draft, sources.values, control_plane, target=target.name)


def _land(desk: Desk, edits: Edits, targets: Sequence[str], title: str = "") -> Landed:
    """Checked first: with an error nothing is written and nothing committed."""
    if edits.files:
        with busy(f"checking {', '.join(targets[:3])}{', …' if len(targets) > 3 else ''}"):
            note = run(check(desk.local, edits.files, targets, desk.settings.render))
        if note:
            typer.echo(f"warning: {note}", err=True)
    return land(desk, edits, title or _title(edits, targets))


def _title(edits: Edits, targets: Sequence[str]) -> str:
    """``eu-west-1/payments: version v1.33.4 -> v1.34.1``"""
    changes = ", ".join(f"{each.setting} {value_text(each.before)} -> {value_text(each.after)}" for each in edits.edits)
    told = f"{targets[0]}: {changes}"
    return told if len(told) <= _TITLE else f"{targets[0]}: {len(edits.edits)} values"


def _say_edits(landed: Landed, targets: Sequence[str], output: Output, nothing: str) -> None:
    lines = [edit_text(each) for each in landed.edits.edits]
    say_landed(landed, lines or [nothing], output, {"targets": list(targets)}, targets=targets)


def _chosen(desk: Desk, names: Sequence[str], labels: Mapping[str, str]) -> tuple[Target, ...]:
    named = choose_targets(desk.local.fleet.targets, names)
    found = tuple(each for each in named if all(each.labels.get(key) == value for key, value in labels.items()))
    found = found if names else tuple(each for each in found if each.region is not None and each.cluster != "_shared")
    if not found:
        asked = ", ".join(f"{key}={value}" for key, value in labels.items())
        raise TerminalError(
            "target-unknown", asked, "no cluster has these labels", hint="see `clusterops: {labels: …}`"
        )
    return found


def _like(desk: Desk, name: str) -> Mapping[str, Any]:
    """The other cluster's own values. Raises TerminalError ``like-not-possible``."""
    (other,) = choose_targets(desk.local.fleet.targets, [name])
    own = next((layer for layer in layers_of(desk.local, other).files if layer.path == other.definition), None)
    if own is None or not isinstance(other.recipe, HelmRecipe):
        raise TerminalError(
            "like-not-possible",
            other.name,
            "is not made from a values.yaml that can be read, so it has no shape to take",
            hint="copy its directory, and change the names in it",
            path=other.definition,
        )
    return own.document.value  # type: ignore[no-any-return]


def _sizes(texts: Sequence[str] | None) -> list[Size]:
    try:
        return [parse_size(text) for text in texts or ()]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _labels(texts: Sequence[str] | None) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts or ()]
    for key, equals, value in pairs:
        if not equals or not key or not value:
            raise typer.BadParameter(f"{key!r} is not KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _spelled(version: str) -> str:
    """``1.34.1`` is ``v1.34.1``."""
    return f"v{version}" if version[:1].isdigit() else version
