"""The files of the fleet repository as values.

Knows: the layout (clusters/, regions/, clouds/, shared/) and the schema of every file that we read ourselves.
Gives: read_fleet, and FleetReader which remembers what it parsed; problems with file, line and column, all at once.
Never: I/O other than the snapshot's reader; a guess where two readings are possible; a target silently left out.
Read first: tables.py (the schema), reader.py, recipe.py.
"""

from clusterops.source.fleet.reader import FleetReader, read_fleet

__all__ = ["FleetReader", "read_fleet"]
