"""References to what exists nowhere: not in the target, not live, and in no target that is applied before it.

Only what Cluster API objects name: kinds of Cluster API, Secrets and ConfigMaps. What could not be read, or whose
kind is not served, may exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from clusterops.capi.kinds import is_capi, is_cluster, is_template
from clusterops.capi.references import is_made_by_cluster_api, spec_references
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet, Unreadable
from clusterops.model.plan import Change
from clusterops.model.problem import Problem
from clusterops.plan.decide import hold, refuse
from clusterops.plan.rules.view import Body, View, body_of

_PLAIN: Final = frozenset({"Secret", "ConfigMap"})
_MADE: Final = frozenset({"AWSClusterControllerIdentity"})
"""Made by its controller for whoever names it. Source: AWS provider exp/controlleridentitycreator."""

_ELSEWHERE: Final = "object-invalid"
"""The code of a read in a namespace of a kind that has none."""


def missing_reference(view: View, row: Change) -> Problem | None:
    """``reference-missing`` for a Cluster API object; ``reference-not-yet`` for a Secret or ConfigMap.

    Those are often made by people and by other controllers, so the plan waits for them and comes back by itself.
    """
    for reference in outward(row.key, body_of(row)):
        if not _is_missing(view, reference) or _is_made(view, reference):
            continue
        message = f"names {reference.label}, which exists nowhere"
        if reference.group == "" and reference.kind in _PLAIN:
            hint = "create it, or correct the name; it is planned again by itself until it is there"
            return hold("reference-not-yet", row.key, message, hint)
        hint = "correct the name, or add the object to this target or to a shared one (shared/, regions/REGION/shared/)"
        return refuse("reference-missing", row.key, f"refused: {message}", hint)
    return None


def clusters_among(keys: Iterable[ObjectKey]) -> frozenset[ObjectKey]:
    return frozenset(key for key in keys if is_cluster(key))


def outward(key: ObjectKey, body: Body, clusters: Collection[ObjectKey] = ()) -> Iterator[ObjectKey]:
    """What a Cluster API object names, ordered, without the Secrets that Cluster API makes for ``clusters``."""
    if not is_capi(key):
        return
    for reference in sorted(spec_references(_without_patches(key, body))):
        plain = reference.group == "" and reference.kind in _PLAIN and _reads_beside_itself(key)
        made = reference.kind in _MADE or any(is_made_by_cluster_api(reference, of) for of in clusters)
        if (plain or is_capi(reference)) and not made:
            yield reference


def _without_patches(key: ObjectKey, body: Body) -> Body:
    """What a class writes into templates is no reference of the class."""
    if key.kind != "ClusterClass":
        return body
    spec = {field: value for field, value in (body.get("spec") or {}).items() if field != "patches"}
    return {**body, "spec": spec}


def _reads_beside_itself(key: ObjectKey) -> bool:
    """Whether Secrets and ConfigMaps are looked for in the object's own namespace.

    A template's are looked for beside the Cluster that is made from it, or in another cluster altogether.
    """
    return not is_template(key) and key.kind != "ClusterClass"


def to_read(reference: ObjectKey, live: LiveSet) -> ObjectKey | None:
    """The key to read for a reference: in the namespace of the reference, then without one where the kind has none."""
    if reference not in live.objects:
        return reference
    found = live.objects[reference]
    without = _without_namespace(reference)
    elsewhere = isinstance(found, Unreadable) and found.problem.code == _ELSEWHERE
    return without if elsewhere and without not in live.objects else None


def _is_missing(view: View, reference: ObjectKey) -> bool:
    keys = (reference, _without_namespace(reference))
    if any(key in view.wanted or key in view.coming for key in keys):
        return False
    found = [view.live.objects.get(key) for key in keys]
    if any(isinstance(one, LiveObject) for one in found):
        return False
    known = [one for one in found if one is not None and not _is_elsewhere(one)]
    return bool(known) and all(isinstance(one, Absent) and one.kind_served for one in known)


def _is_made(view: View, reference: ObjectKey) -> bool:
    """By Cluster API, for a Cluster that is there or comes."""
    clusters = clusters_among((*view.wanted, *view.coming, *view.live))
    return any(is_made_by_cluster_api(reference, of) for of in clusters)


def _is_elsewhere(one: LiveObject | Absent | Unreadable) -> bool:
    return isinstance(one, Unreadable) and one.problem.code == _ELSEWHERE


def _without_namespace(key: ObjectKey) -> ObjectKey:
    return ObjectKey(group=key.group, kind=key.kind, namespace=None, name=key.name)
