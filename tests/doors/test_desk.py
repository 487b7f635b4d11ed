"""An edit from the desk on real renders of the repository that `init` writes: only what renders well is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from clusterops.cli.checking import EditError, check
from clusterops.cli.locally import LocalFleet, open_fleet
from clusterops.settings import RenderSettings
from tests.sealed import AgeKey, sealed
from tests.unit.render.repository import ROOT, folder_files

pytestmark = pytest.mark.tools

ALPHA = "clusters/north/alpha/values.yaml"


@pytest.fixture
def local(tmp_path: Path) -> LocalFleet:
    template = {**folder_files(ROOT / "fleet-repo-template"), **folder_files(ROOT / "charts", "charts/")}
    for path, content in template.items():
        (tmp_path / "fleet" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fleet" / path).write_bytes(content)
    return open_fleet(tmp_path / "fleet")


@pytest.fixture
def settings(tools: Mapping[str, Path], tmp_path: Path) -> RenderSettings:
    return RenderSettings(helm=tools["helm"], kustomize=tools["kustomize"], cache_dir=tmp_path / "cache")


def edited(local: LocalFleet, old: str, new: str) -> dict[str, bytes | None]:
    text = local.snapshot.read(ALPHA).decode()
    assert old in text
    return {ALPHA: text.replace(old, new).encode()}


async def test_an_edit_that_renders_to_something_else_is_fine(local: LocalFleet, settings: RenderSettings) -> None:
    assert await check(local, edited(local, "replicas: 2", "replicas: 5"), ["north/alpha"], settings) == ""


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  replicas: 1", "  replicas: 2", "value-choice"),
        ("version: v1.34.1", "version: newest", "value-format"),
        ("ring: canary", "ring: [canary]", "value-type"),
        ("# The cluster", "# A cluster", "edit-without-effect"),
    ],
)
async def test_every_problem_that_it_would_bring_is_told(
    local: LocalFleet, settings: RenderSettings, old: str, new: str, code: str
) -> None:
    with pytest.raises(EditError) as caught:
        await check(local, edited(local, old, new), ["north/alpha"], settings)
    assert code in {problem.code for problem in caught.value.problems}


async def test_who_may_not_read_a_clusters_secrets_edits_the_line_beside_them(
    local: LocalFleet, settings: RenderSettings
) -> None:
    """What was encrypted for somebody else stays unread: it is told that nothing was rendered."""
    assert local.root is not None
    beside = local.root / "clusters/north/alpha/secrets.yaml"
    beside.write_bytes(sealed({"kubeadm": {"preCommands": ["echo hush"]}}, AgeKey()))
    note = await check(open_fleet(local.root), edited(local, "replicas: 2", "replicas: 5"), ["north/alpha"], settings)
    assert (note.startswith("not rendered: "), "(sops-key-missing)" in note) == (True, True), note
