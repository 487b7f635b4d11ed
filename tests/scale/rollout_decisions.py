"""How long one rollout decision takes, by the size of the fleet: CPU beside wall, since a busy machine tells on both.

usage: python -m tests.scale.rollout_decisions [SEEDS]      (5 for each size; a minute)
"""

from __future__ import annotations

import sys

from tests.rollout_simulation.simulation import simulate
from tests.shows.show_18_simulation import spread

SIZES = (200, 1000, 2000)
AIM_MS = 50


def main(seeds: int) -> bool:
    whole = True
    for clusters in SIZES:
        runs = [simulate(seed, clusters) for seed in range(seeds)]
        cpu, wall = [each for run in runs for each in run.cpu_s], [each for run in runs for each in run.wall_s]
        print(
            f"{clusters:>5} clusters, {len(cpu):>5} decisions, ms: CPU {spread(cpu)}; wall {spread(wall)}", flush=True
        )
        whole &= sorted(cpu)[int(0.99 * (len(cpu) - 1))] * 1000 < AIM_MS
    print(f"aim: below {AIM_MS} ms of CPU for 99 of 100: {'reached' if whole else 'NOT reached'}")
    return whole


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 5) else 1)
