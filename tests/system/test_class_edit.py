"""A class edit on a real API server without controllers: who waits for the new class, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.shows.class_fleet import CLASS_HOME, REGIONS, ClassFleet
from tests.shows.impact_lane import one_of
from tests.stage import Audit, folder, until
from tests.system.plain_fleet import FleetStage, staged

pytestmark = pytest.mark.tools
CORE = "/apis/cluster.x-k8s.io/v1beta2/namespaces"


@pytest.fixture
def stage(apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    with folder("class-edit") as home, staged("classy", home, apiserver, tools) as stage:
        yield stage
        for place in (*(f"{CORE}/{region}/clusters" for region in REGIONS), f"{CORE}/{CLASS_HOME}/clusterclasses"):
            stage.api.send("DELETE", place)


def on(fleet: ClassFleet) -> dict[str, str]:
    """Cluster to the name of its class."""
    found = [one for region in REGIONS for one in fleet.stage.api.items(f"{CORE}/{region}/clusters")]
    return {one["metadata"]["name"]: one["spec"]["topology"]["classRef"]["name"] for one in found}


def test_who_follows_is_recorded_first_and_goes_nowhere_before_the_class_is_there(
    stage: FleetStage, apiserver: Sandbox
) -> None:
    """The first edit is one that the API server refuses; a kill -9 lets nobody go either; the fix does."""
    fleet = ClassFleet.of(stage, 2, machines=100)
    fleet.create()
    daemon = stage.started()
    until("the clusters", lambda: len(on(fleet)) == len(fleet.pools))
    variables = one_of(fleet.bodies, "ClusterClass")["spec"]["variables"]
    variables.append({"name": "without-a-schema"})
    fleet.commit("a broken class")
    daemon.until_event("pass", target="shared/classes", code="object-invalid")
    daemon.kill()
    daemon.start()
    for name in fleet.pools:
        daemon.until_event("pass", target=name, code="rollout-held")
    daemon.until_event("pass", target="shared/classes", code="object-invalid")
    assert set(on(fleet).values()) == {"web"}
    variables.pop()
    audit = Audit.from_now(Path(str(apiserver.audit_log)))
    fleet.other_workers("b")
    until("all to follow", lambda: "web" not in on(fleet).values())
    writes = audit.writes()
    came = next(
        number for number, one in enumerate(writes) if f" clusterclasses {CLASS_HOME}/web-" in one and one[-3:] != "422"
    )
    recorded = {one.split()[2] for one in writes[:came] if one.split()[1] == "fleettargets"}
    moved = {one.split()[2] for one in writes[came:] if one.split()[1] == "clusters"}
    assert recorded >= moved == fleet.pools.keys()
