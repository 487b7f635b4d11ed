"""`clusterops run`: the daemon as a process."""

from __future__ import annotations

import asyncio
import gc
import signal
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Final

import typer

from clusterops.app import run_daemon
from clusterops.cli import options
from clusterops.cli.environment import read_settings, setting_names
from clusterops.cli.programs import render_settings
from clusterops.cli.screen import explained, run
from clusterops.errors import TerminalError
from clusterops.settings import Settings
from clusterops.telemetry import build_logger

GARBAGE: Final = (20_000, 20, 20)
"""Containers before cycles are looked for; Python's 700 took a twentieth of a first sync of 300 clusters (measured)."""


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def register(app: typer.Typer) -> None:
    app.command(
        name="run",
        epilog="Every setting stands in --config FILE (YAML, `repository: {url: …}`) or in the environment "
        f"(CLUSTEROPS_REPOSITORY_URL), which wins over the file. {_known_settings()}. The README has their defaults.",
    )(run_command)


def _known_settings() -> str:
    """``repository: url, branch, …; cluster: …``"""
    sections: dict[str, list[str]] = {}
    for name, _ in setting_names():
        section, _, key = name.partition(".")
        sections.setdefault(section, []).append(key)
    return "; ".join(f"{section}: {', '.join(keys)}" for section, keys in sections.items())


def run_command(
    repository: Annotated[str | None, typer.Option("--repository", help="URL or path of the fleet repository.")] = None,
    branch: Annotated[str | None, typer.Option("--branch", help="The branch to follow; default main.")] = None,
    management: Annotated[
        str | None, typer.Option("--management", help="Name of this management cluster; its regions are ours.")
    ] = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    config: options.Config = None,
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT of /healthz, /readyz, /metrics.")] = "",
    log_level: Annotated[LogLevel, typer.Option("--log-level", help="The least that is logged.")] = LogLevel.INFO,
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a line.")] = False,
) -> None:
    """Follow a fleet repository and make the management cluster match it."""
    with explained():
        host, _, port = listen.rpartition(":")
        settings = read_settings(
            file=config,
            overrides={
                "repository.url": repository,
                "repository.branch": branch,
                "daemon.management": management,
                "daemon.listen_host": host or None,
                "daemon.listen_port": port or None,
                "cluster.kubeconfig": kubeconfig,
                "cluster.context": context,
            },
        )
        if not settings.repository.url:
            raise TerminalError(
                "settings-invalid",
                "settings",
                "no fleet repository is named",
                hint="give --repository URL, or set CLUSTEROPS_REPOSITORY_URL",
            )
        run(_run(settings, log_level, log_json))


async def _run(settings: Settings, log_level: LogLevel, log_json: bool) -> None:
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    logger = build_logger(level=log_level, json=log_json)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    await run_daemon(replace(settings, render=await render_settings(settings.render)), logger, stop)
