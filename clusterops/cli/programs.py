"""helm and kustomize for the commands that render: found, or built once with a progress display."""

from __future__ import annotations

from dataclasses import replace

from clusterops.cli.environment import read_settings
from clusterops.cli.tools import shown_progress, toolchain_settings
from clusterops.errors import TerminalError
from clusterops.settings import RenderSettings
from clusterops.toolchain import ensure


async def render_settings(settings: RenderSettings | None = None) -> RenderSettings:
    """The settings with the paths of both programs filled in.

    Raises TerminalError ``settings-invalid``, and ``tool-missing`` where one has to be built and cannot.
    """
    wanted = settings or read_settings().render
    for name, path in (("helm", wanted.helm), ("kustomize", wanted.kustomize)):
        if path is not None and not path.is_file():
            raise TerminalError(
                "settings-invalid",
                f"render.{name}",
                f"there is no file {path}",
                hint=f"correct it, or leave it out: {name} is then found on PATH, in the cache, or built",
            )
    if wanted.helm and wanted.kustomize:
        return wanted
    async with shown_progress() as progress:
        paths = await ensure(["helm", "kustomize"], toolchain_settings(), progress)
    return replace(wanted, helm=wanted.helm or paths["helm"], kustomize=wanted.kustomize or paths["kustomize"])
