"""Whose field is it: what an apply takes, what it leaves to others, and what it hands over first."""

from __future__ import annotations

from clusterops.model.inventory import Inventory
from clusterops.model.live import LiveObject
from clusterops.plan.wanted import Wanted


def settle_owners(wanted: Wanted, found: LiveObject | None, inventory: Inventory) -> Wanted:
    """The object without the fields that are not ours to send, and with those that are ours to take."""
    return wanted
