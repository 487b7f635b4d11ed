"""What ClusterOps wrote to which cluster, and when, by the API server's audit log."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_GROUP: Final = "cluster.x-k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Of an object of a cluster: ``cluster`` is ``region/name``, ``at`` by the wall clock when it was received."""

    at: float
    cluster: str
    verb: str
    resource: str
    name: str
    code: int


def writes(log: Path, clusters: Collection[str], *, since: float = 0.0) -> list[Write]:
    """Ours, of objects of Cluster API, whatever was answered; dry runs are none. In the order of arrival."""
    return sorted(_writes(log, set(clusters), since), key=lambda each: each.at)


def _writes(log: Path, clusters: set[str], since: float) -> Iterator[Write]:
    for event in _ours(log):
        reference = event["objectRef"]
        at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
        cluster = _cluster_of(reference, clusters)
        if at >= since and cluster:
            yield Write(
                at=at,
                cluster=cluster,
                verb=event["verb"],
                resource=reference["resource"],
                name=reference["name"],
                code=event["responseStatus"]["code"],
            )


def _ours(log: Path) -> Iterator[dict[str, Any]]:
    with log.open("rb") as lines:
        for line in lines:
            if b'"userAgent":"clusterops' not in line or not line.endswith(b"\n"):
                continue
            event = json.loads(line)
            group = (event.get("objectRef") or {}).get("apiGroup", "")
            if event["verb"] in _WRITES and group.endswith(_GROUP) and "dryRun" not in event["requestURI"]:
                yield event


def _cluster_of(reference: dict[str, Any], clusters: set[str]) -> str:
    """Objects are called by their cluster, or by it, a dash and more; the longest name that fits."""
    namespace, name = reference.get("namespace", ""), reference.get("name", "")
    parts = name.split("-")
    names = (f"{namespace}/{'-'.join(parts[:count])}" for count in range(len(parts), 0, -1))
    return next((each for each in names if each in clusters), "")
