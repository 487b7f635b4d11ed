"""Which files belong to what, by the layout of the fleet repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clusterops.model.revision import EntryKind, FileEntry

FLEET_FILE: Final = "fleet.yaml"
REGION_SHARED: Final = "_shared"
"""Target name of what the clusters of a region share: ``<region>/_shared``."""
SHARED: Final = "shared"
"""First part of the target names ``shared/<name>``, so no region may be called so."""
DELETIONS: Final = "deletions"
"""Directory of the second keys."""
YAML_SUFFIXES: Final = (".yaml", ".yml", ".json")
KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""**Source:** kustomize api/konfig RecognizedKustomizationFileNames."""

Files = dict[str, FileEntry]


@dataclass(slots=True)
class Layout:
    """Files by path. ``clusters`` are keyed by ``<region>/<cluster>``; ``strays`` belong to no target."""

    clusters: dict[str, Files] = field(default_factory=dict)
    regions: dict[str, Files] = field(default_factory=dict)
    region_shared: dict[str, Files] = field(default_factory=dict)
    shared: dict[str, Files] = field(default_factory=dict)
    clouds: dict[str, Files] = field(default_factory=dict)
    deletions: Files = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    blocked: Files = field(default_factory=dict)
    """Links and submodules in place of a directory that would hold several targets, or what they are made from."""

    @property
    def region_names(self) -> list[str]:
        """Of every region that has a file anywhere."""
        return sorted({*self.regions, *self.region_shared, *(name.partition("/")[0] for name in self.clusters)})


def read_layout(files: Mapping[str, FileEntry]) -> Layout:
    """One pass over the paths."""
    layout = Layout()
    for path, entry in files.items():
        home = _home(layout, path) if entry.kind is EntryKind.FILE else _home_of_link(layout, path)
        if home is not None:
            home[path] = entry
    return layout


def _home(layout: Layout, path: str) -> Files | None:
    top, *rest = path.split("/", 3)
    if top == "clusters":
        return _of_cluster(layout, path, rest)
    if top == "regions" and len(rest) >= 2:
        inside_shared = rest[1] == SHARED and len(rest) > 2
        return (layout.region_shared if inside_shared else layout.regions).setdefault(rest[0], {})
    if top in {SHARED, "clouds"} and len(rest) >= 2:
        return (layout.shared if top == SHARED else layout.clouds).setdefault(rest[0], {})
    if top == DELETIONS and path.endswith(YAML_SUFFIXES):
        return layout.deletions
    if top in {SHARED, "regions"} and path.endswith(YAML_SUFFIXES):
        layout.strays.append(path)
    return None


def _home_of_link(layout: Layout, path: str) -> Files | None:
    """In place of a cluster's directory it is that cluster's only file; above that, nobody knows what is behind it."""
    top, *rest = path.split("/", 3)
    if top == "clusters" and len(rest) == 2:
        return layout.clusters.setdefault(f"{rest[0]}/{rest[1]}", {})
    if top in {"clusters", "regions", SHARED, "clouds"} and len(rest) < 2:
        return layout.blocked
    return _home(layout, path)


def _of_cluster(layout: Layout, path: str, rest: list[str]) -> Files | None:
    if len(rest) > 2:
        return layout.clusters.setdefault(f"{rest[0]}/{rest[1]}", {})
    if path.endswith(YAML_SUFFIXES):
        layout.strays.append(path)
    return None
