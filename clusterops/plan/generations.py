"""Generations of templates and classes that nothing refers to any more, and who was cloned from them.

**Source:** Cluster API v1.14 controllers/external/util.go (GenerateTemplate: a clone's kind is its template's without
``Template``, and it gets the cluster-name label and both cloned-from annotations),
exp/topology/desiredstate/desired_state.go (a topology clones a class's templates into templates of the same kind).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from clusterops.capi.kinds import CORE, is_class, is_template, of_cluster
from clusterops.capi.references import names, references
from clusterops.model.fleet import is_shared
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.neighbours import Neighbours, Query
from clusterops.model.problem import Problem
from clusterops.plan.decide import Situation, hold, refuse
from clusterops.plan.lineage import are_generations
from clusterops.plan.users import users_beyond
from clusterops.plan.wanted import Wanted

IN_USE: Final = "generation-in-use"
"""Ends by itself, with the rollout."""

_CLONED_FROM_NAME: Final = "cluster.x-k8s.io/cloned-from-name"
_CLONED_FROM_KIND: Final = "cluster.x-k8s.io/cloned-from-groupkind"
_POOLS: Final = ((CORE, "MachineDeployment"), (CORE, "MachineSet"))
_CLASS: Final = (CORE, "ClusterClass")
_OF_MACHINES: Final = ("MachineTemplate", "ConfigTemplate")


def queries(wanted: Mapping[ObjectKey, Wanted], live: LiveSet, inventory: Inventory) -> frozenset[Query]:
    """The lists that ``in_use`` looks at; none where no template was dropped, or its owner still refers to it."""
    dropped = [key for key in inventory.entries if is_template(key) and key not in wanted]
    named = [reference for key in live if dropped for reference in _references(live.found(key))]
    free = [live.found(key) for key in dropped if not any(names(reference, key) for reference in named)]
    return frozenset(query for found in free if found is not None and not found.deleting for query in _around(found))


def in_use(found: LiveObject, neighbours: Neighbours) -> Problem | None:
    """Why a template that git dropped stays: a Machine or MachineSet was cloned from it, or nobody can say."""
    for query in sorted(_around(found)):
        answer = neighbours[query] if query in neighbours else _unasked(found.key, query)
        if isinstance(answer, Problem):
            message = f"stays while nobody can say whether a {query.kind} was made from it"
            return hold("clones-unknown", found.key, message, answer.text)
        user = next((one for one in answer if _uses(one, found.key)), None)
        if user is not None:
            return hold(IN_USE, found.key, f"stays until {user.key.label} is gone, which was made from it")
    return None


def class_in_use(found: LiveObject, situation: Situation) -> Problem | None:
    """Why a ClusterClass that git dropped, or has in another generation, stays."""
    successor = successor_of(found.key, situation)
    if successor is not None and not _replaces(situation.live.found(successor), found):
        return hold(IN_USE, found.key, f"stays until {successor.label} is there")
    if successor is None and is_shared(situation.target):
        return refuse("prune-not-allowed", found.key, "is shared: other targets may refer to it", by_hand(found.key))
    beyond = users_beyond(found.key, situation.neighbours, ours=situation.inventory.keys)
    if isinstance(beyond, Problem):
        return hold("users-unknown", found.key, "stays, as nobody can say who else refers to it", beyond.text)
    if beyond is None:
        return None
    if successor is not None:
        return hold(IN_USE, found.key, f"stays until {beyond.label} has moved on")
    return hold("still-referenced", found.key, f"{beyond.label} still refers to it")


def _replaces(successor: LiveObject | None, old: LiveObject) -> bool:
    """Whether the next generation is there, and known to the controllers that knew the old one.

    Until they note it on the templates that both name, the garbage collector would take these with the old one.
    """
    if successor is None:
        return False
    observed = [int((one.body.get("status") or {}).get("observedGeneration") or 0) for one in (successor, old)]
    return observed[0] >= successor.generation or not observed[1]


def successor_of(key: ObjectKey, situation: Situation) -> ObjectKey | None:
    """The generation of a class of a shared target that git wants instead; None for a class that git dropped."""
    if not (is_class(key) and is_shared(situation.target)):
        return None
    return next((other for other in sorted(situation.desired) if are_generations(key, other)), None)


def by_hand(key: ObjectKey) -> str:
    """What a person may do about an object that is not pruned."""
    return f"put it back into git, or delete {key.label} by hand: it leaves the inventory once it is gone"


def _around(found: LiveObject) -> Iterator[Query]:
    """Clones and owners: of its Clusters where the controllers noted these, else everywhere.

    The clones of a ClusterClass's template are in the namespace of each Cluster, and tell no namespace.
    """
    key, owners = found.key, _owners(found)
    instances = (key.group, key.kind.removesuffix("Template"))
    if owners and all(kind == "Cluster" for kind, _ in owners):
        for _, cluster in sorted(owners):
            for group, kind in (*_POOLS, (key.group, key.kind), instances):
                yield Query(group=group, kind=kind, namespace=key.namespace, labels=of_cluster(cluster))
        return
    only_classes = bool(owners) and all(kind == "ClusterClass" for kind, _ in owners)
    # What a class names for machines becomes templates of each Cluster first.
    skipped = {*_POOLS, instances} if only_classes and key.kind.endswith(_OF_MACHINES) else set()
    for group, kind in {*_POOLS, _CLASS, (key.group, key.kind), instances} - skipped:
        yield Query(group=group, kind=kind)


def _owners(found: LiveObject) -> set[tuple[str, str]]:
    """Kind and name of what the controllers noted as its users."""
    owners = found.body["metadata"].get("ownerReferences") or ()
    return {(str(one.get("kind")), str(one.get("name"))) for one in owners}


def _uses(one: LiveObject, template: ObjectKey) -> bool:
    if one.key == template:
        return False
    cloned = one.annotations.get(_CLONED_FROM_KIND) == f"{template.kind}.{template.group}"
    if cloned and one.annotations.get(_CLONED_FROM_NAME) == template.name:
        return True
    return any(names(reference, template) for reference in references(one.body))


def _references(found: LiveObject | None) -> frozenset[ObjectKey]:
    return references(found.body) if found is not None else frozenset()


def _unasked(key: ObjectKey, query: Query) -> Problem:
    return hold("not-read", key, f"{query.kind} objects were not listed")
