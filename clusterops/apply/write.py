"""One change as one write, with the precondition that makes it safe to try again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from clusterops.capi.kinds import is_cluster
from clusterops.errors import ClusterOpsError, TransientError
from clusterops.model.bodies import with_leaf
from clusterops.model.leaves import Path
from clusterops.model.live import LiveObject
from clusterops.model.managers import OURS, reclaimed, taken_over
from clusterops.model.plan import Action, Change
from clusterops.model.report import Result
from clusterops.model.sketch import Sketch, held_of
from clusterops.ports import Cluster

CREATE_ONLY: Final = "1"
"""As resourceVersion of a server-side apply: creates, or answers 409 when the object is there.

**Source:** apiserver pkg/registry/generic/registry/store.go Update (v1.36): an absent object is created whatever
resourceVersion is sent, a present one must have it, and no object has 1, etcd's first revision. Seen on 1.36.3 for
custom resources, ConfigMap and Namespace. A POST would be as safe, but owns its fields as an Update, so that a field
that git drops later would stay.
"""

ATTEMPTS: Final = 4
"""Of one write whose object only moved in status: controllers write it several times a second during a rollout."""


class Written:
    """What a write came to; ``attempts`` counts also when it raises."""

    __slots__ = ("attempts", "held", "result", "uid")

    def __init__(self) -> None:
        self.attempts = 0
        self.result = Result.FAILED
        self.uid = ""
        self.held: Sketch | None = None


Step = Callable[[Change, LiveObject | None, Cluster, Written], Awaitable[LiveObject | None]]


async def write(change: Change, cluster: Cluster, written: Written) -> None:
    """Applies or deletes one object. Raises ClusterOpsError, ``object-changed`` when the plan no longer holds."""
    live = change.live
    for step in _steps(change):
        live = await _persisted(step, change, live, cluster, written)


def _steps(change: Change) -> tuple[Step, ...]:
    """A kill between two of them leaves a state that the next plan carries on from."""
    if change.action is Action.PRUNE:
        return (_prune,)
    if change.live is None:
        return (_apply,)
    items = change.reclaims if not change.adopts else ()
    before = ((_adopt, change.adopts), (_reclaim, items), (_hand_over, change.hands_over))
    return (*(step for step, what in before if what), _apply)


async def _persisted(
    step: Step, change: Change, live: LiveObject | None, cluster: Cluster, written: Written
) -> LiveObject | None:
    """One request, again while only the object's status moved under it."""
    tries = 0
    while True:
        tries += 1
        written.attempts += 1
        try:
            return await step(change, live, cluster, written)
        except TransientError as error:
            if error.code != "object-changed" or live is None or tries >= ATTEMPTS:
                raise
            live = await _only_status_moved(live, cluster, error)


async def _prune(change: Change, live: LiveObject | None, cluster: Cluster, written: Written) -> None:
    if live is not None:
        await cluster.delete(change.key, uid=live.uid, resource_version=live.resource_version)
    stays = live is not None and (is_cluster(live.key) or bool(live.body["metadata"].get("finalizers")))
    written.result = Result.DELETING if stays else Result.PRUNED


async def _apply(change: Change, live: LiveObject | None, cluster: Cluster, written: Written) -> LiveObject:
    assert change.desired is not None, f"{change.key} is to be applied without a manifest"
    applied = await cluster.apply(
        change.desired.body,
        uid=live.uid if live else "",
        resource_version=live.resource_version if live else CREATE_ONLY,
        force=bool(change.takes),
    )
    written.uid, written.result = applied.uid, Result.APPLIED
    written.held = held_of(applied, change.applied) | change.owed
    return applied


async def _adopt(change: Change, live: LiveObject | None, cluster: Cluster, written: Written) -> LiveObject:
    """Old managers' entries become ours, and the apply that follows removes what git does not set."""
    assert live is not None
    version = str(live.body["apiVersion"])
    return await cluster.set_managers(live, taken_over(live.managers, change.adopts, by=OURS, api_version=version))


async def _reclaim(change: Change, live: LiveObject | None, cluster: Cluster, written: Written) -> LiveObject:
    """Items that stand in the place of git's become ours, and the apply that follows removes them."""
    assert live is not None
    items: dict[str, list[Path]] = {}
    for one in change.reclaims:
        items.setdefault(one.manager, []).append(one.path)
    version = str(live.body["apiVersion"])
    return await cluster.set_managers(live, reclaimed(live.managers, items, by=OURS, api_version=version))


async def _hand_over(change: Change, live: LiveObject | None, cluster: Cluster, written: Written) -> LiveObject:
    """The live values once more, as the manager that keeps them while git lets go."""
    assert live is not None
    assert change.desired is not None
    (manager,) = {one.manager for one in change.hands_over}
    body = _identity(change.desired.body)
    for one in change.hands_over:
        body = with_leaf(body, one.pointer, one.value)
    return await cluster.apply(body, uid=live.uid, resource_version=live.resource_version, field_manager=manager)


def _identity(body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {field: body["metadata"][field] for field in ("name", "namespace") if field in body["metadata"]}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata}


async def _only_status_moved(before: LiveObject, cluster: Cluster, error: ClusterOpsError) -> LiveObject:
    """The object as it is now, when nothing that the plan looked at moved; else raises ``error``."""
    now = (await cluster.read([before.key], fresh=True)).found(before.key)
    if now is None or _planned_on(now) != _planned_on(before):
        raise error
    return now


def _planned_on(live: LiveObject) -> tuple[Mapping[str, Any], list[Any]]:
    metadata = {field: value for field, value in live.body["metadata"].items() if field != "resourceVersion"}
    body = {field: value for field, value in live.body.items() if field != "status"}
    spec_managers = [one for one in live.managers if one.subresource != "status"]
    return {**body, "metadata": metadata}, [(one.name, one.operation, one.fields) for one in spec_managers]
