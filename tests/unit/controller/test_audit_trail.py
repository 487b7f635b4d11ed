"""User names out of the API server's audit log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterops.controller.audit_trail import AuditTrail, plural
from clusterops.model.drift import Departed, DriftedField, DriftedObject, TargetDrift
from clusterops.model.key import ObjectKey

KEY = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="north", name="pool")


def line(user: str, *, verb: str = "patch", manager: str = "kubectl-edit", code: int = 200, query: str = "") -> bytes:
    uri = f"/apis/cluster.x-k8s.io/v1beta2/namespaces/north/machinedeployments/pool?fieldManager={manager}{query}"
    reference = {"apiGroup": KEY.group, "resource": "machinedeployments", "namespace": "north", "name": "pool"}
    event = {"verb": verb, "requestURI": uri, "user": {"username": user}, "objectRef": reference}
    return json.dumps({**event, "responseStatus": {"code": code}}).encode() + b"\n"


def trail(path: Path) -> AuditTrail:
    made = AuditTrail(path)
    made.begin()
    return made


def added(path: Path, *lines: bytes) -> None:
    with path.open("ab") as log:
        log.write(b"".join(lines))


def test_the_last_who_wrote_under_a_manager_is_named(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    added(path, line("before"))
    found = trail(path)
    found.catch_up()
    assert found.user(KEY, "kubectl-edit") == ""
    added(path, line("ada"), line("grace"), line("other", manager="helm"), line("eve", code=403), line("x", verb="get"))
    added(path, line("dry", query="&dryRun=All"), b"no json\n", line("half")[:40])
    found.catch_up()
    assert (found.user(KEY, "kubectl-edit"), found.user(KEY, "helm")) == ("grace", "other")
    added(path, line("half")[40:])
    found.catch_up()
    assert found.user(KEY, "kubectl-edit") == "half"


def test_a_rotated_log_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    added(path, line("a long name, so that the next log is shorter"))
    found = trail(path)
    path.write_bytes(line("b"))
    found.catch_up()
    assert found.user(KEY, "kubectl-edit") == "b"


async def test_fields_get_their_user_and_keep_the_one_that_was_known(tmp_path: Path) -> None:
    edited = DriftedField(pointer="/spec/replicas", git=1, live=2, manager="kubectl-edit")
    drift = TargetDrift(target="north/a", drifted=(DriftedObject(key=KEY, what=Departed.CHANGED, fields=(edited,)),))
    path = tmp_path / "audit.log"
    found = trail(path)
    added(path, line("ada"))
    named = await found.named(drift, TargetDrift(target="north/a"))
    assert named.drifted[0].fields[0].user == "ada"
    assert (await AuditTrail(tmp_path / "none").named(drift, named)).drifted == named.drifted


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Machine", "machines"), ("NetworkPolicy", "networkpolicies"), ("ClusterClass", "clusterclasses")],
)
def test_resources_are_called_as_kubernetes_calls_them(kind: str, name: str) -> None:
    assert plural(kind) == name
