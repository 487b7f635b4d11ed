"""Carries a plan out: wave by wave, through ports.Cluster, with the inventory written ahead.

Knows: which write carries which precondition, what a failed object stops, when a write may be tried again.
Gives: an ApplyReport with one row per change, and the predictions of server-side dry runs.
Never: decides what to write; forces a field; deletes and creates anew; writes what the plan does not hold.
Read first: execute.py, write.py, inventory.py.
"""

from clusterops.apply.execute import apply_plan, needs_replan
from clusterops.apply.inventory import InventoryStore, new_entries
from clusterops.apply.predict import predict, predict_removals

__all__ = ["InventoryStore", "apply_plan", "needs_replan", "new_entries", "predict", "predict_removals"]
