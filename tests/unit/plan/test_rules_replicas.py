"""How many control-plane machines a plan lets pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fleet_objects import cluster_bodies, topology_bodies
from tests.unit.plan.test_build import World
from tests.unit.plan.test_rules_versions import PLANE, codes, edited

EXTERNAL = {"external": {"endpoints": ["https://10.0.0.1:2379"]}}
ETCD = ("kubeadmConfigSpec", "clusterConfiguration", "etcd")


@pytest.mark.parametrize(
    ("count", "etcd", "code"),
    [
        (1, {}, ""),
        (3, {}, ""),
        (2, {}, "control-plane-even"),
        (4, {"local": {"dataDir": "/var/lib/etcd"}}, "control-plane-even"),
        (2, EXTERNAL, ""),
        (0, {}, "control-plane-zero"),
        (0, EXTERNAL, "control-plane-zero"),
    ],
)
def test_a_control_plane_is_odd_where_etcd_runs_on_it_and_never_empty(
    count: int, etcd: dict[str, Any], code: str
) -> None:
    bodies = edited(cluster_bodies(), PLANE, "spec", *ETCD, value=etcd)
    edited(bodies, PLANE, "spec", "replicas", value=count)
    refused = {PLANE: code} if code else {}
    assert codes(World([]).plan(bodies)) == refused
    live = edited(cluster_bodies(), PLANE, "spec", *ETCD, value=etcd)
    assert codes(World(live).plan(bodies)) == refused


@pytest.mark.parametrize(
    ("count", "etcd", "patched", "code"),
    [
        (3, {}, "", ""),
        (2, {}, "", "control-plane-even"),
        (2, EXTERNAL, "", ""),
        (2, {}, "/spec/template/spec/kubeadmConfigSpec/clusterConfiguration/etcd", ""),
        (2, {}, "/spec/template/spec/kubeadmConfigSpec/files", "control-plane-even"),
        (0, EXTERNAL, "", "control-plane-zero"),
    ],
)
def test_a_topology_is_judged_by_its_class(count: int, etcd: dict[str, Any], patched: str, code: str) -> None:
    bodies = edited(topology_bodies(), "Cluster", "spec", "topology", "controlPlane", "replicas", value=count)
    edited(bodies, "KubeadmControlPlaneTemplate", "spec", "template", "spec", *ETCD, value=etcd)
    if patched:
        change = {"definitions": [{"jsonPatches": [{"op": "add", "path": patched, "value": []}]}]}
        edited(bodies, "ClusterClass", "spec", "patches", value=[change])
    assert codes(World(topology_bodies()).plan(bodies)) == ({"Cluster": code} if code else {})
