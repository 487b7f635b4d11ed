"""One plan as Markdown, without a request around it: what ``clusterops plan -o markdown`` prints."""

from __future__ import annotations

from collections.abc import Iterator

from clusterops.model.plan import Plan
from clusterops.plan.comment import remarks
from clusterops.plan.comment.details import fold_of
from clusterops.plan.comment.markdown import code, fence_for, prose
from clusterops.plan.comment.table import rows_of_plan, table
from clusterops.plan.phrases import counted


def plan_to_markdown(plan: Plan) -> str:
    """The rows, refusals and fields of the comment on a request; ends with a newline."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield from table(rows_of_plan(plan))
    yield ""
    for problem in plan.refusals:
        yield f"❌ {code(problem.text)}{'  ' if problem.hint else ''}"
        yield from (prose(problem.hint), "") if problem.hint else ("",)
    told = [*remarks.final_lines([plan]), *remarks.count_lines([plan]), *remarks.warning_lines([plan])]
    yield from (f"{line}  " for line in told)
    if told:
        yield ""
    fold = fold_of(plan, {}, named=False)
    if fold is not None:
        lines = [line for item in fold.items for line in (item.line, *item.lines)]
        fence = fence_for(lines)
        yield from (f"<details><summary>{fold.summary}</summary>", "", f"{fence}diff", *lines, fence, "</details>", "")
    yield f"<sub>plan {plan.id[:7]} · {counted(len(plan.changes), 'object')} compared</sub>"
