"""ClusterClasses that other targets use: which generation is git's, and which Clusters follow it.

Edited in place, a class reaches every Cluster that names it at the same moment. So other content of a class that a
shared target renders becomes a new object, and each Cluster is moved to it by its own target, when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from clusterops.capi.kinds import is_class, is_cluster, is_template
from clusterops.capi.rollout.topology import class_key, with_class
from clusterops.capi.template_references import follows_templates
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.manifest import Manifest
from clusterops.plan.fields import diff
from clusterops.plan.impact.overlay import overlaid_with
from clusterops.plan.lineage import is_generation_of
from clusterops.plan.naming import named
from clusterops.plan.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A shared target as the plans of others need it: what it renders, what it owns, and what of that lives.

    ``comes`` says that the commit applies it before them.
    """

    manifests: Sequence[Manifest]
    inventory: Inventory
    live: LiveSet
    comes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The classes of shared targets. ``current`` is by the key that git gives a class; ``left`` have no other answer.

    ``coming`` are objects of the same commit that do not live yet, as they will be.
    """

    current: Mapping[ObjectKey, ObjectKey] = field(default_factory=dict)
    usable: frozenset[ObjectKey] = frozenset()
    """Those of ``current`` that a Cluster may name: they live, or come before it."""
    coming: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    left: frozenset[ObjectKey] = frozenset()
    """Owned by a shared target that cannot be rendered now: whoever is on one of these stays."""

    @classmethod
    def of(cls, shared: Iterable[Shared], left: Iterable[ObjectKey] = ()) -> Classes:
        """Pure; O(objects * references) for each shared target."""
        current: dict[ObjectKey, ObjectKey] = {}
        usable: set[ObjectKey] = set()
        coming: dict[ObjectKey, Manifest] = {}
        for one in shared:
            rows = named(one.manifests, one.live, one.inventory)
            arrives = {row.manifest.key: _arriving(row, one.live) for row in rows if one.comes}
            coming |= {key: manifest for key, manifest in arrives.items() if one.live.found(key) is None}
            for row in rows:
                if is_class(row.written.key):
                    current[row.written.key] = row.manifest.key
                    if one.comes or one.live.found(row.manifest.key) is not None:
                        usable.add(row.manifest.key)
        return cls(current=current, usable=frozenset(usable), coming=coming, left=frozenset(left))

    def beside(self, rows: Iterable[Wanted]) -> Classes:
        """Also those that the target renders itself: they go before its Clusters."""
        own = {row.written.key: row.manifest.key for row in rows if is_class(row.written.key)}
        if not own:
            return self
        return replace(self, current={**self.current, **own}, usable=self.usable.union(own.values()))

    def arriving(self, coming: Mapping[ObjectKey, Manifest]) -> dict[ObjectKey, Manifest]:
        """What comes with the commit, with classes and their templates under the names that they are sent with."""
        called_otherwise = {key for key, then in self.current.items() if then != key}
        return {**{key: one for key, one in coming.items() if key not in called_otherwise}, **self.coming}


NO_CLASSES: Final = Classes()


def concerns_classes(key: ObjectKey) -> bool:
    """Whether a class's generation may depend on such an object of its target."""
    return is_class(key) or is_template(key) or follows_templates(key)


def classes_named(manifests: Iterable[Manifest]) -> frozenset[ObjectKey]:
    """Classes that Clusters of a target name and that it does not render itself."""
    everything = {one.key: one for one in manifests}
    found = {class_key(one.body) for key, one in everything.items() if is_cluster(key)}
    return frozenset(key for key in found if key is not None and key not in everything)


def followed(row: Wanted, live: LiveSet, classes: Classes) -> Wanted:
    """A Cluster with the generation of its class that it is to be on; anything else as it is."""
    written = class_key(row.manifest.body) if is_cluster(row.manifest.key) else None
    if written is None:
        return row
    there = live.found(row.manifest.key)
    now = class_key(there.body) if there is not None else None
    then = _generation(written, now, classes)
    if then == written and (now is None or now == then):
        return row
    sent = row.manifest if then == written else Manifest.of(with_class(row.manifest.body, then.name))
    moves = now is not None and now != then and is_generation_of(written, now)
    return replace(row, manifest=sent, follows=(*row.follows, written) if moves else row.follows)


def _generation(written: ObjectKey, now: ObjectKey | None, classes: Classes) -> ObjectKey:
    """Never another one than now before that is there."""
    then = classes.current.get(written)
    if now is None or not is_generation_of(written, now):
        return then or written
    if then is None:
        return now if now in classes.left else written
    return then if then in classes.usable else now


def _arriving(row: Wanted, live: LiveSet) -> Manifest:
    """With the defaults that the generation before it has from the server."""
    before = live.found(row.instead_of) if row.instead_of is not None else None
    sent = row.manifest.body
    if before is None or before.body.get("apiVersion") != sent.get("apiVersion"):
        return row.manifest
    whole = overlaid_with(before.body, sent, diff(sent, before.body, before.managers))
    return Manifest.of({**whole, "metadata": sent["metadata"]})
