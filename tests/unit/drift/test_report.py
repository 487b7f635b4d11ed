"""The texts of drift reports, as people see them.

``UPDATE_GOLDEN=1 pytest tests/unit/drift/test_report.py`` rewrites them; then read the diff.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from clusterops.drift.report_json import SCHEMA_FILE, report_to_json
from clusterops.drift.report_markdown import report_to_markdown
from clusterops.drift.report_text import report_to_text
from clusterops.model.drift import DriftReport
from tests.unit.drift.drift_reports import agreed, every_kind, hostile, nothing

FOLDER = Path(__file__).parents[2] / "golden" / "drift"
SCHEMA = Path(__file__).parents[3] / "clusterops" / "drift" / SCHEMA_FILE


def json_text(report: DriftReport) -> str:
    return json.dumps(report_to_json(report), indent=2, ensure_ascii=False) + "\n"


FORMS: dict[str, Callable[[DriftReport], str]] = {"txt": report_to_text, "md": report_to_markdown, "json": json_text}
CASES = [(report, ending) for report in (agreed, every_kind, nothing) for ending in FORMS]
CASES.remove((agreed, "json"))


@pytest.mark.parametrize(("report", "ending"), CASES, ids=lambda part: getattr(part, "__name__", part))
def test_a_report_reads_as_agreed(report: Callable[[], DriftReport], ending: str) -> None:
    text = FORMS[ending](report())
    path = FOLDER / f"{report.__name__}.{ending}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("report", [agreed, every_kind, nothing], ids=lambda report: report.__name__)
def test_json_keeps_to_the_published_schema(report: Callable[[], DriftReport]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(checker.iter_errors(json.loads(json_text(report())))) == []


def test_what_is_not_there_and_null_are_two_things_in_json() -> None:
    fields = [
        field
        for target in report_to_json(every_kind())["targets"]
        for each in target["drifted"]
        for field in each["fields"]
    ]
    assert {"live" in field for field in fields if field["pointer"] == "/data/c"} == {False}


def test_names_and_values_stay_in_their_place_in_markdown() -> None:
    """Nothing that a cluster says closes a cell, a comment or a fence, or is HTML."""
    lines = report_to_markdown(hostile()).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(hostile().targets[0].drifted[0].fields)
    assert {len(line.replace("\\|", "").split("|")) for line in table} == {9}
    assert not [line for line in lines if "<script" in line and not line.startswith(("clusterops ", "<!-- "))]
    assert lines[0].index("-->") == len(lines[0]) - 3
    assert sum(line.startswith("```") for line in lines) == 2
