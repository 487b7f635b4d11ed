"""The folders that ship with ClusterOps: charts, kustomize, fleet-repo-template."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from clusterops.errors import TerminalError


def shipped(name: str) -> Path:
    """From the wheel, or from the checkout of an editable install. Raises TerminalError ``file-not-shipped``."""
    package = Path(str(files("clusterops")))
    for candidate in (package / "_shipped" / name, package.parent / name):
        if candidate.is_dir():
            return candidate
    raise TerminalError("file-not-shipped", name, "is missing from this installation", hint="install clusterops again")
