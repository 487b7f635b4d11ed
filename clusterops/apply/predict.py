"""What the server would make of a manifest: the dry runs that a plan is built on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

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


async def _dry_run(cluster: Cluster, manifest: Manifest, *, uid: str, force: bool) -> LiveObject | Problem:
    try:
        return await cluster.apply(manifest.body, uid=uid, force=force, dry_run=True)
    except TransientError as error:
        if error.code == "object-changed":
            return Problem.of(error)
        raise
    except ClusterOpsError as error:
        return Problem.of(error)


def _first(failures: BaseExceptionGroup[ClusterOpsError]) -> ClusterOpsError:
    found = failures.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
