"""The verdict on a whole commit: per target go, or the reason why not.

Rules of the first day: an error in fleet.yaml stops everything, an error in a target stops that target, two targets
never own one object, and a Cluster's directory does not move while the Cluster lives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from clusterops.model.fleet import Fleet
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome

CLUSTER_GROUP = "cluster.x-k8s.io"


def judge(fleet: Fleet, drafts: Mapping[str, Outcome], owners: Mapping[ObjectKey, str]) -> dict[str, Problem]:
    """Why each target that may not go is stopped; a target that is not in the result goes.

    ``drafts`` are the commit's targets as far as PLAN, ``owners`` says which target's inventory holds an object now.
    """
    if fleet.problems:
        return dict.fromkeys(drafts, fleet.problems[0])
    stopped = {name: draft.problem for name, draft in drafts.items() if draft.problem is not None}
    return _clashes(fleet, drafts, owners) | stopped


def _clashes(fleet: Fleet, drafts: Mapping[str, Outcome], owners: Mapping[ObjectKey, str]) -> dict[str, Problem]:
    wanted: dict[ObjectKey, set[str]] = defaultdict(set)
    for name, draft in drafts.items():
        for key in _desired(draft.plan):
            wanted[key].add(name)
            if key in owners and owners[key] != name:
                wanted[key].add(owners[key])
    found: dict[str, Problem] = {}
    for key, names in sorted(wanted.items()):
        for name in sorted(names & drafts.keys()):
            other = min(names - {name}, default="")
            if other and _wants(drafts[name], key):
                found.setdefault(name, _clash(key, name, other, gone=other not in fleet.targets))
    return found


def _clash(key: ObjectKey, name: str, other: str, *, gone: bool) -> Problem:
    if gone and key.group == CLUSTER_GROUP and key.kind == "Cluster":
        return Problem(
            code="target-moved",
            subject=key.label,
            message=f"belongs to target {other}, and now {name} renders it",
            hint=f"a living Cluster stays in its directory: `git mv` it back to clusters/{other}",
            retry=Retry.HUMAN,
        )
    return Problem(
        code="owned-twice",
        subject=key.label,
        message=f"rendered by {name} and owned by {other}",
        hint="let one of the two render it, or give it another name in one of them",
        retry=Retry.HUMAN,
    )


def _desired(plan: Plan | None) -> tuple[ObjectKey, ...]:
    return tuple(change.key for change in plan.changes if change.desired is not None) if plan else ()


def _wants(draft: Outcome | None, key: ObjectKey) -> bool:
    return draft is not None and key in _desired(draft.plan)
