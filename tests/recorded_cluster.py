"""One recorded state of an API server, for what health reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

from clusterops.health import read_health
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet
from clusterops.model.report import HealthReport
from clusterops.ports import Cluster


class RecordedCluster:
    """Keeps the two reading methods of ports.Cluster."""

    def __init__(self, objects: Mapping[ObjectKey, LiveObject]) -> None:
        self._objects = objects

    async def read_as(self, versions: Mapping[ObjectKey, str]) -> LiveSet:
        """Every object has one version here."""
        return await self.read(versions.keys())

    async def read(self, keys: Collection[ObjectKey], *, fresh: bool = False) -> LiveSet:
        return LiveSet({key: self._objects.get(key) or Absent(key=key) for key in keys})

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        return tuple(
            one
            for key, one in sorted(self._objects.items())
            if (key.group, key.kind) == (group, kind)
            and namespace in {None, key.namespace}
            and wanted.items() <= one.labels.items()
        )


async def recorded_health(
    objects: Mapping[ObjectKey, LiveObject], keys: Collection[ObjectKey], *, machines: bool = False
) -> HealthReport:
    """What waiting would have seen, had it read everything at that moment."""
    return await read_health(cast(Cluster, RecordedCluster(objects)), keys, machines=machines)


Body = dict[str, Any]


def by_type(status: Mapping[str, Any]) -> Body:
    """A status with its conditions as a map, so that a patch names only those that moved."""
    result = dict(status)
    if "conditions" in status:
        result["conditions"] = {
            one["type"]: {k: v for k, v in one.items() if k != "type"} for one in status["conditions"]
        }
    if "v1beta2" in status:
        result["v1beta2"] = by_type(status["v1beta2"])
    return result


def listed(status: Mapping[str, Any]) -> Body:
    """The inverse of ``by_type``."""
    result = dict(status)
    if "conditions" in status:
        result["conditions"] = [{"type": kind, **one} for kind, one in status["conditions"].items()]
    if "v1beta2" in status:
        result["v1beta2"] = listed(status["v1beta2"])
    return result


def merge_patch(before: Body, after: Body) -> Body:
    """As RFC 7396 has it; neither side holds nulls."""
    patch: Body = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            if inner := merge_patch(old, value):
                patch[name] = inner
        elif old != value or name not in before:
            patch[name] = value
    return patch


def patched(before: Body, patch: Body) -> Body:
    result = {name: value for name, value in before.items() if patch.get(name, value) is not None}
    for name, value in patch.items():
        old = before.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            result[name] = patched(old, value)
        elif value is not None:
            result[name] = value
    return result


def recorded_state(folded: Mapping[str, Body]) -> dict[ObjectKey, LiveObject]:
    """Bodies with their conditions by type, as a recording keeps them."""
    found = (LiveObject.of({**body, "status": listed(body.get("status") or {})}) for body in folded.values())
    return {one.key: one for one in found}
