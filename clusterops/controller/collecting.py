"""Old generations of templates and classes, collected once nobody needs them, without waiting for the next commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from clusterops.apply import apply_plan
from clusterops.capi.kinds import is_class, is_template
from clusterops.controller.records import Record
from clusterops.controller.work import Doors
from clusterops.errors import ClusterOpsError
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Change, Plan

PATIENCE_S: Final = 120.0
"""Cluster API deletes an emptied MachineSet some seconds after the rollout, on a busy machine a minute; what is still
in use then is collected by the next pass."""
LOOK_S: Final = 2.0
SELDOM_S: Final = 10.0
_GROWTH: Final = 1.5
_PASSING: Final = frozenset({"generation-in-use", "still-rolling"})


async def collect_generations(
    plan: Plan,
    doors: Doors,
    record: Record,
    *,
    again: Callable[[], Awaitable[Plan]],
    interrupted: asyncio.Event,
) -> None:
    """Prunes templates and classes that ``plan`` left behind, and nothing else, as they become free.

    ``again`` plans anew. No request where the inventory holds no such object. What cannot be collected now is
    collected by a later pass: it is logged and fails nothing.
    """
    # A pass that changed nothing has emptied no MachineSet: it looks once.
    ends_s = doors.clock.boottime_s() + (PATIENCE_S if plan.writes else 0.0)
    pause_s = LOOK_S
    try:
        with doors.ticks.one_more():
            while _left(plan, record) and not interrupted.is_set():
                plan = await again()
                if await _prune(plan, doors, record):
                    continue
                if not _left(plan, record) or not _waits(plan) or doors.clock.boottime_s() >= ends_s:
                    return
                # A newer commit does not wait for old templates.
                await doors.ticks.sleep_unless(interrupted, pause_s)
                pause_s = min(pause_s * _GROWTH, SELDOM_S)
    except ClusterOpsError as error:
        doors.logger.warning("old generations stay", target=plan.target, code=error.code, error=str(error))


def _left(plan: Plan, record: Record) -> list[ObjectKey]:
    wanted = {change.key for change in plan.changes if change.desired is not None}
    return [key for key in record.inventory.keys if _has_generations(key) and key not in wanted]


async def _prune(plan: Plan, doors: Doors, record: Record) -> bool:
    """Whether anything went: that may have freed what it named."""
    before = record.inventory.keys
    waves = (tuple(change for change in wave if _is_old_generation(change)) for wave in plan.waves)
    pruned = replace(plan, waves=tuple(wave for wave in waves if wave), refusals=())
    if pruned.changes:
        async with doors.slots:
            with doors.records.applying(plan.target):
                report = await apply_plan(
                    pruned,
                    doors.cluster,
                    clock=doors.clock,
                    logger=doors.logger,
                    store=record,
                    concurrency=doors.concurrency,
                )
                record.note(report)
    return record.inventory.keys != before


def _is_old_generation(change: Change) -> bool:
    return change.action is Action.PRUNE and _has_generations(change.key)


def _has_generations(key: ObjectKey) -> bool:
    return is_template(key) or is_class(key)


def _waits(plan: Plan) -> bool:
    """Whether time alone may free a template: the Machines or MachineSets that were made from it are going."""
    held = (change for change in plan.changes if change.desired is None and is_template(change.key))
    return any(change.reason is not None and change.reason.code in _PASSING for change in held)
