"""A Gitea, a sandbox and a fleet for one show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clusterops.cli.tools import toolchain_settings
from clusterops.sandbox import Mode
from tests.gitea.build import ensure_gitea
from tests.gitea.fleet import GiteaFleet, gitea_fleet
from tests.gitea.server import serving
from tests.shows.place import place


@contextmanager
def gitea_show(name: str, mode: Mode, **how: Any) -> Iterator[GiteaFleet]:
    """They end with the block."""
    with (
        place(mode) as (home, sandbox, tools),
        serving(asyncio.run(ensure_gitea(toolchain_settings()))) as server,
        gitea_fleet(name, home, server, sandbox, tools, **how) as fleet,
    ):
        yield fleet
