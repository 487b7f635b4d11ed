"""The identity of an object on an API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKey:
    """Group, kind, namespace and name; never the version, which is a matter of representation.

    ``namespace`` is ``None`` for a cluster-scoped object, ``group`` is ``""`` for the core group. Ordered by these,
    no namespace first.
    """

    group: str
    kind: str
    namespace: str | None
    name: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ObjectKey:
        """The key of a Kubernetes object body. Raises ValueError when kind or name is missing."""
        metadata = body.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        kind = body.get("kind")
        api_version = body.get("apiVersion")
        if not (isinstance(metadata, Mapping) and name and isinstance(name, str)):
            raise ValueError("metadata.name is missing")
        if not (isinstance(kind, str) and kind and isinstance(api_version, str) and api_version):
            raise ValueError("apiVersion or kind is missing")
        return cls(group=group_of(api_version), kind=kind, namespace=metadata.get("namespace") or None, name=name)

    @classmethod
    def parse(cls, text: str) -> ObjectKey:
        """The inverse of ``str(key)``. Raises ValueError for anything else."""
        parts = text.split("/")
        if len(parts) != 3 or not parts[0] or not parts[2]:
            raise ValueError(f"not an object key: {text!r}")
        kind, _, group = parts[0].partition(".")
        return cls(group=group, kind=kind, namespace=parts[1] or None, name=parts[2])

    def __str__(self) -> str:
        """``MachineDeployment.cluster.x-k8s.io/fleet/web``; ``Namespace//fra1`` when cluster-scoped."""
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind}/{self.namespace or ''}/{self.name}"

    def __lt__(self, other: ObjectKey) -> bool:
        mine = (self.group, self.kind, self.namespace or "", self.name)
        return mine < (other.group, other.kind, other.namespace or "", other.name)

    @property
    def is_secret(self) -> bool:
        """Whether values of the object are never to be shown or kept."""
        return self.group == "" and self.kind == "Secret"

    @property
    def label(self) -> str:
        """For people: ``MachineDeployment fleet/web``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def version_of(api_version: str) -> str:
    """``v1beta2`` for ``cluster.x-k8s.io/v1beta2``, ``v1`` for ``v1``."""
    return api_version.rpartition("/")[2]


def group_of(api_version: str) -> str:
    """``cluster.x-k8s.io`` for ``cluster.x-k8s.io/v1beta2``, ``""`` for ``v1``."""
    group, slash, _ = api_version.rpartition("/")
    return group if slash else ""
