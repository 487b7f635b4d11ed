"""A fleet repository in memory, and targets in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clusterops.model.fleet import ChartRef, HelmRecipe, KustomizeRecipe, Mode, PlainRecipe, Recipe, Region, Target
from clusterops.model.revision import EntryKind, FileEntry, Revision, Snapshot

ROOT = Path(__file__).parents[3]


class Blobs:
    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self.reads = 0

    def read(self, entries: Sequence[tuple[str, str]]) -> list[bytes]:
        self.reads += len(entries)
        return [self._contents[path] for path, _ in entries]


def snapshot_of(files: Mapping[str, str | bytes], *, links: Mapping[str, EntryKind] | None = None) -> Snapshot:
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    entries = {path: FileEntry(hashlib.sha1(text).hexdigest()) for path, text in contents.items()}
    entries |= {path: FileEntry("0" * 40, kind) for path, kind in (links or {}).items()}
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    revision = Revision(repository="fleet", branch="main", commit="worktree", committed_at=at)
    return Snapshot(revision=revision, files=entries, reader=Blobs(contents))


def folder_files(folder: Path, at: str = "") -> dict[str, bytes]:
    """Every file below a folder of this checkout, as files of a repository below ``at``."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {f"{at}{path.relative_to(folder).as_posix()}": path.read_bytes() for path in found}


def target_of(recipe: Recipe, *, component: str = "", **changes: Any) -> Target:
    region = Region(name="north", cloud="dev", namespace="north", component=component, facts={"cloud": "dev"})
    target = Target(
        name="north/alpha",
        fleet="demo",
        region=region,
        cluster="alpha",
        namespace="north",
        mode=Mode.APPLY,
        recipe=recipe,
        cloud="dev",
        definition="clusters/north/alpha/values.yaml",
    )
    return replace(target, **changes)


def plain(*files: str) -> PlainRecipe:
    return PlainRecipe(files=files)


def kustomize(directory: str = "clusters/north/alpha") -> KustomizeRecipe:
    return KustomizeRecipe(directory=directory)


def helm(*values: str, chart: str = "charts/c") -> HelmRecipe:
    return HelmRecipe(chart=ChartRef(path=chart), values=values, release="alpha")
