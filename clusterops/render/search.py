"""Which value makes a rendered field what it is: change values, render, look, bisect."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from clusterops.errors import ClusterOpsError
from clusterops.model.canonical import canonical_json
from clusterops.model.document import Pointer, load_documents, load_values
from clusterops.model.fleet import HelmRecipe, Target, TemplateRecipe
from clusterops.model.key import ObjectKey
from clusterops.model.pointer import tokens_of
from clusterops.model.revision import FileEntry, Snapshot
from clusterops.render.renderer import ProcessRenderer
from clusterops.render.values.layers import Layers, merge, value_at

MOST_RENDERS: Final = 40
_TOP: Final = ".clusterops/explain.yaml"
_LIKELY: Final = 8
"""Tried one by one before anything is bisected."""
_LAST_NUMBER: Final = re.compile(r"\d+(?=\D*\Z)")
_SOURCE: Final = re.compile(r"^# Source: (\S+)$", re.MULTILINE)
"""**Source:** helm.sh/helm/v4 pkg/action renderResources writes it before every document."""


class _Seen(Enum):
    SAME = "same"
    CHANGED = "changed"
    FAILED = "failed"


class _Spent(Exception):
    """No render is left."""


class Search:
    """``renders`` counts what was spent."""

    def __init__(  # noqa: PLR0917
        self,
        renderer: ProcessRenderer,
        snapshot: Snapshot,
        target: Target,
        key: ObjectKey,
        pointer: str,
        value: Any,
    ) -> None:
        self.renders = 0
        self._renderer = renderer
        self._snapshot = snapshot
        self._target = target
        self._key = key
        self._pointer = pointer
        self._value = value

    async def set_by_component(self) -> bool:
        """Whether the field is another without the region's component."""
        region = self._target.region
        if region is None or not region.component:
            return False
        without = replace(self._target, region=replace(region, component=""))
        return await self._look(self._snapshot, without) is _Seen.CHANGED

    async def label(self) -> str:
        """The label of the ``clusterops:`` block that the field shows; "" when it is none."""
        for name, value in self._target.labels.items():
            if value == self._value:
                changed = replace(self._target, labels={**self._target.labels, name: f"{value}x"})
                if await self._look(self._snapshot, changed) is _Seen.CHANGED:
                    return name
        return ""

    async def fact(self) -> Pointer | None:
        """Where in region.yaml the field's value stands, if it comes from there."""
        region = self._target.region
        for leaf in leaves_of(region.facts, ()) if region else ():
            if region and value_at(region.facts, leaf) == self._value:
                other = sentinels(self._value, {})[-1]
                facts = merge(region.facts, changed_values({leaf: other}, region.facts))
                changed = replace(self._target, region=replace(region, facts=facts))
                if await self._look(self._snapshot, changed) is _Seen.CHANGED:
                    return leaf
        return None

    async def cause(self, layers: Layers) -> Pointer | None:
        """A value whose change changes the field; None when there is none, or no render is left."""
        if not isinstance(self._target.recipe, HelmRecipe | TemplateRecipe):
            return None
        merged = layers.merged
        leaves = sorted(leaves_of(merged, ()), key=lambda each: self._distance(value_at(merged, each)))
        likely = [each for each in leaves if self._distance(value_at(merged, each)) < 2][:_LIKELY]
        try:
            for leaf in likely:
                if await self._matters(leaf, merged):
                    return leaf
            return await self._within([leaf for leaf in leaves if leaf not in likely], merged)
        except _Spent:
            return None

    async def _within(self, group: Sequence[Pointer], merged: Mapping[str, Any]) -> Pointer | None:
        if not group:
            return None
        if len(group) == 1:
            return group[0] if await self._matters(group[0], merged) else None
        if (
            await self._change({leaf: sentinels(value_at(merged, leaf), merged)[0] for leaf in group}, merged)
            is _Seen.SAME
        ):
            return None
        half = len(group) // 2
        found = await self._within(group[:half], merged)
        return found if found is not None else await self._within(group[half:], merged)

    async def _matters(self, leaf: Pointer, merged: Mapping[str, Any]) -> bool:
        for sentinel in sentinels(value_at(merged, leaf), merged):
            seen = await self._change({leaf: sentinel}, merged)
            if seen is not _Seen.FAILED:
                return seen is _Seen.CHANGED
        return False

    async def _change(self, changes: Mapping[Pointer, Any], merged: Mapping[str, Any]) -> _Seen:
        text = canonical_json(changed_values(changes, merged))
        recipe = self._target.recipe
        assert isinstance(recipe, HelmRecipe | TemplateRecipe)
        target = replace(self._target, recipe=replace(recipe, values=(*recipe.values, _TOP)))
        return await self._look(with_file(self._snapshot, _TOP, text), target)

    async def _look(self, snapshot: Snapshot, target: Target) -> _Seen:
        if self.renders >= MOST_RENDERS:
            raise _Spent
        self.renders += 1
        try:
            rendered = await self._renderer.draft(snapshot, target)
        except ClusterOpsError:
            return _Seen.FAILED
        manifest = next((each for each in rendered.manifests if each.key == self._key), None)
        if manifest is None:
            # Another name or none at all: the change matters to the object, which says nothing of this field.
            return _Seen.CHANGED if self._pointer == "/metadata/name" else _Seen.SAME
        try:
            return _Seen.SAME if field_at(manifest.body, self._pointer) == self._value else _Seen.CHANGED
        except KeyError:
            return _Seen.CHANGED

    def _distance(self, value: Any) -> int:
        """0: the very value; 1: one is part of the other; 2: nothing in common."""
        if value == self._value and type(value) is type(self._value):
            return 0
        one, other = str(value), str(self._value)
        return 1 if one and other and (one in other or other in one) else 2


async def written_in(
    renderer: ProcessRenderer, snapshot: Snapshot, target: Target, key: ObjectKey, pointer: str
) -> str:
    """The file, with its line where the object stands in it as it is; the recipe's own place when neither is known."""
    for output in await renderer.outputs(snapshot, target):
        if output.path:
            if line := _line_in(output.text, output.path, key, pointer):
                return f"{output.path}:{line}"
        elif found := _template_of(output.text.decode(errors="replace"), key):
            return renderer.template_path(snapshot, target, found)
    files = (path for path in renderer.read_paths(snapshot, target) if path.endswith((".yaml", ".yml", ".json")))
    for path in files:
        if not isinstance(target.recipe, HelmRecipe) and (line := _line_in(snapshot.read(path), path, key, pointer)):
            return f"{path}:{line}"
    return target.definition


def field_at(body: Any, pointer: str) -> Any:
    """**Source:** RFC 6901. Raises KeyError."""
    for part in tokens_of(pointer):
        if isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        elif isinstance(body, Mapping):
            body = body[part]
        else:
            raise KeyError(part)
    return body


def leaves_of(value: Any, pointer: Pointer) -> Iterator[Pointer]:
    """Pointers of all scalars, in order."""
    items: Iterator[tuple[str | int, Any]]
    if isinstance(value, Mapping):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    else:
        yield pointer
        return
    for part, each in items:
        yield from leaves_of(each, (*pointer, part))


def sentinels(value: Any, merged: Mapping[str, Any]) -> list[Any]:
    """Other values of the same kind, most innocent first; the next one where a chart refuses the one before."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value + 2]
    if not isinstance(value, str):
        return ["clusterops"]
    bumped = _LAST_NUMBER.sub(lambda found: str(int(found.group()) + 1), value)
    others = [name for names in _maps_with(merged, value) for name in names if name != value][:1]
    return [*others, *([bumped] if bumped != value else []), f"{value}x"]


def changed_values(changes: Mapping[Pointer, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    """A layer that sets only what changes; of a list the whole, as lists replace."""
    layer: dict[str, Any] = {}
    for pointer, value in changes.items():
        depth = next((at for at, part in enumerate(pointer) if isinstance(part, int)), len(pointer))
        at: Any = layer
        for part in pointer[: depth - 1]:
            at = at.setdefault(part, {})
        if depth == len(pointer):
            at[pointer[-1]] = value
            continue
        whole = at.setdefault(pointer[depth - 1], _copy(value_at(merged, pointer[:depth])))
        for part in pointer[depth:-1]:
            whole = whole[part]
        whole[pointer[-1]] = value
    return layer


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _maps_with(value: Any, key: str) -> Iterator[list[str]]:
    """The keys of every map that has ``key``: where a value names one of several."""
    if not isinstance(value, Mapping):
        return
    if key in value:
        yield list(value)
    for each in value.values():
        yield from _maps_with(each, key)


class _Overlaid:
    """A reader with one more file."""

    def __init__(self, snapshot: Snapshot, path: str, text: bytes) -> None:
        self._below = snapshot.reader
        self._path = path
        self._text = text

    def read(self, entries: Sequence[tuple[str, str]]) -> list[bytes]:
        below = iter(self._below.read([entry for entry in entries if entry[0] != self._path]))
        return [self._text if path == self._path else next(below) for path, _ in entries]


def with_file(snapshot: Snapshot, path: str, text: bytes) -> Snapshot:
    """The same files, one of them other or new."""
    entry = FileEntry(hashlib.sha256(text).hexdigest())
    return replace(snapshot, files={**snapshot.files, path: entry}, reader=_Overlaid(snapshot, path, text))


def _line_in(text: bytes, path: str, key: ObjectKey, pointer: str) -> int:
    try:
        documents = load_documents(text, path)
    except ClusterOpsError:
        return 0
    for document in documents:
        body = document.value
        same = isinstance(body, Mapping) and body.get("kind") == key.kind
        if not same or (body.get("metadata") or {}).get("name") != key.name:
            continue
        parts = tuple(int(part) if part.isdigit() else part for part in pointer.split("/")[1:])
        return document.key_mark(parts).line if parts in document.marks else 0
    return 0


def _template_of(text: str, key: ObjectKey) -> str:
    """The template's name in helm's words; "" when no document is the object."""
    for part in re.split(r"^---$", text, flags=re.MULTILINE):
        source = _SOURCE.search(part)
        if source and any(
            isinstance(body, Mapping)
            and body.get("kind") == key.kind
            and (body.get("metadata") or {}).get("name") == key.name
            for body in load_values(part, "")
        ):
            return source.group(1)
    return ""
