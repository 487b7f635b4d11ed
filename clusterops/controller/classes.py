"""ClusterClasses of shared targets, for the plan of a target whose Clusters name them.

What such a class is called now follows from what git says of it and from what lives, both of its own target; so that
is rendered and read here, too. The render is cached, and so are the reads of a daemon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from clusterops.capi.kinds import is_class
from clusterops.capi.tools import TARGET_ANNOTATION
from clusterops.controller.work import Doors, Work
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Mode, Target, is_shared
from clusterops.model.inventory import Inventory, empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.manifest import Manifest, RenderedSet, empty_set
from clusterops.model.revision import Snapshot
from clusterops.plan import versions_to_read
from clusterops.plan.classes import NO_CLASSES, Classes, Shared, classes_named, concerns_classes
from clusterops.plan.fields import sendable
from clusterops.plan.lineage import is_generation_of
from clusterops.plan.naming import named_after
from clusterops.ports import Cluster

_ROUNDS: Final = 4
"""Of reading: templates, then the class that names them."""


async def shared_classes(
    work: Work, doors: Doors, rendered: RenderedSet, coming: Mapping[ObjectKey, Manifest]
) -> Classes:
    """Costs nothing for a target without a Cluster that names a class of another target. Raises what reading raises."""
    named = classes_named(rendered.manifests)
    if not named or is_shared(work.target.name):
        return NO_CLASSES
    shared: list[Shared] = []
    left: set[ObjectKey] = set()
    for name in sorted(set(_renderers(named, doors, coming))):
        inventory = doors.records.inventory_of(name) or empty_inventory(name)
        target = work.targets.get(name)
        manifests = _concerned(one for one in coming.values() if one.annotations.get(TARGET_ANNOTATION) == name)
        comes = bool(manifests) and _comes(target, work)
        if not manifests and target is not None:
            manifests = await _rendered(target, work.snapshot, doors)
        if manifests:
            shared.append(await _shared(manifests, inventory, doors.cluster, comes=comes))
        else:
            left.update(key for key in inventory.entries if is_class(key))
    return Classes.of(shared, left)


def _renderers(named: Iterable[ObjectKey], doors: Doors, coming: Mapping[ObjectKey, Manifest]) -> Iterator[str]:
    """Shared targets of this commit that render a class, else those that own a generation of it."""
    for key in named:
        if key in coming:
            yield coming[key].annotations.get(TARGET_ANNOTATION, "")
            continue
        for name in filter(is_shared, doors.records.known):
            inventory = doors.records.inventory_of(name)
            if inventory is not None and any(is_generation_of(key, one) for one in inventory.entries):
                yield name


async def classes_of(target: Target, snapshot: Snapshot, doors: Doors) -> Classes:
    """Those that a shared target renders itself; none when it cannot be rendered. Raises what reading raises."""
    manifests = await _rendered(target, snapshot, doors)
    if not any(is_class(one.key) for one in manifests):
        return NO_CLASSES
    inventory = doors.records.inventory_of(target.name) or empty_inventory(target.name)
    return Classes.of([await _shared(manifests, inventory, doors.cluster)])


async def _rendered(target: Target, snapshot: Snapshot, doors: Doors) -> tuple[Manifest, ...]:
    """What a shared target says of classes; nothing when it cannot be rendered now."""
    if target.problems:
        return ()
    try:
        return _concerned((await doors.renderer.render(snapshot, target)).manifests)
    except ClusterOpsError as error:
        doors.logger.warning("classes not known", target=target.name, code=error.code, error=str(error))
        return ()


def _concerned(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(sendable(one) for one in manifests if concerns_classes(one.key))


def _comes(target: Target | None, work: Work) -> bool:
    """Whether the commit applies it before this target; where nothing is applied, the plan tells what would be."""
    return work.target.mode is Mode.OBSERVE or (target is not None and target.mode is Mode.APPLY)


async def _shared(
    manifests: tuple[Manifest, ...], inventory: Inventory, cluster: Cluster, *, comes: bool = False
) -> Shared:
    owned = {key: entry for key, entry in inventory.entries.items() if concerns_classes(key)}
    known = replace(inventory, entries=owned)
    rendered = replace(empty_set(inventory.owner), manifests=manifests)
    live = await cluster.read_as(versions_to_read(rendered, known))
    for _ in range(_ROUNDS):
        more = [key for key in named_after(manifests, live, known) if key not in live.objects]
        if not more:
            break
        live = LiveSet({**live.objects, **(await cluster.read(sorted(more))).objects})
    return Shared(manifests=manifests, inventory=known, live=live, comes=comes)
