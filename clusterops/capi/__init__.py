"""What we know of Cluster API: kinds and their order, references, conditions. Everything here is pure.

Knows: API groups, which kinds own machines, which field names which object, which condition means settled.
Gives: tiers, ObjectKeys that a body names, the closed group of a Cluster, a verdict on one object's conditions.
Never: I/O, clocks, an opinion on what to write.
Read first: kinds.py, references.py, conditions.py.
"""
