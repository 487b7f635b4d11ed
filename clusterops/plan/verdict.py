"""The verdict on a whole commit: per target go, or the reason why not.

An error in fleet.yaml stops everything, an error in a target stops that target, two targets never own one object, a
Cluster's directory does not move while the Cluster lives, a Cluster goes only with its second key, and beyond a budget
nothing goes in that region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from clusterops.model.fleet import Fleet, is_shared, region_of
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Plan
from clusterops.model.policy import FLEET, KEY_CODES, Weight
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome

CLUSTER_GROUP = "cluster.x-k8s.io"


def judge(
    fleet: Fleet,
    drafts: Mapping[str, Outcome],
    owners: Mapping[ObjectKey, str],
    weights: Iterable[Weight] = (),
) -> dict[str, Problem]:
    """Why each target that may not go is stopped; a target that is not in the result goes.

    ``drafts`` are the commit's targets as far as PLAN, ``owners`` says which target's inventory holds an object now,
    ``weights`` what the commit spends of its budgets.
    """
    if fleet.problems:
        return dict.fromkeys(drafts, fleet.problems[0])
    stopped = {name: draft.problem for name, draft in drafts.items() if draft.problem is not None}
    own = _clashes(fleet, drafts, owners) | _still_meant(fleet, drafts) | _keyless(drafts) | stopped
    return _beside_doubt(drafts, own) | _beyond(drafts, weights) | own


def _beyond(drafts: Mapping[str, Outcome], weights: Iterable[Weight]) -> dict[str, Problem]:
    """Everything in a region whose budget does not suffice, and whatever else spends of it; the fleet's: everything."""
    found: dict[str, Problem] = {}
    for weight in weights:
        if weight.over:
            for name, draft in drafts.items():
                there = weight.region in {FLEET, region_of(name)} and not _begun(draft.plan)
                if there or name in weight.targets:
                    found.setdefault(name, weight.problem)
    return found


def _begun(plan: Plan | None) -> bool:
    """Whether all that is left to do is to end a deletion: that runs on."""
    if plan is None or plan.deletion is None:
        return False
    return not any(change.writes and change.desired is not None for change in plan.changes)


def _beside_doubt(drafts: Mapping[str, Outcome], stopped: Mapping[str, Problem]) -> dict[str, Problem]:
    """What clusters share is not pruned by a commit in which one of them is stopped: a lost region takes nothing."""
    doubts = {region_of(name): problem for name, problem in sorted(stopped.items(), reverse=True)}
    found: dict[str, Problem] = {}
    for name, draft in drafts.items():
        everywhere = min(doubts.values(), default=None) if name.startswith("shared/") else None
        problem = doubts.get(region_of(name), everywhere)
        if problem is not None and is_shared(name) and _prunes(draft.plan):
            found[name] = _in_doubt(name, problem)
    return found


def _prunes(plan: Plan | None) -> bool:
    return any(change.action is Action.PRUNE and change.live is not None for change in plan.changes) if plan else False


def _in_doubt(name: str, problem: Problem) -> Problem:
    return Problem(
        code="shared-in-doubt",
        subject=name,
        message=f"prunes nothing in a commit in which {problem.subject} is stopped ({problem.code})",
        hint="mend or revert that one; to drop what is shared, do it in a commit of its own",
        retry=Retry.HUMAN,
    )


def _keyless(drafts: Mapping[str, Outcome]) -> dict[str, Problem]:
    """With a Cluster that may not be deleted, nothing of its target is touched."""
    refused = ((name, _refusal(draft.plan)) for name, draft in drafts.items())
    return {name: problem for name, problem in refused if problem is not None}


def _refusal(plan: Plan | None) -> Problem | None:
    return next((problem for problem in plan.refusals if problem.code in KEY_CODES), None) if plan else None


def _still_meant(fleet: Fleet, drafts: Mapping[str, Outcome]) -> dict[str, Problem]:
    """A second key does not open where another directory stands for the same Cluster: it was moved, not dropped."""
    homes = {(target.namespace, target.cluster): name for name, target in fleet.targets.items()}
    found: dict[str, Problem] = {}
    for name, draft in drafts.items():
        for change in draft.plan.changes if draft.plan else ():
            dropped = change.action is Action.PRUNE and change.live is not None
            if dropped and change.key.group == CLUSTER_GROUP and change.key.kind == "Cluster":
                home = homes.get((change.key.namespace or "", change.key.name), name)
                if home != name:
                    found[name] = _clash(change.key, home, name, gone=True)
    return found


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
