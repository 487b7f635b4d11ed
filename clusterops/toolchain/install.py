"""Tools that are there when `ensure` returns, however many processes ask at once and wherever one was killed."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from clusterops.toolchain.build import build
from clusterops.toolchain.locate import locate
from clusterops.toolchain.progress import Progress
from clusterops.toolchain.recipe import install_folder, installed_path, tools_folder
from clusterops.toolchain.settings import ToolchainSettings
from clusterops.toolchain.table import TOOLS, Tool, tool_named

_HEARTBEAT_S = 1.0
_LOCK_POLL_S = 0.1
_SCRATCH_PREFIX = ".build-"


async def ensure(names: Iterable[str], settings: ToolchainSettings, progress: Progress) -> dict[str, Path]:
    """Find or build the tools of these names and whatever they need, one after the other.

    Returns the path of each: a program, or a folder for ``cluster-api`` (programs ``core``, ``bootstrap``,
    ``control-plane`` and ``dev``) and ``cluster-api-manifests`` (``<program>.json``).
    Raises TerminalError ``tool-unknown``, ``tool-missing``, ``tool-build-failed``, ``tool-patch-failed``.
    """
    paths: dict[str, Path] = {}
    # Not at the same time: Go keeps every core busy by itself.
    for tool in _in_order(names):
        paths[tool.name] = await _ensure_one(tool, settings, paths, progress)
    return paths


def _in_order(names: Iterable[str]) -> list[Tool]:
    wanted: set[str] = set()
    for name in names:
        tool = tool_named(name)
        wanted |= {name, *tool.needs}
    return [tool for tool in TOOLS if tool.name in wanted]


async def _ensure_one(tool: Tool, settings: ToolchainSettings, paths: Mapping[str, Path], progress: Progress) -> Path:
    begun = time.monotonic()
    found = await locate(tool.name, settings)
    if found.path is not None:
        progress.finished(tool.name, time.monotonic() - begun, found.source)
        return found.path
    async with _heartbeat(tool, progress):
        path, source = await _install(tool, settings, paths, progress)
    progress.finished(tool.name, time.monotonic() - begun, source)
    return path


async def _install(
    tool: Tool, settings: ToolchainSettings, paths: Mapping[str, Path], progress: Progress
) -> tuple[Path, str]:
    target = install_folder(tool, settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    async with _lock(tools_folder(settings) / f"{tool.name}.lock", tool, progress):
        if target.is_dir():
            return installed_path(tool, target), "cache"
        _remove_leftovers(target.parent)
        progress.started(tool.name, f"building {tool.name} {tool.version}")
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=target.parent))
        try:
            result = await build(
                tool,
                scratch,
                settings=settings,
                tools=paths,
                on_line=lambda text: progress.line(tool.name, text),
            )
            await asyncio.to_thread(_publish, result, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return installed_path(tool, target), "built"


def _remove_leftovers(folder: Path) -> None:
    # Safe under the lock: whoever made them is gone.
    for leftover in folder.glob(f"{_SCRATCH_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _publish(result: Path, target: Path) -> None:
    """Give a complete folder its name; after a power cut it is whole or not there."""
    for entry in [*result.iterdir(), result]:
        _sync(entry)
    result.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.asynccontextmanager
async def _lock(path: Path, tool: Tool, progress: Progress) -> AsyncIterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        told = False
        while not _try_lock(descriptor):
            if not told:
                progress.started(tool.name, f"waiting for another process that installs {tool.name} {tool.version}")
                told = True
            await asyncio.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.asynccontextmanager
async def _heartbeat(tool: Tool, progress: Progress) -> AsyncIterator[None]:
    begun = time.monotonic()

    async def beat() -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            progress.waiting(tool.name, time.monotonic() - begun)

    task = asyncio.create_task(beat(), name=f"heartbeat {tool.name}")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
