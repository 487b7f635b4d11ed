"""The face for people: commands, screens, exit codes. The only reader of the environment and the arguments.

Knows: what a person types, and how to say back what happened.
Gives: exit codes 0 done, 1 error, 2 changes (`--detailed-exitcode` only), 3 refused, 64 wrong usage.
Never: decides anything about a cluster.
Read first: root.py, screen.py.
"""

from clusterops.cli.root import main

__all__ = ["main"]
