"""What a kustomization and a chart read, and what is refused before anything runs."""

from __future__ import annotations

import pytest

from clusterops.errors import TerminalError
from clusterops.model.revision import EntryKind, Snapshot
from clusterops.render.graph import Graph
from tests.unit.render.repository import snapshot_of

HOME = "clusters/north/alpha"


def closure(files: dict[str, str], links: dict[str, EntryKind] | None = None) -> frozenset[str]:
    return Graph().kustomization(snapshot_of(files, links=links), HOME, subject="north/alpha")


def refused(text: str, files: dict[str, str] | None = None, links: dict[str, EntryKind] | None = None) -> TerminalError:
    with pytest.raises(TerminalError) as caught:
        closure({f"{HOME}/kustomization.yaml": text, **(files or {})}, links)
    return caught.value


def test_the_closure_is_every_file_that_is_named_and_no_other() -> None:
    named = {
        f"{HOME}/kustomization.yaml": """
resources: [own.yaml, ../../../base]
components: [../../../parts/c]
patches: [{path: p1.yaml}, {target: {kind: A}, patch: "[]"}]
patchesStrategicMerge: [p2.yaml, "kind: A\\nmetadata: {name: b}"]
patchesJson6902: [{target: {kind: A}, path: p3.yaml}]
replacements: [{path: r.yaml}]
configMapGenerator: [{name: a, files: [f1.txt, key=f2.txt], envs: [e.env], literals: [a=b.txt]}]
secretGenerator: [{name: b, env: old.env}]
crds: [crd.json]
openapi: {path: schema.json}
configurations: [names.yaml]
transformers: [t.yaml, "{apiVersion: builtin, kind: LabelTransformer, metadata: {name: x}}"]
""",
        **{f"{HOME}/{name}": "" for name in ("own.yaml", "p1.yaml", "p2.yaml", "p3.yaml", "r.yaml", "f1.txt")},
        **{f"{HOME}/{name}": "" for name in ("f2.txt", "e.env", "old.env", "crd.json", "schema.json", "names.yaml")},
        f"{HOME}/t.yaml": "{apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}, path: inner.yaml}",
        f"{HOME}/inner.yaml": "",
        "base/kustomization.yml": "bases: [deeper]",
        "base/deeper/Kustomization": "resources: [x.yaml]",
        "base/deeper/x.yaml": "",
        "parts/c/kustomization.yaml": "kind: Component\npatches: [{path: q.yaml}]",
        "parts/c/q.yaml": "",
    }
    others = {f"{HOME}/b.txt": "", f"{HOME}/values.yaml": "", "base/other.yaml": "", "fleet.yaml": ""}
    assert closure({**named, **others}) == frozenset(named)


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.org/x.yaml",
        "http://127.0.0.1/x.yaml",
        "github.com/org/repo",
        "GitHub.com:org/repo",
        "git@github.com:org/repo.git",
        "ssh://git@example.org/x",
        "git::https://example.org/x",
        "file:///etc",
        "org@example.org:repo/x",
        "../base?ref=v1",
    ],
)
def test_anything_remote_is_refused_with_its_place(reference: str) -> None:
    error = refused(f"resources:\n- own.yaml\n- {reference}\n", {f"{HOME}/own.yaml": ""})
    assert (error.code, error.path, error.line) == ("remote-base-refused", f"{HOME}/kustomization.yaml", 3)


@pytest.mark.parametrize(
    "text",
    [
        "openapi: {path: 'https://example.org/schema.json'}",
        "patches: [{path: 'https://example.org/p.yaml'}]",
        "configMapGenerator: [{name: a, files: ['k=https://example.org/f']}]",
        "transformers: ['{apiVersion: builtin, kind: PatchTransformer, path: \"https://example.org/p\"}']",
    ],
)
def test_remote_files_are_refused_wherever_they_may_stand(text: str) -> None:
    assert refused(text).code == "remote-base-refused"


@pytest.mark.parametrize(
    "text",
    [
        "helmCharts: [{name: x, repo: 'https://example.org'}]",
        "helmChartInflationGenerator: [{chartName: x}]",
        "generators: [g.yaml]",
        "transformers: ['{apiVersion: someteam.example.com/v1, kind: Sed, metadata: {name: x}}']",
        "validators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}}']",
    ],
)
def test_what_would_run_a_program_is_refused(text: str) -> None:
    annotation = "config.kubernetes.io/function: 'container: {image: x}'"
    function = f"apiVersion: builtin\nkind: LabelTransformer\nmetadata:\n  annotations:\n    {annotation}\n"
    assert refused(text, {f"{HOME}/g.yaml": function}).code == "plugin-refused"


@pytest.mark.parametrize("reference", ["../../../../etc/passwd", "/etc/passwd", "../../../.."])
def test_a_path_that_leaves_the_repository_is_refused(reference: str) -> None:
    assert refused(f"resources: ['{reference}']").code == "path-escapes"


def test_a_file_that_is_not_there_is_named_with_the_line_that_names_it() -> None:
    error = refused("namespace: x\nresources:\n  - gone.yaml\n")
    assert (error.code, error.line, error.column) == ("file-missing", 3, 5)
    assert f"{HOME}/gone.yaml" in error.message


def test_a_directory_without_kustomization_is_missing_one() -> None:
    error = refused("resources: [sub]", {f"{HOME}/sub/x.yaml": ""})
    assert (error.code, error.message) == ("file-missing", f"{HOME}/sub has no kustomization.yaml")


def test_links_and_submodules_are_refused_also_above_the_file() -> None:
    links = {f"{HOME}/sub": EntryKind.SYMLINK, f"{HOME}/module": EntryKind.SUBMODULE}
    assert refused("resources: [sub/x.yaml]", links=links).code == "symlink-refused"
    assert refused("resources: [module]", links=links).code == "submodule-refused"


def test_a_circle_is_refused() -> None:
    files = {"base/kustomization.yaml": f"resources: [../{HOME}]"}
    assert refused("resources: [../../../base]", files).code == "kustomization-cycle"


def test_a_regions_kustomization_has_to_be_a_component() -> None:
    snapshot = snapshot_of({"regions/north/kustomization.yaml": "kind: Kustomization"})
    with pytest.raises(TerminalError, match="kustomization-kind"):
        Graph().kustomization(snapshot, "regions/north", subject="north/alpha", kind="Component")


def test_a_kustomization_is_parsed_once_for_all_snapshots_that_share_it() -> None:
    files = {f"{HOME}/kustomization.yaml": "resources: [x.yaml]", f"{HOME}/x.yaml": ""}
    graph, first, second = Graph(), snapshot_of(files), snapshot_of({**files, "other": ""})
    graph.kustomization(first, HOME, subject="a")
    assert graph.kustomization(second, HOME, subject="a") == frozenset(files)
    assert first.reader.reads == 1  # type: ignore[attr-defined]
    assert second.reader.reads == 0  # type: ignore[attr-defined]


CHART = {"charts/c/Chart.yaml": "{apiVersion: v2, name: c, version: 1.0.0}", "charts/c/templates/x.yaml": "a: b"}


def chart_snapshot(metadata: str, **more: str) -> Snapshot:
    return snapshot_of({**CHART, "charts/c/Chart.yaml": metadata, **more})


def test_a_chart_is_all_files_below_it() -> None:
    chart = Graph().chart(snapshot_of(CHART), "charts/c", subject="a")
    assert dict(chart.placed) == {path: path for path in CHART}
    assert (chart.name, chart.version, chart.marked, chart.capabilities, chart.lookups) == (
        "c",
        "1.0.0",
        False,
        False,
        (),
    )


def test_a_file_dependency_that_is_not_vendored_is_placed_below_charts_with_its_own() -> None:
    deps = "dependencies: [{name: lib, version: 1.x.x, repository: 'file://../lib'}]"
    snapshot = snapshot_of(
        {
            **CHART,
            "charts/c/Chart.yaml": f"apiVersion: v2\nname: c\nversion: 1.0.0\n{deps}",
            "charts/lib/Chart.yaml": "name: lib\nversion: 1.0.0\ndependencies: [{name: deep, repository: 'file://../deep'}]",
            "charts/deep/Chart.yaml": "{name: deep, version: 1.0.0}",
        }
    )
    placed = Graph().chart(snapshot, "charts/c", subject="a").placed
    assert placed["charts/c/charts/lib/Chart.yaml"] == "charts/lib/Chart.yaml"
    assert placed["charts/c/charts/lib/charts/deep/Chart.yaml"] == "charts/deep/Chart.yaml"


@pytest.mark.parametrize("vendored", ["charts/c/charts/lib/Chart.yaml", "charts/c/charts/lib-1.2.3.tgz"])
def test_a_vendored_dependency_is_taken_as_it_is(vendored: str) -> None:
    metadata = "name: c\nversion: 1.0.0\ndependencies: [{name: lib, repository: 'https://example.org/charts'}]"
    assert (
        vendored in Graph().chart(chart_snapshot(metadata, **{vendored: "name: lib"}), "charts/c", subject="a").placed
    )


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ("name: c\ndependencies: [{name: lib, repository: 'https://example.org/charts'}]", "not-supported-yet"),
        ("name: c\ndependencies: [{name: lib, repository: 'oci://example.org/charts'}]", "not-supported-yet"),
        ("name: c\ndependencies: [{name: lib, repository: 'file://../../../x'}]", "path-escapes"),
        ("name: c\ndependencies: [{name: lib, repository: 'file://../gone'}]", "chart-missing"),
        ("name: c\ndependencies: [{name: c, repository: 'file://../c'}]", "chart-invalid"),
        ("version: 1.0.0", "chart-invalid"),
    ],
)
def test_a_chart_that_cannot_be_assembled_says_why(metadata: str, code: str) -> None:
    with pytest.raises(TerminalError) as caught:
        Graph().chart(chart_snapshot(metadata), "charts/c", subject="a")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "capabilities", "lookup"),
    [
        ("{{ .Capabilities.KubeVersion }}", True, False),
        ('{{ lookup "v1" "Secret" "a" "b" }}', False, True),
        ('{{ $x := (lookup "v1" "Secret" "a" "b") }}', False, True),
        ("# look up the docs", False, False),
    ],
)
def test_what_a_template_asks_of_the_cluster_is_seen(text: str, capabilities: bool, lookup: bool) -> None:
    chart = Graph().chart(snapshot_of({**CHART, "charts/c/templates/y.yaml": text}), "charts/c", subject="a")
    assert chart.capabilities is capabilities
    assert chart.lookups == (("charts/c/templates/y.yaml",) if lookup else ())
