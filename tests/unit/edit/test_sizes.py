"""`resize` and `upgrade` as edits of a cluster's own files, whatever renders them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clusterops.edit import Draft
from clusterops.edit.pool_objects import resize_in_objects, resize_plane_object
from clusterops.edit.pools import parse_size, resize_in_values
from clusterops.edit.sources import Sources
from clusterops.edit.versions import upgrade
from clusterops.errors import ClusterOpsError
from clusterops.model.document import load_document
from clusterops.render.values.layers import merge

OWN = """\
version: v1.34.1   # since May
pools:
  general:
    # ring-fenced
    replicas: 3
  batch:
    autoscale: {min: 3, max: 20}
  spot: {external: true}
"""
PATH = "clusters/eu/pay/values.yaml"


def draft_of(**files: str) -> Draft:
    contents = {path.replace("__", "/").replace("_yaml", ".yaml"): text.encode() for path, text in files.items()}
    return Draft(read=lambda path: contents.get(path.rpartition("/")[2]))


def text_of(draft: Draft, path: str = PATH) -> str:
    return draft.text(path)


def in_values(size: str, below: Mapping[str, Any] | None = None, own: str = OWN) -> Draft:
    draft = draft_of(values_yaml=own)
    merged = merge(below or {}, load_document(own, PATH).value)
    resize_in_values(draft, PATH, merged, parse_size(size), target="eu/pay")
    return draft


def test_a_count_changes_in_its_place() -> None:
    draft = in_values("general=5")
    assert text_of(draft) == OWN.replace("replicas: 3", "replicas: 5")
    (edit,) = draft.edits.edits
    assert (edit.line, edit.setting, edit.before, edit.after) == (5, "pools.general.replicas", 3, 5)


def test_what_is_that_count_already_is_no_edit() -> None:
    assert in_values("general=3").edits.files == {}


def test_what_a_region_says_is_said_by_the_cluster_then() -> None:
    """Never the region's file: it is not this cluster's alone."""
    draft = in_values("edge=5", {"pools": {"edge": {"replicas": 2}}})
    assert text_of(draft) == OWN + "  edge:\n    replicas: 5\n"


def test_bounds_change_in_their_place() -> None:
    assert text_of(in_values("batch=3..30")) == OWN.replace("max: 20", "max: 30")
    assert [each.setting for each in in_values("batch=4..30").edits.edits] == [
        "pools.batch.autoscale.min",
        "pools.batch.autoscale.max",
    ]


def test_bounds_that_a_region_sets_are_set_whole() -> None:
    draft = in_values("edge=2..9", {"pools": {"edge": {"autoscale": {"min": 1, "max": 3}}}})
    assert text_of(draft) == OWN + "  edge:\n    autoscale: {min: 2, max: 9}\n"


@pytest.mark.parametrize(
    ("size", "code", "hint"),
    [
        ("batch=5", "pool-autoscaled", "batch=MIN..MAX"),
        ("general=3..9", "pool-not-autoscaled", "autoscale: {min: 3, max: 9}"),
        ("spot=3", "pool-external", "external: true"),
        ("genral=3", "pool-unknown", "did you mean `general`?"),
        ("x=3", "pool-unknown", "general, batch, spot"),
    ],
)
def test_a_count_that_is_not_gits_is_refused_with_the_next_step(size: str, code: str, hint: str) -> None:
    with pytest.raises(ClusterOpsError) as caught:
        in_values(size)
    assert (caught.value.code, hint in caught.value.hint) == (code, True), caught.value.hint


@pytest.mark.parametrize(
    "text", ["general", "general=", "=3", "general=-1", "general=5..3", "general=a..b", "a=1..2..3"]
)
def test_a_size_is_a_count_or_bounds(text: str) -> None:
    with pytest.raises(ValueError, match=r"POOL|larger"):
        parse_size(text)


# Plain objects, kustomizations and templates.

OBJECTS = """\
# the cluster
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata: {name: pay-md-0}
spec:
  replicas: 3   # three
  template: {spec: {version: v1.34.1}}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata:
  name: pay-auto
  annotations:
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size: "1"
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "5"
spec:
  template: {spec: {version: v1.33.0}}
---
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: KubeadmControlPlane
metadata: {name: pay}
spec: {replicas: 3, version: v1.34.1}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: top}
spec:
  topology:
    version: v1.34.1
    workers:
      machineDeployments: [{class: c, name: edge, replicas: 2}]
"""
PLAIN = Sources(
    target="eu/pay",
    cluster="pay",
    values=PATH,
    manifests=("clusters/eu/pay/all.yaml",),
    where="clusters/eu/pay/all.yaml",
)


@pytest.mark.parametrize(
    ("size", "old", "new"),
    [
        ("md-0=5", "replicas: 3   # three", "replicas: 5   # three"),
        ("pay-md-0=5", "replicas: 3   # three", "replicas: 5   # three"),
        ("edge=4", "name: edge, replicas: 2", "name: edge, replicas: 4"),
        ("auto=1..9", 'max-size: "5"', 'max-size: "9"'),
    ],
)
def test_a_pool_of_plain_objects_changes_in_its_place(size: str, old: str, new: str) -> None:
    draft = draft_of(all_yaml=OBJECTS)
    resize_in_objects(draft, PLAIN, parse_size(size))
    assert text_of(draft, PLAIN.where) == OBJECTS.replace(old, new)


@pytest.mark.parametrize(
    ("size", "code"), [("auto=3", "pool-autoscaled"), ("md-0=1..3", "pool-not-autoscaled"), ("md0=1", "pool-unknown")]
)
def test_plain_pools_are_refused_as_others_are(size: str, code: str) -> None:
    with pytest.raises(ClusterOpsError, match=code):
        resize_in_objects(draft_of(all_yaml=OBJECTS), PLAIN, parse_size(size))


def test_the_control_plane_of_plain_objects() -> None:
    draft = draft_of(all_yaml=OBJECTS)
    resize_plane_object(draft, PLAIN, 5)
    assert text_of(draft, PLAIN.where) == OBJECTS.replace("{replicas: 3, version", "{replicas: 5, version")


def test_a_version_of_plain_objects_changes_wherever_it_stands() -> None:
    draft = draft_of(all_yaml=OBJECTS)
    upgrade(draft, PLAIN, "v1.35.0")
    assert text_of(draft, PLAIN.where) == OBJECTS.replace("v1.34.1", "v1.35.0").replace("v1.33.0", "v1.35.0")
    assert draft.edits.edits[0].setting == "MachineDeployment/pay-md-0:/spec/template/spec/version"


def test_a_version_that_a_base_says_is_refused_with_the_file() -> None:
    patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    with pytest.raises(ClusterOpsError, match="edit-not-possible") as caught:
        upgrade(draft_of(all_yaml=patch), PLAIN, "v1.35.0")
    assert (caught.value.path, "patch" in caught.value.hint) == (PLAIN.where, True)


TEMPLATE = """\
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata: {name: "${CLUSTER_NAME}-md-0"}
spec:
  replicas: ${WORKER_MACHINE_COUNT:=3}
  template: {spec: {version: "${KUBERNETES_VERSION}"}}
"""


def template(values: str) -> tuple[Draft, Sources]:
    draft = draft_of(values_yaml=values, all_yaml=TEMPLATE)
    merged = load_document(values, PATH).value
    return draft, Sources(
        target="eu/pay",
        cluster="pay",
        values=PATH,
        merged=merged,
        manifests=PLAIN.manifests,
        templated=True,
        where=PLAIN.where,
    )


def test_a_templates_variable_is_set_in_the_clusters_values() -> None:
    values = "variables:\n  KUBERNETES_VERSION: v1.34.1 # now\n"
    draft, sources = template(values)
    resize_in_objects(draft, sources, parse_size("md-0=5"))
    upgrade(draft, sources, "v1.35.0")
    assert text_of(draft) == "variables:\n  KUBERNETES_VERSION: v1.35.0 # now\n  WORKER_MACHINE_COUNT: 5\n"
    assert text_of(draft, PLAIN.where) == TEMPLATE


def test_a_templates_version_goes_one_minor_at_a_time_too() -> None:
    draft, sources = template("variables: {KUBERNETES_VERSION: v1.34.1}\n")
    upgrade(draft, sources, "v1.36.0")  # of a pool alone: its control plane decides
    plane = (
        TEMPLATE.replace("cluster.x-k8s.io", "controlplane.cluster.x-k8s.io")
        .replace("MachineDeployment", "KubeadmControlPlane")
        .replace("template: {spec: {version", "version")
        .replace('"}}\n', '"\n')
    )
    draft = draft_of(values_yaml="variables: {KUBERNETES_VERSION: v1.34.1}\n", all_yaml=plane)
    with pytest.raises(ClusterOpsError, match="version-skip"):
        upgrade(draft, sources, "v1.36.0")


# Versions in values.


def upgraded(version: str, below: Mapping[str, Any] | None = None, own: str = OWN) -> str:
    draft = draft_of(values_yaml=own)
    merged = merge(below or {}, load_document(own, PATH).value)
    upgrade(draft, Sources(target="eu/pay", cluster="pay", values=PATH, merged=merged, where=PATH), version)
    return text_of(draft)


@pytest.mark.parametrize("version", ["v1.34.1", "v1.34.2", "v1.35.0"])
def test_a_version_goes_up_in_its_place(version: str) -> None:
    assert upgraded(version) == OWN.replace("v1.34.1", version)


@pytest.mark.parametrize(
    ("version", "below", "code"),
    [
        ("v1.36.0", {}, "version-skip"),
        ("v2.0.0", {}, "version-skip"),
        ("v1.34.0", {}, "version-downgrade"),
        ("v1.35.0", {"images": {"v1.34.1": "ami-1"}}, "image-missing"),
    ],
)
def test_no_step_down_none_left_out_none_without_an_image(version: str, below: Mapping[str, Any], code: str) -> None:
    with pytest.raises(ClusterOpsError, match=code):
        upgraded(version, below)


@pytest.mark.parametrize(
    "below",
    [
        {"images": {"v1.35.0": "ami-2"}},
        {"images": {"v1.34.1": "a"}, "image": "u-{{ .Values.version }}"},
        {"images": {}},
    ],
)
def test_an_image_is_listed_or_named_by_a_pattern(below: Mapping[str, Any]) -> None:
    assert upgraded("v1.35.0", below).startswith("version: v1.35.0   # since May")


def test_a_class_chains_upgrades_and_its_plan_says_whether() -> None:
    assert upgraded("v1.36.0", {"class": "standard"}).startswith("version: v1.36.0")


def test_a_version_from_above_is_said_by_the_cluster_then() -> None:
    assert upgraded("v1.35.0", {"version": "v1.34.1"}, own="paused: false\n") == "paused: false\nversion: v1.35.0\n"


def test_a_file_that_sops_signed_is_left_alone() -> None:
    with pytest.raises(ClusterOpsError, match="SOPS"):
        upgraded("v1.35.0", own=OWN + "sops: {mac: x}\n")
