"""The file and line behind a changed value: said where it is beyond doubt, and else nothing is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clusterops.model.fleet import ChartRef, HelmRecipe, KustomizeRecipe, Mode, Recipe, Region, Target
from clusterops.model.key import ObjectKey
from clusterops.model.plan import MISSING, Action, Change, FieldChange, Plan
from clusterops.plan.origins import origins

NAME, CLUSTER, REGION = "eu/pay", "clusters/eu/pay/values.yaml", "regions/eu/values.yaml"
PLANE = ObjectKey(group="controlplane.cluster.x-k8s.io", kind="KubeadmControlPlane", namespace="eu", name="pay-cp")
GENERAL = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="eu", name="pay-general")
HELM = HelmRecipe(chart=ChartRef(path="charts/x"), values=(REGION, CLUSTER), release="pay")
BEFORE = """\
version: v1.33.4
pools:
  general:
    # ring-fenced
    replicas: 3
  batch: {size: medium, replicas: 3}
"""
IMAGES = "images:\n  v1.33.4: ami-07b2\n  v1.34.1: ami-0a41\nsizes: {medium: m1.medium, large: m1.large}\n"


def target(recipe: Recipe = HELM) -> Target:
    region = Region(name="eu", cloud="aws", namespace="eu", component="regions/eu/overlay")
    return Target(
        name=NAME,
        fleet="f",
        region=region,
        cluster="pay",
        namespace="eu",
        mode=Mode.APPLY,
        recipe=recipe,
        definition=CLUSTER,
    )


def said(
    now: str | dict[str, str],
    was: str | dict[str, str] = BEFORE,
    *,
    key: ObjectKey = GENERAL,
    recipe: Recipe = HELM,
    changed: set[str] | None = None,
    **field: Any,
) -> str:
    """The origin of one field, as far as the text of files tells."""
    sides = [{CLUSTER: one} if isinstance(one, str) else one for one in (was, now)]
    old, new = ({path: text.encode() for path, text in {REGION: IMAGES, **side}.items()} for side in sides)
    one = FieldChange(**{"pointer": "/spec/replicas", "before": 3, "after": 5, **field})
    row = Change(key=key, action=Action.UPDATE, fields=(one,))
    plan = Plan(target=NAME, revision="c", waves=((row,),))
    paths = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)} | (changed or set())
    found = origins(old, new, [plan], {NAME: target(recipe)}, changed=paths)
    return found.get((NAME, key, one.pointer), "")


RESIZED = BEFORE.replace("replicas: 3\n", "replicas: 5\n", 1)
RAISED = BEFORE.replace("v1.33.4", "v1.34.1")


def test_a_value_that_changed_from_the_same_to_the_same_is_the_origin() -> None:
    assert said(RESIZED) == f"{CLUSTER}:5"


def test_a_value_inside_a_longer_one_is_the_origin_where_it_makes_up_the_whole_change() -> None:
    image: dict[str, Any] = {
        "pointer": "/spec/image",
        "before": "ubuntu-kube-v1.33.4-r2",
        "after": "ubuntu-kube-v1.34.1-r2",
    }
    assert said(RAISED, **image) == f"{CLUSTER}:1"
    assert said(RAISED, **{**image, "after": "ubuntu-kube-v1.34.1-r3"}) == ""


def test_what_is_looked_up_by_a_changed_value_stands_where_the_entry_is() -> None:
    ami: dict[str, Any] = {"pointer": "/spec/ami/id", "before": "ami-07b2", "after": "ami-0a41"}
    assert said(RAISED, **ami) == f"{REGION}:3"
    assert said(RESIZED, **ami) == ""
    assert said(RAISED, **{**ami, "before": "ami-other"}) == ""


def test_a_name_that_replaces_a_default_is_looked_up_where_the_default_stands_too() -> None:
    sized = BEFORE.replace("    replicas: 3\n", "    replicas: 3\n    size: large\n", 1)
    kind: dict[str, Any] = {"pointer": "/spec/flavor", "before": "m1.medium", "after": "m1.large"}
    assert said(sized, **kind) == f"{REGION}:4"
    assert said(sized, **{**kind, "before": "m1.tiny"}) == ""


def test_a_list_that_is_one_field_is_told_as_a_whole() -> None:
    pods: dict[str, Any] = {"pointer": "/spec/cidrBlocks", "before": ["10.244.0.0/16"], "after": ["10.245.0.0/16"]}
    was = "network:\n  pods:\n    - 10.244.0.0/16\n"
    assert said(was.replace("244", "245"), was, **pods) == f"{CLUSTER}:3"
    assert said(was.replace("244", "245") + "    - 10.9.0.0/16\n", was, **pods) == ""


def test_an_entry_that_is_new_in_the_same_request_is_its_own_origin() -> None:
    before = {CLUSTER: BEFORE, REGION: "images: {v1.33.4: ami-07b2d8}\n"}
    after = {CLUSTER: RAISED, REGION: "images:\n  v1.33.4: ami-07b2d8\n  v1.34.1: ami-0a41c7\n"}
    found = said(after, before, pointer="/spec/ami/id", before="ami-07b2d8", after="ami-0a41c7")
    assert found == f"{REGION}:3"


def test_of_two_values_that_changed_alike_the_one_that_the_object_is_named_after_is_meant_else_none() -> None:
    both = RESIZED.replace("medium, replicas: 3", "medium, replicas: 5")
    assert said(both) == f"{CLUSTER}:5"
    assert said(both, key=PLANE) == ""


@pytest.mark.parametrize(
    "doubt",
    [{"before": 4}, {"after": 6}, {"after": MISSING}, {"before": MISSING}, {"after": [5]}, {"after": True}],
    ids=str,
)
def test_a_field_that_changed_otherwise_is_not_explained(doubt: dict[str, Any]) -> None:
    assert said(RESIZED, **doubt) == ""


def test_a_small_value_that_is_new_has_to_bear_the_name_of_the_field() -> None:
    added = BEFORE.replace("replicas: 3\n", "replicas: 3\n    maxSurge: 1\n", 1)
    assert said(added, pointer="/spec/x/maxSurge", before=MISSING, after=1) == f"{CLUSTER}:6"
    assert said(added, pointer="/spec/x/maxUnavailable", before=MISSING, after=1) == ""


@pytest.mark.parametrize("path", ["charts/x/templates/pool.yaml", "charts/x/_names.tpl", "regions/eu/overlay/a.yaml"])
def test_where_the_chart_or_an_overlay_changes_too_values_explain_nothing(path: str) -> None:
    assert said(RESIZED, changed={path}) == ""
    assert said(RESIZED, changed={"charts/other/templates/pool.yaml"}) == f"{CLUSTER}:5"


def test_nor_where_fleet_yaml_or_a_layer_names_another_chart() -> None:
    fleet = {"fleet.yaml": "clouds: {aws: {chart: {path: charts/y}}}\n"}
    assert said({CLUSTER: RESIZED, **fleet}) == ""
    assert said(RESIZED + "clusterops: {chart: {path: charts/z}}\n") == ""
    budget = {"fleet.yaml": "policy: {deletionKeyDays: 3}\n"}
    assert said({CLUSTER: RESIZED, **budget}) == f"{CLUSTER}:5"


PATCH = """\
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata: {name: pay-general}
spec:
  replicas: 5
"""
OVERLAY = KustomizeRecipe(directory="clusters/eu/pay")


def test_a_plain_object_and_a_patch_say_their_own_line() -> None:
    path = "clusters/eu/pay/pool.yaml"
    old, new = {path: PATCH.replace("5", "3")}, {path: PATCH}
    assert said(new, old, recipe=OVERLAY) == f"{path}:5"
    assert said(new, recipe=OVERLAY) == f"{path}:5"
    assert said(new, old, recipe=OVERLAY, after=6) == ""
    assert said(new, old, recipe=OVERLAY, pointer="/spec/x") == ""


def test_a_patch_without_a_namespace_speaks_only_of_the_target_that_it_stands_beside() -> None:
    path = "clusters/eu/other/pool.yaml"
    assert said({path: PATCH}, {path: PATCH.replace("5", "3")}, recipe=OVERLAY) == ""
    spoken = PATCH.replace("{name: pay-general}", "{name: pay-general, namespace: eu}")
    assert said({path: spoken}, {path: spoken.replace("5", "3")}, recipe=OVERLAY) == f"{path}:5"


def test_two_files_that_speak_of_one_field_tell_nothing() -> None:
    paths = [f"clusters/eu/pay/{name}.yaml" for name in ("a", "b")]
    assert said(dict.fromkeys(paths, PATCH), dict.fromkeys(paths, PATCH.replace("5", "3")), recipe=OVERLAY) == ""


def test_drift_that_is_put_back_by_the_way_is_not_the_requests() -> None:
    one = FieldChange(pointer="/spec/replicas", before=3, after=5)
    row = Change(key=GENERAL, action=Action.UPDATE, fields=(one,), heals=(one,))
    plan = Plan(target=NAME, revision="c", waves=((row,),))
    assert origins({CLUSTER: BEFORE.encode()}, {CLUSTER: RESIZED.encode()}, [plan], {NAME: target()}, changed=()) == {}


@given(st.binary(max_size=80), st.binary(max_size=80))
@example(b"3", b"5")
@example(b"[3]", b"[5]")
def test_files_that_are_no_yaml_do_no_harm(before: bytes, after: bytes) -> None:
    row = Change(key=GENERAL, action=Action.UPDATE, fields=(FieldChange(pointer="/spec/replicas", before=3, after=5),))
    plan = Plan(target=NAME, revision="c", waves=((row,),))
    found = origins({CLUSTER: before}, {CLUSTER: after}, [plan], {NAME: target()}, changed={CLUSTER})
    assert set(found.values()) <= {f"{CLUSTER}:{line}" for line in range(1, 90)}
