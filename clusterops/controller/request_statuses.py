"""A preview, as the statuses on the request's head."""

from __future__ import annotations

from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.preview import Preview
from clusterops.plan import planned_pace, steps_words, summarise
from clusterops.plan.rollout import reach_of
from clusterops.status import Contexts, plan_status, policy_status


def request_statuses(preview: Preview, contexts: Contexts) -> tuple[CommitStatus, ...]:
    """``clusterops/plan`` and ``clusterops/policy``: nothing is green that was not rendered, or compared."""
    if preview.problems:
        return _plan(preview, contexts), _unjudged(preview, contexts)
    policy = policy_status(
        preview.outcomes,
        weights=preview.weights,
        unclaimed=preview.fleet.unclaimed,
        contexts=contexts,
        at=preview.planned_at,
    )
    return (_plan(preview, contexts) if preview.outcomes else _untouched(preview, contexts)), policy


def _plan(preview: Preview, contexts: Contexts) -> CommitStatus:
    plans = [outcome.plan for outcome in preview.outcomes if outcome.plan is not None and outcome.plan.writes]
    pace = planned_pace({each.target: reach_of(each.plan, each.target) for each in preview.outcomes}, preview.fleet)
    return plan_status(
        preview.outcomes,
        rendered=sum(outcome.plan is not None for outcome in preview.outcomes),
        total_targets=preview.total,
        problems=preview.problems,
        summary=summarise(plans[0]) if len(plans) == 1 else "",
        steps=steps_words(pace),
        contexts=contexts,
        at=preview.planned_at,
    )


def _untouched(preview: Preview, contexts: Contexts) -> CommitStatus:
    """The proof is that everything that a render reads was compared."""
    text = f"no change: inputs of 0 of {preview.total} targets differ"
    return CommitStatus(context=contexts.plan, state=State.SUCCESS, text=text, at=preview.planned_at)


def _unjudged(preview: Preview, contexts: Contexts) -> CommitStatus:
    text = f"nothing to judge, see {contexts.plan}"
    return CommitStatus(context=contexts.policy, state=State.ERROR, text=text, at=preview.planned_at)
