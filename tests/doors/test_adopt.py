"""`drift adopt` on real renders of the repository that `init` writes: git says what lives, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterops.cli.adoption import Adopted, Adoption
from clusterops.cli.locally import LocalFleet, open_fleet
from clusterops.edit import write_files
from clusterops.errors import ClusterOpsError
from clusterops.render import ProcessRenderer
from clusterops.settings import RenderSettings
from clusterops.telemetry import Metrics, build_logger
from tests.model_cluster import ModelCluster
from tests.unit.render.repository import ROOT, folder_files

pytestmark = pytest.mark.tools

ALPHA = "clusters/north/alpha/values.yaml"
POOL = "MachineDeployment/alpha-general"
DRAIN = "/spec/template/spec/deletion/nodeDrainTimeoutSeconds"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata:\n  # who asks\n  who: 'me'\n"


class Repo:
    """A fleet repository on disk, what lives of it, and a person who edits that."""

    def __init__(self, root: Path, tools: Mapping[str, Path], **files: str) -> None:
        self.root = root / "fleet"
        template = {**folder_files(ROOT / "fleet-repo-template"), **folder_files(ROOT / "charts", "charts/")}
        for path, content in (template | {path: text.encode() for path, text in files.items()}).items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(content)
        settings = RenderSettings(helm=tools["helm"], kustomize=tools["kustomize"], cache_dir=root / "cache")
        self.renderer = ProcessRenderer(settings, build_logger(level="critical"), Metrics())
        self.cluster = ModelCluster()

    @property
    def local(self) -> LocalFleet:
        return open_fleet(self.root)

    def text(self, path: str = ALPHA) -> str:
        return (self.root / path).read_bytes().decode()

    async def live(self, target: str, edits: Mapping[str, Callable[[dict[str, Any]], None]]) -> None:
        """Everything as git has it, then edited with kubectl, by KIND/NAME."""
        rendered = await self.renderer.render(self.local.snapshot, self.local.fleet.targets[target])
        for manifest in rendered.manifests:
            await self.cluster.apply(manifest.body)
            if edit := edits.get(f"{manifest.key.kind}/{manifest.key.name}"):
                self.cluster.edit(manifest.key, edit, manager="kubectl-edit")

    async def adopt(self, object_: str, pointer: str, target: str = "north/alpha") -> Adopted:
        local = self.local
        found = await Adoption(
            renderer=self.renderer,
            cluster=self.cluster,
            local=local,
            target=local.fleet.targets[target],
            object=object_,
            pointer=pointer,
        ).find()
        if found.written is not None:
            before = local.snapshot.read(found.path)
            write_files(self.root, {found.path: found.written.text.encode()}, {found.path: before})
        return found

    async def rendered(self, object_: str, target: str = "north/alpha") -> Any:
        local = self.local
        found = await self.renderer.render(local.snapshot, local.fleet.targets[target])
        return next(each.body for each in found.manifests if f"{each.key.kind}/{each.key.name}" == object_)


@pytest.fixture
def repo(tools: dict[str, Path], tmp_path: Path) -> Repo:
    return Repo(tmp_path, tools)


def put(pointer: str, value: Any) -> Callable[[dict[str, Any]], None]:
    *above, last = pointer.split("/")[1:]

    def edit(body: dict[str, Any]) -> None:
        node: Any = body
        for part in above:
            node = node[int(part)] if isinstance(node, list) else node[part]
        node[last] = value

    return edit


async def test_a_value_of_the_clusters_own_file_is_replaced_in_place(repo: Repo) -> None:
    before = repo.text()
    await repo.live("north/alpha", {POOL: put("/spec/replicas", 5)})
    found = await repo.adopt(POOL, "/spec/replicas")
    assert found.written is not None
    assert (found.git, found.live, found.setting) == (2, 5, "pools.general.replicas")
    assert (found.path, found.written.line, found.written.before) == (ALPHA, 7, 2)
    assert repo.text() == before.replace("    replicas: 2\n", "    replicas: 5\n")
    assert (await repo.rendered(POOL))["spec"]["replicas"] == 5


async def test_what_a_layer_above_sets_is_set_in_the_clusters_own_file(repo: Repo) -> None:
    """A duration of the cloud's pool defaults, in its own spelling, for this one pool."""
    before, shared = repo.text(), repo.text("clouds/dev/values.yaml")
    await repo.live("north/alpha", {POOL: put(DRAIN, 1200)})
    found = await repo.adopt(POOL, DRAIN)
    assert found.setting == "pools.general.drainTimeout"
    assert repo.text() == before.replace("replicas: 2\n", "replicas: 2\n    drainTimeout: 20m\n")
    assert repo.text("clouds/dev/values.yaml") == shared
    assert (await repo.rendered(POOL))["spec"]["template"]["spec"]["deletion"]["nodeDrainTimeoutSeconds"] == 1200


async def test_a_label_is_adopted_where_labels_stand(repo: Repo) -> None:
    before = repo.text()
    everything = await repo.renderer.render(repo.local.snapshot, repo.local.fleet.targets["north/alpha"])
    await repo.live(
        "north/alpha",
        {
            f"{one.key.kind}/{one.key.name}": put("/metadata/labels/ring", "late")
            for one in everything.manifests
            if (one.body["metadata"].get("labels") or {}).get("ring") == "canary"
        },
    )
    found = await repo.adopt("Cluster/alpha", "/metadata/labels/ring")
    assert found.setting == "clusterops.labels.ring"
    assert repo.text() == before.replace("ring: canary", "ring: late")


async def test_what_would_change_machines_elsewhere_is_refused(repo: Repo) -> None:
    """One version for control plane and pools: a pool's own is not taken for all."""
    before = repo.text()
    await repo.live("north/alpha", {POOL: put("/spec/template/spec/version", "v1.33.4")})
    with pytest.raises(ClusterOpsError) as caught:
        await repo.adopt(POOL, "/spec/template/spec/version")
    assert caught.value.code == "adopt-not-possible"
    assert "KubeadmControlPlane" in str(caught.value)
    assert (caught.value.path, caught.value.line) == (ALPHA, 2)
    assert repo.text() == before


async def test_several_that_drifted_to_the_same_value_are_adopted_together(repo: Repo) -> None:
    newer = put("/spec/template/spec/version", "v1.34.2")
    await repo.live(
        "north/alpha", {POOL: newer, "KubeadmControlPlane/alpha-control-plane": put("/spec/version", "v1.34.2")}
    )
    found = await repo.adopt(POOL, "/spec/template/spec/version")
    assert (found.setting, (await repo.rendered(POOL))["spec"]["template"]["spec"]["version"]) == ("version", "v1.34.2")


@pytest.mark.parametrize(
    ("object_", "pointer", "value", "why"),
    [
        ("Cluster/alpha", "/spec/clusterNetwork/serviceDomain", "x.local", "set by the chart: charts/cluster-dev/"),
        ("Cluster/alpha", "/metadata/labels/topology.example.org~1region", "south", "set by the region's component"),
    ],
)  # fmt: skip
async def test_what_no_file_of_the_cluster_sets_is_refused_with_its_place(
    repo: Repo, object_: str, pointer: str, value: str, why: str
) -> None:
    before = repo.text()
    real = pointer.replace("~1", "\0")
    await repo.live("north/alpha", {object_: lambda body: _set(body, real, value)})
    with pytest.raises(ClusterOpsError) as caught:
        await repo.adopt(object_, pointer)
    assert (caught.value.code, why in caught.value.message) == ("adopt-not-possible", True), str(caught.value)
    assert repo.text() == before


def _set(body: dict[str, Any], pointer: str, value: Any) -> None:
    *above, last = [part.replace("\0", "/") for part in pointer.split("/")[1:]]
    for part in above:
        body = body[part]
    body[last] = value


async def test_nothing_to_do_where_git_agrees(repo: Repo) -> None:
    await repo.live("north/alpha", {})
    found = await repo.adopt(POOL, "/spec/replicas")
    assert (found.git, found.live, found.written) == (2, 2, None)


async def test_what_is_gone_or_was_never_gits_cannot_be_adopted(repo: Repo) -> None:
    await repo.live("north/alpha", {POOL: lambda body: body["spec"].pop("replicas")})
    for pointer, part in (("/spec/replicas", "has no such field"), ("/spec/paused", "git does not set it")):
        with pytest.raises(ClusterOpsError, match=part):
            await repo.adopt(POOL, pointer)
    with pytest.raises(ClusterOpsError, match="object-unknown"):
        await repo.adopt("MachineDeployment/alpha-generl", "/spec/replicas")


PLAIN = "clusters/south/plain/all.yaml"


async def test_a_plain_file_is_edited_in_the_document_of_the_object(tools: dict[str, Path], tmp_path: Path) -> None:
    files = {
        PLAIN: "---\n".join((CONFIG % "one", CONFIG % "two", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"))
    }
    repo = Repo(tmp_path, tools, **files)
    await repo.live("south/plain", {"ConfigMap/two": put("/data/who", "you")})
    found = await repo.adopt("ConfigMap/two", "/data/who", "south/plain")
    assert found.written is not None
    assert (found.path, found.written.line) == (PLAIN, 13)
    head, _, tail = files[PLAIN].rpartition("'me'")
    assert repo.text(PLAIN) == f"{head}'you'{tail}"
    with pytest.raises(ClusterOpsError, match="adopt-secret"):
        await repo.adopt("Secret/s", "/data/who", "south/plain")


async def test_an_overlay_is_edited_and_a_shared_base_never(tools: dict[str, Path], tmp_path: Path) -> None:
    """The overlay's own file may be; the base that two clusters use may not."""
    overlay = yaml.safe_dump({"resources": ["../../../bases/b", "own.yaml"]})
    files = {
        "bases/b/kustomization.yaml": "resources: [base.yaml]\n",
        "bases/b/base.yaml": CONFIG % "base",
        **{f"clusters/south/{name}/kustomization.yaml": overlay for name in ("k1", "k2")},
        **{f"clusters/south/{name}/own.yaml": CONFIG % "own" for name in ("k1", "k2")},
    }
    repo = Repo(tmp_path, tools, **files)
    await repo.live("south/k1", {"ConfigMap/own": put("/data/who", "you"), "ConfigMap/base": put("/data/who", "you")})
    assert (await repo.adopt("ConfigMap/own", "/data/who", "south/k1")).path == "clusters/south/k1/own.yaml"
    with pytest.raises(ClusterOpsError) as caught:
        await repo.adopt("ConfigMap/base", "/data/who", "south/k1")
    assert "bases/b/base.yaml" in str(caught.value)
    assert repo.text("bases/b/base.yaml") == files["bases/b/base.yaml"]
