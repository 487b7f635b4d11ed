"""`clusterops drift` on a real API server: what a person did with kubectl, told, kept, put back or taken into git."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from clusterops.cli.drift import schema_text
from clusterops.cli.root import app
from clusterops.sandbox import Sandbox
from tests.stage import folder, until
from tests.system.plain_fleet import FleetStage, config, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]


@pytest.fixture
def stage(request: pytest.FixtureRequest, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[FleetStage]:
    name = "dc-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:40].strip("-")
    with folder("drift") as home, staged(name, home, apiserver, tools) as made:
        yield made


def edit(stage: FleetStage, name: str, value: str) -> None:
    """As kubectl edit does it: an Update of another field manager."""
    stage.api.send(
        "PATCH",
        f"/api/v1/namespaces/{stage.name}/configmaps/{name}?fieldManager=kubectl-edit",
        {"data": {"value": value}},
        content_type="application/merge-patch+json",
    )


def test_what_a_person_edited_is_told(stage: FleetStage) -> None:
    """One field, with who did it, and nothing written."""
    stage.create(a=config("a", "1"), b=config("b", "1"))
    assert stage.command("apply", "--all").code == 0
    edit(stage, "a", "2")
    audit = stage.audit()
    answer = stage.command("drift", "--detailed-exitcode")
    assert answer.code == 2, answer.text
    assert "1 in sync, 1 drifted" in answer.out
    assert re.search(
        r"ConfigMap a  /data/value +git 1   live 2\n +kubectl-edit, Update, \d+ s ago \(person\)", answer.out
    )
    assert f"clusterops drift adopt {stage.name}/a ConfigMap/a /data/value" in answer.out

    told = stage.command("drift", f"{stage.name}/a", "-o", "json")
    body = json.loads(told.out)
    assert list(jsonschema.Draft202012Validator(json.loads(schema_text())).iter_errors(body)) == []
    (drifted,) = body["targets"][0]["drifted"]
    assert drifted["fields"][0] | {"changedAt": ""} == {
        "pointer": "/data/value",
        "git": "1",
        "live": "2",
        "manager": "kubectl-edit",
        "operation": "Update",
        "author": "person",
        "changedAt": "",
    }
    page = stage.home / "drift.html"
    written = stage.command("drift", "-o", "html", "--file", str(page))
    assert (written.code, "kubectl-edit" in page.read_text(encoding="utf-8")) == (0, True), written.text
    assert stage.all_writes(audit) == []


def checkout(stage: FleetStage) -> Path:
    return stage.home / f"{stage.name}-checkout" / "clusters" / stage.name / "a" / "objects.yaml"


def test_git_is_put_back_or_learns(stage: FleetStage) -> None:
    """Without a daemon by hand, with one by it; never unasked, and not in a closed window. Or git takes what lives."""
    head = stage.create(a=config("a", "1"), b=config("b", "1"))
    target = f"{stage.name}/a"
    assert stage.command("apply", "--all").code == 0
    edit(stage, "a", "2")
    audit = stage.audit()
    asked = stage.command("drift", "heal", target)
    assert (asked.code, "heal-not-agreed" in asked.err, "/data/value" in asked.out) == (3, True, True), asked.text
    assert stage.all_writes(audit) == []
    done = stage.command("drift", "heal", target, "--yes", "-o", "json")
    assert (done.code, json.loads(done.out)["done"], stage.value("a")) == (0, True, "1"), done.text

    edit(stage, "a", "it's 2")
    before = stage.git("show", f"main:clusters/{target}/objects.yaml")
    adopted = stage.command("drift", "adopt", target, "ConfigMap/a", "/data/value")
    assert f"clusters/{target}/objects.yaml:4   ConfigMap/a:/data/value: 1 -> it's 2" in adopted.out, adopted.text
    assert checkout(stage).read_text() == before.replace('"1"', '"it\'s 2"')
    head = stage.repository.commit({f"clusters/{target}/objects.yaml": checkout(stage).read_bytes()})
    stage.started()
    assert stage.until_verdict(head)["state"] == "success"
    assert (stage.value("a"), stage.command("drift", "--detailed-exitcode").code) == ("it's 2", 0)

    edit(stage, "a", "3")
    told = stage.command("drift", "heal", target, "--yes")
    assert (told.code, "asked" in told.out) == (0, True), told.text
    until("git put back", lambda: stage.value("a") == "it's 2")

    closed = stage.git("show", "main:fleet.yaml") + 'windows: [{targets: "*", deny: "00:00-24:00"}]\n'
    stage.repository.commit({"fleet.yaml": closed.encode()})
    edit(stage, "a", "4")
    refused = stage.command("drift", "heal", target, "--yes")
    assert (refused.code, "window-closed" in refused.text, stage.value("a")) == (3, True, "4"), refused.text


def test_rules_of_argo_cd_become_ours(tmp_path: Path) -> None:
    """No cluster, no repository."""
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "ignoreDifferences": [
                {"group": "cluster.x-k8s.io", "kind": "MachineDeployment", "jsonPointers": ["/spec/replicas"]},
                {"kind": "ConfigMap", "jqPathExpressions": [".data | keys"]},
            ]
        },
    }
    file = tmp_path / "argo.yaml"
    file.write_text(json.dumps(application))
    answer = CliRunner().invoke(app, ["drift", "rules", str(file)])
    assert answer.exit_code == 0, answer.output
    (rule,) = yaml.safe_load(answer.stdout)["ignore"]
    assert (rule["kind"], rule["pointers"]) == ("MachineDeployment", ["/spec/replicas"])
    assert "not carried over: Application argocd/web" in answer.stderr
    missing = CliRunner().invoke(app, ["drift", "rules", str(tmp_path / "none.yaml")])
    assert (missing.exit_code, "file-not-readable" in missing.stderr) == (1, True)
