"""What a render of one target reads, and the fingerprint of all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.canonical import digest_of
from clusterops.model.fleet import HelmRecipe, KustomizeRecipe, PlainRecipe, Target, TemplateRecipe
from clusterops.model.revision import EntryKind, Snapshot
from clusterops.render.cache import FORMAT
from clusterops.render.graph import Chart, Graph
from clusterops.render.seals import Seals

_RELEASE: Final = 1
"""Raised with every change of ours that makes the same files render to other objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """``overlay`` are the files of kustomizations; ``paths`` all files of the repository that are read, sorted."""

    fingerprint: str
    paths: tuple[str, ...]
    overlay: frozenset[str] = field(repr=False)
    chart: Chart | None = None

    def entry(self, *, trusted: bool) -> str:
        """Of the cache: what is rendered without secrets is never taken for what is rendered with them."""
        return self.fingerprint if trusted else digest_of([self.fingerprint, "untrusted"])


def build_inputs(
    snapshot: Snapshot, target: Target, graph: Graph, *, tool: Callable[[str], str], seals: Seals
) -> Inputs:
    """``tool`` gives the identity of helm or kustomize. Raises what the graph and the seals raise; runs no process."""
    recipe = target.recipe
    overlay = _overlay(snapshot, target, graph)
    chart = _chart(snapshot, target, recipe, graph) if isinstance(recipe, HelmRecipe) else None
    paths = tuple(sorted({*overlay, *_own_files(snapshot, target), *(chart.files if chart else ())}))
    tools = [name for name, used in (("helm", chart is not None), ("kustomize", bool(overlay))) if used]
    content = {
        "format": [FORMAT, _RELEASE],
        "files": snapshot.ids(paths),
        "placed": sorted((at, source) for at, source in chart.placed.items() if at != source) if chart else (),
        "target": _target_entry(target, chart),
        "tools": [(name, tool(name)) for name in tools],
    }
    if mark := seals.mark(snapshot, target):
        content["sealed"] = mark
    return Inputs(fingerprint=digest_of(content), paths=paths, overlay=overlay, chart=chart)


def facts_of(target: Target) -> dict[str, Any]:
    """What a marked chart gets beside its values."""
    return {
        "region": dict(target.region.facts) if target.region else {},
        "cluster": {
            "name": target.cluster,
            "region": target.region.name if target.region else "",
            "namespace": target.namespace,
            "cloud": target.cloud,
            "fleet": target.fleet,
            "labels": dict(target.labels),
        },
    }


def _overlay(snapshot: Snapshot, target: Target, graph: Graph) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    if isinstance(target.recipe, KustomizeRecipe):
        found |= graph.kustomization(snapshot, target.recipe.directory, subject=target.name)
    if target.region is not None and target.region.component:
        found |= graph.kustomization(snapshot, target.region.component, subject=target.name, kind="Component")
    return found


def _chart(snapshot: Snapshot, target: Target, recipe: HelmRecipe, graph: Graph) -> Chart:
    if recipe.chart.path:
        return graph.chart(snapshot, recipe.chart.path, subject=target.name)
    raise TerminalError(
        "not-supported-yet",
        target.name,
        f"chart {recipe.chart.text} is outside this repository; charts from registries come with a later release",
        hint="`helm pull --untar` it into charts/, commit it, and set `chart: {path: charts/NAME}`",
        path=target.definition,
    )


def _own_files(snapshot: Snapshot, target: Target) -> tuple[str, ...]:
    recipe = target.recipe
    match recipe:
        case HelmRecipe():
            files = recipe.values
        case TemplateRecipe():
            files = (*recipe.files, *recipe.values)
        case PlainRecipe():
            files = recipe.files
        case _:
            files = ()
    for path in files:
        _check_file(snapshot, path, target)
    return files


def _check_file(snapshot: Snapshot, path: str, target: Target) -> None:
    entry = snapshot.files.get(path)
    if entry is None:
        raise TerminalError("file-missing", target.name, "is not in this commit", hint="commit the file", path=path)
    if entry.kind is not EntryKind.FILE:
        what = "symbolic link" if entry.kind is EntryKind.SYMLINK else "git submodule"
        hint = "put the files themselves here"
        raise TerminalError(f"{entry.kind.value}-refused", target.name, f"is a {what}", hint=hint, path=path)


def _target_entry(target: Target, chart: Chart | None) -> Mapping[str, Any]:
    entry: dict[str, Any] = {
        "name": target.name,
        "fleet": target.fleet,
        "namespace": target.namespace,
        "recipe": repr(target.recipe),
        "component": target.region.component if target.region else "",
    }
    if chart is not None and chart.marked:
        entry["facts"] = facts_of(target)
    if chart is not None and chart.capabilities:
        entry["capabilities"] = [target.options.kube_version, target.options.api_versions]
    return entry
