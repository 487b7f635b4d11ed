"""How long is waited between two tries at the API server."""

from __future__ import annotations

import pytest

from clusterops.kube.exchange import BACKOFF_MAX_S, backoff_s


@pytest.mark.parametrize("attempt", [0, 5, 100, 5000])
def test_the_pause_stays_bounded_however_long_an_outage_lasts(attempt: int) -> None:
    assert 0.0 <= backoff_s(attempt) <= BACKOFF_MAX_S
