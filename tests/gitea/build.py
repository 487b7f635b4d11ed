"""A Gitea made from its pinned sources once, and kept beside the tools of ClusterOps: tests alone have use for it."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clusterops.errors import TerminalError
from clusterops.toolchain import ToolchainSettings
from clusterops.toolchain.build import find_go, last_words
from clusterops.toolchain.recipe import tools_folder
from clusterops.toolchain.table import Tool

VERSION: Final = "1.26.4"
_TOOL: Final = Tool(name="gitea", version=VERSION, folder="gitea")
_MODULE: Final = Path(__file__).parent / "module"
_PACKAGE: Final = "code.gitea.io/gitea"
_FLAGS: Final = ("-trimpath", "-tags", "sqlite sqlite_unlock_notify timetzdata")
_STAMPS: Final = f"-s -w -X main.Version={VERSION}"
_STATIC: Final = ("templates", "options", "public")
"""What it reads at run time, from the same module."""
_STEPS: Final = 1
"""Raised when the steps of the build change in a way that its sources do not show."""


async def ensure_gitea(settings: ToolchainSettings) -> Path:
    """The folder with ``gitea`` and its static files, found in the cache or built (minutes).

    Raises TerminalError ``tool-missing`` where git, a fitting Go or a C compiler is missing, ``tool-build-failed``.
    """
    _must_have("git", settings)
    target = _folder(settings)
    if not target.is_dir():
        go = await find_go(_TOOL, settings)
        _must_have(settings.environment.get("CC") or "gcc", settings)
        await asyncio.to_thread(_install, go, target, settings.environment)
    return target


def _must_have(program: str, settings: ToolchainSettings) -> None:
    if shutil.which(program, path=settings.search_path or os.devnull) is None:
        raise TerminalError("tool-missing", f"gitea {VERSION}", f"needs {program}", hint=f"install {program}")


def _install(go: Path, target: Path, environment: Mapping[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent.with_suffix(".lock")):
        if target.is_dir():
            return
        print(f"\nbuilding gitea {VERSION} (3 to 9 minutes)", file=sys.__stderr__, flush=True)
        for leftover in target.parent.glob(".build-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
            _build(go, Path(scratch), environment).rename(target)


def _folder(settings: ToolchainSettings) -> Path:
    """Where exactly this build lies once it is complete; nothing else ever has this name."""
    digest = hashlib.sha256(f"{_STEPS}\n{_FLAGS}\n{_STAMPS}\n{_STATIC}\n".encode())
    for name in ("go.mod", "go.sum"):
        digest.update((_MODULE / name).read_bytes())
    system = f"{platform.system()}-{platform.machine()}".lower()
    return tools_folder(settings) / "gitea" / f"{VERSION}-{system}-{digest.hexdigest()[:12]}"


def _build(go: Path, scratch: Path, environment: Mapping[str, str]) -> Path:
    module, result = scratch / "module", scratch / "install"
    shutil.copytree(_MODULE, module)
    result.mkdir()
    env = {**environment, "GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "1"}
    _go(go, module, env, "build", *_FLAGS, "-mod=readonly", "-ldflags", _STAMPS, "-o", str(result / "gitea"), _PACKAGE)
    sources = Path(_go(go, module, env, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", _PACKAGE).strip())
    for name in _STATIC:
        # Files of the module cache are read-only, and its folders too, which nobody could remove.
        shutil.copytree(sources / name, result / name, copy_function=shutil.copyfile)
    for folder in result.rglob("*/"):
        folder.chmod(0o755)
    return result


def _go(go: Path, module: Path, env: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run([go, *arguments], cwd=module, env=dict(env), capture_output=True, check=False)
    if done.returncode != 0:
        said = f"go {arguments[0]} ended with {done.returncode}:\n{last_words(done.stderr)}"
        raise TerminalError("tool-build-failed", f"gitea {VERSION}", said)
    return done.stdout.decode()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time, however many tests ask; a killed one leaves no lock behind."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
