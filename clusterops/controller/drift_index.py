"""Whose object is it, and which kinds are in use: what all inventories together say, kept up to date one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from clusterops.capi.kinds import CLUSTER_NAME_LABEL, CORE, is_capi
from clusterops.capi.tools import FLEET_LABEL
from clusterops.model.inventory import Entry, Inventory
from clusterops.model.key import ObjectKey, version_of
from clusterops.model.live import LiveObject
from clusterops.ports import Followed


@dataclass(slots=True)
class Index:
    """Of one fleet."""

    owners: dict[ObjectKey, str] = field(default_factory=dict)
    """Object to the target whose inventory holds it."""
    _keys: dict[str, frozenset[ObjectKey]] = field(default_factory=dict)
    _kinds: dict[str, frozenset[Followed]] = field(default_factory=dict)
    _used: Counter[Followed] = field(default_factory=Counter)

    def take(self, name: str, inventory: Inventory | None, *, fleet: str) -> frozenset[ObjectKey]:
        """The inventory that a target has now. Returns what it has given up."""
        entries: Mapping[ObjectKey, Entry] = inventory.entries if inventory is not None else {}
        before, now = self._keys.get(name, frozenset()), frozenset(entries)
        for key in before - now:
            if self.owners.get(key) == name:
                del self.owners[key]
        self.owners.update(dict.fromkeys(now, name))
        kinds = frozenset(followed(entry, fleet=fleet) for entry in entries.values())
        self._used.subtract(self._kinds.get(name, ()))
        self._used.update(kinds)
        self._keys[name], self._kinds[name] = now, kinds
        return before - now

    @property
    def kinds(self) -> frozenset[Followed]:
        """In use by at least one inventory."""
        return frozenset(kind for kind, count in self._used.items() if count > 0)

    def kinds_of(self, name: str) -> frozenset[Followed]:
        return self._kinds.get(name, frozenset())

    def using(self, kinds: Collection[Followed]) -> Iterator[str]:
        """Targets with an object of one of these kinds."""
        wanted = frozenset(kinds)
        return (name for name, used in self._kinds.items() if used & wanted)

    def around(self, live: LiveObject) -> str:
        """The target that has the Cluster which an object names by its label, "" where nobody has."""
        name = live.labels.get(CLUSTER_NAME_LABEL, "")
        cluster = ObjectKey(group=CORE, kind="Cluster", namespace=live.key.namespace, name=name)
        return self.owners.get(cluster, "") if name else ""


def followed(entry: Entry, *, fleet: str) -> Followed:
    """Kinds of Cluster API are followed whole, so that what is absent or should not be there is known."""
    return Followed(
        group=entry.key.group,
        kind=entry.key.kind,
        version=version_of(entry.api_version),
        labels="" if is_capi(entry.key) else f"{FLEET_LABEL}={fleet}",
    )


def measures_alike(before: Inventory, now: Inventory) -> bool:
    """Whether the same live objects depart from both, in the same way. O(fields), most often by identity."""
    if before is now:
        return True
    return before.keys == now.keys and all(
        _measure(before.entries[key]) == _measure(now.entries[key]) for key in now.keys
    )


def _measure(entry: Entry) -> tuple[object, ...]:
    return entry.uid, entry.state, entry.api_version, entry.held
