"""A commit goes through a fleet in steps, on a real API server: order, soak, window, halt, kill -9, resume, a fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.stage import Audit, folder, until
from tests.system.plain_fleet import FleetStage, metric, staged
from tests.system.rolling_pools import Pools, rolling

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]
NAMES = "abcdef"
PACE = "{soak: 3s, maxConcurrentClusters: 2, settleTimeout: 20s}"
OLD, NEW, FIX = "v1.33.4", "v1.34.1", "v1.34.2"


@pytest.fixture
def stage(apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    with folder("rollout") as home, staged("in-steps", home, apiserver, tools) as stage:
        yield stage
        for kind in ("clusters", "machinedeployments", "machinesets", "machines"):
            stage.api.send("DELETE", f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{stage.name}/{kind}")


class Watch:
    """Cluster API is played whenever somebody looks, and it is counted who is on its way."""

    def __init__(self, stage: FleetStage) -> None:
        self.stage, self.pools, self.most = stage, Pools(stage.api, stage.name), 0

    def phases(self) -> dict[str, str]:
        found = self.stage.api.items(f"/apis/clusterops.io/v1alpha1/namespaces/{self.stage.name}/fleettargets")
        return {one["metadata"]["name"]: (one.get("status") or {}).get("phase", "") for one in found}

    def until(self, what: str, wanted: Callable[[dict[str, str]], bool]) -> None:
        def probe() -> bool:
            self.stage.daemons[-1].must_run()
            phases = self.phases()
            self.most = max(self.most, sum(phase in {"Applying", "Applied"} for phase in phases.values()))
            self.pools.play()
            return wanted(phases)

        until(f"{what}; now {self.phases()}", probe, every_s=0.2)

    def until_phase(self, phase: str, *names: str) -> None:
        self.until(f"{', '.join(names)} {phase}", lambda phases: all(phases.get(name) == phase for name in names))


def begun(stage: FleetStage, audit: Audit) -> list[str]:
    """Clusters in the order of the first write to their pool."""
    parts = (line.split() for line in audit.writes() if line.startswith("patch machinedeployments "))
    names = [place.partition("/")[2] for _, _, place, _ in parts if place.startswith(f"{stage.name}/")]
    return [name.removesuffix("-general") for name in dict.fromkeys(names)]


def test_a_commit_goes_in_steps_stops_at_a_failure_and_goes_on_when_a_person_or_a_fix_says_so(
    stage: FleetStage,
) -> None:
    watch = Watch(stage)
    stage.create(**{name: rolling(name, OLD) for name in NAMES})
    budgets = "policy: {budgets: {machinesReplaced: 100}}\n"
    fleet = stage.git("show", "main:fleet.yaml") + f"rollout: {PACE}\n{budgets}"
    stage.repository.commit({"fleet.yaml": fleet.encode()})
    daemon = stage.started()
    watch.until_phase("Settled", *NAMES)

    audit, watch.most = stage.audit(), 0
    watch.pools.stuck = {"b", "c"}
    stage.commit(**{name: rolling(name, NEW) for name in NAMES})
    watch.until("b and c begun", lambda _: {"b", "c"} <= set(begun(stage, audit)))
    assert begun(stage, audit)[0] == "a"
    assert watch.phases()["f"] == "Held"
    daemon.kill()
    daemon.start()

    stage.commit(f=rolling("f", NEW, notes="a commit of its own"))
    watch.until_phase("Settled", "a", "f")
    watch.until_phase("Failed", "b", "c")
    watch.until("the halt", lambda _: bool(stage.fleet["status"].get("halted")))
    halted = stage.fleet["status"]["halted"]
    assert (halted["target"], halted["code"]) in {(f"{stage.name}/{name}", "not-settled") for name in "bc"}
    phases = {**dict.fromkeys("af", "Settled"), **dict.fromkeys("bc", "Failed"), **dict.fromkeys("de", "Held")}
    assert watch.phases() == phases
    assert set(begun(stage, audit)) == set("abcf")
    assert metric(daemon, "clusterops_rollout_halted") == 1.0

    wish = f"{datetime.now(UTC).isoformat()} {halted['revision']}"
    stage.patch(stage.fleet_path, {"metadata": {"annotations": {"clusterops.io/resume-rollout": wish}}})
    watch.until_phase("Settled", *"adef")
    assert "halted" not in stage.fleet["status"]
    assert stage.fleet["status"]["resumedRevision"] == halted["revision"]

    watch.pools.stuck = set()
    fix = stage.commit(b=rolling("b", FIX), c=rolling("c", FIX))
    watch.until_phase("Settled", *NAMES)
    assert stage.until_verdict(fix)["state"] == "success"
    watch.until("its end", lambda _: not stage.fleet["status"].get("rollouts"))
    assert watch.most <= 3, "two of the commit in steps, and the one that goes alone"
    reasons = {
        one["reason"]
        for one in stage.api.items("/apis/events.k8s.io/v1/namespaces/clusterops-system/events")
        if one["regarding"].get("name") == stage.name
    }
    assert reasons >= {"RolloutStarted", "RolloutSoaking", "RolloutHalted", "RolloutResumed"}
