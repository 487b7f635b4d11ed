"""What git wants: one object, and the whole of one target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from clusterops.model.canonical import digest_of
from clusterops.model.key import ObjectKey
from clusterops.model.problem import Problem
from clusterops.model.secret import NO_SECRETS, SecretValues


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One desired object. ``digest`` is the sha256 of the canonical JSON of ``body``; treat ``body`` as frozen."""

    key: ObjectKey
    api_version: str
    body: Mapping[str, Any] = field(repr=False, compare=False)
    digest: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Manifest:
        """Raises ValueError when apiVersion, kind or metadata.name is missing."""
        return cls(key=ObjectKey.of(body), api_version=str(body["apiVersion"]), body=body, digest=digest_of(body))

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.body["metadata"].get("annotations") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        return self.body["metadata"].get("labels") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A rendered object that is never applied (a Helm hook), and why."""

    key: ObjectKey
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a rendered set comes from. ``inputs`` is the digest of every file read and every tool used."""

    target: str
    inputs: str
    paths: tuple[str, ...] = ()
    cached: bool = field(default=False, compare=False)
    duration_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedSet:
    """All objects of one target, ordered by key, each key once. Equal manifests give an equal ``digest``."""

    manifests: tuple[Manifest, ...]
    provenance: Provenance = field(compare=False)
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    secrets: SecretValues = field(default=NO_SECRETS, compare=False, repr=False)
    """What was decrypted for it: shown nowhere, whatever it became a part of."""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.manifests, key=lambda manifest: manifest.key))
        keys = [manifest.key for manifest in ordered]
        if len(set(keys)) != len(keys):
            twice = next(key for key, following in pairwise(keys) if key == following)
            raise ValueError(f"{twice.label} is rendered twice")
        object.__setattr__(self, "manifests", ordered)
        object.__setattr__(self, "digest", digest_of([[str(m.key), m.digest] for m in ordered]))

    @property
    def shown(self) -> list[Any]:
        """The bodies as people may see them: what was decrypted is hidden."""
        return [self.secrets.shown(manifest.body) for manifest in self.manifests]

    @property
    def keys(self) -> tuple[ObjectKey, ...]:
        return tuple(manifest.key for manifest in self.manifests)


def empty_set(target: str) -> RenderedSet:
    """What a target that is gone from git is planned against."""
    return RenderedSet(manifests=(), provenance=Provenance(target=target, inputs=""))
