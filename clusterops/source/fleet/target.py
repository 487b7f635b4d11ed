"""One target from the files of its directory and the ground that it stands on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clusterops.model.document import Mark
from clusterops.model.fleet import (
    ChartRef,
    DriftPolicy,
    FleetFile,
    HelmRecipe,
    Mode,
    Recipe,
    Target,
    TemplateRecipe,
)
from clusterops.model.problem import Problem
from clusterops.model.revision import EntryKind
from clusterops.source.fleet.content import Content, Layer, entry_problem
from clusterops.source.fleet.fleet_file import chart_of
from clusterops.source.fleet.layout import KUSTOMIZATIONS, REGION_SHARED, Files
from clusterops.source.fleet.recipe import VALUES, Kitchen, detect_recipe
from clusterops.source.fleet.region import Ground, name_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """``ground`` is None for ``shared/<name>``; ``contents`` has every file of ``files`` that is one."""

    name: str
    directory: str
    files: Files
    contents: Mapping[str, Content]
    own: tuple[Layer, ...]
    ground: Ground | None
    fleet: FleetFile
    is_cluster: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """``chart_path`` and ``chart_mark`` tell where its chart is named."""

    target: Target
    chart_path: str = ""
    chart_mark: Mark = field(default_factory=lambda: Mark(0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The ``clusterops:`` blocks of all layers as one."""

    value: Mapping[str, Any]
    chart_layer: Layer | None = None


def merge_blocks(layers: Iterable[Layer]) -> Block:
    """Later layers win; labels merge; null takes away what an earlier layer said."""
    merged: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    chart_layer = None
    for layer in layers:
        merged.update(layer.block)
        labels.update(layer.block.get("labels") or {})
        if "chart" in layer.block:
            chart_layer = layer
    kept = {key: value for key, value in merged.items() if value is not None}
    kept["labels"] = {key: value for key, value in labels.items() if value is not None}
    return Block(value=kept, chart_layer=chart_layer if "chart" in kept else None)


def build_target(parts: Parts) -> Built:
    layers = [*(parts.ground.layers if parts.ground else ()), *parts.own]
    block = merge_blocks(layers)
    own_block = block if parts.is_cluster else merge_blocks(parts.own)
    chart = chart_of(own_block.value.get("chart")) if own_block.chart_layer else _cloud_chart(parts)
    kitchen = Kitchen(
        target=parts.name,
        directory=parts.directory,
        contents=parts.contents,
        layers=layers if parts.is_cluster else layers[len(parts.ground.layers) if parts.ground else 0 :],
        chart=chart,
        release=parts.name.rpartition("/")[2].strip("_"),
        refused=any(entry.kind is not EntryKind.FILE for entry in parts.files.values()),
        chart_expected=not parts.is_cluster or parts.ground is None or _cloud_is_known(parts.fleet, parts.ground),
    )
    recipe, unclear = detect_recipe(kitchen)
    problems = (*_problems(parts, opened=_values_of(recipe)), *unclear)
    target = _assemble(parts, block.value, recipe=recipe, problems=problems)
    return _with_place(target, own_block)


def _assemble(parts: Parts, block: Mapping[str, Any], **made: Any) -> Target:
    region = parts.ground.region if parts.ground else None
    return Target(
        name=parts.name,
        fleet=parts.fleet.name,
        region=region,
        cluster=parts.name.rpartition("/")[2],
        namespace=block.get("namespace") or (region.namespace if region else "default"),
        mode=Mode(block.get("mode") or parts.fleet.mode),
        management=region.management if region else "default",
        cloud=region.cloud if region else "",
        labels=block["labels"],
        options=parts.fleet.render,
        drift=DriftPolicy((block.get("drift") or {}).get("policy") or parts.fleet.drift),
        definition=_definition(parts),
        **made,
    )


def _with_place(target: Target, block: Block) -> Built:
    layer = block.chart_layer
    if layer is None or layer.document is None:
        return Built(target=target)
    return Built(target=target, chart_path=layer.path, chart_mark=layer.document.mark(("clusterops", "chart", "path")))


def _cloud_chart(parts: Parts) -> ChartRef:
    if parts.ground is None or not parts.is_cluster:
        return ChartRef()
    return parts.fleet.clouds.get(parts.ground.region.cloud) or ChartRef()


def _cloud_is_known(fleet: FleetFile, ground: Ground) -> bool:
    return ground.region.cloud in fleet.clouds


def _definition(parts: Parts) -> str:
    wanted = (f"{parts.directory}/{name}" for name in (VALUES, *KUSTOMIZATIONS))
    return next((path for path in wanted if path in parts.files), "") or next(iter(sorted(parts.files)), "")


def _values_of(recipe: Recipe) -> tuple[str, ...]:
    return recipe.values if isinstance(recipe, HelmRecipe | TemplateRecipe) else ()


def _problems(parts: Parts, *, opened: Collection[str]) -> Iterator[Problem]:
    """``opened`` are the files whose values are decrypted."""
    cluster = parts.name.rpartition("/")[2]
    if cluster != REGION_SHARED or parts.is_cluster:
        yield from name_problems(cluster, parts.directory, what="cluster" if parts.is_cluster else "target")
    if parts.ground is not None:
        yield from parts.ground.problems
    for path, entry in parts.files.items():
        content = parts.contents.get(path)
        if (problem := entry_problem(path, entry, content, subject=parts.name, opened=path in opened)) is not None:
            yield problem
    for layer in parts.own:
        yield from layer.problems


def clashes(targets: Mapping[str, Target]) -> dict[str, Target]:
    """The targets that stand for the same Cluster as another one, each with a problem that names it."""
    by_place: dict[tuple[str, str, str], list[Target]] = {}
    for target in targets.values():
        by_place.setdefault((target.management, target.namespace, target.cluster), []).append(target)
    return {
        target.name: _clashing(target, [other for other in same if other is not target])
        for same in by_place.values()
        if len(same) > 1
        for target in same
    }


def _clashing(target: Target, others: Sequence[Target]) -> Target:
    problem = Problem(
        code="target-twice",
        subject=target.name,
        message=f"is {target.namespace}/{target.cluster} as well as {', '.join(other.name for other in others)}",
        hint="give one of them another `clusterops: {namespace: …}`, or rename its directory",
        path=target.definition,
    )
    return replace(target, problems=(*target.problems, problem))
