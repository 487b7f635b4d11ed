"""Flux' rules about drift: of HelmReleases, of Kustomizations, and annotations of the objects themselves.

**Source:** fluxcd/pkg ssa/jsondiff (a target's fields are anchored regular expressions, an empty one is any),
helm-controller API v2 (``driftDetection.ignore``), kustomize-controller v1 (``spec.ignore``, ``commonMetadata``,
``kustomize.toolkit.fluxcd.io/ssa``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.importers.carried import (
    Carried,
    NotCarried,
    entries_of,
    mapping_at,
    pointer_fault,
    source_of,
    texts_of,
)
from clusterops.importers.paths import glob_of_regex
from clusterops.model.ignore import ANY, IgnoreRule

_SSA: Final = "kustomize.toolkit.fluxcd.io/ssa"
_SELECTORS: Final = ("labelSelector", "annotationSelector")


def release_rules(document: Mapping[str, Any]) -> Iterator[Carried]:
    """Of a HelmRelease or a Kustomization."""
    spec, source = mapping_at(document, "spec"), source_of(document)
    for entry in (*entries_of(mapping_at(spec, "driftDetection"), "ignore"), *entries_of(spec, "ignore")):
        yield from _entry_rules(source, entry)
    common = mapping_at(spec, "commonMetadata", "annotations")
    if _SSA in common:
        why = "is set on every object that it applies; set it in git on those that are to keep it"
        yield NotCarried(source=source, what=f"{_SSA}: {common[_SSA]}", why=why)


def object_rules(document: Mapping[str, Any]) -> Iterator[Carried]:
    """Of any object's own annotations: those that ClusterOps follows itself need no rule."""
    word = str(mapping_at(document, "metadata", "annotations").get(_SSA, ""))
    if word.lower() == "merge":
        why = "fields that others add stay anyway; fields that git sets are compared"
        yield NotCarried(source=source_of(document), what=f"{_SSA}: {word}", why=why)


def _entry_rules(source: str, entry: Mapping[str, Any]) -> Iterator[Carried]:
    target, pointers = mapping_at(entry, "target"), []
    for pointer in texts_of(entry, "paths"):
        fault = pointer_fault(pointer)
        if fault:
            yield NotCarried(source=source, what=pointer or '""', why=fault)
        else:
            pointers.append(pointer)
    named = {name: _glob(target, name) for name in ("group", "kind", "name", "namespace")}
    unclear = [name for name, one in named.items() if one is None] + [name for name in _SELECTORS if target.get(name)]
    if unclear:
        what = ", ".join(f"{name}: {target[name]}" for name in unclear)
        yield NotCarried(source=source, what=what, why="objects are chosen by name and glob here, not so")
    elif pointers:
        place: dict[str, Any] = {name: one for name, one in named.items() if one is not None}
        yield IgnoreRule(source=source, pointers=tuple(pointers), **place)


def _glob(target: Mapping[str, Any], name: str) -> str | None:
    pattern = str(target.get(name) or "")
    return glob_of_regex(pattern) if pattern else ANY
