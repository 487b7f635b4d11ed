"""ports.LiveCache on a real API server, alone and behind a proxy that cuts and refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.kube import CachedCluster, KubeCluster
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject
from clusterops.ports import Clock, Followed, LiveCache
from clusterops.sandbox import Sandbox
from clusterops.telemetry import Metrics, build_logger
from tests.doors.flaky_api import FlakyApi, Seen, flaky_api
from tests.doors.test_cluster import config_map, connected, key_of

pytestmark = pytest.mark.apiserver

CONFIG_MAPS = Followed(group="", kind="ConfigMap", version="v1")


@asynccontextmanager
async def cached(
    kubeconfig: Path, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[tuple[CachedCluster, KubeCluster]]:
    async with connected(kubeconfig, clock=clock, **settings) as plain:
        logger = build_logger(level="critical")
        async with CachedCluster(plain, logger=logger, metrics=Metrics(), clock=clock or SystemClock()) as cache:
            yield cache, plain


class Changes:
    """Collects what a cache tells, for tests that act meanwhile."""

    def __init__(self, cache: LiveCache) -> None:
        self.told: list[ObjectKey] = []
        self._task = asyncio.create_task(self._collect(cache))

    async def _collect(self, cache: LiveCache) -> None:
        async for key in cache.changes():
            self.told.append(key)

    def of(self, namespace: str) -> list[str]:
        return [key.name for key in self.told if key.namespace == namespace]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def until(probe: Callable[[], object], what: str = "it") -> None:
    async with asyncio.timeout(120):
        while not probe():  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.02)


@pytest.fixture
async def other(apiserver: Sandbox) -> AsyncIterator[KubeCluster]:
    """Another client."""
    async with connected(apiserver.kubeconfig) as connection:
        yield connection


@pytest.fixture
async def flaky(apiserver: Sandbox) -> AsyncIterator[FlakyApi]:
    async with flaky_api(apiserver) as proxy:
        yield proxy


_COUNT = iter(range(1, 1000))


@pytest.fixture
async def namespace(other: KubeCluster) -> str:
    name = f"live-{next(_COUNT)}"
    await other.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


async def test_a_followed_kind_is_answered_without_a_request_and_told_of(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    await other.create(config_map(namespace, "a", {"x": "1"}))
    async with cached(flaky.kubeconfig(tmp_path)) as (cache, plain):
        cache.follow([CONFIG_MAPS])
        await cache.synced()
        changes = Changes(cache)
        await until(lambda: changes.of(namespace) == ["a"])
        await plain.find("", "ConfigMap")
        flaky.seen.clear()
        keys = [key_of(namespace, "a"), key_of(namespace, "b")]
        live = await cache.read(keys)
        assert live.found(keys[0]) == (await other.read(keys)).found(keys[0])
        assert live[keys[1]] == Absent(key=keys[1])
        assert [each.key.name for each in await cache.list_objects("", "ConfigMap", namespace=namespace)] == ["a"]
        assert not [seen for seen in flaky.seen if not _is_watch(seen)]
        await other.create(config_map(namespace, "b", {}))
        await until(lambda: changes.of(namespace) == ["a", "b"])
        assert isinstance((await cache.read(keys))[keys[1]], LiveObject)
        await changes.stop()


def _is_watch(seen: Seen) -> bool:
    return "watch=true" in seen.path
