"""Encrypted values through a whole daemon: a key that comes, a secret that rotates, a kill, and no trace of either."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clusterops.sandbox import Sandbox
from tests.sealed import AgeKey, sealed
from tests.stage import Daemon
from tests.system.plain_fleet import FleetStage, config, http, staged

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]

NAME = "sealed"
FIRST, SECOND, WRONG = "canary-first-71d0", "canary-second-9c3e", "canary!wrong!5a7b"
SECRETS = f"clusters/{NAME}/web/secrets.yaml"
KEYS = "/api/v1/namespaces/clusterops-system/secrets"
CHART = {
    "charts/c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    "charts/c/templates/objects.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
    'data: {value: "[global] password={{ .Values.password }}"}\n---\n'
    "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\n"
    "stringData: {value: {{ .Values.password | quote }}}\n"
    "{{ if .Values.size }}---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: {{ .Release.Name }}}\n"
    "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: {{ .Values.size | quote }}}}}\n{{ end }}",
}


@pytest.fixture
def stage(apiserver: Sandbox, tools: Mapping[str, Path], tmp_path: Path) -> Iterator[FleetStage]:
    with staged(NAME, tmp_path, apiserver, tools) as stage:
        yield stage
        stage.api.send("DELETE", f"{KEYS}/{NAME}-age")


def files(key: AgeKey, **values: Any) -> dict[str, bytes]:
    block = "clusterops: {chart: {path: charts/c}}\npassword: none\nsize: ''\n"
    return {f"clusters/{NAME}/web/values.yaml": block.encode(), SECRETS: sealed(values, key)}


def status(stage: FleetStage) -> dict[str, Any]:
    found: dict[str, Any] = stage.target("web").get("status") or {}
    return found


def told(stage: FleetStage, daemon: Daemon, commits: list[str]) -> str:
    """All that people, and whoever reads what we keep, may see."""
    kinds = "/apis/clusterops.io/v1alpha1"
    parts: list[Any] = [stage.repository.statuses(commit) for commit in commits]
    parts += stage.api.items(f"{kinds}/namespaces/{NAME}/fleettargets")
    parts += stage.api.items(f"{kinds}/namespaces/clusterops-system/fleets")
    parts += stage.api.items(f"/api/v1/namespaces/{NAME}/events")
    parts += stage.api.items("/api/v1/namespaces/clusterops-system/events")
    parts += [http(daemon, "/metrics")[1]]
    return json.dumps(parts, default=str)


def traces(text: bytes | str) -> list[str]:
    """Of the secrets in it, plain or in base64."""
    raw = text if isinstance(text, bytes) else text.encode()
    forms = {each: (each.encode(), base64.b64encode(each.encode())) for each in (FIRST, SECOND, WRONG)}
    return [each for each, parts in forms.items() if any(part in raw for part in parts)]


def test_a_key_that_comes_opens_a_secret_that_is_applied_rotated_and_told_to_nobody(stage: FleetStage) -> None:
    key = AgeKey()
    stage.create(plain=config("plain", "seen"))
    commit = stage.repository.commit({path: text.encode() for path, text in CHART.items()} | files(key, password=FIRST))
    scratch = stage.home / "scratch"
    scratch.mkdir()
    daemon = stage.started(
        CLUSTEROPS_RENDER_AGE_KEY_SECRET=f"{NAME}-age/age.txt",
        CLUSTEROPS_CLUSTER_TIMEOUT_S="30",
        TMPDIR=str(scratch),
    )
    # Without the key it is this target's problem, and no other one's.
    stage.until_phase("plain", "Settled")
    verdict = stage.until_verdict(commit)
    assert verdict["state"] == "failure", verdict
    assert "sops-key-missing" in json.dumps(stage.repository.statuses(commit))
    assert status(stage)["code"] == "sops-key-missing"
    # The key comes: no commit is needed.
    data = {"age.txt": base64.b64encode(f"# made today\n{key.text}\n".encode()).decode()}
    stage.api.send("POST", KEYS, {"metadata": {"name": f"{NAME}-age"}, "data": data})
    stage.until_phase("web", "Settled")
    assert stage.value("web") == f"[global] password={FIRST}"
    assert stage.until_verdict(commit)["state"] == "success"
    # Another secret goes out, and what the server quotes of a wrong one comes back without it.
    rotated = stage.repository.commit(files(key, password=SECOND))
    assert stage.until_verdict(rotated)["state"] == "success"
    assert stage.value("web") == f"[global] password={SECOND}"
    wrong = stage.repository.commit(files(key, password=SECOND, size=WRONG))
    assert stage.until_verdict(wrong)["state"] == "failure"
    assert status(stage)["code"] == "object-invalid"
    # By hand, without and with the key.
    by_hand = [stage.command("plan", f"{NAME}/web"), stage.command("render", "--all")]
    assert all("sops-key-missing" in answer.text for answer in by_hand)
    assert "value: seen" in by_hand[1].out, "the others are rendered"
    assert by_hand[1].code == 1
    key_file = stage.home / "at-a-desk.txt"
    key_file.write_text(key.text)
    for arguments in (
        ("plan", f"{NAME}/web", "-o", "json"),
        ("render", f"{NAME}/web"),
        ("drift", f"{NAME}/web"),
    ):
        answer = stage.command(*arguments, SOPS_AGE_KEY_FILE=str(key_file))
        assert "sops-key" not in answer.text, (arguments, answer.text)
        assert not traces(answer.text), arguments
        by_hand.append(answer)
    assert any("(secret)" in answer.out for answer in by_hand)
    found = told(stage, daemon, [commit, rotated, wrong])
    assert "sops" in found or "object-invalid" in found
    assert not traces(found)
    daemon.kill()
    kept = [path for path in stage.home.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert daemon.log in kept
    assert [path for path in kept if traces(path.read_bytes())] == []
    assert key.text.encode() not in daemon.log.read_bytes()
