"""`clusterops rollout status`, `status` and `resume` on a real API server, from what a daemon has recorded there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from clusterops.cli.root import app
from clusterops.controller.clock import SystemClock
from clusterops.controller.requests import CONFIRMED_ANNOTATION, RESUME_ANNOTATION
from clusterops.kube import KubeCluster
from clusterops.model.fleet import Mode, PlainRecipe, RolloutPolicy, Target
from clusterops.model.machines import MachineCounts, MachineTally
from clusterops.model.rollout import Decision, Halt, Hold, Progress, Wait
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.status import (
    FleetStatus,
    Phase,
    TargetStatus,
    ensure_crds,
    ensure_namespace,
    read_fleet,
    read_target,
    write_fleet,
    write_target,
)
from clusterops.status.rollout_body import rollout_bodies
from clusterops.telemetry import Metrics, build_logger

pytestmark = pytest.mark.apiserver

FLEET = REGION = "rollout-told"
HEAD = "main@c81e77d"
NOW = datetime.now(UTC).replace(microsecond=0)
HALT = Halt(revision=HEAD, target=f"{REGION}/c03", code="not-settled", at=NOW)
FULL = Hold(wait=Wait.CLUSTERS, message=f"1 of 1 clusters on their way: {REGION}/c02")
SOAK = Hold(wait=Wait.SOAK, message="waits for canaries to soak until 14:32Z", until=NOW + timedelta(hours=1))
UNDER_WAY = Progress(
    revision=HEAD,
    done=(f"{REGION}/c01",),
    in_flight=(f"{REGION}/c02",),
    held={f"{REGION}/c03": FULL, f"{REGION}/c04": SOAK},
    canaries=(f"{REGION}/c01",),
    soaked_at=NOW,
    soaking_until=NOW,
    steps=3,
)
MINE = tuple(f"{REGION}/c0{number}" for number in range(1, 5))
"""Others leave fleets of theirs on the same API server, halted ones too."""
BEGUN = TargetStatus(observed_revision=HEAD, begun_revision=HEAD, begun_at=NOW)
TALLY = MachineTally(predicted=MachineCounts(replaced=3), at_once=1)
STATUSES = {
    "c01": replace(BEGUN, phase=Phase.SETTLED, settled_revision=HEAD, settled_at=NOW),
    "c02": replace(BEGUN, phase=Phase.APPLIED, message="waits for Machine c02-x: Running", machines=TALLY),
    "c03": TargetStatus(observed_revision=HEAD, phase=Phase.HELD, message="waits for its turn"),
    "c04": TargetStatus(observed_revision=HEAD, phase=Phase.HELD, message="waits for its turn"),
}


def with_cluster(apiserver: Sandbox, work: Any) -> Any:
    async def main() -> Any:
        async with KubeCluster.connect(
            ClusterSettings(kubeconfig=apiserver.kubeconfig),
            NetworkSettings(),
            logger=build_logger(level="error"),
            metrics=Metrics(),
            clock=SystemClock(),
        ) as cluster:
            return await work(cluster)

    return asyncio.run(main())


def target(name: str) -> Target:
    return Target(
        name=f"{REGION}/{name}",
        fleet=FLEET,
        region=None,
        cluster=name,
        namespace=REGION,
        mode=Mode.APPLY,
        recipe=PlainRecipe(files=()),
    )


async def record(cluster: KubeCluster, **fleet: Any) -> None:
    rollouts = fleet.pop("rollouts", (UNDER_WAY,))
    bodies = tuple(rollout_bodies(Decision(rollouts=rollouts), RolloutPolicy(), moving={f"{REGION}/c02": 1}))
    await write_fleet(
        cluster, await read_fleet(cluster, FLEET), status=FleetStatus(revision=HEAD, rollouts=bodies, **fleet)
    )


async def fill(cluster: KubeCluster) -> None:
    await ensure_crds(cluster, SystemClock())
    for namespace in ("clusterops-system", REGION):
        await ensure_namespace(cluster, namespace, fleet=FLEET)
    for name, status in STATUSES.items():
        await write_target(cluster, await read_target(cluster, target(name)), status=status)
    await record(cluster)


async def clear(cluster: KubeCluster) -> None:
    fleet = await read_fleet(cluster, FLEET)
    await cluster.delete(fleet.key, uid=fleet.uid, resource_version="")
    for name in STATUSES:
        stored = await read_target(cluster, target(name))
        await cluster.delete(stored.key, uid=stored.uid, resource_version="")


@pytest.fixture
def recorded(apiserver: Sandbox) -> Iterator[Sandbox]:
    with_cluster(apiserver, fill)
    yield apiserver
    with_cluster(apiserver, clear)


def said(apiserver: Sandbox, *arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, [*arguments, "--kubeconfig", str(apiserver.kubeconfig)])
    assert not answer.stderr, answer.stderr
    return answer.exit_code, answer.stdout


def annotated(apiserver: Sandbox) -> dict[str, str]:
    async def read(cluster: KubeCluster) -> dict[str, str]:
        return dict((await read_fleet(cluster, FLEET)).body["metadata"].get("annotations") or {})

    found: dict[str, str] = with_cluster(apiserver, read)
    return found


def test_who_is_on_its_way_who_waits_and_what_a_person_may_do(recorded: Sandbox) -> None:
    """One rollout on its way, then halted, then a rewritten history; the API server stores all of what is told."""
    code, text = said(recorded, "rollout", "status", "--detailed-exitcode", *MINE)
    assert code == 2, text
    line = next(line for line in text.splitlines() if line.startswith(HEAD))
    assert "1 of 4 clusters done, 1 in flight (1 of 30 machines), 2 held: " in line
    assert f"canary {REGION}/c01 settled" in line
    rows = [" ".join(line.split()) for line in text.splitlines() if line.startswith(f"{REGION}/")]
    assert [row.split()[:2] for row in rows] == [
        [f"{REGION}/c02", "in"],
        [f"{REGION}/c03", "held"],
        [f"{REGION}/c04", "held"],
    ]
    assert f"waits for a place: 1 of 1 clusters on their way: {REGION}/c02" in rows[1]
    body = next(
        one for one in json.loads(said(recorded, "rollout", "status", "-o", "json")[1]) if one["fleet"] == FLEET
    )
    assert body["rollouts"][0]["held"][0] | {"count": 1, "names": []} == {
        "wait": "clusters",
        "message": FULL.message,
        "count": 1,
        "names": [],
    }
    assert said(recorded, "rollout", "status", f"{REGION}/c04")[1].count(f"\n{REGION}/") == 1
    assert (
        f"held: waits for a place: 1 of 1 clusters on their way: {REGION}/c02"
        in (said(recorded, "status", f"{REGION}/c03")[1])
    )
    assert FLEET not in said(recorded, "resume")[1]

    with_cluster(recorded, lambda cluster: record(cluster, rollouts=(replace(UNDER_WAY, halt=HALT),), halted=HALT))
    code, text = said(recorded, "rollout", "status", "--detailed-exitcode", *MINE)
    assert (code, f"HALTED {HEAD} since" in text) == (3, True), text
    assert f"{FLEET}: still halted: {HEAD}" in said(recorded, "resume", "--revision", "main@other00")[1]
    assert RESUME_ANNOTATION not in annotated(recorded)
    answer = said(recorded, "resume")[1]
    assert f"{FLEET}: the rollout of {HEAD} goes on although {REGION}/c03 failed (not-settled)" in answer
    at, _, revision = annotated(recorded)[RESUME_ANNOTATION].partition(" ")
    assert (revision, datetime.fromisoformat(at) >= NOW) == (HEAD, True)

    rewritten = Halt(revision="f" * 40, target="", code="history-rewritten")
    with_cluster(recorded, lambda cluster: record(cluster, rollouts=(), halted=rewritten))
    assert f"HALTED {FLEET}: fffffff is not taken" in said(recorded, "rollout", "status")[1]
    assert f"{FLEET}: fffffff may be taken" in said(recorded, "resume")[1]
    assert annotated(recorded)[CONFIRMED_ANNOTATION] == "f" * 40
