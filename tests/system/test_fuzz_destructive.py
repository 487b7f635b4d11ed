"""500 destructive mistakes on a 200-cluster repository: nothing is deleted, and without the guards much would be.

The daemon, the readers, helm, kustomize and the render cache are the real ones; the API server is the model that
tests/doors keeps honest. `python -m tests.shows.show_8_fuzz` runs a share of them on a real one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.fleet import fleet_files
from tests.fuzz.guards import guards_off
from tests.fuzz.mistakes import COUNT, MAKERS, mistakes
from tests.fuzz.run import lost, play_in_memory

pytestmark = [pytest.mark.tools, pytest.mark.timeout(1800)]

AT_LEAST = 300


async def test_fuzz_of_destructive_mistakes_deletes_nothing(tools: dict[str, Path], tmp_path: Path) -> None:
    rows = await play_in_memory(tmp_path, tools, mistakes(fleet_files()))
    assert (sum(row.runs for row in rows.values()), rows.keys()) == (COUNT, MAKERS.keys())
    assert {kind: (row.deleted, row.after) for kind, row in rows.items() if lost({kind: row})} == {}


async def test_fuzz_can_fail_since_the_same_mistakes_delete_without_the_guards(
    tools: dict[str, Path], tmp_path: Path
) -> None:
    """It stops at 300 objects; the whole count is the show's."""
    with guards_off():
        rows = await play_in_memory(tmp_path, tools, mistakes(fleet_files()), enough=AT_LEAST)
    assert lost(rows) >= AT_LEAST
