"""Where a fitting program already is."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clusterops.errors import ClusterOpsError
from clusterops.process import Limits, run
from clusterops.toolchain.recipe import install_folder, installed_path
from clusterops.toolchain.settings import ToolchainSettings
from clusterops.toolchain.table import Tool, tool_named

Source = Literal["path", "kubebuilder-assets", "cache", "missing"]

_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+)\b")
_VERSION_LIMITS = Limits(timeout_s=20, output_bytes=1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a tool is; ``version`` is ours when it is missing, and ``passed_over`` says what did not fit and why."""

    name: str
    path: Path | None
    source: Source
    version: str
    passed_over: tuple[str, ...] = ()


async def locate(name: str, settings: ToolchainSettings) -> Located:
    """Look on PATH, then in KUBEBUILDER_ASSETS, then in the cache; builds nothing.

    Raises TerminalError ``tool-unknown``.
    """
    tool = tool_named(name)
    passed_over: list[str] = []
    for source, path in _candidates(tool, settings):
        version = await _read_version(tool, path, settings)
        if version and tool.accepts(version):
            return Located(name=name, path=path, source=source, version=version, passed_over=tuple(passed_over))
        passed_over.append(f"{path}: {version or 'tells no version'}, wanted {tool.version}")
    folder = install_folder(tool, settings)
    if folder.is_dir():
        path = installed_path(tool, folder)
        return Located(name=name, path=path, source="cache", version=tool.version, passed_over=tuple(passed_over))
    return Located(name=name, path=None, source="missing", version=tool.version, passed_over=tuple(passed_over))


def _candidates(tool: Tool, settings: ToolchainSettings) -> Iterator[tuple[Source, Path]]:
    if not tool.version_args:
        return
    program = tool.programs[0].name
    if found := shutil.which(program, path=settings.search_path or os.devnull):
        yield "path", Path(found).absolute()
    if settings.kubebuilder_assets and (found := shutil.which(program, path=str(settings.kubebuilder_assets))):
        yield "kubebuilder-assets", Path(found).absolute()


async def _read_version(tool: Tool, path: Path, settings: ToolchainSettings) -> str:
    """The version that a program tells, ``1.2.3``; empty when it tells none or does not run."""
    try:
        told = await run([path, *tool.version_args], env=settings.environment, limits=_VERSION_LIMITS)
    except (ClusterOpsError, OSError):
        return ""
    found = _VERSION.search(told.stdout.decode(errors="replace"))
    return found.group(1) if told.exit_code == 0 and found else ""
