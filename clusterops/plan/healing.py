"""What putting drift back would do to machines."""

from __future__ import annotations

from clusterops.model.drift import Healing
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Change, Plan


def healed_with_machines(plan: Plan, healing: Healing) -> frozenset[ObjectKey]:
    """Objects whose write puts drift back, by the way or because it was to be healed, and goes with machines."""
    return frozenset(change.key for change in plan.changes if _heals(change, healing) and _price(change))


def price_of(plan: Plan, key: ObjectKey) -> int:
    """Machines that a plan replaces or removes on account of one object; what cannot be told counts as all of them."""
    return sum(_price(change) for change in plan.changes if change.key == key)


def _heals(change: Change, healing: Healing) -> bool:
    return change.writes and bool(change.heals or healing.covers(change.key))


def _price(change: Change) -> int:
    return change.impact.replaced + change.impact.removed if change.impact is not None and change.writes else 0
