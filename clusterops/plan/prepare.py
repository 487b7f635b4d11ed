"""What git says, made ready to be sent: names of templates chosen, fields of other owners left out.

The plan chooses, not the render: both depend on what is live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.manifest import RenderedSet
from clusterops.plan.classes import NO_CLASSES, Classes, followed
from clusterops.plan.fields import sendable
from clusterops.plan.naming import named, named_after
from clusterops.plan.ownership import settle_owners
from clusterops.plan.rules import also_looked_at
from clusterops.plan.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A rendered set as it would be sent. ``wanted`` is by the key that an object is sent under."""

    rendered: RenderedSet
    wanted: Mapping[ObjectKey, Wanted]
    classes: Classes = NO_CLASSES


def versions_to_read(rendered: RenderedSet, inventory: Inventory) -> dict[ObjectKey, str]:
    """apiVersion by key, of what git has and of what is owned: as git writes it now, or as it was applied."""
    applied = {key: entry.api_version for key, entry in inventory.entries.items()}
    return {**applied, **{manifest.key: manifest.api_version for manifest in rendered.manifests}}


def also_read(
    rendered: RenderedSet, live: LiveSet, inventory: Inventory, classes: Classes = NO_CLASSES
) -> frozenset[ObjectKey]:
    """Keys outside the target and its inventory that the plan has to see; ask again once they are read."""
    manifests = [sendable(manifest) for manifest in rendered.manifests]
    sent = [followed(Wanted.as_written(manifest), live, classes).manifest for manifest in manifests]
    asked = named_after(manifests, live, inventory) | also_looked_at(sent, live)
    return frozenset(key for key in asked if key not in live.objects)


def prepare(
    rendered: RenderedSet,
    live: LiveSet,
    inventory: Inventory,
    healing: Healing = NO_HEALING,
    classes: Classes = NO_CLASSES,
) -> Prepared:
    """In the order of the rendered set; ``healing`` says which drift is put back. Pure; O(objects * references).

    ``classes`` are those of shared targets that the target's Clusters name.
    """
    manifests = [sendable(manifest) for manifest in rendered.manifests]
    rows = named(manifests, live, inventory)
    known = classes.beside(rows)
    rows = tuple(followed(row, live, known) for row in rows)
    settled = (settle_owners(row, live.found(row.manifest.key), inventory, healing, rendered.secrets) for row in rows)
    return Prepared(rendered=rendered, wanted={row.manifest.key: row for row in settled}, classes=classes)
