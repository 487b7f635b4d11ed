"""Kubernetes Events about targets and their objects. Telling must never stop the work that it tells about."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from clusterops.errors import ClusterOpsError
from clusterops.model.canonical import digest_of
from clusterops.model.key import ObjectKey
from clusterops.ports import Cluster
from clusterops.status.fleet_target import SYSTEM_NAMESPACE

CONTROLLER: Final = "clusterops.io/clusterops"
NOTE_LIMIT: Final = 1024
"""**Source:** events.k8s.io/v1, Event.note: "less than 1kB"; counted in bytes of UTF-8."""


def event_body(
    key: ObjectKey,
    *,
    reason: str,
    note: str,
    revision: str,
    now: datetime,
    instance: str,
    uid: str = "",
    api_version: str = "",
    action: str = "Reconcile",
    warning: bool = False,
) -> dict[str, Any]:
    """An events.k8s.io/v1 Event regarding ``key``.

    Its name follows from object, reason and revision, so that saying the same again is an "already exists".
    """
    namespace = key.namespace or "default"
    name = f"{key.name[:200].rstrip('-.')}.{digest_of([str(key), uid, reason, revision])[:16]}"
    regarding = {
        "apiVersion": api_version,
        "kind": key.kind,
        "namespace": key.namespace or "",
        "name": key.name,
        "uid": uid,
    }
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "regarding": {field: text for field, text in regarding.items() if text},
        "reason": reason,
        "action": action,
        "note": note.encode()[: NOTE_LIMIT - 1].decode("utf-8", "ignore"),
        "type": "Warning" if warning else "Normal",
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128] or SYSTEM_NAMESPACE,
    }


async def record_event(cluster: Cluster, body: dict[str, Any]) -> bool:
    """Whether it is new. Never raises an expected error."""
    try:
        await cluster.create(body)
    except ClusterOpsError:
        return False
    return True
