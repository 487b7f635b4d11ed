"""Which files of the fleet repository a render reads, found without running anything.

Knows: the fields of a kustomization that name files, the parts of a chart, what counts as remote.
Gives: Graph with the closure of a kustomization, and Chart.
Never: follows a symlink, leaves the repository, lets a remote base or a plugin through.
Read first: kustomization.py, closure.py.
"""

from clusterops.render.graph.chart import Chart
from clusterops.render.graph.closure import Graph

__all__ = ["Chart", "Graph"]
