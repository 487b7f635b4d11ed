"""Inputs that are wrong, and what a person sees then: what show 6 prints and tests/system/test_bad_inputs.py holds.

A Row changes one thing in a fleet repository that is right and runs one command in it. What must come out stands in
tests/golden/bad_inputs.txt, as a person sees it.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.shows.commands import Commands, Said
from tests.stage import ROOT

Change = bytes | None | Callable[[Path], None]
"""What becomes of a path: this content, nothing, or whatever the function makes of it."""

ALPHA = "clusters/north/alpha/values.yaml"
ALPHA_TEXT = b"version: v1.34.1\npools:\n  general:\n    replicas: 2\n"


GOLDEN = ROOT / "tests" / "golden" / "bad_inputs.txt"
_DIFFERING = (
    (re.compile(r"(127\.0\.0\.1(?:'?, |:))\d+"), r"\1PORT"),
    (re.compile(r"\b\d+\.\d s$", re.MULTILINE), "N s"),
    (re.compile(r"timestamp='[^']*'"), "timestamp='AT'"),
    (re.compile(r"^plan [0-9a-f]{7}$", re.MULTILINE), "plan ID"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A wrong input and the exit code that must follow.

    ``REPO`` in ``command`` stands for the fleet repository, ``HOME`` for a folder beside it; ``secret`` must not show.
    """

    title: str
    command: str
    exit: int
    files: Mapping[str, Change] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    until: str = ""
    """Of a command that runs for ever: what its log says when it has seen enough. Only that line is shown."""
    hint: bool = True
    """Whether a next step must follow, on a line of its own that is indented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came out, with what differs from run to run replaced by words, and what is wrong with it."""

    row: Row
    exit: int
    text: str

    @property
    def entry(self) -> str:
        """As it stands in the table."""
        lines = [f"    {line}".rstrip() for line in self.text.splitlines() if line.strip()]
        return "\n".join(
            [f"== {self.row.title}", f"$ clusterops {self.row.command}".rstrip(), *lines, f"exit {self.exit}"]
        )

    def wrong(self) -> Iterator[str]:
        """What no golden text may excuse."""
        if self.exit != self.row.exit:
            yield f"exit {self.exit} instead of {self.row.exit}"
        if "Traceback" in self.text or "internal-error" in self.text:
            yield "a defect shows"
        if internal := re.search(r"(/tmp/|/dev/shm|/var/tmp|/proc/self)\S*", self.text):
            yield f"a path of our own shows: {internal[0]}"
        if self.row.secret and self.row.secret in self.text:
            yield "a secret shows"
        if self.row.hint and not self.row.until and not re.search(r"^ {2,}[a-zA-Z`]", self.text, re.MULTILINE):
            yield "no next step follows"
        coded = re.search(r"\([a-z]+(-[a-z0-9]+)+\)['\"]?$", self.text, re.MULTILINE)
        if (self.row.exit not in {0, 2, 64} or self.row.until) and not coded:
            yield "no line ends with a code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where rows are tried: each on a copy of ``base`` of its own."""

    base: Path
    home: Path
    tools: Mapping[str, Path]
    commands: Commands

    def try_all(self, rows: Sequence[Row]) -> list[Seen]:
        """In the order of the rows."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(self.try_row, rows))

    def try_row(self, row: Row) -> Seen:
        repo = self.home / re.sub(r"\W+", "-", row.title)
        self.copy(repo, row.files)
        said = self.say(repo, row.command.split(), row.environment, until=row.until)
        text = said.out + said.err
        if row.until:
            text = "\n".join(line for line in text.splitlines() if row.until in line)
        return Seen(row=row, exit=said.exit, text=self._anonymous(text, repo))

    def copy(self, repo: Path, files: Mapping[str, Change]) -> None:
        """The right repository with these changes."""
        shutil.copytree(self.base, repo, symlinks=True)
        for path, change in files.items():
            _change(repo / path, change)

    def say(
        self, cwd: Path, arguments: list[str], environment: Mapping[str, str] | None = None, *, until: str = ""
    ) -> Said:
        """One command, with nothing of the caller's environment but PATH."""
        places = {"REPO": str(cwd), "HOME": str(self.home), "PORT": str(closed_port())}
        words = [re.sub(r"\b(REPO|HOME|PORT)\b", lambda found: places[found[1]], word) for word in arguments]
        tools = {f"CLUSTEROPS_RENDER_{name.upper()}": str(path) for name, path in self.tools.items()}
        return self.commands.run(
            words,
            cwd=cwd,
            until=until,
            environment={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "CLUSTEROPS_CACHE_DIR": str(self.home / "cache"),
                **tools,
                **(environment or {}),
            },
        )

    def _anonymous(self, text: str, repo: Path) -> str:
        text = text.replace(str(repo), "REPO").replace(str(self.home), "HOME")
        for pattern, word in _DIFFERING:
            text = pattern.sub(word, text)
        return text


def _change(path: Path, change: Change) -> None:
    if change is None:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(change, bytes):
        path.write_bytes(change)
    else:
        change(path)


def golden_entries() -> dict[str, str]:
    """Title to entry."""
    text = GOLDEN.read_text(encoding="utf-8") if GOLDEN.exists() else ""
    entries = [entry.strip("\n") for entry in re.split(r"^(?===)", text, flags=re.MULTILINE) if entry.strip()]
    return {entry.partition("\n")[0].removeprefix("== "): entry for entry in entries}


def write_golden(seen: Iterable[Seen]) -> None:
    GOLDEN.write_text("\n\n".join(each.entry for each in seen) + "\n", encoding="utf-8")


def closed_port() -> int:
    """Of this machine; nobody answers there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
