"""Refusals that save a day: what Cluster API would accept, or answer with a riddle, and nobody can want.

Knows: versions, counts, fields that never change, references, and the variables of a topology.
Gives: a Problem per object with the field and what to do instead; the keys that have to be read for it.
Never: a refusal out of doubt: what could not be read, or whose kind is not served, is no reason.
Read first: judge.py, view.py.
"""

from clusterops.plan.rules.judge import also_looked_at, refusals

__all__ = ["also_looked_at", "refusals"]
