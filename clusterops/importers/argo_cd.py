"""``ignoreDifferences`` of Applications and of argocd-cm.

There pointers, jq paths and managers each take fields out by themselves, so an entry with pointers and managers is two
rules here. **Source:** argo-cd v3 util/argo/normalizers/diff_normalizer.go (group and kind are globs, name and
namespace are not; "" is the core group), util/settings/settings.go (keys of argocd-cm, group and kind split by ``_``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.importers.carried import (
    Carried,
    NotCarried,
    entries_of,
    mapping_at,
    pointer_fault,
    source_of,
    texts_of,
)
from clusterops.importers.paths import pointer_of_jq
from clusterops.model.document import load_values
from clusterops.model.ignore import ANY, IgnoreRule

_CUSTOMIZATIONS: Final = "resource.customizations"
_IGNORED: Final = f"{_CUSTOMIZATIONS}.ignoreDifferences."


def application_rules(document: Mapping[str, Any]) -> Iterator[Carried]:
    """Of an Application."""
    for entry in entries_of(mapping_at(document, "spec"), "ignoreDifferences"):
        yield from _entry_rules(source_of(document), entry)


def application_set_rules(document: Mapping[str, Any]) -> Iterator[Carried]:
    """Of the Applications that an ApplicationSet makes."""
    for entry in entries_of(mapping_at(document, "spec", "template", "spec"), "ignoreDifferences"):
        yield from _entry_rules(source_of(document), entry)


def config_rules(document: Mapping[str, Any]) -> Iterator[Carried]:
    """Of argocd-cm, in the keys of today and in the one of old."""
    source = source_of(document)
    for key, text in mapping_at(document, "data").items():
        if str(key).startswith(_IGNORED):
            named = _named(str(key).removeprefix(_IGNORED), "_")
            yield from _config_entry(source, str(key), named, text)
        elif key == _CUSTOMIZATIONS:
            yield from _old_rules(source, text)


def _old_rules(source: str, text: Any) -> Iterator[Carried]:
    for name, one in (_loaded(text) or {}).items():
        inner = one.get("ignoreDifferences") if isinstance(one, Mapping) else None
        if inner:
            yield from _config_entry(source, f"{_CUSTOMIZATIONS}, {name}", _named(str(name), "/"), inner)


def _config_entry(source: str, key: str, named: Mapping[str, str], text: Any) -> Iterator[Carried]:
    loaded = _loaded(text)
    if loaded is None:
        yield NotCarried(source=source, what=key, why="is no YAML mapping")
    else:
        yield from _entry_rules(source, {**loaded, **named})


def _named(name: str, between: str) -> Mapping[str, str]:
    """A kind alone is of the core group."""
    if name in {"all", "*/*"}:
        return {"group": ANY, "kind": ANY}
    group, _, kind = name.rpartition(between)
    return {"group": group, "kind": kind}


def _loaded(text: Any) -> Mapping[str, Any] | None:
    try:
        values = load_values(text, _CUSTOMIZATIONS) if isinstance(text, str) else [text]
    except TerminalError:
        return None
    return values[0] if len(values) == 1 and isinstance(values[0], Mapping) else None


def _entry_rules(source: str, entry: Mapping[str, Any]) -> Iterator[Carried]:
    named = {name: str(entry.get(name) or "") for name in ("group", "kind", "name", "namespace")}
    unclear = next((one for one in named.values() if set(one) & set("{}[]?!")), "")
    if unclear or not named["kind"]:
        yield NotCarried(source=source, what=unclear or str(dict(entry)), why="its objects cannot be named here")
        return
    place: dict[str, Any] = {name: one or ANY for name, one in named.items()} | {"group": named["group"]}
    pointers = []
    for what, pointer, fault in _pointers(entry):
        if fault:
            yield NotCarried(source=source, what=f"{named['kind']} {what}", why=fault)
        else:
            pointers.append(pointer)
    if pointers:
        yield IgnoreRule(source=source, pointers=tuple(pointers), **place)
    managers = texts_of(entry, "managedFieldsManagers")
    if managers:
        yield IgnoreRule(source=source, managers=managers, **place)


def _pointers(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(as it stands there, pointer, why it is not carried)"""
    yield from ((one, one, pointer_fault(one)) for one in texts_of(entry, "jsonPointers"))
    for expression in texts_of(entry, "jqPathExpressions"):
        pointer = pointer_of_jq(expression)
        fault = "is more than a path" if pointer is None else pointer_fault(pointer)
        yield expression, pointer or "", fault
