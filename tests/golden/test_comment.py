"""Comments on requests, as people see them. ``UPDATE_GOLDEN=1 pytest tests/golden`` rewrites them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clusterops.model.plan import Action, Change, Plan
from clusterops.model.policy import Budget
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
from clusterops.plan.comment import comment_parts
from tests.comment_previews import (
    CORE,
    broken,
    created,
    deletion,
    key,
    many,
    outcome,
    preview,
    problems,
    replaced_weight,
    upgrade,
    upgrade_origins,
)

FOLDER = Path(__file__).parent / "comment"


def creates() -> Preview:
    return preview(created(), fork=True)


def upgrades_and_resizes() -> Preview:
    rivals = {"eu-west-1/payments": (413,)}
    return preview(upgrade(), weights=(replaced_weight(),), origins=upgrade_origins(), rivals=rivals)


def deletes_refused() -> Preview:
    return preview(deletion(), number=418)


def deletes_with_a_key() -> Preview:
    weight = replaced_weight(1, 1, budget=Budget.CLUSTERS_DELETED, region="fra1", total=0)
    return preview(deletion(permitted=True), weights=(weight,), number=418)


def many_clusters() -> Preview:
    return many()


def beyond_a_budget() -> Preview:
    weight = replaced_weight(140, 122)
    return preview(replace(upgrade(), problem=weight.problem), weights=(weight,))


def breaks_a_chart() -> Preview:
    problem = Problem(
        code="value-format",
        subject="network.pods[0]",
        message='"10.244.0.0/61" is not an address range',
        path="clusters/south/beta/values.yaml",
        line=9,
        column=10,
        hint="write it as ADDRESS/BITS, like `10.244.0.0/16`",
    )
    return preview(broken("south/beta", problem), upgrade())


def conflicts() -> Preview:
    return problems(
        Problem(
            code="merge-conflict",
            subject="request 412",
            message="cannot be merged into main: both changed clusters/eu/pay/values.yaml, fleet.yaml",
            hint="merge or rebase onto main, and push again",
            path="clusters/eu/pay/values.yaml",
        )
    )


def wrong_in_fleet_yaml() -> Preview:
    return problems(
        Problem(
            code="value-type",
            subject="policy.budgets.machinesReplaced",
            message='"many" is not a count or a share',
            path="fleet.yaml",
            line=9,
            column=33,
            hint="try: `20%`",
        )
    )


def nothing_left() -> Preview:
    row = Change(key=key(CORE, "Cluster", "eu/pay", "pay"), action=Action.UNCHANGED)
    same = Outcome(
        target="eu/pay", revision="c", stage=Stage.DONE, plan=Plan(target="eu/pay", revision="c", waves=((row,),))
    )
    return preview(same, rendered=3)


@pytest.mark.parametrize(
    "made",
    [
        creates,
        upgrades_and_resizes,
        deletes_refused,
        deletes_with_a_key,
        many_clusters,
        beyond_a_budget,
        breaks_a_chart,
        conflicts,
        wrong_in_fleet_yaml,
        nothing_left,
    ],
    ids=lambda made: made.__name__,
)
def test_a_comment_reads_as_agreed(made: Callable[[], Preview]) -> None:
    parts = comment_parts(made(), standing=made is nothing_left)
    assert len(parts) == 1
    _compare(made.__name__, parts[0] + "\n")


def test_a_comment_in_three_parts_reads_as_agreed() -> None:
    parts = comment_parts(preview(*(upgrade(f"eu-west-1/c{number}") for number in range(4))), limit=3500)
    assert len(parts) == 3
    _compare("three_parts", "\n=====\n".join(parts) + "\n")


def _compare(name: str, text: str) -> None:
    path = FOLDER / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_a_cluster_alone_is_told_without_its_name_in_the_fold() -> None:
    assert "<b>" not in comment_parts(preview(outcome("a/b", *_changes(upgrade()))))[0]


def _changes(one: Outcome) -> tuple[Change, ...]:
    assert one.plan is not None
    return one.plan.changes
