"""The inventory is widened before the first write, so that a crash at any write leaves nothing without an owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from clusterops.model.inventory import Entry, Inventory
from clusterops.model.plan import Action, Plan

_CLAIMS = frozenset({Action.CREATE, Action.ADOPT, Action.UPDATE, Action.ROTATE, Action.UNCHANGED})


class InventoryStore(Protocol):
    """Where a target's inventory is kept. The value that is narrowed afterwards is ``Inventory.narrowed``."""

    @property
    def inventory(self) -> Inventory:
        """As last read or written."""

    async def widen(self, entries: Sequence[Entry], *, revision: str) -> None:
        """Stores ``inventory.widened(entries, revision=revision)`` in one durable write.

        Raises TransientError when it could not be written or somebody else wrote it: then nothing may be applied.
        """


def new_entries(plan: Plan, inventory: Inventory) -> tuple[Entry, ...]:
    """Entries for what the plan writes, or finds as ours, and the inventory does not hold yet; ordered by key."""
    return tuple(
        sorted(
            Entry(key=change.key, api_version=change.desired.api_version)
            for change in plan.changes
            if change.action in _CLAIMS and change.desired is not None and change.key not in inventory.entries
        )
    )
