"""A person at a desk: a clone of the fleet that `init` writes, its bare origin, and `clusterops` as it is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clusterops.cli.files import write_fleet_repository
from clusterops.cli.root import main

ALPHA = "clusters/north/alpha/values.yaml"
BETA = "clusters/south/beta/values.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command printed, and what it ended with."""

    code: int
    out: str
    err: str


@dataclass(slots=True, kw_only=True)
class Person:
    """``clone`` is a working tree on main."""

    clone: Path
    folder: str = ""
    """Of fleet.yaml in the clone."""
    _capture: Callable[[], tuple[str, str]] = field(repr=False)
    _monkeypatch: pytest.MonkeyPatch = field(repr=False)

    @property
    def root(self) -> Path:
        return self.clone / self.folder

    def types(self, *words: str) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["clusterops", *words])
        self._monkeypatch.chdir(self.root)
        self._capture()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capture()
        return Said(code=int(ended.value.code or 0), out=out, err=err)

    def git(self, *words: str) -> str:
        return git(self.clone, *words)

    def text(self, path: str, commit: str = "") -> str:
        """As it is on disk, or in a commit."""
        if not commit:
            return (self.root / path).read_text()
        return self.git("show", f"{commit}:{self.folder}{'/' * bool(self.folder)}{path}")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def commits(self, message: str, **files: str) -> str:
        """By hand, of everything."""
        for path, text in files.items():
            self.write(path, text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def changed(self, commit: str) -> list[str]:
        return self.git("show", "--name-status", "--format=", commit).split("\n")[:-1]


def git(folder: Path, *words: str) -> str:
    kept = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    ended = subprocess.run(["git", *words], cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"git {' '.join(words)}: {ended.stderr}"
    return ended.stdout


def begin(tmp_path: Path, folder: str = "") -> Path:
    """A clone and its bare origin (``clone``, ``origin.git``), with one commit on main. Returns the clone."""
    clone = tmp_path / "clone"
    write_fleet_repository(clone / folder if folder else clone)
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(clone, "init", "-q", "-b", "main")
    named(clone, "A Person")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "the fleet")
    git(clone, "remote", "add", "origin", "../origin.git")
    git(clone, "push", "-q", "-u", "origin", "main")
    return clone


def named(clone: Path, name: str) -> None:
    git(clone, "config", "user.name", name)
    git(clone, "config", "user.email", "person@example.org")


def other_clone(tmp_path: Path) -> Path:
    """Of somebody else."""
    clone = tmp_path / "other"
    git(tmp_path, "clone", "-q", "origin.git", str(clone))
    named(clone, "Somebody Else")
    return clone
