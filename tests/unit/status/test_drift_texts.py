"""What the status of the head commit says of drift."""

from __future__ import annotations

from clusterops.model.commit_status import TEXT_LIMIT, State
from clusterops.model.drift import Departed, DriftedObject, TargetDrift
from clusterops.model.key import ObjectKey
from clusterops.model.problem import Problem
from clusterops.status import Contexts, drift_status

OBJECT = DriftedObject(key=ObjectKey(group="", kind="ConfigMap", namespace="n", name="c"), what=Departed.CHANGED)
FORBIDDEN = Problem(code="api-forbidden", subject="Machines", message="may not be listed")


def drifted(name: str) -> TargetDrift:
    return TargetDrift(target=name, drifted=(OBJECT,))


def test_a_fleet_in_sync() -> None:
    found = drift_status([TargetDrift(target="a/b"), TargetDrift(target="a/c")])
    assert (found.context, found.state, found.text) == ("clusterops/drift", State.SUCCESS, "2 clusters in sync")


def test_drift_names_who_drifted() -> None:
    found = drift_status([drifted("eu/ledger"), TargetDrift(target="eu/web")], contexts=Contexts(management="b"))
    assert (found.context, found.state) == ("clusterops-b/drift", State.FAILURE)
    assert found.text == "1 of 2 clusters drifted: eu/ledger (drifted)"


def test_the_code_is_kept_where_there_is_no_room_for_all_names() -> None:
    found = drift_status([drifted(f"north-west-1/cluster-{number}") for number in range(40)])
    assert len(found.text) <= TEXT_LIMIT
    assert found.text.startswith("40 of 40 clusters drifted: north-west-1/cluster-0, ")
    assert found.text.endswith(", ... (drifted)")


def test_what_nobody_can_tell_is_no_verdict() -> None:
    found = drift_status([TargetDrift(target="eu/web", unknown=(FORBIDDEN,))])
    assert found.state is State.ERROR
    assert found.text == "1 of 1 cluster not compared: Machines: may not be listed (api-forbidden)"
