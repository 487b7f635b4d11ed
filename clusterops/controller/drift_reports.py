"""Drift of the whole fleet, told beyond the cluster: a report in a file every so often, and a status on the head."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from clusterops.controller.drift_telling import Telling
from clusterops.drift.report_html import report_to_html
from clusterops.drift.report_json import report_to_json
from clusterops.drift.report_markdown import report_to_markdown
from clusterops.drift.report_text import report_to_text
from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.model.commit_status import CommitStatus
from clusterops.model.drift import DriftReport, TargetDrift
from clusterops.model.fleet import FleetFile
from clusterops.model.revision import Revision
from clusterops.ports import Clock, StatusBoard
from clusterops.settings import DriftSettings
from clusterops.status import Contexts, drift_status
from clusterops.telemetry import Logger

STATUS_S: Final = 1.0
"""Between two looks at what the status would say: drift comes in bursts, and so does its end."""

Write = Callable[[DriftReport, FleetFile], str]
_FORMS: Final[Mapping[str, Write]] = {
    ".html": lambda report, file: report_to_html(report, rules={rule.source: rule.words for rule in file.ignore}),
    ".json": lambda report, file: json.dumps(report_to_json(report), indent=2, sort_keys=True, ensure_ascii=False),
    ".md": lambda report, file: report_to_markdown(report),
    ".txt": lambda report, file: report_to_text(report),
}


class Head(Protocol):
    """What the daemon follows."""

    @property
    def taken(self) -> tuple[FleetFile, Revision] | None:
        """None before the first commit."""

    def names(self) -> tuple[str, ...]:
        """The targets that are ours, ordered."""


class Noticing(Protocol):
    @property
    def idle(self) -> bool:
        """Everything was compared, and nothing is being looked at."""


@dataclass(slots=True, kw_only=True)
class DriftReports:
    """``run`` while the daemon leads."""

    telling: Telling
    noticing: Noticing
    head: Head
    board: StatusBoard
    settings: DriftSettings
    clock: Clock
    logger: Logger
    management: str = "default"
    _posted: tuple[str, CommitStatus] | None = field(default=None)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._post_forever(), name="drift-status")
            if self.settings.report_file is not None and self.settings.report_every_s > 0:
                group.create_task(self._write_forever(self.settings.report_file), name="drift-report")

    def report(self, fleet: FleetFile, revision: Revision) -> DriftReport:
        """Of all targets that were ever applied, as known at this moment."""
        records = self.telling.records
        targets = []
        for name in self.head.names():
            inventory = records.inventory_of(name)
            if inventory is not None:
                known = self.telling.drifts.get(name) or TargetDrift(target=name)
                objects = len(inventory.entries)
                targets.append(replace(known, objects=objects, revision=known.revision or inventory.revision))
        return DriftReport(fleet=fleet.name, revision=revision.text, taken_at=self.clock.now(), targets=tuple(targets))

    async def _post_forever(self) -> None:
        while True:
            await self.telling.moved.wait()
            await self.clock.sleep(STATUS_S)
            if self.noticing.idle:
                self.telling.moved.clear()
                await self._post()

    async def _post(self) -> None:
        taken = self.head.taken
        if taken is None or not taken[0].drift_status:
            return
        fleet, revision = taken
        contexts = Contexts(management=self.management)
        status = drift_status(self.report(fleet, revision).targets, contexts=contexts, at=self.clock.now())
        if self._posted is not None and _same(self._posted, (revision.commit, status)):
            return
        try:
            await self.board.write_statuses(revision.commit, [status])
            self._posted = (revision.commit, status)
        except ClusterOpsError as error:
            self.logger.warning("drift status not written", commit=revision.short, code=error.code, error=str(error))

    async def _write_forever(self, file: Path) -> None:
        while True:
            taken = self.head.taken
            if taken is not None and self.noticing.idle:
                await self._write(file, *taken)
                await self.clock.sleep(self.settings.report_every_s)
            else:
                await self.clock.sleep(STATUS_S)

    async def _write(self, file: Path, fleet: FleetFile, revision: Revision) -> None:
        text = form_of(file)(self.report(fleet, revision), fleet)
        try:
            await asyncio.to_thread(_replace, file, text)
        except OSError as error:
            self.logger.warning("drift report not written", path=str(file), error=error.strerror or str(error))


def form_of(file: Path) -> Write:
    """Raises TerminalError ``settings-invalid`` for a suffix that stands for no form."""
    form = _FORMS.get(file.suffix)
    if form is None:
        raise TerminalError(
            "settings-invalid",
            f"drift.report_file: {file}",
            "its suffix says no form of a report",
            hint=f"end it in one of {', '.join(_FORMS)}",
        )
    return form


def _replace(file: Path, text: str) -> None:
    """Whoever reads it sees the old report or the new one."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def _same(before: tuple[str, CommitStatus], now: tuple[str, CommitStatus]) -> bool:
    return (before[0], before[1].state, before[1].text) == (now[0], now[1].state, now[1].text)
