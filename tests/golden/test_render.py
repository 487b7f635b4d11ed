"""What the repository that `init` writes renders to. A difference here is a difference on everybody's clusters.

To accept one: delete the file under tests/golden/render and run this again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clusterops.model.fleet import Fleet
from clusterops.model.manifest import RenderedSet
from clusterops.model.revision import Snapshot
from clusterops.render import ProcessRenderer
from clusterops.settings import RenderSettings
from clusterops.source.fleet import read_fleet
from clusterops.telemetry import Metrics, build_logger
from tests.unit.render.repository import ROOT, folder_files, snapshot_of

GOLDEN = Path(__file__).parent / "render"
BETA = "clusters/south/beta/values.yaml"

pytestmark = pytest.mark.tools


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    return snapshot_of({**folder_files(ROOT / "fleet-repo-template"), **folder_files(ROOT / "charts", "charts/")})


@pytest.fixture(scope="session")
def fleet(snapshot: Snapshot) -> Fleet:
    return read_fleet(snapshot)


@pytest.fixture
def renderer(tools: dict[str, Path], tmp_path: Path) -> ProcessRenderer:
    settings = RenderSettings(helm=tools["helm"], kustomize=tools["kustomize"], cache_dir=tmp_path)
    return ProcessRenderer(settings, build_logger(level="critical"), Metrics())


def text_of(rendered: RenderedSet) -> str:
    bodies = [manifest.body for manifest in rendered.manifests]
    return yaml.safe_dump_all(bodies, sort_keys=True, width=110, allow_unicode=True)


def test_the_template_is_a_fleet_without_problems(fleet: Fleet) -> None:
    assert fleet.problems == fleet.warnings == ()
    assert sorted(fleet.targets) == ["north/alpha", "south/beta"]
    assert [problem for target in fleet.targets.values() for problem in target.problems] == []


@pytest.mark.parametrize("name", ["north/alpha", "south/beta"])
async def test_the_templates_targets_render_to_the_golden_text(
    renderer: ProcessRenderer, snapshot: Snapshot, fleet: Fleet, name: str
) -> None:
    found = text_of(await renderer.render(snapshot, fleet.targets[name]))
    golden = GOLDEN / f"{name.replace('/', '-')}.yaml"
    if not golden.exists():
        golden.write_text(found)
        pytest.fail(f"{golden.name} was missing and is written now: look at it, commit it, run again")
    assert found == golden.read_text()


async def test_the_templates_mistake_is_the_line_of_the_demo(
    renderer: ProcessRenderer, snapshot: Snapshot, fleet: Fleet
) -> None:
    text = snapshot.read(BETA).replace(b"10.244.0.0/16", b"10.244.0.0/61")
    broken = snapshot_of({path: text if path == BETA else snapshot.read(path) for path in snapshot.paths})
    with pytest.raises(Exception, match="value-format") as caught:
        await renderer.render(broken, read_fleet(broken).targets["south/beta"])
    assert str(caught.value) == f'{BETA}:9:10: network.pods[0]: "10.244.0.0/61" is not an address range (value-format)'
