"""`clusterops drift`: which command is meant, what it ends with, and what is asked before git is put back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clusterops.cli.drift import app, exit_of
from clusterops.cli.screen import Exit
from clusterops.model.drift import DriftReport
from tests.unit.drift.drift_reports import agreed, every_kind, fleet_of, nothing


@pytest.mark.parametrize(
    ("report", "detailed", "code"),
    [
        (nothing(), True, Exit.DONE),
        (agreed(), False, Exit.DONE),
        (agreed(), True, Exit.CHANGES),
        (every_kind(), False, Exit.ERROR),
        (every_kind(), True, Exit.ERROR),
        (fleet_of(), True, Exit.DONE),
    ],
)
def test_drift_is_an_answer_and_what_could_not_be_compared_an_error(
    report: DriftReport, detailed: bool, code: Exit
) -> None:
    assert exit_of(report, detailed=detailed) is code


@pytest.mark.parametrize("arguments", [["--schema"], ["show", "--schema"], ["north/alpha", "--schema"]])
def test_without_a_command_it_compares(arguments: list[str]) -> None:
    answer = CliRunner().invoke(app, arguments)
    assert (answer.exit_code, json.loads(answer.stdout)["title"]) == (0, "DriftReport"), answer.output


def test_outside_of_a_fleet_the_next_step_is_told(tmp_path: Path) -> None:
    for arguments in (["--repo", str(tmp_path)], ["heal", "a", "--repo", str(tmp_path)]):
        answer = CliRunner().invoke(app, arguments)
        assert (answer.exit_code, "fleet-file-missing" in answer.stderr) == (1, True), answer.output


@pytest.mark.parametrize("asked", [("MachineDeployment", "/spec/replicas"), ("MachineDeployment/web", "spec.replicas")])
def test_what_is_to_be_adopted_is_named_exactly(asked: tuple[str, str], tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["adopt", "north/alpha", *asked, "--repo", str(tmp_path)])
    assert (answer.exit_code, "value-format" in answer.stderr) == (1, True), answer.output
