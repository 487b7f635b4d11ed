"""How each recipe becomes text: what is put in the folder, which program runs, what is laid over it."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.canonical import canonical_json
from clusterops.model.fleet import HelmRecipe, KustomizeRecipe, PlainRecipe, Target, TemplateRecipe, sealed_files
from clusterops.model.problem import Problem
from clusterops.model.revision import Snapshot
from clusterops.model.secret import SecretValues
from clusterops.render.decode import Output, decode_objects, split_hooks
from clusterops.render.graph import Chart
from clusterops.render.inputs import Inputs, facts_of
from clusterops.render.programs import HelmCall, Programs
from clusterops.render.seals import Seals
from clusterops.render.template import Missing, Template
from clusterops.render.values import Layer, Layers, ValuesError, check_values, read_layer
from clusterops.render.values.layers import merge
from clusterops.render.workspace import OWN, refuse_unreadable, workspace

_RENDERED: Final = "rendered.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pantry:
    """What a recipe is made from: files by their path, and its values, lowest first, decrypted."""

    contents: Mapping[str, bytes] = field(repr=False)
    layers: list[Layer] = field(repr=False)

    @property
    def secrets(self) -> SecretValues:
        return Layers(files=tuple(self.layers)).secrets

    @property
    def private(self) -> SecretValues:
        """What no complaint may quote."""
        return Layers(files=tuple(self.layers)).private


class Kitchen:
    """Runs one recipe in a folder of its own. What was decrypted reaches no file."""

    def __init__(self, programs: Programs, seals: Seals) -> None:
        self._programs = programs
        self._seals = seals

    async def stock(self, snapshot: Snapshot, target: Target, inputs: Inputs) -> Pantry:
        """Raises TerminalError for content that cannot be used, and what Seals.layers raises."""
        contents = await asyncio.to_thread(snapshot.read_all, inputs.paths)
        apart = {*(inputs.chart.files if inputs.chart else ()), *sealed_files(target.recipe)}
        refuse_unreadable({path: text for path, text in contents.items() if path not in apart}, subject=target.name)
        return Pantry(contents=contents, layers=await self._seals.layers(snapshot, target, contents))

    async def cook(self, target: Target, inputs: Inputs, pantry: Pantry) -> list[Output]:
        """The texts that hold the target's objects.

        Raises ValuesError, TerminalError and TransientError with file and line where known.
        """
        contents = pantry.contents
        match target.recipe:
            case PlainRecipe(files=files):
                outputs = [Output(text=contents[path], path=path) for path in files]
            case TemplateRecipe():
                outputs = fill_templates(target, target.recipe, pantry)
            case HelmRecipe():
                outputs = [Output(text=await self._helm(target, target.recipe, inputs, pantry))]
            case KustomizeRecipe():
                return [Output(text=await self._kustomize(target, inputs, contents, target.recipe.directory))]
        return await self._laid_over(target, inputs, pantry, outputs)

    async def _helm(self, target: Target, recipe: HelmRecipe, inputs: Inputs, pantry: Pantry) -> bytes:
        assert inputs.chart is not None
        chart = inputs.chart
        values = helm_values(target, chart, pantry)
        files = {at: pantry.contents[source] for at, source in chart.placed.items()}
        call = HelmCall(
            release=recipe.release,
            chart=chart.path,
            namespace=target.namespace,
            values=values,
            kube_version=target.options.kube_version,
            api_versions=target.options.api_versions,
        )
        async with workspace(files) as root:
            return await self._programs.helm(root, call, subject=target.name, sources=template_names(chart))

    async def _laid_over(self, target: Target, inputs: Inputs, pantry: Pantry, outputs: list[Output]) -> list[Output]:
        if target.region is None or not target.region.component:
            return outputs
        # As JSON: kustomize reads `yes` as text and a date as a time, Kubernetes does neither.
        split = [split_hooks(each, target) for each in outputs]
        rendered = b"\n---\n".join(text for text, _ in split if text)
        try:
            text = await self._kustomize(
                target, inputs, pantry.contents, _RENDERED if rendered else "", rendered, piped=bool(pantry.secrets)
            )
        except TerminalError:
            decode_objects(outputs, target)  # where the objects themselves are wrong, this names their file
            raise
        return [Output(text=text), *(Output(text=hooks) for _, hooks in split if hooks)]

    async def _kustomize(
        self,
        target: Target,
        inputs: Inputs,
        contents: Mapping[str, bytes],
        what: str,
        rendered: bytes = b"",
        *,
        piped: bool = False,
    ) -> bytes:
        """``piped``: what was rendered is not to be a file."""
        component = target.region.component if target.region else ""
        files = {path: contents[path] for path in inputs.overlay}
        under = {f"{OWN}/{_RENDERED}": rendered} if rendered else {}
        directory = what
        if component:
            directory = OWN
            files[f"{OWN}/kustomization.yaml"] = _generated(what, component)
        async with workspace(files if piped else files | under, piped=under if piped else {}) as root:
            return await self._programs.kustomize(root, directory, subject=target.name)


def helm_values(target: Target, chart: Chart, pantry: Pantry) -> list[bytes]:
    """helm's values files, lowest first. Raises ValuesError."""
    values = [canonical_json(layer.values) for layer in pantry.layers]
    if not chart.marked:
        return values
    facts = facts_of(target)
    check_chart_values(target, chart, pantry.layers, pantry.contents, facts)
    return [*values, canonical_json(facts)]


def check_chart_values(
    target: Target, chart: Chart, layers: list[Layer], contents: Mapping[str, bytes], facts: Mapping[str, Any]
) -> None:
    """A marked chart's merged values against its schema, before helm. Raises ValuesError."""
    _refuse_facts(layers, facts)
    if not chart.schema_path:
        return
    stack = chart_layers(chart, layers, contents, target)
    check_values(
        stack,
        merge(stack.merged, facts),
        contents[chart.schema_path],
        schema_path=chart.schema_path,
        definition=target.definition,
    )


def target_layers(target: Target, inputs: Inputs, pantry: Pantry) -> Layers:
    """Values layers of a target, lowest first; none for plain YAML and kustomizations."""
    if inputs.chart is None:
        return Layers(files=tuple(pantry.layers))
    return chart_layers(inputs.chart, pantry.layers, pantry.contents, target)


def chart_layers(chart: Chart, layers: list[Layer], contents: Mapping[str, bytes], target: Target) -> Layers:
    """With the chart's own values.yaml at the bottom."""
    if not chart.values_path:
        return Layers(files=tuple(layers))
    own = read_layer(contents[chart.values_path], chart.values_path, subject=target.name)
    return Layers(files=tuple(layers), chart=own)


def template_names(chart: Chart) -> dict[str, str]:
    """From the names that helm gives templates (``<chart>/templates/x.yaml``) to paths of the repository."""
    return {chart.name + at[len(chart.path) :]: source for at, source in chart.placed.items()}


def fill_templates(target: Target, recipe: TemplateRecipe, pantry: Pantry) -> list[Output]:
    """Raises TerminalError ``variable-missing`` that names all of them, ``template-syntax``, ``value-type``."""
    variables = template_variables(target, pantry)
    templates = {
        path: Template(pantry.contents[path].decode("utf-8", errors="replace"), path, subject=target.name)
        for path in recipe.files
    }
    missing = [each for template in templates.values() for each in template.missing(variables)]
    if missing:
        raise _missing_variables(missing, target)
    return [Output(text=template.fill(variables).encode(), path=path) for path, template in templates.items()]


def template_variables(target: Target, pantry: Pantry) -> dict[str, str]:
    """The layers' ``variables``, as text; never the environment's."""
    layers = Layers(files=tuple(pantry.layers))
    variables = layers.merged.get("variables") or {}
    found = {}
    for name, value in variables.items():
        if isinstance(value, (dict, list)):
            raise _not_text(layers, name, target)
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _not_text(layers: Layers, name: str, target: Target) -> TerminalError:
    layer = layers.setting(("variables", name))[0]
    mark = layer.document.mark(("variables", name))
    return TerminalError(
        "value-type",
        f"{target.name}: variables.{name}",
        "is a map or a list; a variable is put into a template as text",
        hint="write the text in quotes, for example '[\"10.0.0.0/16\"]'",
        path=layer.path,
        line=mark.line,
        column=mark.column,
    )


def _missing_variables(missing: list[Missing], target: Target) -> TerminalError:
    first = missing[0]
    names = list(dict.fromkeys(each.name for each in missing))
    what = f"variable {names[0]} has" if len(names) == 1 else f"variables {', '.join(names)} have"
    return TerminalError(
        "variable-missing",
        target.name,
        f"{what} no value and no default",
        hint=f"add `variables: {{{', '.join(f'{name}: …' for name in names)}}}` to values.yaml beside the template, "
        "or to the region's or cloud's",
        path=first.path,
        line=first.line,
    )


def _refuse_facts(layers: list[Layer], facts: Mapping[str, Any]) -> None:
    problems = []
    for layer in layers:
        for name in facts:
            if layer.holds((name,)):
                mark = layer.document.key_mark((name,))
                problems.append(
                    Problem(
                        code="value-reserved",
                        subject=name,
                        message="is given to the chart by ClusterOps and cannot be set",
                        hint="facts of a region belong in region.yaml; labels in the `clusterops:` block",
                        path=layer.path,
                        line=mark.line,
                        column=mark.column,
                    )
                )
    if problems:
        raise ValuesError(problems)


def _generated(what: str, component: str) -> bytes:
    resources = [] if not what else [what] if what == _RENDERED else [posixpath.relpath(what, OWN)]
    value = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
        "components": [posixpath.relpath(component, OWN)],
    }
    return canonical_json(value)
