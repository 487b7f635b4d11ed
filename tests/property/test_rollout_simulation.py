"""Random fleets through random days: what holds at every instant of a rollout, whatever fails and whoever dies."""

from __future__ import annotations

import pytest

from tests.rollout_simulation.simulation import simulate

SEEDS, AT_ONCE = 60, 6


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_rollout_invariants_hold_at_every_instant(first: int) -> None:
    """Limits, stages and soak, windows and halts; the same decision after a crash; nobody forgotten at the end."""
    for seed in range(first, first + AT_ONCE):
        simulate(seed, 200)
