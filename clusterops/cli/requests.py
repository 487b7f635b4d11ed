"""The request for a branch, opened on the forge that the watched branch's fleet.yaml names."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from clusterops.app import QUIET
from clusterops.controller.clock import SystemClock
from clusterops.errors import TerminalError
from clusterops.forge import open_forge
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import Snapshot
from clusterops.ports import Forge
from clusterops.settings import ForgeSettings, Settings
from clusterops.source.fleet.fleet_file import parse_fleet_file
from clusterops.source.fleet.layout import FLEET_FILE
from clusterops.telemetry import build_logger

BRANCH_LATE: Final = 4
"""Seconds, and tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """``opened``: by us just now; else it was open already."""

    request: ChangeRequest
    kind: ForgeKind
    opened: bool

    @property
    def words(self) -> str:
        name = f"{'merge' if self.kind is ForgeKind.GITLAB else 'pull'} request {self.request.number}"
        return f"{name} opened" if self.opened else f"pushed to {name}"


def forge_of(base: Snapshot) -> ForgeFile | None:
    """As the watched branch has it, whatever a branch to be merged says: that one chooses nobody our token goes to."""
    return parse_fleet_file(base.read(FLEET_FILE)).file.forge if FLEET_FILE in base.files else None


def has_token(settings: ForgeSettings) -> bool:
    return bool(settings.token or settings.token_file or settings.app_key_file)


async def propose(file: ForgeFile, settings: Settings, *, branch: str, base: str, message: str) -> Proposed:
    """The request of the branch, a new one where none is open. Raises what ``ports.Forge`` raises."""
    title, _, body = message.partition("\n")
    logger = build_logger(level=QUIET)
    async with open_forge(file, settings.forge, settings.network, clock=SystemClock(), logger=logger) as forge:
        known = [each for each in await forge.open_requests(base) if each.branch == branch and not each.fork]
        if known:
            return Proposed(request=known[0], kind=file.kind, opened=False)
        request = await _opened(forge, branch=branch, base=base, title=title.strip(), body=body.strip())
        return Proposed(request=request, kind=file.kind, opened=True)


async def _opened(forge: Forge, *, branch: str, base: str, title: str, body: str) -> ChangeRequest:
    """A forge may learn of a pushed branch a moment late (Gitea answers 404 until then, seen)."""
    for _ in range(BRANCH_LATE):
        try:
            return await forge.open_request(branch=branch, base=base, title=title, body=body)
        except TerminalError as error:
            if error.code != "forge-missing":
                raise
        await asyncio.sleep(1.0)
    return await forge.open_request(branch=branch, base=base, title=title, body=body)


def token_missing(file: ForgeFile) -> TerminalError:
    return TerminalError(
        "forge-token-missing",
        f"{file.kind} {file.repository}",
        "no request was opened: there is no token",
        hint="set CLUSTEROPS_FORGE_TOKEN, or CLUSTEROPS_FORGE_TOKEN_FILE, and run it again; or open it there by hand",
    )
