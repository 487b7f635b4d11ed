"""`upgrade`: another Kubernetes version, wherever a cluster's own files say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.capi.kinds import is_cluster, is_control_plane, is_pool
from clusterops.capi.versions import Version, goes_down, skips_minor
from clusterops.edit.draft import Draft
from clusterops.edit.sources import Body, Found, Sources, bodies, not_said, said, write
from clusterops.edit.values import value_under
from clusterops.errors import RefusedError, TerminalError
from clusterops.model.document import Pointer
from clusterops.model.key import ObjectKey
from clusterops.model.plan import MISSING

VERSION: Final = "version"
_IMAGES, _IMAGE, _CLASS = "images", "image", "class"


def upgrade(draft: Draft, sources: Sources, version: str) -> None:
    """One minor at a time and never down; nothing where it is that version already.

    Raises RefusedError ``version-downgrade``, ``version-skip``; TerminalError ``image-missing``,
    ``edit-not-possible``; what ``Draft.set`` raises.
    """
    if sources.manifests:
        _in_objects(draft, sources, version)
        return
    before = sources.merged.get(VERSION)
    if before == version:
        return
    _check_step(sources, before, version, sources.values, chained=bool(sources.merged.get(_CLASS)))
    check_image(sources.target, sources.merged, version)
    draft.set(sources.values, (VERSION,), version, target=sources.target)


def check_image(target: str, merged: Mapping[str, Any], version: str) -> None:
    """Where a region lists images by version, and no pattern stands in for what it does not list."""
    images = merged.get(_IMAGES)
    if not isinstance(images, Mapping) or not images or merged.get(_IMAGE) or version in images:
        return
    region = target.partition("/")[0]
    raise TerminalError(
        "image-missing",
        target,
        f"no image for {version} in {region}",
        hint=f"known there: {', '.join(sorted(images))}. Add it under `images:`, or ask for one of these",
        path=f"regions/{region}/values.yaml",
    )


def _in_objects(draft: Draft, sources: Sources, version: str) -> None:
    found = [(body, field) for body in bodies(draft, sources) for field in _version_fields(body)]
    if not found:
        raise not_said(sources, VERSION)
    for body, field in found:
        # Nodes are replaced, not upgraded: up to their control plane any step is fine.
        chained = is_pool(body.key) or is_cluster(body.key)
        _check_step(sources, said(sources, field), version, field.path, chained=chained)
    for _, field in found:
        if said(sources, field) != version:
            write(draft, sources, field, version)


def _version_fields(body: Body) -> Iterator[Found]:
    pointer = _pointer(body.key)
    value = value_under(body.body, pointer) if pointer else MISSING
    if pointer and value is not MISSING:
        yield body.at(pointer, value)


def _pointer(key: ObjectKey) -> Pointer:
    if is_control_plane(key):
        return ("spec", "version")
    if is_pool(key):
        return ("spec", "template", "spec", "version")
    return ("spec", "topology", "version") if is_cluster(key) else ()


def _check_step(sources: Sources, before: Any, after: str, path: str, *, chained: bool) -> None:
    """``chained``: something else brings it up through the minors between."""
    was, now = Version.parse(before), Version.parse(after)
    if was is None or now is None:
        return
    if goes_down(was, now):
        hint = f"a way back to {now.series_text} is a new cluster or an etcd restore, not a commit"
        raise RefusedError(
            "version-downgrade", sources.target, f"{was.text} -> {now.text} goes down", hint=hint, path=path
        )
    if skips_minor(was, now) and not chained:
        step = f"v{was.major}.{was.minor + 1}"
        hint = f"go to a patch of {step} first, see it settled, then go on"
        raise RefusedError(
            "version-skip", sources.target, f"{was.text} -> {now.text} skips a minor", hint=hint, path=path
        )
