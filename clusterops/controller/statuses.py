"""A commit's facts, as the statuses that stand on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from clusterops.controller.commits import Commit
from clusterops.model.commit_status import CommitStatus
from clusterops.model.report import Outcome, Stage
from clusterops.plan import planned_pace, steps_words, summarise
from clusterops.status import Contexts, apply_statuses, plan_pending, plan_status, policy_status

_UNRENDERED: Final = frozenset({Stage.SOURCE, Stage.RENDER})


def statuses_of(commit: Commit, management: str, at: datetime) -> tuple[CommitStatus, ...]:
    """The plan verdict, then, where anything may be applied, the apply verdict of the whole and of each region."""
    contexts = Contexts(management=management)
    if commit.works and not commit.judged:
        pending_plan = plan_pending(len(commit.works), commit.fleet_size, contexts=contexts, at=at)
        return () if commit.planned else (pending_plan,)
    plan = () if commit.planned else (_plan_status(commit, contexts, at), *_policy_status(commit, contexts, at))
    if commit.fleet.problems or not commit.applies:
        return plan
    known = commit.under_way | commit.outcomes
    pending = commit.works.keys() - commit.outcomes.keys() - commit.superseded.keys()
    return (
        *plan,
        *apply_statuses(
            [outcome for name, outcome in sorted(known.items()) if commit.reported(name)],
            pending={name for name in pending if commit.reported(name)},
            held=commit.held,
            pace=commit.pace,
            superseded=commit.superseded,
            since=commit.seen_at,
            most_alone=commit.fleet.file.forge.per_cluster_status_up_to if commit.fleet.file.forge is not None else 0,
            contexts=contexts,
            at=at,
        ),
    )


def _plan_status(commit: Commit, contexts: Contexts, at: datetime) -> CommitStatus:
    drafts = [draft for _, draft in sorted(commit.drafts.items())]
    rendered = sum(draft.stage not in _UNRENDERED for draft in drafts)
    return plan_status(
        drafts,
        rendered=rendered,
        total_targets=commit.fleet_size,
        problems=commit.fleet.problems,
        summary=_summary(drafts),
        steps=_steps(commit),
        contexts=contexts,
        at=at,
    )


def _steps(commit: Commit) -> str:
    """In how many the commit would go as it was judged: what has begun since does not change it."""
    return steps_words(planned_pace(commit.reaches, commit.fleet))


def _policy_status(commit: Commit, contexts: Contexts, at: datetime) -> tuple[CommitStatus, ...]:
    """Nothing of a commit whose fleet cannot be read: there is no policy to hold it against."""
    if commit.fleet.problems:
        return ()
    drafts = [draft for _, draft in sorted(commit.drafts.items())]
    return (policy_status(drafts, weights=commit.weights, unclaimed=commit.fleet.unclaimed, contexts=contexts, at=at),)


def _summary(drafts: Sequence[Outcome]) -> str:
    """``north/alpha: general scales 2 -> 4`` where one target alone changes."""
    plans = [draft.plan for draft in drafts if draft.plan is not None and draft.plan.writes]
    return summarise(plans[0]) if len(plans) == 1 else ""
