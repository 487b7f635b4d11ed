"""The whole comment, part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from clusterops.model.canonical import digest_of
from clusterops.model.plan import Plan
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome
from clusterops.plan.comment import remarks
from clusterops.plan.comment.details import fold_of
from clusterops.plan.comment.heading import heading
from clusterops.plan.comment.markdown import code, prose, revision
from clusterops.plan.comment.markers import marker
from clusterops.plan.comment.parts import Fold, Frame, Item, split
from clusterops.plan.comment.refusals import refusal_lines, refusals
from clusterops.plan.comment.table import Row, rest_of, rows_of, shown_rows, table, tells
from clusterops.plan.pace import PlannedPace, pace_text, planned_pace
from clusterops.plan.phrases import counted
from clusterops.plan.rollout import reach_of

_DIGEST: Final = re.compile(r"<!-- digest:([0-9a-f]{32}) -->\s*\Z")
_REFUSALS_SHOWN: Final = 20
_REMARKS_SHOWN: Final = 30
_DIGITS: Final = 32
_NO_COMMIT: Final = "0" * 40


def comment_digest(body: str) -> str:
    """Of a part that was posted: equal as long as the whole comment says the same; "" where none is.

    Times aside, and the commit of the branch: it moves with every merge that the plan has nothing to do with.
    """
    found = _DIGEST.search(body)
    return found.group(1) if found else ""


def comment_parts(
    preview: Preview, *, management: str = "default", limit: int = 65_000, standing: bool = False
) -> tuple[str, ...]:
    """Each with its marker, in order, none longer than ``limit`` characters; empty where no target changes.

    ``standing``: a comment stands there already, so that nothing changes any more is said in it.
    """
    if not standing and not preview.problems and not any(map(tells, preview.outcomes)):
        return ()
    told = replace(preview, outcomes=tuple(filter(tells, preview.outcomes)))
    details = tuple(_details(told))
    any_base = replace(told, base=replace(preview.base, commit=_NO_COMMIT))
    head, lists, foot = _around(any_base, None)
    digest = digest_of([management, limit, head, [_plain(fold) for fold in (*lists, *details)], foot])[:_DIGITS]
    head, lists, foot = _around(told, preview.planned_at)
    frame = Frame(
        marker=partial(_marked, preview.fleet.file.name, management),
        title=lambda number, count: f"### ClusterOps plan, part {number} of {count}",
        last=f"<!-- digest:{digest} -->",
    )
    return split(head, (*lists, *details), foot, frame=frame, limit=limit)


def _around(preview: Preview, at: datetime | None) -> tuple[tuple[str, ...], tuple[Fold, ...], tuple[str, ...]]:
    """What stands before and after the details of each target; ``at`` None: without times."""
    rows = rows_of(preview.outcomes, at)
    return tuple(_head(preview, rows)), tuple(_lists(preview, rows)), tuple(_foot(preview, at))


def _plain(fold: Fold) -> list[object]:
    return [fold.summary, fold.language, [[item.line, *item.lines] for item in fold.items]]


def _marked(fleet: str, management: str, part: int) -> str:
    return marker(fleet, management, part=part)


def _head(preview: Preview, rows: Sequence[Row]) -> Iterator[str]:
    pace = planned_pace({each.target: reach_of(each.plan, each.target) for each in preview.outcomes}, preview.fleet)
    yield f"### ClusterOps plan: {prose(heading(preview, pace))}"
    if not preview.problems and not preview.outcomes:
        yield from ("", _nothing(preview))
    if pace is not None:
        yield from ("", *_paced(preview, pace))
    if rows:
        yield from ("", *table(rows))
    for paragraph in _paragraphs(preview, budgets=pace is None):
        yield ""
        yield from paragraph


def _paced(preview: Preview, pace: PlannedPace) -> Iterator[str]:
    """Nothing reaches all of them at once: how it goes comes first."""
    yield f"{prose(pace_text(pace))}  "
    yield from remarks.budget_lines(preview.weights, paced=True)


def _nothing(preview: Preview) -> str:
    unmoved = f"inputs of 0 of {counted(preview.total, 'target')} differ"
    proof = f"{counted(preview.rendered, 'target')} rendered, 0 objects differ" if preview.rendered else unmoved
    return f"Nothing changes any more: {proof}."


def _paragraphs(preview: Preview, *, budgets: bool) -> Iterator[Sequence[str]]:
    """Refusals first; a line of remarks ends with a break, so that none runs into the next."""
    problems = refusals(preview)
    for problem in problems[:_REFUSALS_SHOWN]:
        yield tuple(refusal_lines(problem, preview))
    if len(problems) > _REFUSALS_SHOWN:
        yield (f"❌ {counted(len(problems) - _REFUSALS_SHOWN, 'more refusal')}, folded below.",)
    lines = tuple(_remarks(preview, budgets=budgets))
    if lines:
        yield tuple(f"{line}  " for line in lines[:_REMARKS_SHOWN])
    if len(lines) > _REMARKS_SHOWN:
        yield (f"ℹ️ {counted(len(lines) - _REMARKS_SHOWN, 'more remark')}, folded below.",)


def _remarks(preview: Preview, *, budgets: bool) -> Iterator[str]:
    plans = _plans(preview)
    yield from remarks.fork_line(preview)
    yield from remarks.final_lines(plans)
    yield from remarks.budget_lines(preview.weights) if budgets else ()
    yield from remarks.count_lines(plans)
    yield from remarks.rival_lines(preview)
    yield from remarks.warning_lines(plans)


def _lists(preview: Preview, rows: Sequence[Row]) -> Iterator[Fold]:
    """What the table and the lines below it have no room for."""
    rest, problems = rest_of(rows), refusals(preview)[_REFUSALS_SHOWN:]
    if rest:
        items = tuple(Item(line=f"- {prose(each.line.replace('->', '→'))}") for each in rest)
        yield Fold(summary=f"{len(rest)} more clusters", items=items, language="")
    if problems:
        yield Fold(summary=f"{len(problems)} more refusals", items=tuple(map(_refusal, problems)), language="")
    notes = tuple(_remarks(preview, budgets=False))[_REMARKS_SHOWN:]
    if notes:
        yield Fold(
            summary=f"{len(notes)} more remarks", items=tuple(Item(line=f"- {note}") for note in notes), language=""
        )


def _details(preview: Preview) -> Iterator[Fold]:
    plans = _ordered(preview.outcomes)
    for plan in plans:
        fold = fold_of(plan, preview.origins, named=len(plans) > 1)
        if fold is not None:
            yield fold


def _refusal(problem: Problem) -> Item:
    return Item(line=f"- ❌ {code(problem.text)}", lines=(f"  {prose(problem.hint)}",) if problem.hint else ())


def _ordered(outcomes: Sequence[Outcome]) -> list[Plan]:
    """As the rows are."""
    rows = rows_of(outcomes)
    names = [each.cluster for each in (*shown_rows(rows), *rest_of(rows)) if not each.part]
    place = {name: index for index, name in enumerate(names)}
    plans = [outcome.plan for outcome in outcomes if outcome.plan is not None]
    return sorted(plans, key=lambda plan: place.get(plan.target, len(place)))


def _plans(preview: Preview) -> list[Plan]:
    return [outcome.plan for outcome in preview.outcomes if outcome.plan is not None]


def _foot(preview: Preview, at: datetime | None) -> Iterator[str]:
    yield f"<sub>{' · '.join(_made_of(preview, at))}."
    commands = ["`clusterops plan` to run it again"]
    if preview.outcomes:
        commands.append(f"{code(f'clusterops explain {preview.outcomes[0].target}')} for where each value comes from")
    yield f"Comment {', '.join(commands)}, `clusterops help`.</sub>"


def _made_of(preview: Preview, at: datetime | None) -> Iterator[str]:
    plans = _plans(preview)
    yield f"Merge of {revision(preview.request.head[:7])} into {revision(preview.base.text)}"
    if at is not None and (preview.rendered or plans):
        yield f"live state of {at:%H:%M:%SZ}"
    if plans:
        yield f"plan {(plans[0].id if len(plans) == 1 else preview.plan_id)[:7]}"
    yield f"{preview.rendered} of {counted(preview.total, 'target')} rendered"
    yield f"redone when {revision(preview.base.branch)}{' or one of these fields' if plans else ''} moves"
