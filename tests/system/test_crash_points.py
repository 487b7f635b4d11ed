"""kill -9 around each write of a sync: nothing is orphaned, made anew or deleted, and the next run finishes the work.

The show of the same name kills around every request; here only those that may change something.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.system.crash_points import CrashStage
from tests.system.killing_proxy import KillingProxy, When

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture(scope="module")
def stage(apiserver: Sandbox, tools: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashStage]:
    home = tmp_path_factory.mktemp("crash")
    with KillingProxy(apiserver) as proxy:
        yield CrashStage(sandbox=apiserver, home=home, tools=tools, proxy=proxy)


def _writes(stage: CrashStage) -> list[int]:
    """Positions of the requests just seen that may change something."""
    return [at for at, seen in enumerate(stage.proxy.seen, start=1) if not seen.startswith("GET ")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_first_sync_killed_around_any_write_is_finished_by_the_next_run(stage: CrashStage, when: When) -> None:
    undisturbed = stage.crash_on_create(f"create-{when}", 0, when)
    assert not undisturbed.wrong
    for at in _writes(stage):
        ending = stage.crash_on_create(f"create-{at}-{when}", at, when)
        assert ending.wrong == (), f"killed {when} request {at}, {ending.killed_at}"


def test_a_change_killed_after_any_write_is_finished_by_the_next_run(stage: CrashStage) -> None:
    """An update, a create and a prune in one commit."""
    undisturbed = stage.crash_on_change("change", 0, "after")
    assert not undisturbed.wrong
    for at in _writes(stage):
        ending = stage.crash_on_change(f"change-{at}", at, "after")
        assert ending.wrong == (), f"killed after request {at}, {ending.killed_at}"
