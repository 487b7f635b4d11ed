"""What the API server holds, and the difference between "not there" and "could not be read"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterops.model.key import ObjectKey
from clusterops.model.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """One managedFields entry. ``fields`` is the raw fieldsV1 mapping; ``time`` is RFC 3339 or empty."""

    name: str
    operation: str
    subresource: str = ""
    api_version: str = ""
    time: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObject:
    """``body`` is the object as served, without managedFields (those are in ``managers``); treat it as frozen."""

    key: ObjectKey
    uid: str
    resource_version: str
    managers: tuple[Manager, ...] = ()
    body: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> LiveObject:
        """From an API server's answer. Raises ValueError when it is no object."""
        metadata = dict(body.get("metadata") or {})
        raw_managers = metadata.pop("managedFields", None) or ()
        stripped = {**body, "metadata": metadata}
        return cls(
            key=ObjectKey.of(body),
            uid=str(metadata.get("uid", "")),
            resource_version=str(metadata.get("resourceVersion", "")),
            managers=tuple(
                Manager(
                    name=str(raw.get("manager", "")),
                    operation=str(raw.get("operation", "")),
                    subresource=str(raw.get("subresource", "")),
                    api_version=str(raw.get("apiVersion", "")),
                    time=str(raw.get("time") or ""),
                    fields=raw.get("fieldsV1") or {},
                )
                for raw in raw_managers
            ),
            body=stripped,
        )

    @property
    def generation(self) -> int:
        return int(self.body["metadata"].get("generation") or 0)

    @property
    def deleting(self) -> bool:
        return bool(self.body["metadata"].get("deletionTimestamp"))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.body["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.body["metadata"].get("annotations") or {}

    def managed_by(self, name: str) -> bool:
        return any(manager.name == name for manager in self.managers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The server said: not found (or: its kind is not served)."""

    key: ObjectKey
    kind_served: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Nobody knows whether it is there; never treated as absence."""

    key: ObjectKey
    problem: Problem


@dataclass(frozen=True, slots=True)
class LiveSet:
    """What was read, by key. A key that was never asked for is a KeyError, not an absence."""

    objects: Mapping[ObjectKey, LiveObject | Absent | Unreadable]

    def __getitem__(self, key: ObjectKey) -> LiveObject | Absent | Unreadable:
        return self.objects[key]

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def found(self, key: ObjectKey) -> LiveObject | None:
        """The object if it was read, else None (absent and unreadable alike: only for display)."""
        value = self.objects.get(key)
        return value if isinstance(value, LiveObject) else None

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        return tuple(value for _, value in sorted(self.objects.items()) if isinstance(value, Unreadable))
