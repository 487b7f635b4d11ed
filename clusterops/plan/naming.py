"""Names of templates: an immutable one is never edited, it becomes a new object and every reference follows.

A changed reference is itself a rollout, so a name that is in use stays while its content is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Change
from clusterops.plan.wanted import Wanted


def named(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> tuple[Wanted, ...]:
    """Every object under the name that it is sent with, references rewritten, in the given order."""
    return tuple(Wanted.as_written(manifest) for manifest in manifests)


def named_after(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> frozenset[ObjectKey]:
    """Keys that ``named`` has to see: templates that live owners refer to, and generations that may exist already."""
    return frozenset()


def as_author_wrote(change: Change, wanted: Wanted, live: LiveSet) -> Change:
    """A rotation told as the edit that it is, not as a rename."""
    return change
