"""Whether objects moved, as the live cache knows it without unpacking them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusterops.health.wait import Stamps
from clusterops.kube import KubeCluster
from tests.doors.flaky_api import FlakyApi
from tests.doors.test_cluster import config_map, key_of
from tests.doors.test_live_cache import CONFIG_MAPS, asked, cached, flaky, namespace, other, until  # noqa: F401

pytestmark = pytest.mark.apiserver


async def test_a_stamp_moves_with_its_objects_and_costs_no_request(
    other: KubeCluster,  # noqa: F811
    namespace: str,  # noqa: F811
    flaky: FlakyApi,  # noqa: F811
    tmp_path: Path,
) -> None:
    keys = [key_of(namespace, "a"), key_of(namespace, "b")]
    await other.create(config_map(namespace, "a", {"x": "1"}))
    async with cached(flaky.kubeconfig(tmp_path)) as (cache, plain):
        assert isinstance(cache, Stamps)
        assert cache.stamp(keys) is None, "nothing is followed yet"
        cache.follow([CONFIG_MAPS])
        await cache.synced()
        await plain.find("", "ConfigMap")
        flaky.seen.clear()
        first = cache.stamp(keys)
        assert first is not None
        assert first[1] == "", "b is not there"
        assert cache.stamp(keys) == first
        await other.apply(config_map(namespace, "a", {"x": "2"}), force=True)
        await until(lambda: cache.stamp(keys) != first)
        assert not asked(flaky)


async def test_what_has_no_such_label_may_be_there_all_the_same(
    other: KubeCluster,  # noqa: F811
    namespace: str,  # noqa: F811
    flaky: FlakyApi,  # noqa: F811
    tmp_path: Path,
) -> None:
    await other.create(config_map(namespace, "plain", {}))
    async with cached(flaky.kubeconfig(tmp_path)) as (cache, _):
        cache.follow([replace(CONFIG_MAPS, labels="clusterops.io/fleet=platform")])
        await cache.synced()
        assert cache.stamp([key_of(namespace, "plain")]) is None
