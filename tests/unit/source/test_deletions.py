"""Second keys and policy as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from clusterops.model.policy import DEFAULT_BUDGETS, Budget, Exemption, Limit
from clusterops.source.fleet import read_fleet
from tests.unit.source.snapshots import FLEET, changed, snapshot_of

UID = "6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10"
KEY = f"target: eu/old\nuid: {UID}\nreason: CHG-2291, replaced\nexpires: 2026-11-28\n"


def test_a_second_key_is_read_whatever_its_file_is_called() -> None:
    fleet = read_fleet(snapshot_of(changed({"deletions/some.yaml": KEY, "deletions/README.md": "words"})))
    assert fleet.problems == ()
    (key,) = fleet.keys_for("eu/old")
    assert (key.path, key.uid, key.expires) == ("deletions/some.yaml", UID, date(2026, 11, 28))
    assert fleet.keys_for("eu/web") == ()
    assert fleet.warnings == ()


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        (KEY.replace(UID, "6a1d"), 2, "value-format"),
        (KEY.replace("2026-11-28", "soon"), 4, "value-format"),
        (KEY.replace("reason: CHG-2291, replaced\n", ""), 1, "key-missing"),
        (KEY.replace("eu/old", "old"), 1, "value-format"),
        (KEY + "force: true\n", 5, "key-unknown"),
        (f"{KEY}---\n{KEY}", 0, "yaml-documents"),
        ("target: [", 2, "yaml-syntax"),
    ],
)
def test_a_wrong_key_is_an_error_with_file_and_line_and_opens_nothing(text: str, line: int, code: str) -> None:
    fleet = read_fleet(snapshot_of(changed({"deletions/old.yaml": text})))
    assert fleet.deletions == ()
    problem = fleet.problems[0]
    assert (problem.path, problem.code) == ("deletions/old.yaml", code)
    assert not line or problem.line == line


def test_a_key_whose_cluster_is_still_in_git_is_a_warning() -> None:
    fleet = read_fleet(snapshot_of(changed({"deletions/web.yaml": KEY.replace("eu/old", "eu/web")})))
    (warning,) = fleet.warnings
    assert (warning.code, warning.path, warning.subject) == ("key-unspent", "deletions/web.yaml", "eu/web")
    assert fleet.problems == ()


def test_policy_has_defaults_budget_by_budget() -> None:
    policy = read_fleet(snapshot_of(changed({}))).file.policy
    assert (policy.budgets, policy.fleet_budgets, policy.deletion_key_days) == (DEFAULT_BUDGETS, {}, 7)
    some = FLEET + "policy: {budgets: {machinesRemoved: 5}, fleetBudgets: {clustersDeleted: 2}, deletionKeyDays: 3}\n"
    policy = read_fleet(snapshot_of(changed({"fleet.yaml": some}))).file.policy
    assert policy.budgets == {**DEFAULT_BUDGETS, Budget.MACHINES_REMOVED: Limit(count=5)}
    assert policy.fleet_budgets == {Budget.CLUSTERS_DELETED: Limit(count=2)}
    assert policy.deletion_key_days == 3


def test_an_exception_is_whole_or_none() -> None:
    line = "{budget: machinesReplaced, region: eu, limit: 50%, reason: CHG-2310, expires: 2026-12-05}"
    whole = FLEET + f"policy: {{exceptions: [{line}]}}\n"
    (found,) = read_fleet(snapshot_of(changed({"fleet.yaml": whole}))).file.policy.exceptions
    assert found == Exemption(
        budget=Budget.MACHINES_REPLACED,
        region="eu",
        limit=Limit(percent=50),
        reason="CHG-2310",
        expires=date(2026, 12, 5),
    )
    half = whole.replace(", expires: 2026-12-05", "")
    fleet = read_fleet(snapshot_of(changed({"fleet.yaml": half})))
    assert [problem.code for problem in fleet.problems] == ["key-missing"]
    assert fleet.file.policy.exceptions == ()
