"""A daemon whose polls are an hour apart, so nothing but the webhooks of a real Gitea tells it of anything."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.gitea.fleet import PLAN, GiteaFleet, gitea_fleet
from tests.gitea.relay import relaying
from tests.gitea.server import BOT, GiteaServer
from tests.stage import folder, until
from tests.system.plain_fleet import config, metric

NAME = "hooked"
OURS = "/api/v1/namespaces/clusterops-system"
ALPHA = f"clusters/{NAME}/alpha/objects.yaml"
EVENTS = ("push", "pull_request", "pull_request_sync", "status")
pytestmark = [pytest.mark.tools, pytest.mark.apiserver]


@pytest.fixture
def fleet(gitea: GiteaServer, apiserver: Sandbox, tools: dict[str, Path]) -> Iterator[GiteaFleet]:
    """Its token is in a Secret; its webhook secret, in the file ``hook`` of its home, is ``canary-one``."""
    with folder("gitea-webhooks") as home:
        (home / "hook").write_text("canary-one\n")
        quiet = {
            "CLUSTEROPS_FORGE_POLL_S": "3600",
            "CLUSTEROPS_REPOSITORY_POLL_S": "3600",
            "CLUSTEROPS_FORGE_TOKEN": "",
            "CLUSTEROPS_FORGE_TOKEN_SECRET": f"{NAME}/token",
            "CLUSTEROPS_FORGE_WEBHOOK_SECRET_FILE": str(home / "hook"),
        }
        with gitea_fleet(NAME, home, gitea, apiserver, tools, environment=quiet) as made:
            _put(made, OURS, "Namespace", "clusterops-system")
            token = base64.b64encode(gitea.tokens[BOT].encode()).decode()
            _put(made, f"{OURS}/secrets/{NAME}", "Secret", NAME, data={"token": token})
            yield made
            made.api.send("DELETE", f"{OURS}/secrets/{NAME}")


def test_gitea_calls_and_the_daemon_looks_at_once_whatever_else_is_sent(fleet: GiteaFleet) -> None:
    first = fleet.create(_files(fleet))
    fleet.daemon.start()
    fleet.daemon.until_event("commit applied", commit=first[:7])
    with relaying(f"{fleet.daemon.base_url}/webhooks/gitea") as relay:
        fleet.repository.hook(relay.url, "canary-one", *EVENTS)
        pushed = fleet.repository.commit({ALPHA: config("a", "2").encode()}, branch="main")
        fleet.daemon.until_event("commit applied", commit=pushed[:7])
        number, head = fleet.propose("third", {ALPHA: config("a", "3").encode()})
        fleet.until_comment(number, f"Merge of {head[:7]}")
        assert fleet.until_status(head, PLAN)["state"] == "success"
        push = next(one for one in relay.received if one.event == "push")
        assert relay.send(push) == 202
        assert relay.send(push, body=push.body + b" ") == 401
        relay.to = relay.to.replace("/gitea", "/github")
        assert relay.send(push) == 404
        relay.to = relay.to.replace("/github", "/gitea")
        (fleet.home / "hook").write_text("canary-two\n")
        replaced = fleet.repository.commit({ALPHA: config("a", "4").encode()}, branch="main")
        fleet.daemon.until_event("commit applied", commit=replaced[:7])
        until("no more than our own statuses", lambda: _count(fleet, "ignored") > 0)
    assert [_count(fleet, result) for result in ("repeated", "unsigned", "malformed")] == [1, 1, 0]
    log = fleet.daemon.log.read_text()
    assert [each for each in ("canary-one", "canary-two", fleet.server.tokens[BOT]) if each in log] == []


def _files(fleet: GiteaFleet) -> dict[str, bytes]:
    texts = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {NAME}\nmode: apply\n"
        f"clouds: {{dev: {{chart: {{path: charts/unused}}}}}}\n{fleet.forge}",
        "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
        f"regions/{NAME}/region.yaml": "cloud: dev\ncredentials: {secret: none, cloud: dev}\n",
        ALPHA: config("a", "1"),
    }
    return {path: text.encode() for path, text in texts.items()}


def _put(fleet: GiteaFleet, path: str, kind: str, name: str, **fields: object) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}
    fleet.api.send("PATCH", f"{path}?fieldManager=tests&force=true", body, "application/apply-patch+yaml")


def _count(fleet: GiteaFleet, result: str) -> float:
    return metric(fleet.daemon, f'clusterops_webhook_deliveries_total{{kind="gitea",result="{result}"}}')
