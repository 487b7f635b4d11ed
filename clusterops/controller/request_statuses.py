"""A preview, as the statuses on the request's head."""

from __future__ import annotations

from clusterops.model.commit_status import CommitStatus
from clusterops.model.preview import Preview
from clusterops.plan import planned_pace, steps_words, summarise
from clusterops.plan.rollout import reach_of
from clusterops.status import Contexts, plan_status, policy_status


def request_statuses(preview: Preview, contexts: Contexts) -> tuple[CommitStatus, ...]:
    plans = [outcome.plan for outcome in preview.outcomes if outcome.plan is not None and outcome.plan.writes]
    pace = planned_pace({each.target: reach_of(each.plan, each.target) for each in preview.outcomes}, preview.fleet)
    plan = plan_status(
        preview.outcomes,
        rendered=preview.rendered,
        total_targets=preview.total,
        problems=preview.problems,
        summary=summarise(plans[0]) if len(plans) == 1 else "",
        steps=steps_words(pace),
        contexts=contexts,
        at=preview.planned_at,
    )
    if preview.problems:
        return (plan,)
    return plan, policy_status(preview.outcomes, weights=preview.weights, contexts=contexts, at=preview.planned_at)
