"""The Fleet object: one fleet repository, its kill switch, and which API servers it has known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from clusterops.capi.tools import FLEET_LABEL
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.rollout import Halt
from clusterops.ports import Cluster
from clusterops.status.conditions import Condition, conditions_of, parse_time, time_text
from clusterops.status.crds import API_VERSION, GROUP
from clusterops.status.fleet_target import SYSTEM_NAMESPACE
from clusterops.status.problems import raise_unreadable

KIND: Final = "Fleet"
_COUNTS: Final = ("total", "settled", "progressing", "failed", "suspended", "orphaned")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCounts:
    """``failed`` counts refused ones too."""

    total: int = 0
    settled: int = 0
    progressing: int = 0
    failed: int = 0
    suspended: int = 0
    orphaned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """``revision`` is for people (``main@3b9e0d1``), ``commit`` the full id.

    ``management`` maps each management name to the uid of that API server's kube-system namespace."""

    revision: str = ""
    commit: str = ""
    fetched_at: datetime | None = None
    resumed_revision: str = ""
    resumed_at: datetime | None = None
    message: str = ""
    targets: TargetCounts = field(default_factory=TargetCounts)
    halted: Halt | None = None
    rollouts: tuple[Mapping[str, Any], ...] = ()
    """What is under way, for people: nothing is decided by it."""
    management: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()

    def to_body(self) -> dict[str, Any]:
        texts = {
            "revision": self.revision,
            "commit": self.commit,
            "fetchedAt": time_text(self.fetched_at),
            "resumedRevision": self.resumed_revision,
            "resumedAt": time_text(self.resumed_at),
            "message": self.message,
        }
        return {
            **{name: text for name, text in texts.items() if text},
            "targets": {name: getattr(self.targets, name) for name in _COUNTS},
            **({"halted": halt_body(self.halted)} if self.halted else {}),
            **({"rollouts": [dict(one) for one in self.rollouts]} if self.rollouts else {}),
            "management": [{"name": name, "uid": uid} for name, uid in sorted(self.management.items())],
            "conditions": [condition.to_body() for condition in self.conditions],
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> FleetStatus:
        counts, halted = body.get("targets") or {}, body.get("halted")
        return cls(
            revision=str(body.get("revision") or ""),
            commit=str(body.get("commit") or ""),
            fetched_at=parse_time(body.get("fetchedAt")),
            resumed_revision=str(body.get("resumedRevision") or ""),
            resumed_at=parse_time(body.get("resumedAt")),
            message=str(body.get("message") or ""),
            targets=TargetCounts(**{name: int(counts.get(name) or 0) for name in _COUNTS}),
            halted=halt_of(halted) if halted else None,
            rollouts=tuple(body.get("rollouts") or ()),
            management={str(item["name"]): str(item["uid"]) for item in body.get("management") or ()},
            conditions=conditions_of(body.get("conditions")),
        )


def halt_body(halt: Halt) -> dict[str, Any]:
    texts = {"revision": halt.revision, "target": halt.target, "code": halt.code}
    more = {"at": time_text(halt.at), "message": halt.message}
    return texts | {name: text for name, text in more.items() if text}


def halt_of(body: Mapping[str, Any]) -> Halt:
    texts = {name: str(body.get(name) or "") for name in ("revision", "target", "code")}
    return Halt(**texts, at=parse_time(body.get("at")), message=str(body.get("message") or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFleet:
    """``suspend`` is the kill switch, for people: writing keeps what the document says."""

    key: ObjectKey
    status: FleetStatus = field(default_factory=FleetStatus)
    suspend: bool = False
    uid: str = ""
    resource_version: str = ""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def stored(self) -> bool:
        return bool(self.resource_version)


def fleet_key(fleet: str, namespace: str = SYSTEM_NAMESPACE) -> ObjectKey:
    return ObjectKey(group=GROUP, kind=KIND, namespace=namespace, name=fleet)


async def read_fleet(cluster: Cluster, fleet: str, *, namespace: str = SYSTEM_NAMESPACE) -> StoredFleet:
    """Empty and unstored when there is none, or our kinds are not installed. Raises what a read raises."""
    key = fleet_key(fleet, namespace)
    found = (await cluster.read([key]))[key]
    if isinstance(found, Absent):
        return StoredFleet(key=key)
    if isinstance(found, Unreadable):
        raise_unreadable(found)
    return stored_fleet(found)


async def write_fleet(cluster: Cluster, stored: StoredFleet, *, status: FleetStatus) -> StoredFleet:
    """One request, or none when nothing differs. Raises as ``write_target``."""
    body = fleet_body(replace(stored, status=status))
    if stored.stored and body == stored.body:
        return stored
    return stored_fleet(await (cluster.replace(body) if stored.stored else cluster.create(body)))


def fleet_body(stored: StoredFleet) -> dict[str, Any]:
    before = stored.body
    metadata = {**(before.get("metadata") or {}), "namespace": stored.key.namespace, "name": stored.key.name}
    metadata["labels"] = {**(metadata.get("labels") or {}), FLEET_LABEL: stored.key.name}
    if stored.stored:
        metadata |= {"uid": stored.uid, "resourceVersion": stored.resource_version}
    return {
        **before,
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": {"suspend": stored.suspend, **(before.get("spec") or {})},
        "status": {**_unknown(before.get("status")), **stored.status.to_body()},
    }


def _unknown(status: Any) -> dict[str, Any]:
    ours = {*FleetStatus().to_body(), "revision", "commit", "fetchedAt", "resumedRevision", "message", "halted"}
    ours |= {"resumedAt", "rollouts"}
    return {name: value for name, value in (status or {}).items() if name not in ours}


def stored_fleet(live: LiveObject) -> StoredFleet:
    return StoredFleet(
        key=live.key,
        status=FleetStatus.of(live.body.get("status") or {}),
        suspend=bool((live.body.get("spec") or {}).get("suspend")),
        uid=live.uid,
        resource_version=live.resource_version,
        body=live.body,
    )
