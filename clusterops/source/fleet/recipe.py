"""How a directory is rendered, told from the files in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clusterops.model.fleet import ChartRef, HelmRecipe, KustomizeRecipe, PlainRecipe, Recipe, TemplateRecipe
from clusterops.model.problem import Problem
from clusterops.source.fleet.content import Content, Layer, not_encrypted
from clusterops.source.fleet.layout import KUSTOMIZATIONS, YAML_SUFFIXES

VALUES: Final = "values.yaml"
SECRETS: Final = "secrets.yaml"
"""A values layer right above the values.yaml beside it, encrypted by SOPS."""
_LONGEST_RELEASE: Final = 53
"""**Source:** helm pkg/chart/common/util ValidateReleaseName, maxReleaseNameLen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """What a recipe is made from. ``layers`` are the values files that exist, lowest first, its own last."""

    target: str
    directory: str
    contents: Mapping[str, Content]
    layers: Sequence[Layer]
    chart: ChartRef
    release: str
    refused: bool = False
    """Whether files stand here that nothing may be read from: then nobody knows that there is nothing to render."""
    chart_expected: bool = True
    """False where something else that is wrong explains why no chart is named."""

    @property
    def values_path(self) -> str:
        return f"{self.directory}/{VALUES}"

    @property
    def own(self) -> Layer | None:
        return next((layer for layer in self.layers if layer.path == self.values_path), None)

    @property
    def value_paths(self) -> tuple[str, ...]:
        return tuple(layer.path for layer in self.layers)

    @property
    def sealed(self) -> tuple[str, ...]:
        return tuple(layer.path for layer in self.layers if layer.sealed)

    @property
    def manifests(self) -> tuple[str, ...]:
        """YAML files other than the values, sorted."""
        values = {self.values_path, *self.value_paths}
        return tuple(sorted(path for path in self.contents if path.endswith(YAML_SUFFIXES) and path not in values))

    def problem(self, code: str, message: str, hint: str, path: str = "") -> Problem:
        return Problem(code=code, subject=self.target, message=message, hint=hint, path=path or self.directory)


def detect_recipe(kitchen: Kitchen) -> tuple[Recipe, tuple[Problem, ...]]:
    """Kustomization, else template, else chart, else plain YAML. What is unclear gets a recipe and a problem."""
    if any(f"{kitchen.directory}/{name}" in kitchen.contents for name in KUSTOMIZATIONS):
        return KustomizeRecipe(directory=kitchen.directory), ()
    manifests = kitchen.manifests
    if any(kitchen.contents[path].variables for path in manifests):
        return TemplateRecipe(files=manifests, values=kitchen.value_paths, sealed=kitchen.sealed), ()
    if kitchen.own is None:
        return PlainRecipe(files=manifests), () if manifests or kitchen.refused else (_nothing(kitchen),)
    return _beside_values(kitchen, kitchen.own, manifests)


def _beside_values(kitchen: Kitchen, own: Layer, manifests: tuple[str, ...]) -> tuple[Recipe, tuple[Problem, ...]]:
    if manifests and own.only_ours and not own.problems:
        return PlainRecipe(files=manifests), ()
    recipe = HelmRecipe(chart=kitchen.chart, values=kitchen.value_paths, release=kitchen.release, sealed=kitchen.sealed)
    return recipe, tuple(_chart_problems(kitchen, manifests))


def _chart_problems(kitchen: Kitchen, manifests: tuple[str, ...]) -> list[Problem]:
    found = []
    plain = f"{kitchen.directory}/{SECRETS}"
    if plain in manifests and not kitchen.contents[plain].manifest:
        found.append(not_encrypted(plain, subject=kitchen.target))
    elif manifests:
        found.append(_unclear(kitchen, manifests[0]))
    if kitchen.chart == ChartRef() and kitchen.chart_expected:
        found.append(_no_chart(kitchen))
    if len(kitchen.release) > _LONGEST_RELEASE:
        message = f"is longer than the {_LONGEST_RELEASE} characters that helm allows for a release"
        found.append(kitchen.problem("name-invalid", message, "rename the directory"))
    return found


def _nothing(kitchen: Kitchen) -> Problem:
    return kitchen.problem(
        "recipe-missing",
        "holds nothing to render: no values.yaml, no kustomization.yaml and no manifest",
        "remove the directory if the cluster is meant to go; until then it counts as being in git",
    )


def _unclear(kitchen: Kitchen, manifest: str) -> Problem:
    return kitchen.problem(
        "recipe-unclear",
        "stands beside a values.yaml that goes to a chart, so nothing would read it",
        "add a kustomization.yaml, or move it to shared/ or into the chart",
        manifest,
    )


def _no_chart(kitchen: Kitchen) -> Problem:
    return kitchen.problem(
        "chart-missing",
        "no chart is named for it",
        "set `clouds.NAME.chart` in fleet.yaml, or `clusterops: {chart: {path: charts/NAME}}` in this file",
        kitchen.values_path,
    )
