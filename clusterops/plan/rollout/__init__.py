"""Pace: which clusters of which commits may begin now, and what every other one waits for. Pure.

A commit that touches one cluster goes at once. One that touches more goes in stages: canaries first (and clusters that
an earlier commit left unsettled, which are the best canaries of all), then ring after ring. A stage begins when the
one before it has settled and, where machines moved, has soaked. Within a stage clusters follow one another as long as
neither clusters nor machines on their way are too many. What is decided follows from what git says and from what the
FleetTargets and the Fleet have recorded, so every process decides the same.
"""

from clusterops.plan.rollout.decide import decide
from clusterops.plan.rollout.reach import at_once, reach_of
from clusterops.plan.rollout.stages import steps

__all__ = ["at_once", "decide", "reach_of", "steps"]
