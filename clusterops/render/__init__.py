"""From a Snapshot and a Target to a RenderedSet.

Knows: helm and kustomize as processes, what each reads, clusterctl's templates, layered values and their schema,
and what SOPS encrypted of them.
Gives: ProcessRenderer (ports.Renderer), explain and Explanation, trace, with_file for trials, ValuesError with every
problem of a target's values.
Never: talks to a cluster or a network, lets a tool read a file that is no part of the fingerprint, writes a Secret
to the cache on disk, or what was decrypted to any, applies a Helm hook.
Read first: renderer.py, inputs.py, graph/kustomization.py, values/layers.py.
"""

from clusterops.render.explain import Explanation, explain, trace
from clusterops.render.renderer import ProcessRenderer
from clusterops.render.search import with_file
from clusterops.render.values import ValuesError

__all__ = ["Explanation", "ProcessRenderer", "ValuesError", "explain", "trace", "with_file"]
