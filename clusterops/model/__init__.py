"""The nouns: frozen values that the rooms hand to each other.

Knows: what a key, a snapshot, a target, a manifest, a plan, an inventory and an outcome are, and their algebra.
Gives: immutable, comparable values; digests and ids that are equal for equal content.
Never: I/O, clocks, randomness, logging.
Read first: key.py, manifest.py, plan.py, inventory.py.
"""
