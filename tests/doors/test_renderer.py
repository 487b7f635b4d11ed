"""ports.Renderer on real helm and kustomize."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.model.fleet import ChartRef, HelmRecipe, Recipe, RenderOptions, Target, TemplateRecipe
from clusterops.model.manifest import RenderedSet
from clusterops.model.revision import Snapshot
from clusterops.render import ProcessRenderer, ValuesError
from clusterops.sandbox import Sandbox
from clusterops.settings import RenderSettings
from clusterops.telemetry import Metrics, build_logger
from tests.unit.model.yaml_cases import SCALARS
from tests.unit.render.repository import ROOT, folder_files, helm, kustomize, plain, snapshot_of, target_of

pytestmark = pytest.mark.tools

HOME = "clusters/north/alpha"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels: [{pairs: {region: north}}]\n"
CHART = {
    "charts/c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    "charts/c/values.yaml": "who: chart\nlow: chart\ngone: chart\n",
    "charts/c/templates/map.yaml": MAP + "data: {{ .Values | toYaml | nindent 2 }}\n",
}


class Api:
    """Server-side applies of text as it stands."""

    def __init__(self, server: Sandbox) -> None:
        tls = ssl.create_default_context(cafile=server.ca_file)
        tls.load_cert_chain(server.cert_file, server.key_file)
        self._host = server.server.partition("://")[2]
        self._tls = tls

    def apply(self, path: str, text: str) -> Any:
        status, body = self.request("PATCH", f"{path}?fieldManager=test", text)
        assert status in {200, 201}, body
        return body

    def wait_served(self, path: str) -> None:
        for _ in range(2400):
            if self.request("GET", path, "")[0] == 200:
                return
            time.sleep(0.05)
        raise AssertionError(f"{path} is not served")

    def request(self, method: str, path: str, text: str) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(self._host, context=self._tls, timeout=60)
        try:
            connection.request(method, path, text.encode(), {"Content-Type": "application/apply-patch+yaml"})
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content.startswith(b"{") else content
        finally:
            connection.close()


class Stove:
    """A renderer and what it counted."""

    def __init__(self, settings: RenderSettings) -> None:
        self.metrics = Metrics()
        self.settings = settings
        self.renderer = ProcessRenderer(settings, build_logger(level="critical"), self.metrics)

    def renders(self, how: str) -> float:
        return self.metrics.registry.get_sample_value("clusterops_renders_total", {"how": how}) or 0.0

    async def render(self, files: Mapping[str, str | bytes], recipe: Recipe, **changes: Any) -> RenderedSet:
        return await self.renderer.render(snapshot_of(files), target_of(recipe, **changes))

    async def refused(self, files: Mapping[str, str | bytes], recipe: Recipe, **changes: Any) -> ClusterOpsError:
        with pytest.raises(ClusterOpsError) as caught:
            await self.render(files, recipe, **changes)
        assert "/tmp" not in str(caught.value)
        return caught.value


@pytest.fixture
def make_stove(tools: dict[str, Path], tmp_path: Path) -> Callable[..., Stove]:
    def make(**changes: Any) -> Stove:
        settings = RenderSettings(helm=tools["helm"], kustomize=tools["kustomize"], cache_dir=tmp_path / "cache")
        return Stove(replace(settings, **changes))

    return make


@pytest.fixture
def stove(make_stove: Callable[..., Stove]) -> Stove:
    return make_stove()


def data_of(rendered: RenderedSet) -> Any:
    (manifest,) = rendered.manifests
    return manifest.body["data"]


async def test_plain_files_are_rendered_in_one_set(stove: Stove) -> None:
    files = {f"{HOME}/a.yaml": MAP, f"{HOME}/b.yaml": MAP.replace("a}", "b}")}
    rendered = await stove.render(files, plain(*files))
    assert [str(key) for key in rendered.keys] == ["ConfigMap/north/a", "ConfigMap/north/b"]
    assert rendered.provenance.paths == tuple(files)


async def test_a_kustomization_is_built_with_its_bases(stove: Stove) -> None:
    files = {
        f"{HOME}/kustomization.yaml": "resources: [../../../base]\nnamePrefix: x-\n",
        "base/kustomization.yaml": "resources: [a.yaml]\n",
        "base/a.yaml": MAP,
    }
    rendered = await stove.render(files, kustomize())
    assert [key.label for key in rendered.keys] == ["ConfigMap north/x-a"]


async def test_helm_gets_the_layers_in_order_without_the_reserved_block(stove: Stove) -> None:
    files = {
        **CHART,
        "clouds/dev/values.yaml": "low: cloud\nwho: cloud\ngone: null\n",
        f"{HOME}/values.yaml": "who: cluster\nclusterops: {mode: apply}\n",
    }
    rendered = await stove.render(files, helm("clouds/dev/values.yaml", f"{HOME}/values.yaml"))
    assert data_of(rendered) == {"low": "cloud", "who": "cluster"}


LAYERED: list[tuple[str, str, str]] = [
    ("m: {a: '1', b: '2'}", "m: {b: '3'}", "m: {c: '4'}"),
    ("m: {a: '1'}", "m: null", "m: {c: '4'}"),
    ("m: {a: '1'}", "m: {c: '4'}", "m: null"),
    ("m: {a: {b: '1', c: '2'}}", "m: {a: {b: null}}", "x: '1'"),
    ("m: '1'", "m: {a: '2'}", "x: '1'"),
    ("m: {a: '1'}", "m: '2'", "x: '1'"),
    ("m: ['1', '2']", "m: ['3']", "x: '1'"),
    ("x: '1'", "m: {a: null, b: '1'}", "x: '2'"),
]


@pytest.mark.parametrize(("chart", "low", "high"), LAYERED)
async def test_our_merge_is_helms(stove: Stove, chart: str, low: str, high: str) -> None:
    files = {**CHART, "charts/c/values.yaml": chart, "low.yaml": low, "high.yaml": high}
    snapshot, target = snapshot_of(files), target_of(helm("low.yaml", "high.yaml"))
    ours = (await stove.renderer.layers(snapshot, target)).merged
    assert data_of(await stove.renderer.render(snapshot, target)) == ours


async def test_a_marked_chart_also_gets_the_facts_of_region_and_cluster(stove: Stove) -> None:
    marked = CHART["charts/c/Chart.yaml"] + "annotations: {clusterops.io/values: v1}\n"
    rendered = await stove.render({**CHART, "charts/c/Chart.yaml": marked}, helm(), labels={"ring": "late"})
    data = data_of(rendered)
    assert data["region"] == {"cloud": "dev"}
    assert data["cluster"] == {
        "name": "alpha",
        "region": "north",
        "namespace": "north",
        "cloud": "dev",
        "fleet": "demo",
        "labels": {"ring": "late"},
    }


async def test_release_namespace_and_versions_reach_the_chart(stove: Stove) -> None:
    text = MAP + (
        "data: {r: {{ .Release.Name }}, ns: {{ .Release.Namespace }}, k: {{ .Capabilities.KubeVersion.Version }},"
        ' a: "{{ .Capabilities.APIVersions.Has "example.org/v1/Thing" }}"}\n'
    )
    options = RenderOptions(kube_version="v1.33.7", api_versions=("example.org/v1/Thing",))
    rendered = await stove.render({**CHART, "charts/c/templates/map.yaml": text}, helm(), options=options)
    assert data_of(rendered) == {"r": "alpha", "ns": "north", "k": "v1.33.7", "a": "true"}


async def test_file_dependencies_are_put_into_place_without_a_network(stove: Stove) -> None:
    files = {
        **CHART,
        "charts/c/Chart.yaml": CHART["charts/c/Chart.yaml"]
        + "dependencies: [{name: lib, version: 1.x.x, repository: 'file://../lib'}]\n",
        "charts/c/templates/map.yaml": '{{ include "lib.map" . }}',
        "charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.2.0\ntype: library\n",
        "charts/lib/templates/_map.tpl": '{{ define "lib.map" }}' + MAP + "data: {from: lib}\n{{ end }}",
    }
    assert data_of(await stove.render(files, helm())) == {"from": "lib"}


async def test_crds_are_rendered_hooks_are_skipped_and_lookup_is_warned_of(stove: Stove) -> None:
    files = {
        **CHART,
        "charts/c/crds/x.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: things.example.org}\nspec: {group: example.org, scope: Cluster, names: {kind: Thing}}\n",
        "charts/c/templates/hook.yaml": "apiVersion: batch/v1\nkind: Job\n"
        "metadata: {name: h, annotations: {helm.sh/hook: pre-install}}\n",
        "charts/c/templates/map.yaml": MAP + 'data: {n: "{{ len (lookup "v1" "Secret" "" "") }}"}\n',
    }
    rendered = await stove.render(files, helm(), component="")
    assert [manifest.key.kind for manifest in rendered.manifests] == ["ConfigMap", "CustomResourceDefinition"]
    assert [skipped.key.label for skipped in rendered.skipped] == ["Job north/h"]
    (warning,) = rendered.warnings
    assert (warning.code, warning.path) == ("lookup-sees-nothing", "charts/c/templates/map.yaml")
    under = {"regions/north/kustomization.yaml": COMPONENT}
    laid = await stove.render({**files, **under}, helm(), component="regions/north")
    assert [skipped.key.label for skipped in laid.skipped] == ["Job north/h"]
    assert len(laid.manifests) == 2


TEMPLATE = TemplateRecipe(files=("t.yaml",), values=("v.yaml",))
RECIPES: list[tuple[str, Recipe, dict[str, str]]] = [
    ("plain", plain("a.yaml"), {"a.yaml": MAP}),
    ("kustomize", kustomize(), {f"{HOME}/kustomization.yaml": "resources: [a.yaml]", f"{HOME}/a.yaml": MAP}),
    ("helm", helm(), CHART),
    ("template", TEMPLATE, {"t.yaml": MAP.replace("a}", "${NAME}}"), "v.yaml": "variables: {NAME: a}"}),
    ("nothing", plain("a.yaml"), {"a.yaml": "# nothing\n"}),
]


@pytest.mark.parametrize(("name", "recipe", "files"), RECIPES, ids=[name for name, _, _ in RECIPES])
async def test_the_regions_component_is_laid_over_every_recipe(
    stove: Stove, name: str, recipe: Recipe, files: dict[str, str]
) -> None:
    component = {
        "regions/north/kustomization.yaml": COMPONENT + "resources: [more.yaml]\n",
        "regions/north/more.yaml": MAP.replace("a}", "more}"),
    }
    rendered = await stove.render({**files, **component}, recipe, component="regions/north")
    names = ["more"] if name == "nothing" else ["a", "more"]
    assert [manifest.key.name for manifest in rendered.manifests] == names
    assert all(manifest.labels["region"] == "north" for manifest in rendered.manifests)


async def test_a_tool_finds_the_files_of_the_closure_and_nothing_else(stove: Stove) -> None:
    seen = '{{ range $path, $_ := .Files.Glob "**" }}{{ $path }} {{ end }}'
    files = {**CHART, "charts/c/templates/map.yaml": MAP + f"data: {{seen: '{seen}'}}\n", "charts/c/x.txt": "", "y": ""}
    assert data_of(await stove.render(files, helm())) == {"seen": "x.txt "}
    hidden = {f"{HOME}/kustomization.yaml": "resources: [a.yaml]", f"{HOME}/a.yaml": MAP, f"{HOME}/hidden.yaml": MAP}
    assert (await stove.render(hidden, kustomize())).provenance.paths == (
        f"{HOME}/a.yaml",
        f"{HOME}/kustomization.yaml",
    )


async def test_children_see_no_environment_of_ours(stove: Stove, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("CANARY", "sings")
    files = {
        f"{HOME}/kustomization.yaml": "configMapGenerator: [{name: a, envs: [e.env]}]\n"
        "generatorOptions: {disableNameSuffixHash: true}\n",
        f"{HOME}/e.env": "CANARY\nHTTPS_PROXY\nHOME\nA=b\n",
    }
    # kustomize fills in a name without a value from its own environment.
    assert data_of(await stove.render(files, kustomize())) == {"A": "b", "CANARY": "", "HTTPS_PROXY": "", "HOME": ""}


FAILURES: list[tuple[str, dict[str, str], str]] = [
    ("field", {"templates/map.yaml": "a: {{ .Values.foo.bar }}"}, "charts/c/templates/map.yaml:1:"),
    ("fail", {"templates/map.yaml": '\n{{ fail "no such size" }}'}, "charts/c/templates/map.yaml:2:4: "),
    ("parse", {"templates/map.yaml": "a: {{ .Values.foo"}, "charts/c/templates/map.yaml:1: "),
    ("yaml", {"templates/map.yaml": "a: [\n"}, "charts/c/templates/map.yaml: "),
    ("schema", {"values.schema.json": '{"properties": {"who": {"type": "integer"}}}'}, "north/alpha: "),
]


@pytest.mark.parametrize(("files", "place"), [each[1:] for each in FAILURES], ids=[each[0] for each in FAILURES])
async def test_helms_errors_name_the_template_and_nothing_of_ours(
    stove: Stove, files: dict[str, str], place: str
) -> None:
    error = await stove.refused({**CHART, **{f"charts/c/{path}": text for path, text in files.items()}}, helm())
    assert isinstance(error, TerminalError)
    assert error.code == "helm-failed"
    assert str(error).startswith(place)
    assert "north/alpha" in str(error)
    assert "debug" not in str(error)
    assert "\n" not in str(error)


async def test_fails_own_words_are_the_message(stove: Stove) -> None:
    files = {**CHART, "charts/c/templates/map.yaml": '{{ fail "no such size" }}'}
    error = await stove.refused(files, helm())
    assert error.message == "no such size"


@pytest.mark.parametrize(
    ("files", "path", "words"),
    [
        ({"kustomization.yaml": "resources: [a.yaml]\nfoo: 1\n", "a.yaml": MAP}, HOME, 'unknown field "foo"'),
        ({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "a: [\n"}, f"{HOME}/a.yaml", "did not find"),
        (
            {"kustomization.yaml": "resources: [a.yaml]\npatches: [{path: p.yaml}]\n", "a.yaml": MAP, "p.yaml": "x: y"},
            HOME,
            "",
        ),
    ],
)
async def test_kustomizes_errors_name_the_file(stove: Stove, files: dict[str, str], path: str, words: str) -> None:
    error = await stove.refused({f"{HOME}/{name}": text for name, text in files.items()}, kustomize())
    assert (error.code, error.path) == ("kustomize-failed", path)
    assert words in error.message
    assert "accumul" not in error.message


async def test_all_mistakes_in_the_values_of_a_marked_chart_come_before_helm_runs(stove: Stove) -> None:
    chart = folder_files(ROOT / "charts/cluster-dev", "charts/cluster-dev/")
    files: dict[str, str | bytes] = {
        **chart,
        f"{HOME}/values.yaml": "version: v1\nnetwork:\n  pods: [10.0.0.0/61]\nregion: {}\n",
    }
    error = await stove.refused(files, helm(f"{HOME}/values.yaml", chart="charts/cluster-dev"))
    assert isinstance(error, ValuesError)
    assert [problem.code for problem in error.problems] == ["value-reserved"]
    files[f"{HOME}/values.yaml"] = "version: v1\nnetwork:\n  pods: [10.0.0.0/61]\n"
    error = await stove.refused(files, helm(f"{HOME}/values.yaml", chart="charts/cluster-dev"))
    assert isinstance(error, ValuesError)
    assert [problem.line for problem in error.problems] == [1, 3]
    assert stove.renders("process") == 0


async def test_a_chart_from_a_registry_is_not_supported_yet(stove: Stove) -> None:
    chart = ChartRef(repository="oci://registry.example.org/charts", name="c", version="1.0.0")
    error = await stove.refused({}, HelmRecipe(chart=chart, values=(), release="alpha"))
    assert error.code == "not-supported-yet"
    assert "helm pull" in error.hint


@pytest.mark.parametrize(
    ("files", "recipe", "code"),
    [
        ({"a.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"}, plain("a.yaml"), "lfs-refused"),
        ({"a.yaml": MAP + "data: {a: 'ENC[AES256_GCM,data:x]'}"}, plain("a.yaml"), "secret-not-decrypted"),
        ({**CHART, "v.yaml": "a: 1\nsops:\n  mac: x\n"}, helm("v.yaml"), "secret-not-decrypted"),
        ({}, plain("gone.yaml"), "file-missing"),
    ],
)
async def test_files_that_cannot_be_used_are_refused_by_name(
    stove: Stove, files: dict[str, str], recipe: Recipe, code: str
) -> None:
    error = await stove.refused(files, recipe)
    assert error.code == code
    assert error.path


async def test_a_chart_that_renders_differently_twice_is_refused_and_not_cached(stove: Stove) -> None:
    files = {**CHART, "charts/c/templates/map.yaml": MAP + "data: {a: {{ randAlphaNum 8 | quote }}}\n"}
    for _ in range(2):
        error = await stove.refused(files, helm())
        assert error.code == "render-not-deterministic"
        assert "ConfigMap north/a" in error.message
    assert not list(stove.settings.cache_dir.rglob("*.json"))


async def test_a_chart_is_rendered_twice_only_when_it_is_new(stove: Stove) -> None:
    snapshot = snapshot_of({**CHART, "a.yaml": "who: a", "b.yaml": "who: b"})
    rendered = await asyncio.gather(
        *(stove.renderer.render(snapshot, target_of(helm(name))) for name in ("a.yaml", "b.yaml"))
    )
    assert [data_of(each)["who"] for each in rendered] == ["a", "b"]
    assert len(list((stove.settings.cache_dir / "renders" / "charts").iterdir())) == 1


async def test_two_machines_render_the_same(make_stove: Callable[..., Stove], tmp_path: Path) -> None:
    files = {**CHART, "regions/north/kustomization.yaml": COMPONENT}
    one, other = make_stove(cache_dir=tmp_path / "one"), make_stove(cache_dir=tmp_path / "other")
    first = await one.render(files, helm(), component="regions/north")
    assert first == await other.render(files, helm(), component="regions/north")
    assert other.renders("process") == 1


async def test_a_large_output_is_decoded_like_a_small_one(stove: Stove) -> None:
    text = MAP + 'data: {a: {{ repeat 100000 "x" }}}\n'
    rendered = await stove.render({**CHART, "charts/c/templates/map.yaml": text}, helm())
    assert data_of(rendered) == {"a": "x" * 100_000}


async def test_an_equal_fingerprint_is_rendered_once_however_many_ask(stove: Stove) -> None:
    snapshot, target = snapshot_of(CHART), target_of(helm())
    sets = await asyncio.gather(*(stove.renderer.render(snapshot, target) for _ in range(5)))
    assert len({each.digest for each in sets}) == 1
    assert (stove.renders("process"), stove.renders("cache")) == (1, 4)


async def test_the_next_process_finds_it_on_disk(make_stove: Callable[..., Stove]) -> None:
    first, second = make_stove(), make_stove()
    before = await first.render(CHART, helm())
    after = await second.render({**CHART, "unrelated.txt": "x"}, helm())
    assert after == before
    assert (after.provenance.cached, before.provenance.cached) == (True, False)
    assert second.renders("process") == 0


@pytest.mark.parametrize("damage", [b"", b"{", b'{"objects": []}', b"null"])
async def test_a_damaged_entry_is_rendered_and_written_again(make_stove: Callable[..., Stove], damage: bytes) -> None:
    first = make_stove()
    before = await first.render(CHART, helm())
    (entry,) = first.settings.cache_dir.rglob("*.json")
    whole = entry.read_bytes()
    entry.write_bytes(damage)
    assert (await make_stove().render(CHART, helm())).digest == before.digest
    assert entry.read_bytes() == whole


async def test_an_entry_that_was_changed_is_not_believed(make_stove: Callable[..., Stove]) -> None:
    first = make_stove()
    before = await first.render(CHART, helm())
    (entry,) = first.settings.cache_dir.rglob("*.json")
    body = json.loads(entry.read_bytes())
    body["objects"][0]["data"] = {"who": "somebody else"}
    entry.write_text(json.dumps(body))
    assert (await make_stove().render(CHART, helm())).digest == before.digest


async def test_a_set_with_a_secret_stays_in_memory(stove: Stove) -> None:
    files = {"a.yaml": MAP.replace("ConfigMap", "Secret") + "stringData: {token: canary-value}\n"}
    await stove.render(files, plain("a.yaml"))
    await stove.render(files, plain("a.yaml"))
    assert (stove.renders("process"), stove.renders("cache")) == (1, 1)
    written = [path for path in stove.settings.cache_dir.rglob("*") if path.is_file()]
    assert not any(b"canary-value" in path.read_bytes() for path in written)


async def test_a_cache_folder_that_cannot_be_written_only_costs_time(make_stove: Callable[..., Stove]) -> None:
    stove = make_stove(cache_dir=Path("/proc/nowhere"))
    assert (await stove.render(CHART, helm())).manifests


async def test_a_render_that_takes_too_long_is_stopped(make_stove: Callable[..., Stove]) -> None:
    error = await make_stove(timeout_s=0.001).refused(CHART, helm())
    assert isinstance(error, TransientError)
    assert str(error).startswith("north/alpha: helm: ")


async def test_an_output_that_is_too_large_is_stopped(make_stove: Callable[..., Stove]) -> None:
    files = {**CHART, "charts/c/templates/map.yaml": MAP + 'data: {a: {{ repeat 100000 "x" }}}\n'}
    error = await make_stove(output_bytes=10_000).refused(files, helm())
    assert error.code == "process-output-limit"


async def test_without_the_program_the_error_says_how_to_get_it(make_stove: Callable[..., Stove]) -> None:
    error = await make_stove(helm=None).refused(CHART, helm())
    assert (error.code, error.hint) == ("tool-missing", "`clusterops tools install helm` builds it")


async def test_nothing_is_left_in_the_temporary_folder(
    stove: Stove, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    await stove.render(CHART, helm())
    await stove.refused({**CHART, "charts/c/templates/map.yaml": "a: ["}, helm())
    for turns in range(0, 40, 3):
        work = asyncio.create_task(stove.render({**CHART, "charts/c/values.yaml": f"other: x{turns}"}, helm()))
        for _ in range(turns):
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
    await asyncio.sleep(0)
    assert list((tmp_path / "tmp").iterdir()) == []


def fingerprint(stove: Stove, snapshot: Snapshot, target: Target) -> str:
    return stove.renderer.fingerprint(snapshot, target)


def test_the_fingerprint_changes_with_the_closure_and_with_nothing_else(stove: Stove) -> None:
    files = {
        **CHART,
        "v.yaml": "who: v",
        "regions/north/kustomization.yaml": COMPONENT + "resources: [r.yaml]\n",
        "regions/north/r.yaml": MAP,
    }
    target = target_of(helm("v.yaml"), component="regions/north")
    first = fingerprint(stove, snapshot_of(files), target)
    for path, text in files.items():
        changed = {**files, path: text + "\n"}
        assert fingerprint(stove, snapshot_of(changed), target) != first, path
    others = {**files, "clusters/north/beta/values.yaml": "x: 1", "charts/d/Chart.yaml": "name: d", "README": ""}
    assert fingerprint(stove, snapshot_of(others), target) == first


def test_options_count_only_for_a_chart_that_asks_for_them(stove: Stove) -> None:
    newer = RenderOptions(kube_version="v1.99.0")
    asking = {**CHART, "charts/c/templates/x.yaml": "# {{ .Capabilities.KubeVersion }}"}
    for files, equal in ((CHART, True), (asking, False)):
        snapshot = snapshot_of(files)
        same = fingerprint(stove, snapshot, target_of(helm())) == fingerprint(
            stove, snapshot, target_of(helm(), options=newer)
        )
        assert same is equal


def test_facts_count_only_for_a_marked_chart(stove: Stove) -> None:
    marked = CHART["charts/c/Chart.yaml"] + "annotations: {clusterops.io/values: v1}\n"
    for files, equal in ((CHART, True), ({**CHART, "charts/c/Chart.yaml": marked}, False)):
        snapshot = snapshot_of(files)
        one, other = (
            fingerprint(stove, snapshot, target_of(helm(), labels=labels)) for labels in ({}, {"ring": "late"})
        )
        assert (one == other) is equal


def test_a_thousand_known_fingerprints_take_less_than_a_second(stove: Stove) -> None:
    files = {"base/kustomization.yaml": "resources: [a.yaml]", "base/a.yaml": MAP}
    for number in range(1000):
        files[f"clusters/r/{number}/kustomization.yaml"] = f"resources: [../../../base]\nnamePrefix: c{number}-\n"
    targets = [target_of(kustomize(f"clusters/r/{number}")) for number in range(1000)]
    first, second = snapshot_of(files), snapshot_of({**files, "unrelated": ""})
    known = [fingerprint(stove, first, target) for target in targets]
    begun = time.process_time()
    assert [fingerprint(stove, second, target) for target in targets] == known
    assert time.process_time() - begun < 1.0


KUSTOMIZE_READS = {
    **{word: word for word in ("yes", "On", "y", "NO", "off")},
    "2026-11-21": "2026-11-21T00:00:00Z",
}
"""Where kustomize's own reader differs from Kubernetes'; it quotes what it prints, so that is what is applied."""


async def test_kustomize_reads_our_table_of_scalars_as_we_do_but_for_words_and_dates(stove: Stove) -> None:
    cases = {f"k{number}": text for number, (text, _) in enumerate(SCALARS)}
    body = MAP.replace("ConfigMap", "Thing") + "spec:\n" + "".join(f"  {key}: {text}\n" for key, text in cases.items())
    files = {f"{HOME}/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: x-\n", f"{HOME}/a.yaml": body}
    (manifest,) = (await stove.render(files, kustomize())).manifests
    wanted = {f"k{number}": KUSTOMIZE_READS.get(text, value) for number, (text, value) in enumerate(SCALARS)}
    assert manifest.body["spec"] == {key: value for key, value in wanted.items() if value is not None}


async def test_a_component_on_top_does_not_change_how_the_objects_below_are_read(stove: Stove) -> None:
    body = MAP.replace("ConfigMap", "Thing") + "spec:\n"
    body += "".join(f"  k{number}: {text}\n" for number, (text, _) in enumerate(SCALARS))
    files = {"a.yaml": body, "regions/north/kustomization.yaml": COMPONENT}
    (alone,) = (await stove.render(files, plain("a.yaml"))).manifests
    (under,) = (await stove.render(files, plain("a.yaml"), component="regions/north")).manifests
    assert alone.body["spec"] == under.body["spec"]


@pytest.mark.apiserver
def test_the_api_server_reads_our_table_of_scalars_as_we_do(apiserver: Sandbox) -> None:
    thing = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "yamlcases.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Cluster",
            "names": {"kind": "YamlCase", "plural": "yamlcases"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": thing}}],
        },
    }
    api = Api(apiserver)
    api.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/yamlcases.example.org", json.dumps(crd))
    api.wait_served("/apis/example.org/v1/yamlcases")
    body = "apiVersion: example.org/v1\nkind: YamlCase\nmetadata: {name: a}\nspec:\n"
    cases = [(f"k{number}", text, value) for number, (text, value) in enumerate(SCALARS) if value is not None]
    body += "".join(f"  {key}: {text}\n" for key, text, _ in cases)
    live = api.apply("/apis/example.org/v1/yamlcases/a", body)
    assert live["spec"] == {key: value for key, _, value in cases}


def test_the_shipped_chart_is_clean_by_helms_own_strict_rules(tools: dict[str, Path], tmp_path: Path) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text(yaml.safe_dump({"version": "v1.34.1", "cluster": {"name": "a", "cloud": "dev"}}))
    argv: list[str | Path] = [tools["helm"], "lint", "--strict", ROOT / "charts/cluster-dev", "-f", facts]
    done = subprocess.run(argv, capture_output=True, text=True, env={"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout


EVERYTHING = """
version: v1.34.1
controlPlane: {replicas: 3, machineType: 1s, failureDomains: [a, b]}
pools:
  general: {replicas: 2, failureDomains: [a, b], labels: {workload: web}, maxSurge: 25%}
  batch: {size: large, autoscale: {min: 3, max: 20}, taints: [{key: workload, value: batch, effect: NoSchedule}]}
  outside: {external: true, drainTimeout: 1h30m}
network: {nodes: 10.64.7.0/24, pods: 10.1.0.0/16, services: [10.2.0.0/16]}
endpoint: {host: alpha.example.org, port: 8443}
addons: [calico, metrics]
healthCheck: {unhealthyAfter: 90s, maxUnhealthy: 2}
kubeadm:
  files: [{path: /etc/x, content: text}]
  users: [{name: ops}]
  preCommands: [echo a]
  postCommands: [echo b]
  apiServerArgs: {audit-log-maxage: 30}
  kubeletArgs: {max-pods: 50}
paused: true
"""


async def test_the_shipped_chart_does_what_the_values_contract_says(stove: Stove) -> None:
    chart = folder_files(ROOT / "charts/cluster-dev", "charts/cluster-dev/")
    files: dict[str, str | bytes] = {**chart, "v.yaml": EVERYTHING}
    rendered = await stove.render(files, helm("v.yaml", chart="charts/cluster-dev"), labels={"ring": "late"})
    objects = {(each.key.kind, each.key.name): each.body for each in rendered.manifests}
    cluster = objects["Cluster", "alpha"]
    assert cluster["spec"]["paused"] is True
    assert cluster["spec"]["controlPlaneEndpoint"] == {"host": "alpha.example.org", "port": 8443}
    assert cluster["spec"]["clusterNetwork"]["pods"] == {"cidrBlocks": ["10.1.0.0/16"]}
    assert {"addons.clusterops.io/calico", "addons.clusterops.io/metrics"} <= cluster["metadata"]["labels"].keys()
    assert cluster["metadata"]["labels"]["ring"] == "late"
    pools = {name: body for (kind, name), body in objects.items() if kind == "MachineDeployment"}
    assert sorted(pools) == ["alpha-batch", "alpha-general-a", "alpha-general-b", "alpha-outside"]
    assert pools["alpha-general-b"]["spec"]["replicas"] == 2
    assert pools["alpha-general-b"]["spec"]["template"]["spec"]["failureDomain"] == "b"
    assert pools["alpha-general-b"]["spec"]["rollout"]["strategy"]["rollingUpdate"]["maxSurge"] == "25%"
    assert "replicas" not in pools["alpha-batch"]["spec"]
    autoscaler = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-"
    bounds = pools["alpha-batch"]["metadata"]["annotations"]
    assert (bounds[f"{autoscaler}min-size"], bounds[f"{autoscaler}max-size"]) == ("3", "20")
    assert pools["alpha-outside"]["spec"]["template"]["spec"]["deletion"] == {"nodeDrainTimeoutSeconds": 5400}
    batch = objects["KubeadmConfigTemplate", "alpha-batch"]["spec"]["template"]["spec"]
    assert batch["joinConfiguration"]["nodeRegistration"]["taints"][0]["key"] == "workload"
    assert {"name": "max-pods", "value": "50"} in batch["joinConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    assert batch["preKubeadmCommands"] == ["echo a"]
    web = objects["KubeadmConfigTemplate", "alpha-general-a"]["spec"]["template"]["spec"]["joinConfiguration"]
    assert {"name": "node-labels", "value": "workload=web"} in web["nodeRegistration"]["kubeletExtraArgs"]
    check = objects["MachineHealthCheck", "alpha-batch"]["spec"]
    assert check["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"] == 2
    assert check["checks"]["unhealthyNodeConditions"][0]["timeoutSeconds"] == 90
    machine = objects["DevMachineTemplate", "alpha-control-plane"]["spec"]["template"]["spec"]
    assert machine["backend"]["inMemory"]["vm"]["provisioning"]["startupDuration"] == "1s"
    plane = objects["KubeadmControlPlane", "alpha-control-plane"]["spec"]
    assert plane["kubeadmConfigSpec"]["clusterConfiguration"]["apiServer"]["extraArgs"] == [
        {"name": "audit-log-maxage", "value": "30"}
    ]


async def test_a_size_that_the_cloud_does_not_have_is_named_with_those_that_it_has(stove: Stove) -> None:
    chart = folder_files(ROOT / "charts/cluster-dev", "charts/cluster-dev/")
    files: dict[str, str | bytes] = {**chart, "v.yaml": "version: v1.34.1\npools: {a: {replicas: 1, size: huge}}\n"}
    error = await stove.refused(files, helm("v.yaml", chart="charts/cluster-dev"))
    assert error.message == 'pools.a.size: "huge" is not among the sizes of this cloud: large, medium, small'
