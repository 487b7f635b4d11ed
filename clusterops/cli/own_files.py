"""Which files are a cluster's own, and what all layers say together: what an edit from the desk begins with."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

from clusterops.cli.locally import LocalFleet
from clusterops.edit.sources import Sources
from clusterops.errors import TerminalError
from clusterops.model.fleet import HelmRecipe, KustomizeRecipe, PlainRecipe, Region, Target, TemplateRecipe
from clusterops.render.values import Layers, read_layer
from clusterops.source.fleet.layout import KUSTOMIZATIONS, YAML_SUFFIXES
from clusterops.source.fleet.recipe import VALUES

_MARK: Final = b"clusterops.io/values"
"""The annotation of a Chart.yaml that follows our values contract."""


def sources_of(local: LocalFleet, target: Target) -> Sources:
    """Raises what ``read_layer`` raises for a values file that cannot be read."""
    folder = str(PurePosixPath(target.definition).parent)
    layers = layers_of(local, target)
    return Sources(
        target=target.name,
        cluster=target.cluster,
        values=f"{folder}/{VALUES}",
        merged=layers.merged,
        manifests=_manifests(local, target, folder),
        templated=isinstance(target.recipe, TemplateRecipe),
        where=target.definition,
    )


def layers_of(local: LocalFleet, target: Target) -> Layers:
    """The chart's own values at the bottom, where it has any; what SOPS encrypted is left out."""
    recipe, snapshot = target.recipe, local.snapshot
    if not isinstance(recipe, HelmRecipe | TemplateRecipe):
        return Layers(files=())
    plain = (path for path in recipe.values if path not in recipe.sealed)
    files = tuple(read_layer(snapshot.read(path), path, subject=target.name) for path in plain)
    chart = f"{recipe.chart.path}/{VALUES}" if isinstance(recipe, HelmRecipe) else ""
    if chart not in snapshot.files:
        return Layers(files=files)
    return Layers(files=files, chart=read_layer(snapshot.read(chart), chart, subject=target.name))


def region_values(local: LocalFleet, region: Region) -> dict[str, Any]:
    """What a cluster without a word of its own would have there, the chart's values left out."""
    paths = (f"clouds/{region.cloud}/{VALUES}", f"regions/{region.name}/{VALUES}")
    snapshot = local.snapshot
    found = (read_layer(snapshot.read(path), path, subject=region.name) for path in paths if path in snapshot.files)
    return Layers(files=tuple(found)).merged


def refuse_foreign(local: LocalFleet, target: Target, sources: Sources, key: str) -> None:
    """A chart with a contract of its own may call it otherwise, and would take ours for nothing."""
    if not isinstance(target.recipe, HelmRecipe) or key in sources.merged:
        return
    path = f"{target.recipe.chart.path}/Chart.yaml"
    if path in local.snapshot.files and _MARK in local.snapshot.read(path):
        return
    raise TerminalError(
        "edit-not-possible",
        target.name,
        f"its chart {target.recipe.chart.text} has values of its own and none is called `{key}`",
        hint="edit the file by hand",
        path=sources.values,
    )


def _manifests(local: LocalFleet, target: Target, folder: str) -> tuple[str, ...]:
    match target.recipe:
        case TemplateRecipe(files=files) | PlainRecipe(files=files):
            return files
        case KustomizeRecipe():
            other = {f"{folder}/{name}" for name in (*KUSTOMIZATIONS, VALUES)}
            found = local.snapshot.under(folder)
            return tuple(path for path in found if path.endswith(YAML_SUFFIXES) and path not in other) or (
                target.definition,
            )
        case _:
            return ()
