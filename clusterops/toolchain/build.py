"""A tool made from its pinned sources, in a folder of its own."""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clusterops.errors import TerminalError
from clusterops.process import Finished, Limits, run
from clusterops.toolchain.manifests import render_manifests
from clusterops.toolchain.patches import apply_patches
from clusterops.toolchain.recipe import pinned_sources
from clusterops.toolchain.settings import ToolchainSettings
from clusterops.toolchain.table import Tool

OLDEST_GO = (1, 26)
_BUILD_LIMITS = Limits(timeout_s=3600, output_bytes=64 * 1024 * 1024)
_LAST_WORDS = 12
_PACKAGE_NAME = re.compile(r"\S+")


async def find_go(tool: Tool, settings: ToolchainSettings) -> Path:
    """The Go command; TerminalError ``tool-missing`` when there is none or it is too old."""
    wanted = ".".join(str(part) for part in OLDEST_GO)
    instead = f", or {tool.name} {tool.version} on PATH" if tool.version_args else ""
    hint = f"install Go >= {wanted}{instead}"
    found = shutil.which("go", path=settings.search_path or os.devnull)
    if found is None:
        raise TerminalError(
            "tool-missing", f"{tool.name} {tool.version}", "is not installed, and there is no Go to build it", hint=hint
        )
    told = await run([found, "env", "GOVERSION"], env=settings.environment)
    version = told.stdout.decode(errors="replace").strip()
    numbers = re.match(r"go(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_GO:
        raise TerminalError(
            "tool-missing",
            f"{tool.name} {tool.version}",
            f"is not installed, and {version or 'the Go found'} is too old to build it",
            hint=hint,
        )
    return Path(found)


async def build(
    tool: Tool,
    scratch: Path,
    *,
    settings: ToolchainSettings,
    tools: Mapping[str, Path],
    on_line: Callable[[str], None],
) -> Path:
    """Build ``tool`` inside the empty folder ``scratch`` and return the folder with its files, complete.

    ``tools`` holds at least what ``tool.needs`` names. Raises TerminalError ``tool-missing``,
    ``tool-build-failed`` and ``tool-patch-failed``.
    """
    go = _Go(tool, await find_go(tool, settings), scratch / "module", settings=settings, on_line=on_line)
    shutil.copytree(pinned_sources(tool), go.module)
    result = scratch / "install"
    result.mkdir()
    if tool.programs:
        await _build_programs(tool, go, result)
    if tool.rendered:
        folders = await _module_folders(tool, go)
        await render_manifests(tool, folders, result, kustomize=tools["kustomize"], settings=settings)
    return result


class _Go:
    """The Go command in one module folder."""

    def __init__(
        self, tool: Tool, command: Path, module: Path, *, settings: ToolchainSettings, on_line: Callable[[str], None]
    ) -> None:
        self.module = module
        self._tool = tool
        self._command = command
        # A workspace above the cache folder must not change what is built.
        self._env = {**settings.environment, "GOWORK": "off", "GO111MODULE": "on"}
        self._on_line = on_line

    async def __call__(self, *args: str) -> Finished:
        done = await run(
            [self._command, *args], cwd=self.module, env=self._env, limits=_BUILD_LIMITS, on_line=self._on_line
        )
        if done.exit_code != 0:
            raise TerminalError(
                "tool-build-failed",
                f"{self._tool.name} {self._tool.version}",
                f"go {args[0]} ended with exit code {done.exit_code}:\n{last_words(done.stderr)}",
                hint="if modules cannot be reached, set GOPROXY or HTTPS_PROXY and try again; what is done is kept",
            )
        return done


async def _build_programs(tool: Tool, go: _Go, result: Path) -> None:
    flags = ["-trimpath", "-v", "-ldflags", " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in tool.stamps)])]
    if tool.patches:
        await go("mod", "vendor")
        apply_patches(go.module / "vendor", tool.patches)
        flags.append("-mod=vendor")
    else:
        flags.append("-mod=readonly")
    for program in tool.programs:
        await go("build", *flags, "-o", str(result / program.name), program.package)


async def _module_folders(tool: Tool, go: _Go) -> dict[str, Path]:
    """Where Go keeps the unpacked sources of the modules whose manifests are wanted."""
    modules = sorted({rendered.module for rendered in tool.rendered})
    await go("mod", "download", *modules)
    listed = await go("list", "-mod=readonly", "-m", "-f", '{"path":"{{.Path}}","dir":{{printf "%q" .Dir}}}', *modules)
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    return {row["path"]: Path(row["dir"]) for row in rows}


def last_words(stderr: bytes) -> str:
    """The end of what Go said, without the names of packages that it compiled on the way."""
    lines: Sequence[str] = stderr.decode(errors="replace").splitlines()
    telling = [line for line in lines if line.strip() and not _PACKAGE_NAME.fullmatch(line.strip())]
    return "\n".join(telling[-_LAST_WORDS:])
