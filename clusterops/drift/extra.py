"""Objects of our clusters that nobody accounts for: no git, no inventory, no controller."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from clusterops.capi.kinds import CLUSTER_NAME_LABEL, CORE, TOPOLOGY_OWNED_LABEL
from clusterops.capi.references import is_made_by_cluster_api, owners
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject


def extras(objects: Iterable[LiveObject], owned: Collection[ObjectKey]) -> list[LiveObject]:
    """In the order given. ``owned`` are the keys of all inventories: only what belongs to a Cluster in it counts.

    Cluster API makes the Cluster an owner, though no controller, of whatever is put beside it, so that owner alone says
    nothing; any other one made the object, or answers for it.
    """
    return [found for found in objects if found.key not in owned and _is_extra(found, owned)]


def _is_extra(found: LiveObject, owned: Collection[ObjectKey]) -> bool:
    cluster = _cluster(found)
    if cluster is None or cluster not in owned or found.key == cluster or found.deleting:
        return False
    if TOPOLOGY_OWNED_LABEL in found.labels or is_made_by_cluster_api(found.key, cluster):
        return False
    metadata = found.body["metadata"]
    controlled = any(owner.get("controller") for owner in metadata.get("ownerReferences") or ())
    return not controlled and all(owner == cluster for owner in owners(metadata, found.key.namespace))


def _cluster(found: LiveObject) -> ObjectKey | None:
    name = found.labels.get(CLUSTER_NAME_LABEL, "")
    if not name or found.key.namespace is None:
        return None
    return ObjectKey(group=CORE, kind="Cluster", namespace=found.key.namespace, name=name)
