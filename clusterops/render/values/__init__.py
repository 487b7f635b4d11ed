"""Values files as layers: merged as helm merges them, and checked with the place of every mistake.

Knows: the order of layers, what is reserved for us, JSON Schema as far as a chart's values.schema.json uses it.
Gives: Layers, check_values, ValuesError.
Never: I/O.
Read first: layers.py, check.py.
"""

from clusterops.render.values.check import ValuesError, check_values
from clusterops.render.values.layers import Layer, Layers, read_layer

__all__ = ["Layer", "Layers", "ValuesError", "check_values", "read_layer"]
