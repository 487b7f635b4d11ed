"""What is refused and why, each with its next step; a missing second key as the file that it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from clusterops.model.plan import Change
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.plan.comment.happens import goes
from clusterops.plan.comment.markdown import code, prose, visible

MISSING_KEY: Final = "deletion-needs-second-key"
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*|[0-9a-f]+-[0-9a-f-]+")
_WORKLOADS: Final = "Volumes and load balancers that workloads made are not deleted by Cluster API."


def refusals(preview: Preview) -> tuple[Problem, ...]:
    """Each once: of the whole request, budgets, then targets in their order."""
    found = [*preview.problems, *(weight.problem for weight in preview.weights if weight.over)]
    for outcome in preview.outcomes:
        own = (outcome.problem,) if outcome.problem is not None else ()
        found += [*own, *(outcome.plan.refusals if outcome.plan else ()), *(outcome.plan.stuck if outcome.plan else ())]
    return tuple(dict.fromkeys(found))


def refusal_lines(problem: Problem, preview: Preview) -> Iterator[str]:
    """❌ and the line that stands everywhere, then what to do."""
    yield f"❌ {code(problem.text)}" + ("  " if problem.hint else "")
    going = _going(problem, preview) if problem.code == MISSING_KEY else None
    if going is not None:
        yield from _key_lines(*going, preview)
    elif problem.hint:
        yield prose(problem.hint)


def _going(problem: Problem, preview: Preview) -> tuple[str, Change] | None:
    for outcome in preview.outcomes:
        for change in outcome.plan.changes if outcome.plan else ():
            if change.reason == problem and change.live is not None and goes(change):
                return outcome.target, change
    return None


def _key_lines(target: str, change: Change, preview: Preview) -> Iterator[str]:
    """The file, ready to be pasted. Its name is a convention; target and uid decide."""
    assert change.live is not None
    command = code(f"clusterops delete {target} --reason TEXT")
    expires = preview.planned_at.date() + timedelta(days=preview.fleet.file.policy.deletion_key_days)
    yield f"If it is meant, add this file to the request ({command} writes it):"
    yield "```yaml"
    yield f"# deletions/{visible(target.rpartition('/')[2])}.yaml"
    yield f"target: {_scalar(target)}"
    yield f"uid: {_scalar(change.live.uid)}"
    yield "reason: TEXT"
    yield f"expires: {expires.isoformat()}"
    yield "```"
    slip = code(f"git restore --source={preview.base.branch} clusters/{target}")
    yield f"If it is a slip: {slip}. {_WORKLOADS}"


def _scalar(text: str) -> str:
    """As YAML. A backtick cannot close the block that it stands in."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text).replace("`", "\\u0060")
