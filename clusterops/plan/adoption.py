"""Objects that a person or another tool applied, and what becoming theirs' successor changes.

Server-side apply removes what its manager owned and no longer sends. So once the old managers' entries are ours, the
next apply removes what they set and git does not: that list is what an adoption has to show.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from clusterops.capi.kinds import is_class, is_template
from clusterops.capi.managers import Kin, kin
from clusterops.capi.tools import applier
from clusterops.model.bodies import comparable, without
from clusterops.model.leaves import Leaf, Path, leaves, merged_tree, owned
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, FieldChange
from clusterops.model.problem import Problem, Retry
from clusterops.plan.twins import twins

_BOOKKEEPING: Final = (
    "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    "/metadata/annotations/clusterops.io~1",
    "/metadata/labels/clusterops.io~1",
)
"""What tools note about themselves: no part of what the object says."""

_DISARM: Final[Mapping[str, str]] = {
    "Flux": "set `spec.suspend: true` or `spec.deletionPolicy: Orphan` there, see it suspended, then plan again",
    "Argo CD": "take its automated sync and its finalizer off that Application, then plan again",
}


def armed(found: LiveObject) -> Problem | None:
    """Why an object may not be adopted: a tool that still applies it, by its label, annotation or field manager."""
    tool = applier(found)
    if tool is None:
        return None
    way_out = _DISARM.get(tool.product, f"take it out of {tool.product} without deleting it, then plan again")
    return Problem(
        code="foreign-owner-armed",
        subject=found.key.label,
        message=f"{tool.text} owns it too and may change or delete it",
        hint=f"{way_out}. Nothing was written",
        retry=Retry.HUMAN,
    )


def predecessors(manifest: Manifest, found: LiveObject) -> tuple[str, ...]:
    """Managers whose entries become ours, ordered: people's, their tools', and unknown ones'; never a controller's.

    None of a template or class with content that git does not set: to remove that is another content, and adopting is
    no edit.
    """
    managers = {one.name for one in found.managers if one.subresource != "status"}
    names = tuple(sorted(name for name in managers if kin(name) in {Kin.PERSON, Kin.UNKNOWN}))
    generations = is_template(found.key) or is_class(found.key)
    if generations and any(path[0] == "f:spec" for path in removals(manifest, found, names)):
        return ()
    return names


def removals(manifest: Manifest, found: LiveObject, names: Collection[str]) -> dict[Path, Leaf]:
    """Leaves that only ``names`` own and that git does not set; a whole list item stands for its fields.

    An item that git sets with another key is changed, not removed.
    """
    body = comparable(found.body)
    going = [one for one in found.managers if one.name in names and one.subresource != "status"]
    staying = [one for one in found.managers if one not in going and one.subresource != "status"]
    staying_paths = owned(body, merged_tree(staying))
    kept = {path[:length] for path in staying_paths for length in range(len(path) + 1)}
    sent = leaves(comparable(manifest.body), merged_tree(found.managers))
    prefixes = {path[:length] for path in sent for length in range(len(path) + 1)}
    theirs = owned(body, merged_tree(going))
    covered, stays = {*prefixes, *kept}, {*sent, *twins(sent, theirs).values()}
    gone = {
        path: leaf
        for path, leaf in theirs.items()
        if path and path not in covered and not any(path[:n] in stays for n in range(len(path) + 1))
    }
    return {path: leaf for path, leaf in gone.items() if not any(path[:n] in gone for n in range(len(path)))}


def without_removals(manifest: Manifest, found: LiveObject, names: Collection[str]) -> Mapping[str, Any]:
    """The live object as the server would find it right after the removals."""
    gone = [leaf.pointer for leaf in removals(manifest, found, names).values()]
    return without(found.body, gone) if gone else found.body


def removed(
    going: Mapping[Path, Leaf], found: LiveObject, remainder: LiveObject | Problem | None
) -> tuple[FieldChange, ...]:
    """The removals as rows of a plan, without what is mere bookkeeping, and what the server sets to the same again.

    ``remainder`` is what it makes of `without_removals`; without that, every removal is a row.
    """
    after = leaves(comparable(remainder.body), merged_tree(found.managers)) if isinstance(remainder, LiveObject) else {}
    rows = [
        FieldChange(pointer=leaf.pointer, before=leaf.value, after=after[path].value if path in after else MISSING)
        for path, leaf in going.items()
        if not is_bookkeeping(leaf.pointer)
    ]
    return tuple(row for row in rows if row.after is MISSING or row.after != row.before)


def is_bookkeeping(pointer: str) -> bool:
    return pointer.startswith(_BOOKKEEPING)
