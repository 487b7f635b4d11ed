"""The file and line behind a changed value, where what a request changes in git says it beyond doubt.

No render is made for it, so it says nothing rather than guess: a value of a layer is the origin of a field only where
both changed from the same to the same, or where the changed text of the one alone makes up the change of the other;
and only where a single changed value does so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from clusterops.errors import ClusterOpsError
from clusterops.model.bodies import same
from clusterops.model.document import Document, Pointer, load_documents
from clusterops.model.fleet import HelmRecipe, Target, TemplateRecipe
from clusterops.model.key import ObjectKey
from clusterops.model.plan import MISSING, Action, Change, FieldChange, Plan
from clusterops.model.pointer import escape, tokens_of
from clusterops.model.preview import Place

LARGEST_BYTES: Final = 1_000_000
"""A file that is larger is not looked into."""
_SHORTEST_PART: Final = 3
"""Characters of a value that is found inside a longer one."""

_LONG: Final = 8
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
FLEET_FILE: Final = "fleet.yaml"

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A leaf of a values file as it is after the change; ``before`` is MISSING where it is new."""

    path: str
    pointer: Pointer
    line: int
    before: Any
    after: Any

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """A values file: what changed in it, and what stands in it as before."""

    edits: tuple[Edit, ...]
    kept: tuple[Edit, ...]


def origins(
    before: Files, after: Files, plans: Iterable[Plan], targets: Mapping[str, Target], *, changed: Collection[str]
) -> dict[Place, str]:
    """``clusters/eu/pay/values.yaml:6`` by target, object and pointer of a changed field.

    ``before`` and ``after`` are contents by path: of the YAML files that changed, and of the unchanged values files
    of the targets (in both). ``changed`` are all paths that differ: where a chart is among them, values explain
    nothing. Files that cannot be read are passed over. O(fields * changed leaves).
    """
    layers = {path: _layer(path, before.get(path), text) for path, text in after.items()}
    objects = _Objects.of(before, after)
    found: dict[Place, str] = {}
    for plan in plans:
        target = targets.get(plan.target)
        if target is None:
            continue
        known = [layers[path] for path in values_files(target) if path in layers]
        known = [] if _renders_otherwise(target, known, layers.get(FLEET_FILE), changed) else known
        for change, field in _fields(plan):
            written = change.written.key if change.written is not None else change.key
            place = objects.place(written, field, target) or _from_layers(known, written, field)
            if place:
                found[plan.target, change.key, field.pointer] = place
    return found


def values_files(target: Target) -> tuple[str, ...]:
    """The files whose values a target's objects are rendered from."""
    region = (f"regions/{target.region.name}/region.yaml",) if target.region is not None else ()
    layers = target.recipe.values if isinstance(target.recipe, HelmRecipe | TemplateRecipe) else ()
    return (*layers, *region)


def _renders_otherwise(
    target: Target, layers: Iterable[_Layer], fleet: _Layer | None, changed: Collection[str]
) -> bool:
    """Whether more than values changed of what a target is rendered by."""
    recipe, component = target.recipe, target.region.component if target.region is not None else ""
    parts = [recipe.chart.path if isinstance(recipe, HelmRecipe) else "", component]
    files = recipe.files if isinstance(recipe, TemplateRecipe) else ()
    told = any(edit.pointer[:2] == ("clusterops", "chart") for layer in layers for edit in layer.edits)
    of_fleet = any(edit.pointer[0] in {"clouds", "render"} for edit in (fleet.edits if fleet else ()) if edit.pointer)
    under = any(path.startswith(f"{part}/") for part in parts if part for path in changed)
    return told or of_fleet or under or any(path in changed for path in files)


def _fields(plan: Plan) -> Iterator[tuple[Change, FieldChange]]:
    """Those that the request changes: drift that is put back by the way is not among them."""
    for change in plan.changes:
        if change.action is not Action.LEAVE:
            yield from ((change, field) for field in change.fields if field not in change.heals)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Objects:
    """Changed leaves of plain objects, and of patches that name theirs, by object (as written) and pointer."""

    edits: Mapping[tuple[ObjectKey, str], tuple[Edit, ...]]

    @classmethod
    def of(cls, before: Files, after: Files) -> _Objects:
        found: dict[tuple[ObjectKey, str], tuple[Edit, ...]] = {}
        for path, text in after.items():
            if before.get(path) != text:
                old = {_name(each): each for each in _documents(path, before.get(path))}
                for document in _documents(path, text):
                    for at, edit in _of_object(old, document):
                        found[at] = (*found.get(at, ()), edit)
        return cls(edits=found)

    def place(self, key: ObjectKey, field: FieldChange, target: Target) -> str:
        """One that says what the field becomes; two files that speak of it tell nothing."""
        bare = replace(key, namespace=None)
        told = [
            *self.edits.get((key, field.pointer), ()),
            *(edit for edit in self.edits.get((bare, field.pointer), ()) if _belongs(edit.path, target)),
        ]
        fits = len(told) == 1 and field.after is not MISSING and same(told[0].after, field.after)
        return told[0].place if fits else ""


def _of_object(
    old: Mapping[ObjectKey | None, Document], document: Document
) -> Iterator[tuple[tuple[ObjectKey, str], Edit]]:
    name = _name(document)
    if name is not None:
        for edit in _edits(old.get(name), document):
            yield (name, "".join(f"/{escape(str(step))}" for step in edit.pointer)), edit


def _belongs(path: str, target: Target) -> bool:
    """A patch need not say the namespace: then it has to stand beside what a person edits for this target."""
    directory = target.definition.rpartition("/")[0]
    return bool(directory) and path.startswith(f"{directory}/")


def _name(document: Document) -> ObjectKey | None:
    try:
        return ObjectKey.of(document.value) if isinstance(document.value, dict) else None
    except ValueError:
        return None


def _layer(path: str, before: bytes | None, after: bytes) -> _Layer:
    new, old = _only(_documents(path, after)), _only(_documents(path, before))
    if new is None:
        return _Layer(edits=(), kept=())
    edits = tuple(_edits(old, new))
    changed = {edit.pointer for edit in edits}
    return _Layer(edits=edits, kept=tuple(each for each in _edits(None, new) if each.pointer not in changed))


def _only(documents: Sequence[Document]) -> Document | None:
    return documents[0] if len(documents) == 1 else None


def _documents(path: str, text: bytes | None) -> tuple[Document, ...]:
    if text is None or len(text) > LARGEST_BYTES:
        return ()
    try:
        return load_documents(text, path)
    except ClusterOpsError:
        return ()


def _edits(before: Document | None, after: Document) -> Iterator[Edit]:
    old = dict(_leaves(before.value, ())) if before is not None else {}
    for pointer, value in _leaves(after.value, ()):
        was = old.get(pointer, MISSING)
        if pointer and (was is MISSING or not same(was, value)):
            yield Edit(path=after.path, pointer=pointer, line=after.mark(pointer).line, before=was, after=value)


def _leaves(value: Any, pointer: Pointer) -> Iterator[tuple[Pointer, Any]]:
    """A list of plain values is told item by item and as a whole: objects often have it as one field."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, (*pointer, name))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _leaves(each, (*pointer, index))
    else:
        yield pointer, value
        return
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        yield pointer, value


def _from_layers(layers: Sequence[_Layer], written: ObjectKey, field: FieldChange) -> str:
    if field.after is MISSING or isinstance(field.after, dict):
        return ""
    edits = [edit for layer in layers for edit in layer.edits]
    fitting = [edit for edit in edits if _becomes(edit, field)] or [edit for edit in edits if _is_part(edit, field)]
    chosen = fitting if len(fitting) == 1 else [edit for edit in fitting if _is_named_after(edit, written)]
    return chosen[0].place if len(chosen) == 1 else _looked_up(layers, edits, field)


def _becomes(edit: Edit, field: FieldChange) -> bool:
    """From the same to the same; what a layer says anew is known by its length, or has to bear the field's name."""
    if not _equal(edit.after, field.after):
        return False
    if edit.before is not MISSING:
        return _equal(edit.before, field.before)
    known = isinstance(edit.after, str) and len(edit.after) >= _LONG
    return known or str(edit.pointer[-1]) == tokens_of(field.pointer)[-1]


def _is_part(edit: Edit, field: FieldChange) -> bool:
    """The change of a part is the change of the whole: ``image-v1.33.4`` to ``image-v1.34.1``."""
    old, new, before, after = edit.before, edit.after, field.before, field.after
    if not all(isinstance(each, str) for each in (old, new, before, after)) or len(old) < _SHORTEST_PART:
        return False
    return bool(old in before and before.replace(old, new) == after)


def _is_named_after(edit: Edit, key: ObjectKey) -> bool:
    """``pools.general.replicas`` and MachineDeployment ``payments-general``: the last word of the name is a step."""
    steps = [_CAMEL.sub("-", str(step)).lower() for step in edit.pointer[:-1]]
    return any(key.name == step or key.name.endswith(f"-{step}") for step in steps)


def _looked_up(layers: Sequence[_Layer], edits: Sequence[Edit], field: FieldChange) -> str:
    """An entry as it was, under a changed value's name, as ``images: {v1.34.1: ami-0a41…}``.

    What was there before has to be an entry beside it: under the old value's name, where that is known.
    """
    kept = [one for layer in layers for one in layer.kept if one.pointer]
    there = {(one.pointer[:-1], one.pointer[-1]) for one in kept if _equal(one.after, field.before)}
    names = {edit.after: edit.before for edit in edits if _is_name(edit.after)}
    told = {
        one.place
        for one in kept
        if one.pointer[-1] in names
        and _equal(one.after, field.after)
        and _had(names[one.pointer[-1]], one.pointer[:-1], there)
    }
    return told.pop() if len(told) == 1 else ""


def _had(name: Any, parent: Pointer, there: Collection[tuple[Pointer, str | int]]) -> bool:
    if _is_name(name):
        return (parent, name) in there
    return any(beside == parent for beside, _ in there)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value is not MISSING


def _equal(one: Any, other: Any) -> bool:
    """A chart often quotes what a layer does not: ``5`` and ``"5"`` are told as one; MISSING is only itself."""
    if one is MISSING or other is MISSING:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return same(one, other) or (not isinstance(one, dict | list) and str(one) == str(other))
