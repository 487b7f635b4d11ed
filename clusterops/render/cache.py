"""Rendered sets by fingerprint: the recent ones in memory, those without a Secret also on disk."""

from __future__ import annotations

import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from clusterops.model.canonical import canonical_json
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest, Provenance, RenderedSet, Skipped
from clusterops.model.problem import Problem

FORMAT: Final = 1
"""Of the entries; part of every fingerprint, so that another format is another entry."""
_IN_MEMORY: Final = 1024


class RenderCache:
    """May be deleted at any time; an entry that cannot be read counts as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recent: OrderedDict[str, RenderedSet] = OrderedDict()

    def find(self, fingerprint: str, target: str) -> RenderedSet | None:
        """Under a millisecond for tens of objects."""
        found = self._recent.get(fingerprint)
        if found is not None:
            self._recent.move_to_end(fingerprint)
            return found
        found = self._read(fingerprint, target)
        return None if found is None else self._remember(fingerprint, found)

    def keep(self, fingerprint: str, rendered: RenderedSet) -> None:
        """Never raises: without the entry the next one renders again."""
        cached = replace(rendered, provenance=replace(rendered.provenance, cached=True))
        self._remember(fingerprint, cached)
        if rendered.secrets or any(manifest.key.is_secret for manifest in rendered.manifests):
            return
        _write(self._path(fingerprint), canonical_json(_entry(rendered)))

    def is_proven(self, chart_digest: str) -> bool:
        """Whether this chart was seen to render the same twice."""
        return (self._folder / "charts" / chart_digest).exists()

    def prove(self, chart_digest: str) -> None:
        _write(self._folder / "charts" / chart_digest, b"")

    def _remember(self, fingerprint: str, rendered: RenderedSet) -> RenderedSet:
        self._recent[fingerprint] = rendered
        while len(self._recent) > _IN_MEMORY:
            self._recent.popitem(last=False)
        return rendered

    def _read(self, fingerprint: str, target: str) -> RenderedSet | None:
        try:
            rendered = _parse(json.loads(self._path(fingerprint).read_bytes()), fingerprint, target)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return rendered

    def _path(self, fingerprint: str) -> Path:
        return self._folder / fingerprint[:2] / f"{fingerprint}.json"


def _entry(rendered: RenderedSet) -> dict[str, Any]:
    return {
        "digest": rendered.digest,
        "objects": [manifest.body for manifest in rendered.manifests],
        "paths": rendered.provenance.paths,
        "skipped": [[str(each.key), each.reason] for each in rendered.skipped],
        "warnings": [_problem_entry(each) for each in rendered.warnings],
    }


def _problem_entry(problem: Problem) -> dict[str, Any]:
    names = ("code", "subject", "message", "hint", "path", "line", "column")
    return {name: getattr(problem, name) for name in names}


def _parse(entry: Mapping[str, Any], fingerprint: str, target: str) -> RenderedSet:
    """Raises ValueError when the entry is not what was written."""
    rendered = RenderedSet(
        manifests=tuple(Manifest.of(body) for body in entry["objects"]),
        provenance=Provenance(target=target, inputs=fingerprint, paths=tuple(entry["paths"]), cached=True),
        skipped=tuple(Skipped(key=ObjectKey.parse(key), reason=reason) for key, reason in entry["skipped"]),
        warnings=tuple(Problem(**each) for each in entry["warnings"]),
    )
    if rendered.digest != entry["digest"]:
        raise ValueError("the entry was changed")
    return rendered


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
    except OSError:
        return
