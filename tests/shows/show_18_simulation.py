"""Random fleets through random weeks: every rollout decision taken by plan/rollout, every invariant at every instant.

usage: python -m tests.shows.show_18_simulation [--seeds 1000] [--clusters 2000] [--first 0]    (two processes)

Ends with 1 where an invariant does not hold, and prints the seed: ``--first SEED --seeds 1`` plays it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from statistics import median

from tests.rollout_simulation.invariants import Violation
from tests.rollout_simulation.simulation import Figures, simulate

_PROGRESS = 25


def play(seed: int, clusters: int) -> Figures | str:
    try:
        return simulate(seed, clusters)
    except Violation as violation:
        return f"seed {seed}: {violation}"


def main(first: int, seeds: int, clusters: int) -> bool:
    began_s = time.monotonic()
    runs: list[Figures] = []
    violations: list[str] = []
    with ProcessPoolExecutor(max_workers=2) as pool:
        played = pool.map(play, range(first, first + seeds), [clusters] * seeds, chunksize=5)
        for number, told in enumerate(played, start=1):
            if isinstance(told, str):
                violations.append(told)
                print(told, flush=True)
            else:
                runs.append(told)
            if number % _PROGRESS == 0 or number == seeds:
                print(f"{number} of {seeds} seeds in {time.monotonic() - began_s:.0f} s", flush=True)
    print("\n".join(figures(runs, clusters)))
    print(f"{len(violations)} violations in {seeds} seeds" + "".join(f"\n  {each}" for each in violations))
    return not violations


def figures(runs: list[Figures], clusters: int) -> list[str]:
    if not runs:
        return []
    cpu, wall = ([each for run in runs for each in getattr(run, name)] for name in ("cpu_s", "wall_s"))
    days = sum(run.simulated_s for run in runs) / 86400
    return [
        f"{clusters} clusters, {len(runs)} runs, {days:.0f} days: {sum(run.begun for run in runs)} targets begun, "
        f"{sum(run.failed for run in runs)} failed, {sum(run.halts for run in runs)} halts, "
        f"{sum(run.crashes for run in runs)} crashes, {sum(run.ends_held > 0 for run in runs)} runs end held",
        f"{len(cpu)} decisions, ms: CPU {spread(cpu)}; wall {spread(wall)}",
    ]


def spread(times: list[float]) -> str:
    """Of seconds, in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[int(0.99 * (len(ordered) - 1))]
    return f"median {1000 * median(ordered):.1f}, p99 {1000 * p99:.1f}, worst {1000 * ordered[-1]:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--clusters", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    sys.exit(0 if main(given.first, given.seeds, given.clusters) else 1)
