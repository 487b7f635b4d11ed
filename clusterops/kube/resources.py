"""Which kinds an API server serves, under which versions and paths. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
"""Asks for everything in one answer; older servers answer with their list of groups instead.

**Source:** KEP-3352, aggregated discovery, stable since Kubernetes 1.30.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind in one version. ``plural`` is its path segment and its name in RBAC rules."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def rbac_name(self) -> str:
        """``machinedeployments.cluster.x-k8s.io``"""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None, name: str = "") -> str:
        """Of the collection, or of one object; ``namespace`` None is all of them (or a cluster-scoped kind)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        return f"{root}{place}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


@dataclass(frozen=True, slots=True)
class ServedKinds:
    """(group, kind) to its versions, the server's preferred one first."""

    resources: Mapping[tuple[str, str], tuple[Resource, ...]]

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> ServedKinds:
        """Keeps the given order within a kind."""
        kinds: dict[tuple[str, str], list[Resource]] = {}
        for resource in resources:
            kinds.setdefault((resource.group, resource.kind), []).append(resource)
        return cls({kind: tuple(found) for kind, found in kinds.items()})

    def beside(self, others: ServedKinds, left_out: Collection[Resource]) -> ServedKinds:
        """With what only the others know, after what is known here."""
        mine = {resource for found in self.resources.values() for resource in found}
        return ServedKinds.of(
            [
                *(resource for found in self.resources.values() for resource in found),
                *(one for found in others.resources.values() for one in found if one not in mine | set(left_out)),
            ]
        )

    def find(self, group: str, kind: str, version: str = "") -> Resource | None:
        """In the given version, else in the preferred one; None when it is not served so."""
        for resource in self.resources.get((group, kind), ()):
            if not version or version == resource.version:
                return resource
        return None

    def versions(self, group: str, kind: str) -> tuple[str, ...]:
        return tuple(resource.version for resource in self.resources.get((group, kind), ()))


def parse_aggregated(document: Mapping[str, Any]) -> Iterator[Resource]:
    """The resources of an APIGroupDiscoveryList, versions in the server's order of preference."""
    for group in document.get("items") or ():
        group_name = str((group.get("metadata") or {}).get("name") or "")
        for version in group.get("versions") or ():
            for raw in version.get("resources") or ():
                yield _of_aggregated(group_name, str(version["version"]), raw)


def _of_aggregated(group: str, version: str, raw: Mapping[str, Any]) -> Resource:
    return Resource(
        group=group,
        version=version,
        kind=str((raw.get("responseKind") or {}).get("kind") or ""),
        plural=str(raw["resource"]),
        namespaced=raw.get("scope") == "Namespaced",
    )


def parse_group_versions(core: Mapping[str, Any], groups: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(group, version) pairs of ``/api`` and ``/apis`` in their old form, preferred versions first."""
    pairs = [("", str(version)) for version in core.get("versions") or ()]
    for group in groups.get("groups") or ():
        preferred = str((group.get("preferredVersion") or {}).get("version") or "")
        versions = [str(version["version"]) for version in group.get("versions") or ()]
        ordered = sorted(versions, key=lambda version, first=preferred: version != first)  # type: ignore[misc]
        pairs.extend((str(group["name"]), version) for version in ordered)
    return pairs


def parse_legacy(group: str, version: str, document: Mapping[str, Any]) -> Iterator[Resource]:
    """The resources of one APIResourceList; subresources are left out."""
    for raw in document.get("resources") or ():
        if "/" not in raw["name"]:
            yield Resource(
                group=group,
                version=version,
                kind=str(raw["kind"]),
                plural=str(raw["name"]),
                namespaced=bool(raw.get("namespaced")),
            )
