"""Live objects to a HealthReport, and the report to one line for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from clusterops.capi.conditions import Verdict, judge
from clusterops.capi.kinds import (
    CORE,
    is_capi,
    is_cluster,
    is_control_plane,
    is_infrastructure,
    is_pool,
    is_template,
)
from clusterops.health.copies import not_copied
from clusterops.health.kstatus import judge_generic
from clusterops.health.members import not_rolled_out
from clusterops.health.topology import not_carried
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet, Unreadable
from clusterops.model.report import HealthReport, HealthRow, HealthWord


def assess(live: LiveSet, keys: Iterable[ObjectKey]) -> HealthReport:
    """One row per key, ordered by key. A key that was never read is Unknown.

    A Cluster with a topology is looked at together with its class, control plane, pools and their templates in
    ``live``, a MachineDeployment with its MachineSets; these need not be among ``keys``: read_health puts them there.
    """
    return HealthReport(rows=tuple(_row(key, live) for key in sorted(set(keys))))


def waits_for(report: HealthReport) -> str:
    """The deepest cause in one line: ``Machine payments-batch-x7k2p: node not yet Ready``; "" when settled."""
    rows = sorted(report.unsettled, key=_depth)
    if not rows:
        return ""
    named = _machine_named(row.message for row in rows)
    if named and rows[0].key.kind != "Machine":
        return named
    row = rows[0]
    said = row.message or row.reason or str(row.word)
    return f"{row.key.kind} {row.key.name}: {said}"


def _row(key: ObjectKey, live: LiveSet) -> HealthRow:
    found = live.objects.get(key)
    if isinstance(found, LiveObject):
        return _judged(found, live)
    if isinstance(found, Absent):
        return HealthRow(key=key, word=HealthWord.NOT_FOUND, reason="NotFound", message="is not there")
    if isinstance(found, Unreadable):
        problem = found.problem
        return HealthRow(key=key, word=HealthWord.UNKNOWN, reason=_camel(problem.code), message=problem.message)
    return HealthRow(key=key, word=HealthWord.UNKNOWN, reason="NotRead", message="was not read")


def _judged(found: LiveObject, live: LiveSet) -> HealthRow:
    verdict = judge(found.key, found.body)
    if verdict is None:
        verdict = _existing(found) or judge_generic(found.key, found.body)
    elif verdict.word is HealthWord.CURRENT:
        verdict = _beside(found, live) or verdict
    observed = int((found.body.get("status") or {}).get("observedGeneration") or 0)
    return HealthRow(
        key=found.key,
        word=verdict.word,
        reason=verdict.reason,
        message=verdict.message,
        observed_generation=observed,
    )


def _beside(found: LiveObject, live: LiveSet) -> Verdict | None:
    """What only other objects tell."""
    if is_cluster(found.key):
        return not_carried(found, live) or not_copied(found, live)
    is_deployment = (found.key.group, found.key.kind) == (CORE, "MachineDeployment")
    return not_rolled_out(found, live) if is_deployment else None


def _existing(found: LiveObject) -> Verdict | None:
    """Existence suffices for what has no controller that could say more."""
    inert = is_template(found.key) or (is_capi(found.key) and not found.body.get("status"))
    return Verdict(word=HealthWord.CURRENT) if inert and not found.deleting else None


def _camel(code: str) -> str:
    return "".join(part.capitalize() for part in code.split("-"))


_WORDS: Final[Mapping[HealthWord, int]] = {
    HealthWord.FAILED: 0,
    HealthWord.PAUSED: 1,
    HealthWord.NOT_FOUND: 2,
    HealthWord.IN_PROGRESS: 3,
    HealthWord.TERMINATING: 4,
    HealthWord.UNKNOWN: 5,
    HealthWord.CURRENT: 6,
}


def _depth(row: HealthRow) -> tuple[Any, ...]:
    """What failed or is paused first; then Machines, infrastructure and so on down to the Cluster, which sums up.

    A Machine that only waits to be replaced comes after those that are on their way.
    """
    urgent = row.word in {HealthWord.FAILED, HealthWord.PAUSED}
    return not urgent, _layer(row.key), row.reason == "UpToDate", _WORDS[row.word], row.key


def _layer(key: ObjectKey) -> int:
    order = (key.kind == "Machine", is_infrastructure(key), is_control_plane(key), is_pool(key))
    if any(order):
        return order.index(True)
    return 9 if is_cluster(key) else 5


_MACHINE: Final = re.compile(r"\*\s+Machines?\s+([a-z0-9.-]+)[^:]*:\s*(.+?)(?=\s\*\s+Machines?\s|$)")
"""How conditions of Cluster API quote those of Machines. Source: util/conditions/merge_strategies.go."""


def _machine_named(messages: Iterable[str]) -> str:
    for message in messages:
        match = _MACHINE.search(message)
        if match:
            return f"Machine {match[1]}: {match[2].lstrip('* ')}"
    return ""
