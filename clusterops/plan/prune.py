"""What happens to an object that we own and that git no longer wants.

A Cluster and everything that names it or is reached from it form a closed group: as long as the Cluster stays, its
machines' owners, infrastructure, templates and credentials stay too. A Cluster whose infrastructure credentials or
control plane went first could never be deleted cleanly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from clusterops.capi.conditions import conditions_of
from clusterops.capi.kinds import (
    ADDONS,
    CORE,
    is_cluster,
    is_control_plane,
    is_definition,
    is_namespace,
    is_pool,
    is_secret,
    is_template,
    tier_of,
)
from clusterops.capi.references import closed_group, names, references
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.plan import Action, Change
from clusterops.model.problem import Problem
from clusterops.plan.decide import BLOCKING, Situation, hold, is_ours, is_topology_owned, other_target, refuse
from clusterops.plan.generations import in_use

_PRUNABLE: Final = frozenset({("", "ConfigMap"), (CORE, "MachineHealthCheck"), (ADDONS, "ClusterResourceSet")})
_HELM: Final = "helm.sh/resource-policy"
_FLUX: Final = "kustomize.toolkit.fluxcd.io/prune"
_ARGO: Final = "argocd.argoproj.io/sync-options"


def held_group(situation: Situation, changes: Iterable[Change]) -> frozenset[ObjectKey]:
    """The closed groups of all Clusters that must be left alone: dropped from git but live, or not the ones meant.

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
    if situation.unreadable:
        return tuple(_stopped(change, situation.unreadable[0]) for change in decided)
    return tuple(decided)


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


def _prune(key: ObjectKey, situation: Situation, held: frozenset[ObjectKey], going: set[ObjectKey]) -> Change:
    found = situation.read(key)
    if isinstance(found, Unreadable):
        return Change(key=key, action=Action.HOLD, reason=found.problem)
    if isinstance(found, Absent):
        return _forget(found)
    reason = _protected(found, situation) or _grouped(key, held) or _not_allowed(found, situation, going)
    if reason is None:
        return Change(key=key, action=Action.PRUNE, live=found)
    action = Action.REFUSE if reason.code in _REFUSALS else Action.HOLD
    return Change(key=key, action=action, live=found, reason=reason)


def _forget(found: Absent) -> Change:
    if found.kind_served:
        return Change(key=found.key, action=Action.PRUNE)
    reason = hold("kind-not-served", found.key, "its kind is not served, so nobody can say that it is gone")
    return Change(key=found.key, action=Action.HOLD, reason=reason)


_REFUSALS: Final = frozenset({"cluster-delete-refused", "never-pruned", "prune-not-allowed", "not-ours"})


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
    kept = _keep_annotation(found.annotations)
    return hold("kept-by-annotation", key, f"carries {kept}: never pruned") if kept else None


def _keep_annotation(annotations: Mapping[str, str]) -> str:
    if annotations.get(_HELM) == "keep":
        return f"{_HELM}: keep"
    if annotations.get(_FLUX) == "disabled":
        return f"{_FLUX}: disabled"
    options = {part.strip() for part in annotations.get(_ARGO, "").split(",")}
    stops = sorted(options & {"Prune=false", "Prune=confirm", "Delete=false", "Delete=confirm"})
    return f"{_ARGO}: {stops[0]}" if stops else ""


def _grouped(key: ObjectKey, held: frozenset[ObjectKey]) -> Problem | None:
    return held_with_cluster(key) if key in held and not is_cluster(key) else None


def _not_allowed(found: LiveObject, situation: Situation, going: set[ObjectKey]) -> Problem | None:
    key = found.key
    if is_cluster(key):
        return _cluster_refused(key, situation.target)
    if is_namespace(key) or is_definition(key):
        return refuse("never-pruned", key, "is never pruned: all that it holds would go with it", _by_hand(key))
    user = _user_of(key, situation, going)
    if is_secret(key) and user is not None:
        return refuse("never-pruned", key, f"is never pruned while {user.label} refers to it", _by_hand(key))
    if (key.group, key.kind) not in _PRUNABLE and not is_template(key):
        return refuse("prune-not-allowed", key, f"a {key.kind} is not pruned in this release", _by_hand(key))
    if user is not None:
        return hold("still-referenced", key, f"{user.label} still refers to it")
    return _template_in_use(key, situation) if is_template(key) else None


def _by_hand(key: ObjectKey) -> str:
    return f"put it back into git, or delete {key.label} by hand: it leaves the inventory once it is gone"


def _cluster_refused(key: ObjectKey, target: str) -> Problem:
    folder = f"clusters/{target}"
    return refuse(
        "cluster-delete-refused",
        key,
        "is gone from git; a Cluster is never deleted by a missing file",
        f"if it is a slip: `git restore --source=COMMIT {folder}`, with the last commit that had it; "
        "deleting one with a second key (deletions/) comes in a later release",
    )


def _user_of(key: ObjectKey, situation: Situation, going: set[ObjectKey]) -> ObjectKey | None:
    """The first object that stays and refers to ``key``, as desired or as live."""
    users = sorted(
        other
        for other, body in _bodies(situation)
        if other != key and other not in going and any(names(reference, key) for reference in references(body))
    )
    return users[0] if users else None


def _template_in_use(key: ObjectKey, situation: Situation) -> Problem | None:
    if is_shared(situation.target):
        message = "is shared: other targets may refer to it"
        return refuse("prune-not-allowed", key, message, _by_hand(key))
    there = situation.live.found(key)
    cloned = in_use(there, situation.neighbours) if there is not None else None
    if cloned is not None:
        return cloned
    for other in sorted(situation.live):
        found = situation.live.found(other)
        if found is not None and (is_pool(other) or is_control_plane(other)) and _rolling(found):
            return hold("still-rolling", key, f"machines of {other.label} may still need it until the rollout is done")
    return None


def is_shared(target: str) -> bool:
    """``shared/<name>`` and ``<region>/_shared``: what clusters of other targets use."""
    return target.startswith("shared/") or target.endswith("/_shared")


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
