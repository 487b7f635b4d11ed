"""The texts of drift reports, as people see them.

``UPDATE_GOLDEN=1 pytest tests/unit/drift/test_report.py`` rewrites them; then read the diff.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterops.drift.report_text import report_to_text
from clusterops.model.drift import DriftReport
from tests.unit.drift.drift_reports import agreed, every_kind, nothing

FOLDER = Path(__file__).parents[2] / "golden" / "drift"
FORMS: dict[str, Callable[[DriftReport], str]] = {"txt": report_to_text}
CASES = [(report, ending) for report in (agreed, every_kind, nothing) for ending in FORMS]


@pytest.mark.parametrize(("report", "ending"), CASES, ids=lambda part: getattr(part, "__name__", part))
def test_a_report_reads_as_agreed(report: Callable[[], DriftReport], ending: str) -> None:
    text = FORMS[ending](report())
    path = FOLDER / f"{report.__name__}.{ending}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
