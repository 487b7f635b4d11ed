"""Predicted Machines against those that really go: a handful of show 7's edits, on the real controllers."""

from __future__ import annotations

import asyncio

import pytest

from clusterops.kube import KubeCluster
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics
from tests.shows.impact_class_edits import class_scripts
from tests.shows.impact_edits import plain_scripts
from tests.shows.impact_lane import CLOCK, LOGGER, Finding, Lane
from tests.shows.impact_script import Script

CHOSEN = {
    "pools": ("another infrastructure template", "the same content under another name"),
    "planes": ("patch version of the control plane", "a command"),
    "unfinished": ("another template", "taken back half-way"),
    "topology": ("label of the pool", "a variable that becomes a command"),
}
"""Of each lane, edits that do not need the ones between them."""


@pytest.mark.capi
async def test_the_machines_that_go_are_those_that_were_predicted(capi_sandbox: Sandbox) -> None:
    """Plain and with a ClusterClass, rolling and not, one met half-way."""
    settings = ClusterSettings(kubeconfig=capi_sandbox.kubeconfig)
    scripts = {script.name: script for script in (*plain_scripts(), *class_scripts())}
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
    ) as cluster:
        findings = await asyncio.gather(
            *(_run(cluster, f"impact-{name}", scripts[name], CHOSEN[name]) for name in CHOSEN)
        )
    told = [finding for lane in findings for finding in lane]
    assert len(told) == sum(map(len, CHOSEN.values()))
    assert [_text(finding) for finding in told if not finding.good] == []
    assert sum(finding.hits for finding in told) >= 6, "some of these edits replace machines"


async def _run(cluster: KubeCluster, name: str, script: Script, chosen: tuple[str, ...]) -> list[Finding]:
    lane = Lane(name=name, cluster=cluster, bodies=list(script.bodies))
    try:
        await lane.create()
        edits = [edit for edit in script.edits if edit.name in chosen]
        await lane.run(edits, lambda finding: print(_text(finding)))
    finally:
        await lane.delete()
    return lane.findings


def _text(finding: Finding) -> str:
    counts = f"predicted {len(finding.predicted)}, went {len(finding.gone)}"
    return f"{finding.lane} {finding.edit.name}: {counts} {finding.words} {finding.trouble}"
