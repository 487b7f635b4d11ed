"""One recorded state of an API server, for what health reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from clusterops.health import read_health
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet
from clusterops.model.report import HealthReport
from clusterops.ports import Cluster


class RecordedCluster:
    """Keeps the two reading methods of ports.Cluster."""

    def __init__(self, objects: Mapping[ObjectKey, LiveObject]) -> None:
        self._objects = objects

    async def read(self, keys: Collection[ObjectKey]) -> LiveSet:
        return LiveSet({key: self._objects.get(key) or Absent(key=key) for key in keys})

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = ""
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
