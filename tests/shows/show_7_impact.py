"""Show 7: the Machines that a plan says will go, against those that went, on the real controllers.

`python -m tests.shows.show_7_impact [LANE...]` prints a table, precision and recall; 1 when either is below 1.0.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from clusterops.kube import KubeCluster
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics
from tests.shows.impact_class_edits import class_scripts
from tests.shows.impact_edits import plain_scripts
from tests.shows.impact_lane import CLOCK, LOGGER, Finding, Lane
from tests.shows.impact_script import Script
from tests.shows.place import place

AT_ONCE = 6
"""Lanes; each waits for machines most of its time, and an idle cluster costs nearly as much as a busy one."""


def main(names: Sequence[str]) -> int:
    began_s = time.monotonic()
    chosen = [script for script in (*plain_scripts(), *class_scripts()) if not names or script.name in names]
    with place("full") as (_, sandbox, _):
        findings = asyncio.run(_run(sandbox, chosen))
    return 0 if verdict(findings, time.monotonic() - began_s) else 1


async def _run(sandbox: Sandbox, chosen: Sequence[Script]) -> list[Finding]:
    settings = ClusterSettings(kubeconfig=sandbox.kubeconfig)
    gate = asyncio.Semaphore(AT_ONCE)
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
    ) as cluster:
        lanes = [Lane(name=script.name, cluster=cluster, bodies=list(script.bodies)) for script in chosen]
        async with asyncio.TaskGroup() as group:
            for lane, script in zip(lanes, chosen, strict=True):
                group.create_task(_lane(lane, script, gate), name=lane.name)
    return [finding for lane in lanes for finding in lane.findings]


async def _lane(lane: Lane, script: Script, gate: asyncio.Semaphore) -> None:
    async with gate:
        await lane.create()
        await lane.run(script.edits, tell)
        await lane.delete()


def tell(finding: Finding) -> None:
    mark = "ok" if finding.good else "BAD"
    mid = " (half-way)" if finding.mid_rollout else ""
    told, went = len(finding.predicted), len(finding.gone)
    begun = " begun" if finding.edit.until_begun else f" predicted {told} went {went}"
    print(
        f"{CLOCK.now():%T} {mark:<3} {finding.lane:<12} {finding.edit.name}{mid}: {finding.edit.rule}:"
        f"{begun}, {finding.now} -> {finding.then} machines; {finding.words} {finding.trouble}",
        flush=True,
    )


def verdict(findings: Sequence[Finding], seconds: float) -> bool:
    """Prints the figures; whether precision and recall are 1.0 and no edit was in trouble."""
    told = [finding for finding in findings if not finding.edit.until_begun]
    hits = sum(finding.hits for finding in told)
    alarms, misses = sum(one.false_alarms for one in told), sum(one.misses for one in told)
    still = sum(not finding.gone for finding in told)
    rules: dict[str, int] = {}
    for finding in told:
        rules[finding.edit.rule] = rules.get(finding.edit.rule, 0) + 1
    print("\nedits per rule: " + ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items())))
    print(f"{len(told)} edits, {still} replaced nothing, {sum(one.mid_rollout for one in told)} met a rollout half-way")
    precision = hits / (hits + alarms) if hits + alarms else 1.0
    recall = hits / (hits + misses) if hits + misses else 1.0
    bad = [finding for finding in findings if not finding.good]
    print(f"{hits} machines replaced as predicted, {alarms} false alarms, {misses} misses, in {seconds:.0f} s")
    print(f"precision {precision:.3f}, recall {recall:.3f}")
    for finding in bad:
        print(f"BAD {finding.lane} {finding.edit.name}: {finding.words} {finding.trouble}")
    return not bad and precision == recall == 1.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
