"""What a build is made from, and where its result lies: the name of the folder says it all."""

import hashlib
import platform
from pathlib import Path

from clusterops.toolchain.settings import ToolchainSettings
from clusterops.toolchain.table import Tool

# Raised when the steps of a build change in a way that neither sources nor table show.
_STEPS = 1


def pinned_sources(tool: Tool) -> Path:
    """The folder with the go.mod and go.sum of a tool, as shipped."""
    return Path(__file__).parent / "modules" / tool.folder


def install_folder(tool: Tool, settings: ToolchainSettings) -> Path:
    """Where exactly this build of a tool lies once it is complete; nothing else ever has this name."""
    system = f"{platform.system()}-{platform.machine()}".lower()
    return tools_folder(settings) / tool.name / f"{tool.version}-{system}-{_recipe_digest(tool)}"


def tools_folder(settings: ToolchainSettings) -> Path:
    return settings.cache_dir / "tools"


def installed_path(tool: Tool, folder: Path) -> Path:
    """What callers get: the program itself, or the folder of a tool that has several files."""
    return folder if tool.is_folder else folder / tool.programs[0].name


def _recipe_digest(tool: Tool) -> str:
    digest = hashlib.sha256(f"{_STEPS}\n{tool!r}\n".encode())
    for name in ("go.mod", "go.sum"):
        digest.update((pinned_sources(tool) / name).read_bytes())
    return digest.hexdigest()[:12]
