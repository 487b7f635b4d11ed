"""Recordings of real controllers (Cluster API v1.14), made by ``python -m tests.shows.show_10_health --write``.

Each step is a state at which something changed for health: what differs, what was still lacking in truth (told by
the Machines alone), and what health said.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clusterops.health import assess
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.report import HealthReport, HealthWord
from tests.recorded_cluster import patched, recorded_health, recorded_state

GOLDEN = Path(__file__).parents[2] / "golden" / "health"
FILES = ("class-v1beta2", "plain-v1beta1", "plain-v1beta2")
OLD = "plain-v1beta1, before v1.9"
RECORDINGS = (*FILES, OLD)
"""The last is what an API server from before Cluster API v1.9 would have shown: no condition of v1beta2."""
PHASES = {"create", "upgrade", "pause", "unpause", "delete", "pool removed", "remediation of a worker"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``partial``: what would be said by the asked objects alone."""

    phase: str
    ends: str
    recorded: dict[str, Any]
    report: HealthReport
    partial: HealthReport

    @property
    def text(self) -> str:
        return f"{self.phase} at {self.recorded['revision']}: lacking {self.recorded['lacking']!r}"


@functools.cache
def steps(recording: str) -> tuple[Step, ...]:
    phases = json.loads((GOLDEN / f"{recording.partition(',')[0]}.json").read_text(encoding="utf-8"))
    folded: dict[str, Any] = {}
    found = []
    for phase in phases:
        keys = [ObjectKey.parse(text) for text in phase["keys"]]
        for step in phase["steps"]:
            folded = patched(folded, step["patch"])
            state = recorded_state(without_new_words(folded) if recording == OLD else folded)
            there = LiveSet({key: state[key] for key in keys if key in state})
            found.append(
                Step(
                    phase=phase["name"],
                    ends=phase["ends"],
                    recorded={name: step[name] for name in ("revision", "lacking", "says")},
                    report=asyncio.run(recorded_health(state, keys)),
                    partial=assess(there, keys),
                )
            )
    return tuple(found)


def without_new_words(folded: dict[str, Any]) -> dict[str, Any]:
    def old(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "status": {k: v for k, v in (body.get("status") or {}).items() if k != "v1beta2"}}

    return {key: old(body) for key, body in folded.items()}


def test_every_kind_of_phase_is_recorded() -> None:
    for recording in RECORDINGS:
        assert {step.phase for step in steps(recording)} >= PHASES


@pytest.mark.parametrize("recording", RECORDINGS)
def test_nothing_is_settled_before_every_machine_is_what_git_says(recording: str) -> None:
    early = [step.text for step in steps(recording) if step.report.settled and step.recorded["lacking"]]
    assert not early


@pytest.mark.parametrize("recording", RECORDINGS)
def test_every_phase_is_unsettled_first_and_ends_as_it_has_to(recording: str) -> None:
    last = {step.phase: step for step in steps(recording)}
    unsettled = Counter(step.phase for step in steps(recording) if not step.report.settled)
    assert set(unsettled) == set(last)
    for step in last.values():
        cluster = next(row for row in step.report.rows if row.key.kind == "Cluster")
        assert step.report.settled is (step.ends == "settled"), step.text
        if step.ends != "settled":
            assert cluster.word is (HealthWord.PAUSED if step.ends == "paused" else HealthWord.NOT_FOUND)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_a_pause_is_its_own_word_until_it_is_over(recording: str) -> None:
    for step in steps(recording):
        if step.ends == "paused":
            assert HealthWord.PAUSED in {row.word for row in step.report.rows}, step.text


@pytest.mark.parametrize("recording", FILES)
def test_health_says_of_each_state_what_was_recorded(recording: str) -> None:
    """A change of the rules shows here: look at it, then renew the recordings' verdicts."""
    for step in steps(recording):
        said = "; ".join(sorted({f"{row.key.kind} {row.word} {row.reason}" for row in step.report.unsettled}))
        assert said == step.recorded["says"], step.text


@pytest.mark.parametrize("recording", ["plain-v1beta1", "plain-v1beta2"])
def test_the_objects_in_git_alone_would_be_called_settled_too_early(recording: str) -> None:
    """So these recordings can fail: the conditions of what git holds lag behind the Machines."""
    assert any(step.partial.settled and step.recorded["lacking"] for step in steps(recording))
