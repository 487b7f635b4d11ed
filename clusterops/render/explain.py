"""Where a value comes from: the layer that sets it and what it overrides, or the file of the chart that sets it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.document import Pointer, load_document
from clusterops.model.fleet import HelmRecipe, Target
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.revision import Snapshot
from clusterops.render.renderer import ProcessRenderer
from clusterops.render.search import Search, field_at, written_in
from clusterops.render.values.layers import RESERVED, Layers, parse_path, path_text, value_at

_POOLS: Final = "pools"
_POOL_DEFAULTS: Final = "poolDefaults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One layer's word on a value. ``line`` 1-based; ``note`` names the path when it is another than the one asked.

    ``pointer`` is where it stands in the file.
    """

    value: Any
    path: str
    line: int
    note: str = ""
    pointer: Pointer = ()

    @property
    def text(self) -> str:
        return f"{shown(self.value)}  {self.path}:{self.line}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``settings`` has the one that counts first, then what it overrides. ``source`` says so where no layer sets it."""

    target: str
    question: str
    value: Any
    settings: tuple[Setting, ...] = ()
    source: str = ""
    exact: bool = True
    """False when it was found by changing candidates: other values may matter too."""
    renders: int = 0

    @property
    def text(self) -> str:
        if not self.settings:
            return f"{shown(self.value)}  {self.source}"
        return "  over  ".join(setting.text for setting in self.settings)

    def to_body(self) -> Mapping[str, Any]:
        """The JSON form."""
        return {
            "target": self.target,
            "question": self.question,
            "value": self.value,
            "settings": [
                {"value": each.value, "path": each.path, "line": each.line, "note": each.note} for each in self.settings
            ],
            "source": self.source,
            "exact": self.exact,
            "renders": self.renders,
        }


async def explain(renderer: ProcessRenderer, snapshot: Snapshot, target: Target, question: str) -> Explanation:
    """``question`` is a values path (``pools.general.replicas``), or ``KIND/NAME:/pointer`` of a rendered object.

    A path is exact. A pointer is found by changing values and rendering again, at most 40 times.
    Raises TerminalError ``value-unset``, ``object-unknown`` or ``field-unknown``, and what a render raises.
    """
    head, colon, pointer = question.partition(":/")
    if colon and "/" in head:
        return await _of_field(renderer, snapshot, target, question, (head, f"/{pointer}"))
    return _of_value(await renderer.layers(snapshot, target), target, question)


async def trace(renderer: ProcessRenderer, snapshot: Snapshot, target: Target, question: str) -> str:
    """As ``explain``, in places alone: ``clusters/eu/pay/values.yaml:6 over clouds/aws/values.yaml:3``."""
    found = await explain(renderer, snapshot, target, question)
    return " over ".join(f"{each.path}:{each.line}" for each in found.settings) or found.source


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _of_value(layers: Layers, target: Target, question: str) -> Explanation:
    pointer = parse_path(question)
    settings = _settings(layers, pointer)
    try:
        value = value_at(layers.merged, pointer)
    except KeyError as error:
        if not settings or settings[0].value is None:
            hint = _known_keys(layers, pointer)
            raise TerminalError("value-unset", f"{target.name}: {question}", "no layer sets it", hint=hint) from error
        value = settings[0].value
    return Explanation(target=target.name, question=question, value=layers.secrets.shown(value), settings=settings)


def _settings(layers: Layers, pointer: Pointer, note: str = "") -> tuple[Setting, ...]:
    """Of every layer that sets the value, the one that counts first; what a pool does not set, its defaults do."""
    found = tuple(
        Setting(
            value=layers.secrets.shown(value_at(layer.document.value, pointer)),
            path=layer.path,
            line=layer.document.key_mark(pointer).line,
            note=note,
            pointer=pointer,
        )
        for layer in layers.setting(pointer)
    )
    if pointer[:1] == (_POOLS,) and len(pointer) > 2:
        return found + _settings(layers, (_POOL_DEFAULTS, *pointer[2:]), _POOL_DEFAULTS)
    return found


async def _of_field(
    renderer: ProcessRenderer, snapshot: Snapshot, target: Target, question: str, parts: tuple[str, str]
) -> Explanation:
    name, pointer = parts
    rendered = await renderer.render(snapshot, target)
    manifest = _manifest(rendered, name, target)
    found = _field(manifest, pointer, target)
    search = Search(renderer, snapshot, target, manifest.key, pointer, found)
    value = rendered.secrets.shown(found)
    if await search.set_by_component():
        source = f"set by the region's component: {target.region.component if target.region else ''}"
        return Explanation(target=target.name, question=question, value=value, source=source, renders=search.renders)
    settings = await _set_by(search, await renderer.layers(snapshot, target), snapshot, target)
    if settings:
        return Explanation(
            target=target.name,
            question=question,
            value=value,
            settings=settings,
            exact=False,
            renders=search.renders,
        )
    what = "chart" if isinstance(target.recipe, HelmRecipe) else "file"
    source = f"set by the {what}: {await written_in(renderer, snapshot, target, manifest.key, pointer)}"
    return Explanation(
        target=target.name, question=question, value=value, source=source, exact=False, renders=search.renders
    )


async def _set_by(search: Search, layers: Layers, snapshot: Snapshot, target: Target) -> tuple[Setting, ...]:
    if label := await search.label():
        return _settings(layers, (RESERVED, "labels", label))
    fact = await search.fact()
    if fact is not None and target.region is not None:
        path = f"regions/{target.region.name}/region.yaml"
        document = load_document(snapshot.read(path), path)
        value = value_at(document.value, fact)
        return (Setting(value=value, path=path, line=document.key_mark(fact).line, note=path_text(fact), pointer=fact),)
    cause = await search.cause(layers)
    return () if cause is None else tuple(_with_note(each, path_text(cause)) for each in _settings(layers, cause))


def _with_note(setting: Setting, note: str) -> Setting:
    return replace(setting, note=setting.note or note)


def _manifest(rendered: RenderedSet, name: str, target: Target) -> Manifest:
    known = {f"{each.key.kind}/{each.key.name}": each for each in rendered.manifests}
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it renders {', '.join(sorted(known)) or 'nothing'}"
    raise TerminalError("object-unknown", target.name, f"renders no {name}", hint=hint)


def _field(manifest: Manifest, pointer: str, target: Target) -> Any:
    try:
        return field_at(manifest.body, pointer)
    except KeyError as error:
        parent = pointer.rpartition("/")[0]
        hint = f"`clusterops render {target.name}` shows the object"
        message = f"has no {pointer}" + (f"; look at {parent}" if parent else "")
        raise TerminalError("field-unknown", f"{target.name}: {manifest.key.label}", message, hint=hint) from error


def _known_keys(layers: Layers, pointer: Pointer) -> str:
    while pointer:
        pointer = pointer[:-1]
        try:
            parent = value_at(layers.merged, pointer)
        except KeyError:
            continue
        if isinstance(parent, Mapping):
            return f"known there: {', '.join(parent)}"
    return ""
