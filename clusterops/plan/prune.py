"""What happens to an object that we own and that git no longer wants.

A Cluster and everything that names it or is reached from it form a closed group: as long as the Cluster stays, its
machines' owners, infrastructure, templates and credentials stay too. A Cluster whose infrastructure credentials or
control plane went first could never be deleted cleanly. So only the Cluster goes first, and only with a second key;
once it is gone, what is left of its group goes, credentials last. A Cluster's own entry leaves the inventory after
all of these: it is what tells a later pass, or another process, how far a deletion is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from clusterops.capi.conditions import conditions_of
from clusterops.capi.kinds import (
    ADDONS,
    CORE,
    is_class,
    is_cluster,
    is_control_plane,
    is_definition,
    is_identity,
    is_infrastructure,
    is_namespace,
    is_pool,
    is_template,
    tier_of,
)
from clusterops.capi.references import closed_group, names, owners, references, spec_references
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.plan import Action, Change
from clusterops.model.policy import KEY_CODES
from clusterops.model.problem import Problem
from clusterops.plan.annotations import never_pruned
from clusterops.plan.decide import BLOCKING, Situation, hold, is_ours, is_topology_owned, other_target, refuse
from clusterops.plan.generations import IN_USE, by_hand, class_in_use, in_use, successor_of
from clusterops.plan.keys import key_for, refused_for_key
from clusterops.plan.users import users_beyond

_PRUNABLE: Final = frozenset(
    {("", "ConfigMap"), (CORE, "MachineHealthCheck"), (CORE, "ClusterClass"), (ADDONS, "ClusterResourceSet")}
)
_REFUSALS: Final = KEY_CODES | {"never-pruned", "prune-not-allowed", "not-ours"}
WAITS: Final = frozenset({"being-deleted", "goes-after-cluster", "goes-later", "not-all-readable"})
"""Why something that is to go is still there, and goes by itself."""

STAYS: Final = frozenset(
    {
        "cluster-gone",
        "clones-unknown",
        "goes-after-class",
        IN_USE,
        "kept-by-annotation",
        "moved-to-another-target",
        "still-rolling",
        "topology-owned-kept",
    }
)
"""Why something that git dropped stays, and nobody has to do anything about it."""


def held_group(situation: Situation, changes: Iterable[Change]) -> frozenset[ObjectKey]:
    """The closed groups of all Clusters that are there and must not lose a part: dropped ones, or not the ones meant.

    With a dropped Cluster and nothing desired any more, the whole target is the group: a lost directory takes nothing.
    """
    roots = {change.key for change in changes if is_cluster(change.key) and _blocks(change)}
    dropped = {key for key in _dropped(situation) if is_cluster(key) and not isinstance(situation.read(key), Absent)}
    if dropped and not situation.desired:
        return frozenset(_dropped(situation))
    roots |= dropped
    return frozenset(closed_group(roots, _bodies(situation)) - roots) if roots else frozenset()


def prunes(situation: Situation, held: frozenset[ObjectKey]) -> tuple[Change, ...]:
    """One row per owned key that git no longer wants, in the order of deletion (what refers before what it names)."""
    decided: list[Change] = []
    for key in sorted(_dropped(situation), key=lambda key: (-tier_of(key), key)):
        going = {change.key for change in decided if change.action is Action.PRUNE}
        decided.append(_prune(key, situation, held, going))
    decided = _credentials_last(decided)
    if situation.unreadable:
        decided = [_stopped(change, situation.unreadable[0]) for change in decided]
    return tuple(_cluster_remembered(decided))


def waits(change: Change) -> bool:
    """Whether an object that git dropped is still there and on its way out, or cannot be seen."""
    reason = change.reason
    if change.desired is not None or change.action is not Action.HOLD or reason is None:
        return False
    return reason.code in WAITS or reason.code.startswith("api-")


def held_with_cluster(key: ObjectKey) -> Problem:
    message = "belongs to a Cluster that stays as it is, so it stays too"
    return hold("held-with-cluster", key, message)


def _dropped(situation: Situation) -> list[ObjectKey]:
    return [key for key in situation.inventory.entries if key not in situation.desired]


def _blocks(change: Change) -> bool:
    return change.action in {Action.HOLD, Action.REFUSE} and (
        change.reason is None or change.reason.code in BLOCKING or change.live is None
    )


def _bodies(situation: Situation) -> Iterator[tuple[ObjectKey, Mapping[str, Any]]]:
    for key, manifest in situation.desired.items():
        yield key, manifest.body
    for key in situation.live:
        found = situation.live.found(key)
        if found is not None:
            yield key, found.body


def _stopped(change: Change, unreadable: Unreadable) -> Change:
    """One object that could not be read stops every prune: nobody knows what it refers to."""
    if change.action is not Action.PRUNE:
        return change
    message = f"is not pruned while {unreadable.key.label} cannot be read"
    reason = hold("not-all-readable", change.key, message, unreadable.problem.text)
    return Change(key=change.key, action=Action.HOLD, live=change.live, reason=reason)


def _credentials_last(decided: Sequence[Change]) -> list[Change]:
    """Secrets and identities go in a pass of their own, when everything else is seen to be gone."""
    first = next((one for one in decided if not _is_credential(one.key) and _still_there(one)), None)
    if first is None:
        return list(decided)
    return [_later(one, first.key) if _is_credential(one.key) and _goes(one) else one for one in decided]


def _cluster_remembered(decided: Sequence[Change]) -> list[Change]:
    """A Cluster that is gone stays in the inventory until nothing of its target is on its way out any more."""
    if not any(_still_there(one) for one in decided):
        return list(decided)
    return [_remembered(one) if is_cluster(one.key) and _forgets(one) else one for one in decided]


def _remembered(change: Change) -> Change:
    reason = hold("cluster-gone", change.key, "is gone, and remembered until what belonged to it is gone too")
    return Change(key=change.key, action=Action.HOLD, reason=reason)


def _later(change: Change, first: ObjectKey) -> Change:
    reason = hold("goes-later", change.key, f"credentials go last, after {first.label}")
    return replace(change, action=Action.HOLD, reason=reason)


def _still_there(change: Change) -> bool:
    return _goes(change) or waits(change)


def _goes(change: Change) -> bool:
    return change.action is Action.PRUNE and change.live is not None


def _forgets(change: Change) -> bool:
    return change.action is Action.PRUNE and change.live is None


def _is_credential(key: ObjectKey) -> bool:
    return key.is_secret or is_identity(key)


def _prune(key: ObjectKey, situation: Situation, held: frozenset[ObjectKey], going: set[ObjectKey]) -> Change:
    found = situation.read(key)
    if isinstance(found, Unreadable):
        return Change(key=key, action=Action.HOLD, reason=found.problem)
    if isinstance(found, Absent):
        return _forget(found)
    reason = _protected(found, situation) or _grouped(key, situation, held) or _not_allowed(found, situation, going)
    if reason is None:
        return Change(key=key, action=Action.PRUNE, live=found)
    action = Action.REFUSE if reason.code in _REFUSALS else Action.HOLD
    return Change(key=key, action=action, live=found, reason=reason)


def _forget(found: Absent) -> Change:
    if found.kind_served:
        return Change(key=found.key, action=Action.PRUNE)
    reason = hold("kind-not-served", found.key, "its kind is not served, so nobody can say that it is gone")
    return Change(key=found.key, action=Action.HOLD, reason=reason)


def _protected(found: LiveObject, situation: Situation) -> Problem | None:
    key = found.key
    if found.deleting:
        return hold("being-deleted", key, "is being deleted already")
    if not is_ours(found, situation.inventory):
        return refuse("not-ours", key, "is another object than the one that ClusterOps applied", "see who recreated it")
    other = other_target(found, situation.target)
    if other:
        return hold("moved-to-another-target", key, f"belongs to target {other} now")
    if is_topology_owned(key, found.labels):
        return hold("topology-owned-kept", key, "the topology controller owns it")
    kept = never_pruned(found.annotations)
    return hold("kept-by-annotation", key, f"carries {kept}: never pruned") if kept else None


def _grouped(key: ObjectKey, situation: Situation, held: frozenset[ObjectKey]) -> Problem | None:
    if key not in held or is_cluster(key):
        return None
    if all(_leaves(other, situation) for other in _dropped(situation) if is_cluster(other)):
        return hold("goes-after-cluster", key, "goes once its Cluster is gone")
    return held_with_cluster(key)


def _leaves(cluster: ObjectKey, situation: Situation) -> bool:
    """Whether a dropped Cluster goes now, is on its way, or is gone."""
    found = situation.read(cluster)
    if isinstance(found, LiveObject) and not found.deleting:
        return (_protected(found, situation) or _cluster_refused(found, situation)) is None
    return not isinstance(found, Unreadable)


def _not_allowed(found: LiveObject, situation: Situation, going: set[ObjectKey]) -> Problem | None:
    key = found.key
    if is_cluster(key):
        return _cluster_refused(found, situation)
    if is_namespace(key) or is_definition(key):
        return refuse("never-pruned", key, "is never pruned: all that it holds would go with it", by_hand(key))
    if is_control_plane(key) or is_infrastructure(key):
        return _only_with_cluster(found, situation)
    if is_pool(key):
        return _collected(found) if cluster_gone(found, situation) else None
    return _used(found, situation, going)


def _used(found: LiveObject, situation: Situation, going: set[ObjectKey]) -> Problem | None:
    """What holds no machines goes when nobody refers to it any more."""
    key, user = found.key, _user_of(found.key, situation, going)
    if _is_credential(key):
        return _credential(found, situation, user)
    if (key.group, key.kind) not in _PRUNABLE and not is_template(key):
        return refuse("prune-not-allowed", key, f"a {key.kind} is not pruned in this release", by_hand(key))
    if user is not None:
        return _still_referenced(key, user, situation)
    if is_class(key):
        return class_in_use(found, situation)
    return _template_in_use(key, situation, going) if is_template(key) else None


def _cluster_refused(found: LiveObject, situation: Situation) -> Problem | None:
    """Without a second key; or when the deletion would take along what is never to be pruned."""
    if key_for(found, situation.permits) is None:
        return refused_for_key(found, situation.target, situation.permits)
    group = closed_group({found.key}, _bodies(situation))
    for key in sorted(group - {found.key}):
        member = situation.live.found(key)
        if member is not None and (is_control_plane(key) or is_infrastructure(key) or is_pool(key)):
            kept = never_pruned(member.annotations)
            if kept:
                message = f"is not deleted, as {key.label} would go with it and carries {kept}"
                return hold("kept-by-annotation", found.key, message, f"take that annotation off {key.label}")
    return None


def _gone_clusters(situation: Situation) -> list[ObjectKey]:
    """Dropped Clusters of this inventory that the server says are gone."""
    return [key for key in _dropped(situation) if is_cluster(key) and isinstance(situation.read(key), Absent)]


def cluster_gone(found: LiveObject, situation: Situation) -> bool:
    """Whether the object belonged to a dropped Cluster that is gone: it names it, or nothing else is left in git."""
    gone = _gone_clusters(situation)
    if gone and not situation.desired:
        return True
    return any(names(reference, cluster) for cluster in gone for reference in references(found.body))


def _only_with_cluster(found: LiveObject, situation: Situation) -> Problem | None:
    if cluster_gone(found, situation):
        return _collected(found)
    holders = owners(found.body["metadata"], found.key.namespace)
    pool = next((one for one in holders if one.kind == "MachinePool" and one not in situation.desired), None)
    if pool is not None:
        return hold("goes-later", found.key, f"goes with {pool.label}")
    message = f"a {found.key.kind} goes only with its Cluster"
    return refuse("prune-not-allowed", found.key, message, by_hand(found.key))


def _collected(found: LiveObject) -> Problem | None:
    """Of a Cluster that is gone: what has an owner is left to the garbage collector, the rest was never used."""
    if not found.body["metadata"].get("ownerReferences"):
        return None
    return hold("goes-later", found.key, "its Cluster is gone, so Kubernetes' garbage collector removes it")


def _credential(found: LiveObject, situation: Situation, user: ObjectKey | None) -> Problem | None:
    key = found.key
    if user is not None:
        return refuse("never-pruned", key, f"is never pruned while {user.label} refers to it", by_hand(key))
    if not cluster_gone(found, situation):
        return refuse("prune-not-allowed", key, f"a {key.kind} goes only with its Cluster", by_hand(key))
    beyond = users_beyond(key, situation.neighbours, ours=situation.inventory.keys)
    if isinstance(beyond, Problem):
        return hold("users-unknown", key, "stays, as nobody can say who else refers to it", beyond.text)
    if beyond is not None:
        return refuse("never-pruned", key, f"is never pruned while {beyond.label} refers to it", by_hand(key))
    return None


def _still_referenced(key: ObjectKey, user: ObjectKey, situation: Situation) -> Problem:
    there = situation.live.found(user)
    if user not in situation.desired and there is not None and there.deleting:
        return hold("goes-later", key, f"goes after {user.label}, which is being deleted")
    wanted = situation.desired.get(user)
    if is_template(key) and successor_of(user, situation) is not None and wanted is None:
        return hold("goes-after-class", key, f"goes after {user.label}")
    if successor_of(key, situation) is not None:
        return hold(IN_USE, key, f"stays until {user.label} has moved on")
    if is_template(key) and wanted is not None and not any(names(each, key) for each in references(wanted.body)):
        return hold(IN_USE, key, f"stays until {user.label} has moved on")
    return hold("still-referenced", key, f"{user.label} still refers to it")


def _user_of(key: ObjectKey, situation: Situation, going: set[ObjectKey]) -> ObjectKey | None:
    """The first object that stays and refers to ``key``, as desired or as live.

    Not by its owner: Cluster API notes on each template the classes that name it.
    """
    named = spec_references if is_class(key) else references
    users = sorted(
        other
        for other, body in _bodies(situation)
        if other != key and other not in going and any(names(reference, key) for reference in named(body))
    )
    return users[0] if users else None


def _pool_going(key: ObjectKey, situation: Situation, going: set[ObjectKey]) -> ObjectKey | None:
    """A pool that is deleted in this very pass: its machines are still there, so what they were made from waits."""
    for other in sorted(going):
        there = situation.live.found(other)
        if there is not None and is_pool(other) and any(names(each, key) for each in references(there.body)):
            return other
    return None


def _template_in_use(key: ObjectKey, situation: Situation, going: set[ObjectKey]) -> Problem | None:
    pool = _pool_going(key, situation, going)
    if pool is not None:
        return hold("goes-later", key, f"goes after {pool.label}")
    there = situation.live.found(key)
    cloned = in_use(there, situation.neighbours) if there is not None else None
    if cloned is not None:
        return cloned
    for other in sorted(situation.live):
        found = situation.live.found(other)
        if found is not None and (is_pool(other) or is_control_plane(other)) and _rolling(found):
            return hold("still-rolling", key, f"machines of {other.label} may still need it until the rollout is done")
    return None


def _rolling(found: LiveObject) -> bool:
    """Whether a rollout is known to go on; an object that no controller ever saw rolls nothing."""
    status = found.body.get("status") or {}
    observed = int(status.get("observedGeneration") or 0)
    if not observed:
        return False
    rolling = (conditions_of(found.body).get("RollingOut") or {}).get("status", "False")
    replicas = int(status.get("replicas") or 0)
    behind = replicas - int(status.get("upToDateReplicas", status.get("updatedReplicas", replicas)) or 0)
    return observed < found.generation or rolling != "False" or behind != 0
