"""The bench of bad inputs on a real cluster: a fleet repository that is right, and a cluster prepared for the rows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from clusterops.cli.files import write_fleet_repository
from clusterops.sandbox import Sandbox
from tests.shows.bad_clusters import FIRST, Ground
from tests.shows.bad_inputs import Bench
from tests.shows.commands import Commands

_AUTHOR = ("-c", "user.name=tests", "-c", "user.email=tests@example.invalid")


@contextmanager
def bench(home: Path, sandbox: Sandbox, tools: Mapping[str, Path]) -> Iterator[Bench]:
    base = home / "base"
    write_fleet_repository(base)
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*_AUTHOR, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(base), *words], check=True)
    Ground(sandbox=sandbox, home=home).prepare()
    with Commands() as commands:
        trying = Bench(base=base, home=home, tools=tools, commands=commands)
        first = trying.try_row(FIRST)
        assert not first.exit, first.text
        yield trying
