"""The FleetTarget of a target: what we own there and how it stands, in one object with one owner.

Storage of the inventory and of the status are here together, against ARCHITECTURE's apply/inventory.py: they are
fields of one document, written in one request, and two rooms writing it would meet each other's 409.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from clusterops.capi.tools import FLEET_LABEL, TARGET_ANNOTATION
from clusterops.errors import ClusterOpsError, RefusedError, TerminalError, TransientError
from clusterops.model.fleet import Target
from clusterops.model.inventory import FORMAT, Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.ports import Cluster
from clusterops.status.crds import API_VERSION, GROUP
from clusterops.status.problems import raise_unreadable
from clusterops.status.target_status import TargetStatus

KIND: Final = "FleetTarget"
SYSTEM_NAMESPACE: Final = "clusterops-system"
REWRITES: Final = 3
"""How often ``update_target`` reads again: besides us only people write here, and not that often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTarget:
    """A FleetTarget as read. ``resource_version`` is "" while it is not stored yet; ``body`` is the document as stored.

    ``suspend`` is for people: writing keeps whatever the document says.
    """

    key: ObjectKey
    fleet: str
    target: str
    inventory: Inventory
    status: TargetStatus = field(default_factory=TargetStatus)
    suspend: bool = False
    uid: str = ""
    resource_version: str = ""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def stored(self) -> bool:
        return bool(self.resource_version)


def fleet_target_key(target: Target) -> ObjectKey:
    """In the target's namespace under the cluster's name.

    What regions and fleets share has no cluster and a name with a dot, which no Cluster can have (its name is a DNS
    label): ``<region>/_shared`` is ``shared.region``, ``shared/<name>`` is ``shared.<name>``.
    """
    name = target.cluster
    if target.name.endswith("/_shared"):
        name = "shared.region"
    elif target.name.startswith("shared/"):
        name = f"shared.{target.name.removeprefix('shared/')}"
    return ObjectKey(group=GROUP, kind=KIND, namespace=target.namespace or SYSTEM_NAMESPACE, name=name)


def unstored_target(target: Target) -> StoredTarget:
    """What stands for a target that has no FleetTarget yet."""
    return StoredTarget(
        key=fleet_target_key(target), fleet=target.fleet, target=target.name, inventory=empty_inventory(target.name)
    )


async def read_target(cluster: Cluster, target: Target) -> StoredTarget:
    """With an empty inventory when there is none yet, or our kinds are not installed.

    Raises what a read raises, RefusedError ``inventory-too-new`` or ``target-taken``, TerminalError
    ``inventory-unreadable``.
    """
    key = fleet_target_key(target)
    found = (await cluster.read([key]))[key]
    if isinstance(found, Absent):
        return unstored_target(target)
    if isinstance(found, Unreadable):
        raise_unreadable(found)
    stored = stored_target(found)
    if (stored.fleet, stored.target) != (target.fleet, target.name):
        raise RefusedError(
            "target-taken",
            target.name,
            f"{key.label} belongs to target {stored.target} of fleet {stored.fleet}",
            hint="a namespace and name is one target: rename one, or delete that FleetTarget if it is a leftover",
        )
    return stored


async def list_targets(cluster: Cluster, fleet: str) -> tuple[StoredTarget, ...]:
    """All of a fleet, ordered by key, those gone from git included. Raises what a list raises.

    One that cannot be read (its inventory is newer than this release, say) is left out: it stops its own target when
    that is read or written, and no other.
    """
    found = await cluster.list_objects(GROUP, KIND, labels=f"{FLEET_LABEL}={fleet}")
    return tuple(stored for live in found if (stored := readable_target(live)) is not None)


def readable_target(live: LiveObject) -> StoredTarget | None:
    """None for one that this release cannot read."""
    try:
        return stored_target(live)
    except ClusterOpsError:
        return None


async def write_target(
    cluster: Cluster, stored: StoredTarget, *, inventory: Inventory | None = None, status: TargetStatus | None = None
) -> StoredTarget:
    """Stores the given parts in one request, or in none when nothing differs; returns what is stored now.

    Raises TransientError ``object-changed`` or ``object-exists`` when somebody wrote in between (read again),
    TerminalError ``namespace-missing`` or ``version-not-served``, and what a write raises.
    """
    wanted = replace(stored, inventory=inventory or stored.inventory, status=status or stored.status)
    body = fleet_target_body(wanted)
    if stored.stored and body == stored.body:
        return stored
    return stored_target(await (cluster.replace(body) if stored.stored else cluster.create(body)))


async def update_target(
    cluster: Cluster, stored: StoredTarget, change: Callable[[StoredTarget], StoredTarget]
) -> StoredTarget:
    """Writes ``change(stored)``; where somebody wrote in between, reads again and changes that.

    Where somebody deleted it, it is made anew with the inventory known here: what we own stays ours.
    ``change`` is pure and must derive inventory and status from its argument alone. Raises as ``write_target``.
    """
    for _ in range(REWRITES):
        try:
            wanted = change(stored)
            return await write_target(cluster, stored, inventory=wanted.inventory, status=wanted.status)
        except TransientError as error:
            if error.code not in {"object-changed", "object-exists", "object-gone"}:
                raise
            stored = await _read_again(cluster, stored)
    wanted = change(stored)
    return await write_target(cluster, stored, inventory=wanted.inventory, status=wanted.status)


async def _read_again(cluster: Cluster, stored: StoredTarget) -> StoredTarget:
    found = (await cluster.read([stored.key]))[stored.key]
    if isinstance(found, Unreadable):
        raise_unreadable(found)
    if isinstance(found, LiveObject):
        return stored_target(found)
    return replace(stored, uid="", resource_version="", body={})


async def ensure_namespace(cluster: Cluster, namespace: str, *, fleet: str) -> None:
    """Creates the Namespace where it is missing, as our own, so that a target which renders it may apply it later.

    The FleetTarget has to be stored before the first object of its target is applied, and that may be this Namespace.
    """
    key = ObjectKey(group="", kind="Namespace", namespace=None, name=namespace)
    found = (await cluster.read([key]))[key]
    if isinstance(found, Unreadable):
        raise_unreadable(found)
    if isinstance(found, LiveObject):
        return
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {FLEET_LABEL: fleet}}}
    try:
        await cluster.create(body)
    except TransientError as error:
        if error.code != "object-exists":
            raise


def fleet_target_body(stored: StoredTarget) -> dict[str, Any]:
    """The document to write: the stored one with our parts in their place, everything else untouched."""
    before = stored.body
    metadata = {**(before.get("metadata") or {}), "namespace": stored.key.namespace, "name": stored.key.name}
    metadata["labels"] = {**(metadata.get("labels") or {}), FLEET_LABEL: stored.fleet}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), TARGET_ANNOTATION: stored.target}
    if stored.stored:
        metadata |= {"uid": stored.uid, "resourceVersion": stored.resource_version}
    spec = {"suspend": stored.suspend, **(before.get("spec") or {}), "fleet": stored.fleet, "target": stored.target}
    return {
        **before,
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": spec,
        "inventory": {**(before.get("inventory") or {}), **stored.inventory.to_body()},
        "status": {**_unknown(before.get("status")), **stored.status.to_body()},
    }


def _unknown(status: Any) -> dict[str, Any]:
    """The fields of a stored status that this release does not write."""
    ours = {*TargetStatus().to_body(), "phase", "observedRevision", "inputs", "planId", "code", "message"}
    ours |= {
        "begunRevision",
        "begunAt",
        "failedAt",
        "retrying",
        "appliedRevision",
        "appliedAt",
        "settledRevision",
        "settledAt",
        "machines",
        "drift",
    }
    return {name: value for name, value in (status or {}).items() if name not in ours}


def stored_target(live: LiveObject) -> StoredTarget:
    """Raises RefusedError ``inventory-too-new``, TerminalError ``inventory-unreadable``."""
    body = live.body
    spec = body.get("spec") or {}
    target = str(spec.get("target") or "")
    return StoredTarget(
        key=live.key,
        fleet=str(spec.get("fleet") or ""),
        target=target,
        inventory=_inventory(target, live),
        status=TargetStatus.of(body.get("status") or {}),
        suspend=bool(spec.get("suspend")),
        uid=live.uid,
        resource_version=live.resource_version,
        body=body,
    )


def _inventory(target: str, live: LiveObject) -> Inventory:
    raw = live.body.get("inventory")
    stored_format = (raw or {}).get("format")
    if isinstance(stored_format, int) and stored_format > FORMAT:
        raise RefusedError(
            "inventory-too-new",
            live.key.label,
            f"inventory format {stored_format} was written by a newer release; this one knows {FORMAT}",
            hint="run the newer release, or one that reads its format; nothing was written",
        )
    try:
        return Inventory.from_body(target, raw)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError(
            "inventory-unreadable",
            live.key.label,
            f"its inventory was not written by ClusterOps: {error}",
            hint="restore it from a backup; an empty inventory would orphan what it listed",
        ) from error
