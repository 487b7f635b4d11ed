"""explain on real renders of the repository that `init` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.errors import TerminalError
from clusterops.model.fleet import Recipe, TemplateRecipe
from clusterops.model.revision import Snapshot
from clusterops.render import Explanation, ProcessRenderer, explain
from clusterops.render.search import MOST_RENDERS
from clusterops.settings import RenderSettings
from clusterops.source.fleet import read_fleet
from clusterops.telemetry import Metrics, build_logger
from tests.unit.render.repository import ROOT, folder_files, kustomize, plain, snapshot_of, target_of

pytestmark = pytest.mark.tools

ALPHA = "clusters/north/alpha/values.yaml"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  who: me\n"


@pytest.fixture
def renderer(tools: dict[str, Path], tmp_path: Path) -> ProcessRenderer:
    settings = RenderSettings(helm=tools["helm"], kustomize=tools["kustomize"], cache_dir=tmp_path)
    return ProcessRenderer(settings, build_logger(level="critical"), Metrics())


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return snapshot_of({**folder_files(ROOT / "fleet-repo-template"), **folder_files(ROOT / "charts", "charts/")})


def entries(folder: Path) -> list[Path]:
    return list(folder.rglob("*.json"))


async def asked(renderer: ProcessRenderer, snapshot: Snapshot, question: str) -> Explanation:
    return await explain(renderer, snapshot, read_fleet(snapshot).targets["north/alpha"], question)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("version", f"v1.34.1  {ALPHA}:2"),
        (
            "controlPlane.replicas",
            f"1  {ALPHA}:4  over  3  charts/cluster-dev/values.yaml:11",
        ),
        (
            "pools.general.drainTimeout",
            "10m  clouds/dev/values.yaml:8 (poolDefaults)  over  10m  charts/cluster-dev/values.yaml:21 (poolDefaults)",
        ),
        ("clusterops.labels.ring", f"canary  {ALPHA}:10"),
    ],
)
async def test_a_values_path_is_told_exactly_and_without_a_render(
    renderer: ProcessRenderer, snapshot: Snapshot, question: str, text: str
) -> None:
    found = await asked(renderer, snapshot, question)
    assert (found.text, found.exact, found.renders) == (text, True, 0)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("MachineDeployment/alpha-general:/spec/replicas", f"2  {ALPHA}:7 (pools.general.replicas)"),
        (
            "MachineDeployment/alpha-general:/spec/template/spec/deletion/nodeDrainTimeoutSeconds",
            "10m  clouds/dev/values.yaml:8 (poolDefaults.drainTimeout)"
            "  over  10m  charts/cluster-dev/values.yaml:21 (poolDefaults.drainTimeout)",
        ),
        ("KubeadmControlPlane/alpha-control-plane:/spec/version", f"v1.34.1  {ALPHA}:2 (version)"),
        ("Cluster/alpha:/metadata/labels/ring", f"canary  {ALPHA}:10"),
        (
            "Cluster/alpha:/metadata/labels/topology.example.org~1region",
            "north  set by the region's component: regions/north",
        ),
        (
            "Cluster/alpha:/spec/clusterNetwork/serviceDomain",
            "cluster.local  set by the chart: charts/cluster-dev/templates/cluster.yaml",
        ),
    ],
)
async def test_a_field_is_traced_to_what_sets_it(
    renderer: ProcessRenderer, snapshot: Snapshot, question: str, text: str
) -> None:
    found = await asked(renderer, snapshot, question)
    assert found.text == text
    assert found.renders <= MOST_RENDERS


@pytest.mark.parametrize(
    ("question", "code", "hint"),
    [
        ("pools.generl.replicas", "value-unset", "known there: general"),
        ("MachineDeployment/alpha-generl:/spec/replicas", "object-unknown", "MachineDeployment/alpha-general"),
        ("Cluster/alpha:/spec/nothing", "field-unknown", "clusterops render north/alpha"),
    ],
)
async def test_a_question_without_answer_says_what_could_be_asked(
    renderer: ProcessRenderer, snapshot: Snapshot, question: str, code: str, hint: str
) -> None:
    with pytest.raises(TerminalError) as caught:
        await asked(renderer, snapshot, question)
    assert caught.value.code == code
    assert hint in caught.value.hint


TEMPLATE = TemplateRecipe(files=("t.yaml",), values=("v.yaml",))
RECIPES: list[tuple[Recipe, dict[str, str], str]] = [
    (plain("a.yaml"), {"a.yaml": MAP}, "me  set by the file: a.yaml:5"),
    (
        TEMPLATE,
        {"t.yaml": MAP.replace("who: me", "who: ${NAME}"), "v.yaml": "variables:\n  NAME: me\n"},
        "me  v.yaml:2 (variables.NAME)",
    ),
    (
        kustomize("k"),
        {"k/kustomization.yaml": "resources: [a.yaml]", "k/a.yaml": MAP},
        "me  set by the file: k/a.yaml:5",
    ),
]


@pytest.mark.parametrize(("recipe", "files", "text"), RECIPES, ids=["plain", "template", "kustomize"])
async def test_every_recipe_has_an_answer(
    renderer: ProcessRenderer, recipe: Recipe, files: dict[str, str], text: str
) -> None:
    found = await explain(renderer, snapshot_of(files), target_of(recipe), "ConfigMap/a:/data/who")
    assert found.text.startswith(text)


async def test_trials_are_not_kept_in_the_cache(renderer: ProcessRenderer, snapshot: Snapshot, tmp_path: Path) -> None:
    await asked(renderer, snapshot, "MachineDeployment/alpha-general:/spec/replicas")
    assert len(entries(tmp_path)) == 1
