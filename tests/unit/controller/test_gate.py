"""The write gate: closed without a Lease, after the renew deadline, and while the fleet is suspended."""

from __future__ import annotations

import pytest

from clusterops.controller.lease import Gate
from clusterops.errors import RefusedError, TransientError
from clusterops.model.key import ObjectKey
from tests.fake_clock import FakeClock

CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="north", name="alpha")
LEASE = ObjectKey(group="coordination.k8s.io", kind="Lease", namespace="clusterops-system", name="clusterops-demo")


def test_nothing_is_written_before_the_lease_is_held() -> None:
    with pytest.raises(TransientError, match="lease-lost"):
        Gate(clock=FakeClock()).check(CLUSTER)


async def test_the_gate_closes_by_itself_at_the_deadline() -> None:
    clock = FakeClock()
    gate = Gate(clock=clock, open_until_s=clock.boottime_s() + 10)
    gate.check(CLUSTER)
    await clock.advance(10)
    with pytest.raises(TransientError, match="lease-lost"):
        gate.check(CLUSTER)


def test_a_suspended_fleet_writes_nothing_even_with_the_lease() -> None:
    clock = FakeClock()
    gate = Gate(clock=clock, open_until_s=clock.boottime_s() + 10, suspended=True)
    with pytest.raises(RefusedError, match="fleet-suspended"):
        gate.check(CLUSTER)


def test_the_lease_itself_passes_a_closed_gate() -> None:
    Gate(clock=FakeClock(), suspended=True).check(LEASE)
