"""The forge's token in a Secret of a real API server, with the rights that the install gives and no others."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.errors import TerminalError
from clusterops.forge import Tokens
from clusterops.model.document import load_values
from clusterops.sandbox import Sandbox
from clusterops.settings import ForgeSettings
from tests.doors.targets import connected
from tests.stage import ROOT, Api

pytestmark = pytest.mark.apiserver
NAMESPACE = "forge-tokens"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
ACCOUNTS = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"


@pytest.fixture
def api(apiserver: Sandbox) -> Iterator[Api]:
    """With a namespace, the install's Role in it, and an account that has this Role alone."""
    api = Api(apiserver)
    api.send("POST", "/api/v1/namespaces", _named("v1", "Namespace", NAMESPACE))
    try:
        api.send(
            "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", _named("v1", "ServiceAccount", "clusterops")
        )
        rbac = load_values((ROOT / "kustomize/install/rbac.yaml").read_bytes(), "rbac.yaml")
        role, binding = (body for body in rbac if body["metadata"]["name"] == "clusterops-forge")
        api.send("POST", f"{RBAC}/roles", role)
        subjects = [{"kind": "ServiceAccount", "name": "clusterops", "namespace": NAMESPACE}]
        api.send("POST", f"{RBAC}/rolebindings", binding | {"subjects": subjects})
        yield api
    finally:
        api.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}")


@pytest.fixture
def kubeconfig(api: Api, tmp_path: Path) -> Path:
    token = api.send("POST", f"{ACCOUNTS}/clusterops/token", {"spec": {"audiences": []}})["status"]["token"]
    body = json.loads(api.sandbox.kubeconfig.read_text())
    body["users"] = [{"name": body["users"][0]["name"], "user": {"token": token}}]
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(body), encoding="utf-8")
    return file


async def test_one_secret_may_be_read_and_its_change_is_seen_and_another_names_the_role(
    api: Api, kubeconfig: Path
) -> None:
    for name in ("clusterops-forge", "another"):
        api.send("POST", SECRETS, _named("v1", "Secret", name) | {"data": _token("first")})
    async with connected(kubeconfig) as cluster:

        def tokens(named: str) -> Tokens:
            settings = ForgeSettings(token_secret=named)
            return Tokens(settings=settings, clock=SystemClock(), cluster=cluster, namespace=NAMESPACE)

        kept = tokens("clusterops-forge/token")
        assert (await kept.token()).reveal() == "first"
        api.send("PATCH", f"{SECRETS}/clusterops-forge", {"data": _token("second")}, "application/merge-patch+json")
        assert (await kept.token()).reveal() == "first"
        kept.refused()
        assert (await kept.token()).reveal() == "second"
        with pytest.raises(
            TerminalError, match=r"^Secret forge-tokens/another: .*forbidden.* \(forge-token\)$"
        ) as raised:
            await tokens("another/token").token()
        assert "Role clusterops-forge" in raised.value.hint
        api.send("DELETE", f"{SECRETS}/clusterops-forge")
        kept.refused()
        with pytest.raises(TerminalError, match="is not there"):
            await kept.token()


def _named(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _token(text: str) -> dict[str, str]:
    return {"token": base64.b64encode(text.encode()).decode()}
