"""What the server would make of a manifest: the dry runs that a plan is built on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping
from typing import Any

from clusterops.errors import ClusterOpsError, TransientError
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.problem import Problem
from clusterops.ports import Cluster


async def predict(
    cluster: Cluster,
    manifests: Iterable[Manifest],
    live: LiveSet,
    *,
    forced: Collection[ObjectKey] = (),
    concurrency: int = 16,
) -> dict[ObjectKey, LiveObject | Problem]:
    """Server-side dry runs of ``plan.may_differ``, ``concurrency`` at once; a refused one is its Problem.

    ``forced`` are those that are to take fields from others.

    They carry the uid but no resourceVersion: status moves all the time and a dry run writes nothing. Raises
    TransientError when the API server cannot be asked.
    """
    gate = asyncio.Semaphore(concurrency)

    async def one(manifest: Manifest) -> tuple[ObjectKey, LiveObject | Problem]:
        there = live.found(manifest.key)
        async with gate:
            uid, force = there.uid if there else "", manifest.key in forced
            return manifest.key, await _dry_run(cluster, manifest, uid=uid, force=force)

    tasks: list[asyncio.Task[tuple[ObjectKey, LiveObject | Problem]]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(manifest), name=f"dry-run {manifest.key}") for manifest in manifests]
    except* ClusterOpsError as failures:
        raise _first(failures) from failures
    return dict(task.result() for task in tasks)


async def predict_removals(
    cluster: Cluster, bodies: Iterable[Mapping[str, Any]], live: LiveSet, *, concurrency: int = 16
) -> dict[ObjectKey, LiveObject | Problem]:
    """What the server makes of objects without the fields of ``plan.bereft``: some it sets anew, by default.

    And of those of ``plan.replaced``, in which list items take the place of others.

    Dry runs; raises TransientError when the API server cannot be asked.
    """
    gate = asyncio.Semaphore(concurrency)

    async def one(there: LiveObject, body: Mapping[str, Any]) -> tuple[ObjectKey, LiveObject | Problem]:
        async with gate:
            return there.key, await _answered(cluster.rehearse(there, body))

    found = [(live.found(ObjectKey.of(body)), body) for body in bodies]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(there, body)) for there, body in found if there is not None]
    except* ClusterOpsError as failures:
        raise _first(failures) from failures
    return dict(task.result() for task in tasks)


async def _dry_run(cluster: Cluster, manifest: Manifest, *, uid: str, force: bool) -> LiveObject | Problem:
    return await _answered(cluster.apply(manifest.body, uid=uid, force=force, dry_run=True))


async def _answered(asked: Awaitable[LiveObject]) -> LiveObject | Problem:
    try:
        return await asked
    except TransientError as error:
        if error.code == "object-changed":
            return Problem.of(error)
        raise
    except ClusterOpsError as error:
        return Problem.of(error)


def _first(failures: BaseExceptionGroup[ClusterOpsError]) -> ClusterOpsError:
    found = failures.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
