"""The Lease on a real API server: one holder at a time, given back whatever was under way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.controller.lease import FleetLease, Gate
from clusterops.kube import KubeCluster
from clusterops.model.live import LiveObject
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, DaemonSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger

pytestmark = pytest.mark.apiserver


@pytest.fixture
async def cluster(apiserver: Sandbox) -> AsyncIterator[KubeCluster]:
    async with KubeCluster.connect(
        ClusterSettings(kubeconfig=apiserver.kubeconfig),
        NetworkSettings(),
        logger=build_logger(level="error"),
        metrics=Metrics(),
        clock=SystemClock(),
    ) as connected:
        yield connected


def _lease(cluster: KubeCluster, fleet: str, identity: str) -> FleetLease:
    clock = SystemClock()
    settings = DaemonSettings(namespace="default", identity=identity)
    return FleetLease(fleet=fleet, cluster=cluster, gate=Gate(clock=clock), clock=clock, settings=settings)


async def _holder(lease: FleetLease) -> str:
    live = (await lease.cluster.read([lease.key]))[lease.key]
    assert isinstance(live, LiveObject)
    return str(live.body["spec"].get("holderIdentity", ""))


async def test_a_held_lease_is_not_taken_and_a_released_one_is(cluster: KubeCluster) -> None:
    first, second = _lease(cluster, "one-holder", "first"), _lease(cluster, "one-holder", "second")
    assert await first.try_acquire() == ""
    assert first.held
    assert await second.try_acquire() == "first"
    assert not second.held
    await first.release()
    assert not first.held
    assert await second.try_acquire() == ""
    assert await _holder(second) == "second"


async def test_release_gives_back_also_after_a_renewal_whose_answer_was_lost(cluster: KubeCluster) -> None:
    lease = _lease(cluster, "lost-answer", "me")
    assert await lease.try_acquire() == ""
    # The same process renews once more, and never learns that the server took it.
    assert await _lease(cluster, "lost-answer", "me").try_acquire() == ""
    await lease.release()
    assert await _holder(lease) == ""


async def test_release_leaves_a_lease_alone_that_somebody_else_holds_by_now(cluster: KubeCluster) -> None:
    lease = _lease(cluster, "taken-over", "me")
    assert await lease.try_acquire() == ""
    live = (await cluster.read([lease.key]))[lease.key]
    assert isinstance(live, LiveObject)
    await cluster.replace({**live.body, "spec": {**live.body["spec"], "holderIdentity": "rival"}})
    await lease.release()
    assert await _holder(lease) == "rival"
