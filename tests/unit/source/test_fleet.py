"""What read_fleet makes of a repository, and what it says about a wrong one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clusterops.model.fleet import (
    ChartRef,
    DriftPolicy,
    Fleet,
    HelmRecipe,
    KustomizeRecipe,
    Mode,
    PlainRecipe,
    RenderOptions,
    Target,
    TemplateRecipe,
)
from clusterops.model.revision import EntryKind
from clusterops.source.fleet import FleetReader, read_fleet
from tests.unit.source.snapshots import FLEET, GOOD, REGION, CountingReader, changed, snapshot_of

WEB = "clusters/eu/web"
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def fleet_of(changes: Mapping[str, str | None], *, kinds: Mapping[str, EntryKind] | None = None) -> Fleet:
    return read_fleet(snapshot_of(changed(changes), kinds=kinds))


def web(changes: Mapping[str, str | None], *, kinds: Mapping[str, EntryKind] | None = None) -> Target:
    fleet = fleet_of(changes, kinds=kinds)
    assert [problem.text for problem in fleet.problems] == []
    return fleet.targets["eu/web"]


def lines(problems: object) -> list[str]:
    return [problem.text for problem in problems]  # type: ignore[attr-defined]


def test_a_cluster_with_values_is_rendered_by_the_clouds_chart_with_layers_in_order() -> None:
    target = web({})
    assert target.recipe == HelmRecipe(
        chart=ChartRef(path="charts/cluster-openstack"),
        values=("clouds/openstack/values.yaml", "regions/eu/values.yaml", f"{WEB}/values.yaml"),
        release="web",
    )
    assert (target.namespace, target.cluster, target.cloud, target.mode) == ("eu", "web", "openstack", Mode.APPLY)
    assert (target.fleet, target.management, target.definition) == ("platform", "default", f"{WEB}/values.yaml")
    assert target.problems == ()


def test_layers_that_do_not_exist_are_left_out() -> None:
    recipe = web({"clouds/openstack/values.yaml": None, "regions/eu/values.yaml": None}).recipe
    assert isinstance(recipe, HelmRecipe)
    assert recipe.values == (f"{WEB}/values.yaml",)


def test_a_kustomization_wins_over_values() -> None:
    target = web({f"{WEB}/kustomization.yaml": "resources: []\n"})
    assert target.recipe == KustomizeRecipe(directory=WEB)
    assert target.problems == ()


def test_templates_beside_values_take_their_variables_from_them() -> None:
    recipe = web({f"{WEB}/cluster.yaml": "name: ${NAME}\n", f"{WEB}/values.yaml": "variables: {NAME: a}\n"}).recipe
    assert isinstance(recipe, TemplateRecipe)
    assert recipe.files == (f"{WEB}/cluster.yaml",)
    assert recipe.values[-1] == f"{WEB}/values.yaml"


def test_plain_files_are_a_plain_recipe_and_a_variable_makes_them_a_template() -> None:
    without_values = {f"{WEB}/values.yaml": None, f"{WEB}/a.yaml": MANIFEST, f"{WEB}/sub/b.yml": MANIFEST}
    assert web(without_values).recipe == PlainRecipe(files=(f"{WEB}/a.yaml", f"{WEB}/sub/b.yml"))
    assert isinstance(web({**without_values, f"{WEB}/a.yaml": "name: ${A}\n"}).recipe, TemplateRecipe)


def test_values_with_nothing_but_our_block_do_not_ask_for_a_chart() -> None:
    target = web({f"{WEB}/values.yaml": "clusterops: {namespace: other}\n", f"{WEB}/a.yaml": MANIFEST})
    assert target.recipe == PlainRecipe(files=(f"{WEB}/a.yaml",))
    assert (target.namespace, target.problems) == ("other", ())


def test_the_block_merges_over_layers_and_the_later_one_wins() -> None:
    target = web(
        {
            "clouds/openstack/values.yaml": "clusterops: {mode: observe, labels: {ring: early, tier: a, gone: x}}\n",
            "regions/eu/values.yaml": "clusterops: {mode: apply, namespace: prod, labels: {ring: late}}\n",
            f"{WEB}/values.yaml": "version: v1.34.1\nclusterops: {labels: {gone: null, owner: web}}\n",
        }
    )
    assert (target.mode, target.namespace) == (Mode.APPLY, "prod")
    assert target.labels == {"ring": "late", "tier": "a", "owner": "web"}


def test_a_chart_of_its_own_is_taken_from_the_block() -> None:
    block = "clusterops:\n  chart: {repository: oci://r/charts, name: x, version: '1.2.3'}\n"
    recipe = web({f"{WEB}/values.yaml": block}).recipe
    assert isinstance(recipe, HelmRecipe)
    assert recipe.chart == ChartRef(repository="oci://r/charts", name="x", version="1.2.3")


def test_a_missing_chart_of_its_own_is_that_targets_problem_at_its_line() -> None:
    target = web({f"{WEB}/values.yaml": "version: v1\nclusterops:\n  chart: {path: charts/none}\n"})
    assert lines(target.problems) == [
        "clusters/eu/web/values.yaml:3:17: eu/web: no chart at charts/none: no Chart.yaml (chart-missing)"
    ]


def test_region_facts_reach_the_target() -> None:
    facts = (
        "cloud: openstack\nmanagement: north\nnamespace: prod\ncredentials: {}\nnetworks: {nodes: 10.0.0.0/8, own: 1}\n"
    )
    target = web({"regions/eu/region.yaml": facts, "regions/eu/kustomization.yaml": "kind: Component\n"})
    assert target.region is not None
    assert (target.region.component, target.management, target.namespace) == ("regions/eu", "north", "prod")
    assert target.region.facts["networks"]["own"] == 1


def test_render_options_and_durations_of_fleet_yaml() -> None:
    text = f"{FLEET}render: {{kubeVersion: v1.35.0, apiVersions: [a/v1]}}\nrollout: {{settleTimeout: 1h30m}}\n"
    fleet = fleet_of({"fleet.yaml": text})
    assert fleet.file.render == RenderOptions(kube_version="v1.35.0", api_versions=("a/v1",))
    assert fleet.file.rollout.settle_timeout_s == 5400.0
    assert fleet.file.rollout.source == "fleet.yaml:8"


def test_what_clusters_share_are_targets_of_their_own() -> None:
    fleet = fleet_of(
        {
            "shared/classes/class.yaml": MANIFEST,
            "shared/identities/values.yaml": "clusterops: {namespace: capi-system}\n",
            "shared/identities/id.yaml": MANIFEST,
            "regions/eu/shared/secret.yaml": MANIFEST,
        }
    )
    assert list(fleet.targets) == ["eu/_shared", "eu/web", "shared/classes", "shared/identities"]
    shared = {name: target for name, target in fleet.targets.items() if name != "eu/web"}
    assert [target.namespace for target in shared.values()] == ["eu", "default", "capi-system"]
    assert all(target.problems == () for target in shared.values())
    assert shared["shared/classes"].region is None
    assert shared["eu/_shared"].recipe == PlainRecipe(files=("regions/eu/shared/secret.yaml",))


def test_the_chart_of_a_cloud_does_not_render_what_a_region_shares() -> None:
    target = fleet_of({"regions/eu/shared/values.yaml": "a: 1\n"}).targets["eu/_shared"]
    assert [problem.code for problem in target.problems] == ["chart-missing"]


FULL = """\
apiVersion: clusterops.io/v1alpha1
kind: FleetFile
name: platform
mode: apply
clouds:
  openstack: {chart: {path: charts/cluster-openstack}}
  aws: {chart: {repository: oci://registry.example.org/charts, name: cluster-aws, version: 0.4.2}}
forge: {kind: github, repository: platform/fleet, perClusterStatusUpTo: 10}
policy:
  budgets: {clustersDeleted: 1, poolsDeleted: 1, machinesRemoved: 10%, machinesReplaced: 20%}
  fleetBudgets: {clustersDeleted: 2}
  exceptions:
    - {budget: machinesReplaced, region: eu-west-1, limit: 500, reason: CHG-2310 v1.34, expires: 2026-12-05}
  deletionKeyDays: 7
  signedCommits: false
rollout:
  canaries: {ring: canary}
  soak: 30m
  maxConcurrentClusters: 5
  maxMachinesInFlight: 30
  haltAfterFailures: 1
  settleTimeout: 90m
drift: {policy: report}
windows:
  - {targets: "*/payments", allow: "Mon-Thu 08:00-15:00", timezone: Europe/Berlin}
ignore:
  - {kind: MachineDeployment, pointers: [/spec/replicas], managers: [cluster-autoscaler]}
providers: {cluster-api: v1.14.0, openstack: v0.14.2, aws: v2.13.0}
render: {kubeVersion: v1.34.0, apiVersions: []}
sources: {}
targets: []
"""


def test_every_key_of_the_documented_schema_is_accepted_and_kept() -> None:
    fleet = fleet_of({"fleet.yaml": FULL})
    assert lines(fleet.problems) == []
    assert fleet.file.raw["policy"]["budgets"]["machinesRemoved"] == "10%"
    assert fleet.file.clouds["aws"].text == "oci://registry.example.org/charts/cluster-aws:0.4.2"


WRONG_FLEET_FILES = {
    f"{FLEET}rolout: {{}}\n": "fleet.yaml:7:1: rolout: is no key of fleet.yaml (key-unknown)",
    f"{FLEET}mode2: x\n": "fleet.yaml:7:1: mode2: is no key of fleet.yaml (key-unknown)",
    f"{FLEET}rollout: {{soak: soon}}\n": 'fleet.yaml:7:17: rollout.soak: "soon" is not a duration (value-format)',
    f"{FLEET}rollout: []\n": "fleet.yaml:7:10: rollout: [] is not a mapping (value-type)",
    f"{FLEET}rollout: {{maxConcurrentClusters: five}}\n": (
        'fleet.yaml:7:34: rollout.maxConcurrentClusters: "five" is not a whole number (value-type)'
    ),
    f"{FLEET}rollout: {{haltAfterFailures: 0}}\n": (
        "fleet.yaml:7:30: rollout.haltAfterFailures: 0 is not 1 or more (value-format)"
    ),
    f"{FLEET}policy: {{budgets: {{machinesRemoved: 110%}}}}\n": (
        'fleet.yaml:7:37: policy.budgets.machinesRemoved: "110%" is not a count or a percentage (value-format)'
    ),
    f"{FLEET}policy: {{signedCommits: maybe}}\n": (
        'fleet.yaml:7:25: policy.signedCommits: "maybe" is not true or false (value-type)'
    ),
    f"{FLEET}policy: {{exceptions: [{{budget: poolsDeleted, region: eu, limit: 5, reason: x, expires: soon}}]}}\n": (
        'fleet.yaml:7:88: policy.exceptions[0].expires: "soon" is not a day (value-format)'
    ),
    f"{FLEET}ignore: [{{pointers: [/a]}}]\n": "fleet.yaml:7:10: ignore[0].kind: is missing (key-missing)",
    f"{FLEET}windows: x\n": 'fleet.yaml:7:10: windows: "x" is not a list (value-type)',
    f"{FLEET}drift: {{policy: heel}}\n": (
        'fleet.yaml:7:17: drift.policy: "heel" is not one of report, heal (value-format)'
    ),
    f"{FLEET}render: {{kubeVersion: latest}}\n": (
        'fleet.yaml:7:23: render.kubeVersion: "latest" is not a version (value-format)'
    ),
    f"{FLEET}sources: {{a: {{repository: x, revision: {'a' * 40}}}}}\n": (
        "fleet.yaml:7:1: sources: is not supported by this release (not-supported-yet)"
    ),
    f"{FLEET}targets: [{{match: a, name: b}}]\n": (
        "fleet.yaml:7:1: targets: is not supported by this release (not-supported-yet)"
    ),
    FLEET.replace("name: platform\n", ""): "fleet.yaml:1:1: name: is missing (key-missing)",
    FLEET.replace("platform", "Our Fleet"): 'fleet.yaml:3:7: name: "Our Fleet" is not a DNS label (value-format)',
    FLEET.replace("FleetFile", "Fleet"): 'fleet.yaml:2:7: kind: "Fleet" is not one of FleetFile (value-format)',
    FLEET.replace("charts/cluster-openstack", "../charts"): (
        'fleet.yaml:6:29: clouds.openstack.chart.path: "../charts" leaves the fleet repository (path-escapes)'
    ),
    FLEET.replace("charts/cluster-openstack", "charts/none"): (
        "fleet.yaml:6:29: cloud openstack: no chart at charts/none: no Chart.yaml (chart-missing)"
    ),
    FLEET.replace("{path: charts/cluster-openstack}", "{name: x}"): (
        "fleet.yaml:6:22: clouds.openstack.chart: is neither a chart of this repository nor a complete reference to one"
        " (chart-reference)"
    ),
    "apiVersion: clusterops.io/v1alpha1\nkind: [\n": "yaml-syntax",
    f"{FLEET}name: again\n": "fleet.yaml:7:1: key 'name' is already set in line 3 (yaml-duplicate-key)",
    "defaultNamespace: fleet\nhelm: {chart: x}\n": "fleet-file-foreign",
    "- a\n": "fleet-file-foreign",
}


@pytest.mark.parametrize(("text", "line"), WRONG_FLEET_FILES.items())
def test_a_wrong_fleet_yaml_is_told_with_its_place(text: str, line: str) -> None:
    told = lines(fleet_of({"fleet.yaml": text}).problems)
    assert len(told) == 1
    assert told[0] == line or (" " not in line and told[0].endswith(f"({line})")), told[0]


def test_all_errors_of_all_files_come_at_once_and_each_has_a_hint() -> None:
    fleet = fleet_of(
        {
            "fleet.yaml": f"{FLEET}rolout: {{}}\nforge: {{kind: github}}\n",
            "regions/eu/region.yaml": "cloud: openstak\n",
            f"{WEB}/values.yaml": "clusterops: {mode: aply, label: {}}\n",
        }
    )
    assert [problem.code for problem in fleet.problems] == ["key-unknown", "key-missing"]
    assert lines(fleet.targets["eu/web"].problems) == [
        "regions/eu/region.yaml:1:1: credentials: is missing (key-missing)",
        'regions/eu/region.yaml:1:8: cloud: "openstak" is not among the `clouds` of fleet.yaml (cloud-unknown)',
        "clusters/eu/web/values.yaml:1:26: clusterops.label: is no key of the `clusterops:` block (key-unknown)",
        'clusters/eu/web/values.yaml:1:20: clusterops.mode: "aply" is not one of observe, apply (value-format)',
    ]
    hints = {problem.code: problem.hint for problem in (*fleet.problems, *fleet.targets["eu/web"].problems)}
    assert hints["cloud-unknown"] == "did you mean `openstack`?"
    assert "did you mean `labels`?" in hints["key-unknown"]
    assert all(problem.hint for problem in (*fleet.problems, *fleet.targets["eu/web"].problems))


def test_no_fleet_yaml_is_one_problem() -> None:
    fleet = fleet_of({"fleet.yaml": None})
    assert lines(fleet.problems) == [
        "fleet.yaml: fleet: no fleet.yaml at the root of the repository (fleet-file-missing)"
    ]
    assert fleet.targets == {}


WRONG_TARGETS: dict[str, tuple[dict[str, str | None], str]] = {
    "syntax": ({f"{WEB}/values.yaml": "a: [\n"}, "yaml-syntax"),
    "duplicate": (
        {f"{WEB}/values.yaml": "a: 1\nb: 2\na: 3\n"},
        "clusters/eu/web/values.yaml:3:1: key 'a' is already set in line 1 (yaml-duplicate-key)",
    ),
    "list": (
        {f"{WEB}/values.yaml": "- a\n"},
        'clusters/eu/web/values.yaml:1:1: ["a"] is not a mapping of values (value-type)',
    ),
    "block": (
        {f"{WEB}/values.yaml": "clusterops: yes please\n"},
        'clusters/eu/web/values.yaml:1:13: clusterops: "yes please" is not a mapping (value-type)',
    ),
    "sops-key": (
        {f"{WEB}/values.yaml": None, f"{WEB}/s.yaml": "a: 1\nsops:\n  mac: x\n"},
        "clusters/eu/web/s.yaml:2: eu/web: carries SOPS marks: applied as it is, ciphertext would replace the live"
        " secret (secret-not-decrypted)",
    ),
    "sops-value": ({f"{WEB}/values.yaml": "a: 1\nb: ENC[AES256_GCM,data:x]\n"}, "secret-not-decrypted"),
    "sops-manifest": (
        {f"{WEB}/values.yaml": None, f"{WEB}/s.yaml": "data: ENC[AES256_GCM,data:x]\n"},
        "secret-not-decrypted",
    ),
    "sops-region": ({"regions/eu/values.yaml": "a: ENC[AES256_GCM,data:x]\n"}, "secret-not-decrypted"),
    "lfs": (
        {f"{WEB}/values.yaml": LFS},
        "clusters/eu/web/values.yaml: eu/web: is a Git LFS pointer, not the file (lfs-refused)",
    ),
    "region-syntax": ({"regions/eu/values.yaml": "a: [\n"}, "yaml-syntax"),
    "cloud-syntax": ({"clouds/openstack/values.yaml": "a: [\n"}, "yaml-syntax"),
    "no-region": (
        {"regions/eu/region.yaml": None},
        "regions/eu/region.yaml: region eu: has no region.yaml (region-file-missing)",
    ),
    "region-key": (
        {"regions/eu/region.yaml": f"{REGION}colour: red\n"},
        "regions/eu/region.yaml:3:1: colour: is no key of region.yaml (key-unknown)",
    ),
    "nothing": (
        {f"{WEB}/values.yaml": None, f"{WEB}/README.md": "hi"},
        "clusters/eu/web: eu/web: holds nothing to render: no values.yaml, no kustomization.yaml and no manifest"
        " (recipe-missing)",
    ),
    "unclear": (
        {f"{WEB}/extra.yaml": MANIFEST},
        "clusters/eu/web/extra.yaml: eu/web: stands beside a values.yaml that goes to a chart, so nothing would read it"
        " (recipe-unclear)",
    ),
}


@pytest.mark.parametrize(("changes", "line"), WRONG_TARGETS.values(), ids=WRONG_TARGETS)
def test_a_wrong_target_is_known_and_told_with_its_place(changes: dict[str, str | None], line: str) -> None:
    told = lines(web(changes).problems)
    assert any(text == line or (" " not in line and text.endswith(f"({line})")) for text in told), told


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        (f"{WEB}/values.yaml", EntryKind.SYMLINK, "symlink-refused"),
        (f"{WEB}/module", EntryKind.SUBMODULE, "submodule-refused"),
        ("regions/eu/values.yaml", EntryKind.SYMLINK, "symlink-refused"),
        ("clouds/openstack/values.yaml", EntryKind.SYMLINK, "symlink-refused"),
    ],
)
def test_links_and_submodules_under_a_target_are_refused_by_name(path: str, kind: EntryKind, code: str) -> None:
    target = web({path: "../elsewhere"}, kinds={path: kind})
    assert (code, path) in {(problem.code, problem.path) for problem in target.problems}


def test_a_link_inside_a_chart_is_the_fleets_problem() -> None:
    path = "charts/cluster-openstack/templates/x.yaml"
    fleet = fleet_of({path: "../../x"}, kinds={path: EntryKind.SYMLINK})
    assert lines(fleet.problems) == [f"{path}: cloud openstack: is a symbolic link (symlink-refused)"]


def test_a_linked_fleet_yaml_is_refused() -> None:
    fleet = fleet_of({"fleet.yaml": "other.yaml"}, kinds={"fleet.yaml": EntryKind.SYMLINK})
    assert [problem.code for problem in fleet.problems] == ["symlink-refused"]


@pytest.mark.parametrize("name", ["Web", "a_b", "-a", "a" * 64, "a.b"])
def test_names_that_cannot_be_object_names_are_refused(name: str) -> None:
    cluster = fleet_of({f"clusters/eu/{name}/values.yaml": "version: v1\n"}).targets[f"eu/{name}"]
    region = fleet_of({f"clusters/{name}/x/values.yaml": "version: v1\n", f"regions/{name}/region.yaml": REGION})
    assert "name-invalid" in {problem.code for problem in cluster.problems}
    assert "name-invalid" in {problem.code for problem in region.targets[f"{name}/x"].problems}


def test_no_region_may_be_called_shared() -> None:
    fleet = fleet_of({"clusters/shared/x/values.yaml": "version: v1\n", "regions/shared/region.yaml": REGION})
    assert "name-invalid" in {problem.code for problem in fleet.targets["shared/x"].problems}


def test_two_targets_for_one_cluster_name_each_other() -> None:
    fleet = fleet_of(
        {
            "regions/us/region.yaml": REGION,
            "clusters/us/web/values.yaml": "version: v1\nclusterops: {namespace: eu}\n",
        }
    )
    told = {name: [problem.message for problem in target.problems] for name, target in fleet.targets.items()}
    assert told == {"eu/web": ["is eu/web as well as us/web"], "us/web": ["is eu/web as well as eu/web"]}
    assert {problem.code for target in fleet.targets.values() for problem in target.problems} == {"target-twice"}


def test_files_that_belong_to_no_target_are_a_warning() -> None:
    fleet = fleet_of({"clusters/eu/stray.yaml": "a: 1\n", "clusters/README.md": "hi"})
    assert lines(fleet.warnings) == ["clusters/eu/stray.yaml: belongs to no target (file-unused)"]
    assert list(fleet.targets) == ["eu/web"]


def test_reading_again_parses_only_what_changed() -> None:
    reader = FleetReader()
    first = reader.read(snapshot_of(changed({"clusters/eu/db/values.yaml": "version: v1\n"})))
    again = snapshot_of(changed({"clusters/eu/db/values.yaml": "version: v2\n"}))
    second = reader.read(again)
    assert second.targets["eu/web"] is first.targets["eu/web"]
    assert second.targets["eu/db"] == first.targets["eu/db"]
    assert isinstance(again.reader, CountingReader)
    assert again.reader.reads == 2  # fleet.yaml, and the changed file


def test_a_reader_with_a_memory_reads_the_same_as_one_without() -> None:
    reader = FleetReader()
    steps: list[dict[str, str | None]] = [
        {},
        {"clouds/openstack/values.yaml": "clusterops: {mode: observe}\n"},
        {"clouds/openstack/values.yaml": "a: [\n"},
        {"regions/eu/region.yaml": None},
        {"regions/eu/kustomization.yaml": "kind: Component\n"},
        {"fleet.yaml": f"{FLEET}x: 1\n"},
        {"charts/cluster-openstack/Chart.yaml": None},
        {"fleet.yaml": None},
        {},
    ]
    for step in steps:
        snapshot = snapshot_of(changed(step))
        assert reader.read(snapshot) == read_fleet(snapshot)


def test_good_is_good() -> None:
    fleet = read_fleet(snapshot_of(GOOD))
    assert (fleet.problems, fleet.warnings) == ((), ())


@pytest.mark.parametrize(
    ("kind", "code"), [(EntryKind.SYMLINK, "symlink-refused"), (EntryKind.SUBMODULE, "submodule-refused")]
)
def test_a_link_in_place_of_a_clusters_directory_is_that_cluster_and_nothing_else_is_said(
    kind: EntryKind, code: str
) -> None:
    path = "clusters/eu/api"
    target = fleet_of({path: "../elsewhere"}, kinds={path: kind}).targets["eu/api"]
    assert [(problem.code, problem.path) for problem in target.problems] == [(code, path)]


@pytest.mark.parametrize("path", ["clusters", "clusters/us", "regions/us", "shared/rbac", "clouds/aws"])
def test_a_link_that_may_hide_targets_stops_the_fleet(path: str) -> None:
    """Nobody knows which targets are behind it, so none may be taken for gone."""
    fleet = fleet_of({path: "../elsewhere"}, kinds={path: EntryKind.SYMLINK})
    assert ("symlink-refused", path) in {(problem.code, problem.path) for problem in fleet.problems}


def test_the_drift_policy_comes_from_fleet_yaml_unless_a_layer_says_otherwise() -> None:
    assert web({}).drift is DriftPolicy.REPORT
    everywhere = {"fleet.yaml": f"{FLEET}drift: {{policy: heal, status: true}}\n"}
    assert web(everywhere).drift is DriftPolicy.HEAL
    assert fleet_of(everywhere).file.drift_status
    region = {"regions/eu/values.yaml": "clusterops: {drift: {policy: report}}\n"}
    assert web({**everywhere, **region}).drift is DriftPolicy.REPORT
    own = {f"{WEB}/values.yaml": "version: v1.34.1\nclusterops: {drift: {policy: heal}}\n"}
    assert web({**region, **own}).drift is DriftPolicy.HEAL


def test_ignore_rules_and_windows_know_the_line_that_they_stand_in() -> None:
    lists = (
        "ignore:\n"
        "  - {kind: MachineDeployment, pointers: [/spec/replicas], managers: [cluster-autoscaler]}\n"
        "  - {kind: Cluster, group: cluster.x-k8s.io, name: web, namespace: eu, pointers: ['/spec/a/*/b']}\n"
        "windows:\n"
        "  - {targets: '*/web', allow: 'Mon-Thu 08:00-15:00', deny: '12:00-13:00', timezone: Europe/Berlin}\n"
    )
    file = fleet_of({"fleet.yaml": f"{FLEET}{lists}"}).file
    line = FLEET.count("\n") + 2
    assert [rule.source for rule in file.ignore] == [f"fleet.yaml:{line}", f"fleet.yaml:{line + 1}"]
    assert [rule.words for rule in file.ignore] == [
        "MachineDeployment /spec/replicas by cluster-autoscaler",
        "Cluster eu/web /spec/a/*/b",
    ]
    (window,) = file.windows
    assert (window.targets, window.timezone, window.source) == ("*/web", "Europe/Berlin", f"fleet.yaml:{line + 3}")


def test_rules_that_stand_in_one_line_are_told_apart_by_their_columns() -> None:
    rules = "ignore: [{kind: Pod, pointers: [/a]}, {kind: Pod, pointers: [/b]}]\n"
    line = FLEET.count("\n") + 1
    sources = [rule.source for rule in fleet_of({"fleet.yaml": f"{FLEET}{rules}"}).file.ignore]
    assert sources == [f"fleet.yaml:{line}:10", f"fleet.yaml:{line}:39"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("ignore: [{kind: Pod}]", "ignore[0]: would ignore every change of every Pod (ignore-rule-unbounded)"),
        (
            "ignore: [{kind: Pod, pointers: [spec]}]",
            'ignore[0].pointers[0]: "spec" is not a JSON pointer (value-format)',
        ),
        ("windows: [{targets: '*'}]", "windows[0]: neither allows nor denies anything (window-empty)"),
        (
            "windows: [{targets: '*', allow: 'Mo 08:00-15:00'}]",
            'windows[0].allow: "Mo 08:00-15:00" is not days and hours (value-format)',
        ),
        (
            "windows: [{targets: '*', deny: '08:00-09:00', timezone: Europe/Berln}]",
            'windows[0].timezone: "Europe/Berln" is not a time zone (value-format)',
        ),
    ],
)
def test_a_wrong_rule_or_window_is_told_with_its_place_and_left_out(entry: str, said: str) -> None:
    fleet = fleet_of({"fleet.yaml": f"{FLEET}{entry}\n"})
    (problem,) = fleet.problems
    assert problem.text.startswith(f"fleet.yaml:{FLEET.count(chr(10)) + 1}:")
    assert problem.text.endswith(said)
    assert (fleet.file.ignore, fleet.file.windows) == ((), ())
