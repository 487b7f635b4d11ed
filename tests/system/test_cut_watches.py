"""A daemon whose watches are cut, silenced and expired by a proxy converges, and writes nothing twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.conftest import Background
from tests.cutting_api import CuttingApi, cutting_api
from tests.stage import folder, until
from tests.system.harmed_fleet import harmed_rounds, restarts, written
from tests.system.plain_fleet import staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture
def proxy(apiserver: Sandbox, background: Background) -> Iterator[CuttingApi]:
    stack = contextlib.AsyncExitStack()
    try:
        yield background.run(stack.enter_async_context(cutting_api(apiserver)))
    finally:
        background.run(stack.aclose())


def test_harmed_watches_cost_no_write_and_no_change(
    proxy: CuttingApi, apiserver: Sandbox, tools: dict[str, Path]
) -> None:
    """Git and people change ConfigMaps meanwhile: each is written as often as it had to be."""
    with folder("cut") as home, staged("cut-watches", home, apiserver, tools) as stage:
        audit = stage.audit()
        playing, harming, _ = harmed_rounds(stage, proxy, targets=6, rounds=2)
        assert written(audit, "configmaps", stage.name) == playing.expected
        assert harming.of_the_cache
        until("each is counted", lambda: restarts(stage.daemons[-1]) >= harming.of_the_cache)
        assert "Traceback" not in stage.daemons[-1].log.read_text()
