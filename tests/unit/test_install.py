"""kustomize/install: what it renders, that an API server takes it, and that its rights suffice."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterops.model.document import load_values
from clusterops.sandbox import Sandbox
from clusterops.settings import DaemonSettings
from clusterops.status import crd_bodies
from tests.stage import ROOT, Api, Audit, folder
from tests.system.crash_points import fleet_files
from tests.system.plain_fleet import FleetStage, config, staged

INSTALL = ROOT / "kustomize" / "install"
pytestmark = pytest.mark.tools


def render(tools: dict[str, Path], directory: Path) -> list[dict[str, Any]]:
    built = subprocess.run([tools["kustomize"], "build", str(directory)], capture_output=True, check=True)
    return [body for body in load_values(built.stdout, "install") if body]


@pytest.fixture
def objects(tools: dict[str, Path]) -> list[dict[str, Any]]:
    return render(tools, INSTALL)


@pytest.fixture
def read_only(tools: dict[str, Path], tmp_path: Path) -> list[dict[str, Any]]:
    """The install with its component, as a user's overlay has it."""
    text = (
        f"resources: [{_relative(INSTALL, tmp_path)}]\n"
        f"components: [{_relative(INSTALL, tmp_path)}/components/read-only]\n"
    )
    (tmp_path / "kustomization.yaml").write_text(text)
    return render(tools, tmp_path)


def _relative(path: Path, start: Path) -> str:
    return "/".join([".."] * (len(start.resolve().parts) - 1) + list(path.resolve().parts[1:]))


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [body for body in objects if body["kind"] == kind]


def verbs(objects: list[dict[str, Any]]) -> set[str]:
    roles = of_kind(objects, "ClusterRole") + of_kind(objects, "Role")
    return {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]}


def test_the_definitions_are_those_of_the_package(objects: list[dict[str, Any]]) -> None:
    """The schema annotation too: the daemon finds nothing to do."""
    found = of_kind(objects, "CustomResourceDefinition")
    for body in found:
        body["metadata"].pop("labels")
    assert sorted(found, key=lambda body: str(body["metadata"]["name"])) == list(crd_bodies())


def test_everything_of_ours_lives_in_the_namespace_of_the_settings(objects: list[dict[str, Any]]) -> None:
    namespaces = {body["metadata"]["namespace"] for body in objects if "namespace" in body["metadata"]}
    assert namespaces == {DaemonSettings().namespace}
    assert [body["metadata"]["name"] for body in of_kind(objects, "Namespace")] == [DaemonSettings().namespace]


def test_the_deployment_is_locked_down(objects: list[dict[str, Any]]) -> None:
    (deployment,) = of_kind(objects, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (deployment["spec"]["replicas"], pod["securityContext"]["runAsNonRoot"]) == (1, True)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    probes = {name: container[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe")}
    assert probes == {"livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    (forge,) = (volume for volume in pod["volumes"] if "emptyDir" not in volume)
    assert forge["secret"] == {
        "secretName": "clusterops-forge",
        "optional": True,
        "defaultMode": 0o440,
        "items": [{"key": "webhook-secret", "path": "webhook-secret"}],
    }
    user = re.search(r"^USER (\d+):", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    assert pod["securityContext"]["runAsUser"] == int(user[1])
    drain_s = DaemonSettings().drain_s
    assert pod["terminationGracePeriodSeconds"] > drain_s + 10


def test_the_right_to_delete_a_cluster_is_a_role_of_its_own_and_nobody_has_it_for_what_holds_one(
    objects: list[dict[str, Any]],
) -> None:
    """A fleet that never deletes takes the binding of `clusterops-delete` away."""
    deletable = {
        (role["metadata"]["name"], resource)
        for role in of_kind(objects, "ClusterRole") + of_kind(objects, "Role")
        for rule in role["rules"]
        if {"delete", "deletecollection", "*"} & set(rule["verbs"])
        for resource in rule["resources"]
    }
    pruned = {each for role, each in deletable if role != "clusterops-delete"}
    assert pruned
    assert all(
        each.endswith("templates") or each in {"configmaps", "machinehealthchecks", "clusterresourcesets"}
        for each in pruned
    )
    keyed = {each for role, each in deletable if role == "clusterops-delete"}
    assert {each for each in keyed if not each.endswith("identities")} == {
        "clusters",
        "clusterclasses",
        "machinedeployments",
        "machinepools",
        "secrets",
    }


def test_the_read_only_component_leaves_get_list_and_watch(
    objects: list[dict[str, Any]], read_only: list[dict[str, Any]]
) -> None:
    assert verbs(objects) > {"get", "list", "watch"}
    assert verbs(read_only) == {"get", "list", "watch"}
    gone = {(body["kind"], body["metadata"]["name"]) for body in objects if body not in read_only}
    assert gone == {
        ("ClusterRole", "clusterops-write"),
        ("ClusterRoleBinding", "clusterops-write"),
        ("ClusterRole", "clusterops-delete"),
        ("ClusterRoleBinding", "clusterops-delete"),
        ("Role", "clusterops-lease"),
        ("RoleBinding", "clusterops-lease"),
    }


@pytest.mark.apiserver
def test_an_api_server_takes_every_object(objects: list[dict[str, Any]], apiserver: Sandbox) -> None:
    """By a dry run of a server-side apply, unknown fields refused."""
    _install(Api(apiserver), of_kind(objects, "Namespace"))
    _install(Api(apiserver), objects, "&dryRun=All&fieldValidation=Strict")


@pytest.fixture
def stage(
    objects: list[dict[str, Any]], apiserver: Sandbox, tools: dict[str, Path]
) -> Iterator[tuple[FleetStage, Path]]:
    """A fleet, and the kubeconfig of the install's own ServiceAccount."""
    kinds = {"Namespace", "CustomResourceDefinition", "ServiceAccount"}
    kinds |= {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    _install(Api(apiserver), [body for body in objects if body["kind"] in kinds])
    with folder("install") as home, staged("installed", home, apiserver, tools) as made:
        yield made, made.token_kubeconfig("clusterops", DaemonSettings().namespace)


@pytest.mark.apiserver
def test_its_rights_suffice_for_a_whole_life_of_a_fleet(stage: tuple[FleetStage, Path]) -> None:
    """A first sync, a change with an update and a prune, and a target dropped: no request is forbidden."""
    fleet, kubeconfig = stage
    assert fleet.sandbox.audit_log is not None
    audit = Audit.from_now(fleet.sandbox.audit_log)
    head = fleet.repository.create(
        fleet_files("installed", replicas=1, config="first") | fleet.files(a=config("a", "1"))
    )
    daemon = fleet.daemon(kubeconfig)
    daemon.start()
    daemon.until_event("commit applied", commit=head[:7])
    changed = fleet.repository.commit(fleet_files("installed", replicas=3, config="second"))
    daemon.until_event("commit applied", commit=changed[:7])
    dropped = fleet.repository.drop("clusters/installed/a")
    assert fleet.until_verdict(dropped)["state"] == "success"
    assert daemon.stop() == 0
    forbidden = [write for write in audit.writes() if write.endswith(" 403")]
    assert forbidden == []
    assert any(write.startswith("delete configmaps installed/first 200") for write in audit.writes())
    assert "api-forbidden" not in daemon.log.read_text()


def _install(api: Api, objects: list[dict[str, Any]], query: str = "") -> None:
    for body in objects:
        api.send(
            "PATCH",
            f"{_path(body)}?fieldManager=tests&force=true{query}",
            body,
            content_type="application/apply-patch+yaml",
        )


def _path(body: dict[str, Any]) -> str:
    group, _, version = str(body["apiVersion"]).rpartition("/")
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    namespace = body["metadata"].get("namespace")
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{place}/{str(body['kind']).lower()}s/{body['metadata']['name']}"
