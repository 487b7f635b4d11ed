"""The simulation's model of Cluster API, and the checker that holds it against a recorded trace."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from tests.rollout_simulation.machines import PLANE, Pool, Row, Shape, differences, moving, roll, rows
from tests.shows.rollout_fleet import Site, traced

TRACE = Path(__file__).parents[2] / "golden" / "rollout_trace.jsonl"
SHAPES = [
    Shape(1, (Pool("general", 2),)),
    Shape(3, (Pool("general", 6, surge=3, unavailable=1), Pool("batch", 2, surge=0, unavailable=1))),
    Shape(3, (Pool("general", 4, surge=10),), in_order=True),
]


def minute(event: str) -> float:
    return 60.0 if event == "created" else 30.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(20))
def test_rollout_model_never_moves_more_machines_than_the_plan_says(shape: Shape, seed: int) -> None:
    random = Random(seed)
    steps = roll(shape, lambda event: random.uniform(1, 100))
    assert max(count for _, count in moving(steps)) <= shape.at_once
    assert moving(steps)[-1][1] == 0
    for pool in (Pool(PLANE, shape.planes), *shape.pools):
        events = [step.event for step in steps if step.pool == pool.name]
        assert {word: events.count(word) for word in ("ready", "gone")} == dict.fromkeys(
            ("ready", "gone"), pool.replicas
        )


def test_rollout_model_surges_before_it_deletes() -> None:
    steps = [(step.t, step.event) for step in roll(Shape(0, (Pool("general", 2),)), minute)]
    assert steps == [
        (0, "created"),
        (60, "ready"),
        (60, "deleting"),
        (90, "gone"),
        (90, "created"),
        (150, "ready"),
        (150, "deleting"),
        (180, "gone"),
    ]


def trace_of(shape: Shape, seed: int = 0) -> list[Row]:
    random = Random(seed)
    return rows("north/alpha", roll(shape, lambda event: random.uniform(1, 100)))


@pytest.mark.parametrize("shape", SHAPES)
def test_rollout_trace_at_other_speeds_agrees(shape: Shape) -> None:
    assert differences(trace_of(shape, seed=7), rows("north/alpha", roll(shape, minute))) == []


def test_rollout_trace_that_departs_is_told() -> None:
    model = trace_of(Shape(1, (Pool("general", 2),), in_order=True))
    assert "north/beta: in the trace alone" in differences([row | {"cluster": "north/beta"} for row in model], model)
    early = [row | {"t": row["t"] + 1000 * (row["role"] == PLANE or row["event"] == "settled")} for row in model]
    assert differences(early, model) == ["north/alpha: a pool moved before the control plane was done"]
    lost = [row for row in model if (row["event"], row["role"]) != ("gone", PLANE)]
    assert "north/alpha: control-plane: 0 gone, 1 in the model" in differences(lost, model)
    unready = [row | {"t": row["t"] + 2000 * (row["event"] in {"ready", "settled"})} for row in model]
    told = differences(unready, model)
    assert "north/alpha: worker/general: deleting before ready" in told
    assert any("machines on their way at once, 1 in the model" in text for text in told)
    assert differences([row for row in model if row["event"] != "begun"], model) == ["north/alpha: never begun"]
    soon = [row | {"t": -1.0 if row["event"] == "settled" else row["t"]} for row in model]
    assert differences(soon, model) == ["north/alpha: settled before its last machine was done"]


def test_rollout_control_plane_deletes_a_machine_before_the_new_one_is_ready() -> None:
    """KCP looks at the Node and the components of a new machine, not at Ready: for a moment two are on their way."""
    steps = [(step.t, step.event) for step in roll(Shape(1, ()), minute)]
    assert steps == [(0, "created"), (57, "deleting"), (60, "ready"), (87, "gone")]


def test_rollout_model_agrees_with_real_controllers() -> None:
    """The trace is of Cluster API v1.14.0 with its in-memory provider, by tests/shows/rollout_trace.py."""
    trace = [json.loads(line) for line in TRACE.read_text().splitlines() if line]
    model = [row for site in traced() for row in rows(site.target, roll(_shape(site), minute))]
    assert differences(trace, model) == []


def _shape(site: Site) -> Shape:
    """An image bump raises no version, so control plane and pools go together."""
    pools = (
        Pool(name, pool["replicas"], pool.get("maxSurge", 1), pool.get("maxUnavailable", 0))
        for name, pool in site.pools.items()
    )
    return Shape(site.planes, tuple(pools))
