"""Drift as it is kept in a FleetTarget, and told in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clusterops.drift import drift_body, drift_of, line_of
from clusterops.drift.body import FIELDS_KEPT, OBJECTS_KEPT, VALUE_LIMIT
from clusterops.model.drift import (
    Author,
    Departed,
    DriftedField,
    DriftedObject,
    DriftRecord,
    Ignored,
    Remedy,
    TargetDrift,
)
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts
from clusterops.model.plan import MISSING
from clusterops.model.problem import Problem

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
POOL = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="north", name="general")
FIELD = DriftedField(
    pointer="/spec/replicas",
    git=4,
    live=5,
    manager="kubectl-scale",
    operation="Update",
    changed_at=NOW - timedelta(hours=2),
    author=Author.PERSON,
)
EDITED = DriftedObject(
    key=POOL,
    what=Departed.CHANGED,
    fields=(FIELD, DriftedField(pointer="/spec/paused", git=None, live=MISSING)),
    remedy=Remedy.ASK,
    cost=MachineCounts(removed=1),
    author=Author.PERSON,
    seen_at=NOW,
)
DRIFT = TargetDrift(
    target="north/alpha",
    drifted=(EDITED, DriftedObject(key=POOL, what=Departed.DELETED, why="is held", unknown_cost=True)),
    ignored=(
        Ignored(key=POOL, field=DriftedField(pointer="/spec/x", git=MISSING, live=MISSING, manager="m"), rule="r:1"),
    ),
    left={Author.AUTOSCALER: 14},
    unknown=(Problem(code="api-forbidden", subject="Secret", message="forbidden", hint="see RBAC"),),
    history=(DriftRecord(at=NOW, what="in-sync"), DriftRecord(at=NOW, what="changed", object=POOL, remedy="heal")),
)


def test_what_is_written_is_read_again() -> None:
    body = json.loads(json.dumps(drift_body(DRIFT)))
    assert drift_of("north/alpha", body) == DRIFT
    calm = TargetDrift(target="north/alpha", in_sync_since=NOW)
    assert drift_of("north/alpha", drift_body(calm)) == calm


def test_a_value_that_changes_under_an_ignored_field_writes_nothing_new() -> None:
    (ignored,) = DRIFT.ignored
    scaled = replace(ignored, field=replace(ignored.field, live=9, changed_at=NOW))
    assert drift_body(replace(DRIFT, ignored=(scaled,), revision="main@1")) == drift_body(DRIFT)


def test_long_values_and_long_lists_are_cut() -> None:
    long = replace(FIELD, live="x" * 1000, git={"key": "y" * 1000})
    many = tuple(replace(EDITED, fields=(long,) * (FIELDS_KEPT + 1)) for _ in range(OBJECTS_KEPT + 1))
    body = drift_body(replace(DRIFT, drifted=many))
    assert (body["count"], len(body["objects"])) == (OBJECTS_KEPT + 1, OBJECTS_KEPT)
    fields = body["objects"][0]["fields"]
    assert len(fields) == FIELDS_KEPT
    assert [len(fields[0][name]) for name in ("git", "live")] == [VALUE_LIMIT, VALUE_LIMIT]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"objects": "x", "history": {}, "left": [], "unknown": 7, "inSyncSince": 3},
        {"objects": [None, {}, {"object": "x", "what": "changed"}, {"object": str(POOL), "what": "odd"}]},
        {"history": [{"at": "yesterday", "what": "changed"}, {"what": "changed"}], "left": {"autoscaler": "many"}},
    ],
)
def test_what_a_person_broke_is_left_out(broken: dict[str, Any]) -> None:
    assert drift_of("north/alpha", broken) == TargetDrift(target="north/alpha")


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (
            EDITED,
            "MachineDeployment north/general: /spec/replicas git 4, live 5 by kubectl-scale (person)"
            " and 1 more field; ask; to heal: 1 machine removed",
        ),
        (
            replace(EDITED, what=Departed.OWNERSHIP_LOST, fields=(FIELD,), cost=MachineCounts(), remedy=Remedy.HEAL),
            "MachineDeployment north/general: /spec/replicas is owned by kubectl-scale (person),"
            " its value is git's; heal",
        ),
        (DRIFT.drifted[1], "MachineDeployment north/general: was deleted; report (is held)"),
    ],
)
def test_drift_in_one_line(one: DriftedObject, told: str) -> None:
    assert line_of(one) == told
