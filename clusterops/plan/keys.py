"""The second key: whether a Cluster that git dropped may be deleted."""

from __future__ import annotations

from datetime import timedelta

from clusterops.model.deletion import DeletionKey, Permits
from clusterops.model.live import LiveObject
from clusterops.model.problem import Problem
from clusterops.plan.decide import refuse


def key_for(found: LiveObject, permits: Permits) -> DeletionKey | None:
    """The key that opens: it names this very object and counts today."""
    return next((key for key in permits.keys if _problem(key, found, permits) is None), None)


def refused_for_key(found: LiveObject, target: str, permits: Permits) -> Problem:
    """Why no key opens. The nearest miss is told: one for this uid before one for another."""
    problems = [(key.uid != found.uid, key.path, _problem(key, found, permits)) for key in permits.keys]
    misses = [problem for _, _, problem in sorted(problems, key=lambda each: each[:2]) if problem is not None]
    return misses[0] if misses else _missing(found, target, permits)


def _problem(key: DeletionKey, found: LiveObject, permits: Permits) -> Problem | None:
    if key.uid != found.uid:
        message = f"delete refused: {key.path} is for uid {key.uid}, the live one is {found.uid}"
        hint = f"see whether it is the cluster that is meant; then say `uid: {found.uid}` in {key.path}"
        return refuse("deletion-key-uid", found.key, message, hint)
    if key.expires < permits.today:
        message = f"delete refused: {key.path} expired on {key.expires}"
        hint = f"if it is still meant, set `expires:` in {key.path} to a day up to {_latest(permits)}"
        return refuse("deletion-key-expired", found.key, message, hint)
    if key.expires > permits.today + timedelta(days=permits.days_ahead):
        message = f"delete refused: {key.path} expires on {key.expires}, more than {permits.days_ahead} days ahead"
        hint = f"set `expires:` in {key.path} to a day up to {_latest(permits)} (policy.deletionKeyDays)"
        return refuse("deletion-key-too-far-ahead", found.key, message, hint)
    return None


def _missing(found: LiveObject, target: str, permits: Permits) -> Problem:
    name = target.rpartition("/")[2]
    return refuse(
        "deletion-needs-second-key",
        found.key,
        f"delete refused: no deletions/{name}.yaml for uid {found.uid[:8]}",
        f"if it is meant, add deletions/{name}.yaml (`clusterops delete {target} --reason TEXT` writes it): "
        f"{{target: {target}, uid: {found.uid}, reason: TEXT, expires: {_latest(permits)}}}; "
        f"if it is a slip: `git restore --source=COMMIT clusters/{target}`, with the last commit that had it",
    )


def _latest(permits: Permits) -> str:
    return (permits.today + timedelta(days=permits.days_ahead)).isoformat()
