"""A person at a desk with a clone of a repository on a real Gitea: the branch is there, and one request for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.gitea.repository import GiteaRepository
from tests.gitea.server import ADMIN, AUTHOR, GiteaServer
from tests.unit.cli.desks import ALPHA, git, named
from tests.unit.render.repository import ROOT, folder_files

pytestmark = pytest.mark.tools


class Desk:
    """``environ`` has the forge's token, git a helper that gives it."""

    def __init__(self, server: GiteaServer, repository: GiteaRepository, home: Path, tools: Mapping[str, Path]) -> None:
        self.clone = home / "clone"
        git(home, "init", "-q", "-b", "main", str(self.clone))
        named(self.clone, "A Person")
        token = server.tokens[AUTHOR]
        git(self.clone, "config", "credential.helper", f"!f() {{ echo username={AUTHOR}; echo password={token}; }}; f")
        git(self.clone, "remote", "add", "origin", repository.url)
        git(self.clone, "pull", "-q", "origin", "main")
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CLUSTEROPS_CACHE_DIR": str(home / "cache"),
            "CLUSTEROPS_RENDER_HELM": str(tools["helm"]),
            "CLUSTEROPS_RENDER_KUSTOMIZE": str(tools["kustomize"]),
            "CLUSTEROPS_FORGE_URL": server.url,
            "CLUSTEROPS_FORGE_TOKEN": token,
        }

    def types(self, *words: str, **environ: str) -> tuple[int, Any, str]:
        """Exit code, the JSON of its answer, and what it said beside."""
        ended = subprocess.run(
            [sys.executable, "-m", "clusterops", *words, "-o", "json"],
            cwd=self.clone,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, json.loads(ended.stdout or "null"), ended.stderr


def test_gitea_has_one_request_for_a_branch_from_the_desk(
    gitea: GiteaServer, tools: dict[str, Path], tmp_path: Path
) -> None:
    """Opened, pushed to, its files as git has them; a token that is wrong leaves the branch pushed."""
    name = f"desk-{uuid.uuid4().hex[:6]}"
    template = {**folder_files(ROOT / "fleet-repo-template"), **folder_files(ROOT / "charts", "charts/")}
    template["fleet.yaml"] += f"forge: {{kind: gitea, repository: {ADMIN}/{name}}}\n".encode()
    repository = GiteaRepository.create(gitea, name, tmp_path / "bare.git", dict(template))
    desk = Desk(gitea, repository, tmp_path, tools)

    code, body, said = desk.types("upgrade", "alpha", "v1.34.2", "-b", "up", "-m", "alpha: v1.34.2\n\nCHG-2310")
    assert (code, body["request"]["opened"]) == (0, True), (body, said)
    number = body["request"]["number"]
    request = repository.request(number)
    assert (request["title"], request["body"].strip()) == ("alpha: v1.34.2", "CHG-2310")
    assert (request["head"]["sha"], request["base"]["ref"]) == (body["commit"], "main")

    code, body, said = desk.types("resize", "alpha", "general=5", "-b", "up")
    assert (code, body["request"]) == (0, {"number": number, "url": request["html_url"], "opened": False}), said
    assert repository.request(number)["head"]["sha"] == body["commit"]
    before = template[ALPHA].decode()
    after = before.replace("v1.34.1", "v1.34.2").replace("replicas: 2", "replicas: 5")
    assert (repository.fetch("up"), repository.read("up", ALPHA)) == (body["commit"], after)

    words = ("new", "cluster", "north/gamma", "--version", "v1.34.1", "--pool", "general=1", "-b", "new")
    code, body, said = desk.types(*words, CLUSTEROPS_FORGE_TOKEN="wrong")
    assert (code, body["error"]["code"], body["pushedTo"]) == (1, "forge-unauthorized", "origin"), said
    assert repository.fetch("new") == body["commit"]
    code, body, said = desk.types("resize", "gamma", "general=1", "-b", "new")
    assert (code, body["request"]["opened"], body["commit"]) == (0, True, ""), "the same branch, proposed later"
    assert not any(gitea.tokens[AUTHOR] in text for text in (json.dumps(body), said))
