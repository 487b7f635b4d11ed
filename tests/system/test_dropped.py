"""What git drops, on a real API server with a daemon at work: only what is safe to lose is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.shows.dropping import Drop, Dropping, drops

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]
FLEET = "dropped"


@pytest.fixture(scope="module")
def dropping(
    apiserver: Sandbox, tools: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dropping]:
    home = tmp_path_factory.mktemp("dropped")
    with Dropping(name=FLEET, sandbox=apiserver, home=home, tools=tools) as playing:
        yield playing


@pytest.mark.parametrize("drop", drops(FLEET), ids=lambda drop: drop.title)
def test_a_drop_deletes_what_it_may_and_nothing_else(dropping: Dropping, drop: Drop) -> None:
    """The verdict names the reason, every other object keeps its uid, and putting it back brings all of it back."""
    assert dropping.play(drop).wrong == ()
