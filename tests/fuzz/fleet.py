"""A fleet of 200 clusters in ten regions: plain YAML, overlays over one base, and a chart; and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.scale.fleet import BASE, overlay
from tests.stage import ROOT

FLEET = "fuzz"
REGIONS = 10
PER_REGION = 20
OVERLAY_REGIONS = (7, 8)
"""Regions of Kustomize overlays; the first ten clusters of the last region are rendered by Helm."""

CHECK = """\
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineHealthCheck
metadata: {name: c-health}
spec:
  clusterName: c
  selector: {matchLabels: {pool: general}}
  checks: {unhealthyNodeConditions: [{type: Ready, status: Unknown, timeoutSeconds: 300}]}
"""
NOTES = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-notes}\ndata: {team: platform}\n"
SECRET = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: c-registry}\nstringData: {config: '{}'}\n"
VALUES = "version: v1.34.1\npools: {general: {replicas: 2}}\n"


def name_of(number: int) -> str:
    return f"c{number:04d}"


def region_of(number: int) -> str:
    return f"r{number // PER_REGION}"


def is_chart(number: int) -> bool:
    return number // PER_REGION == REGIONS - 1 and number % PER_REGION < PER_REGION // 2


def plain(name: str) -> str:
    """Ten objects, the Cluster last: whatever a cut file keeps of it, it has lost the Cluster."""
    parts = (BASE + CHECK + NOTES + SECRET).split("---\n")
    ordered = [*parts[1:], parts[0]]
    renamed = "---\n".join(part if part.endswith("\n") else f"{part}\n" for part in ordered)
    for old in ("c-cp", "c-md-0", "c-health", "c-notes", "c-registry"):
        renamed = renamed.replace(f"name: {old}", f"name: {old.replace('c-', f'{name}-', 1)}")
    return (
        renamed.replace("name: c}", f"name: {name}}}")
        .replace("name: c,", f"name: {name},")
        .replace("clusterName: c\n", f"clusterName: {name}\n")
    )


def fleet_files(clusters: int = REGIONS * PER_REGION) -> dict[str, bytes]:
    """Path to content of the whole repository."""
    chart = ROOT / "charts" / "cluster-dev"
    files: dict[str, bytes] = {f"charts/cluster-dev/{path}": content for path, content in _tree(chart).items()}
    texts: dict[str, str] = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {FLEET}\nmode: apply\n"
        "clouds: {dev: {chart: {path: charts/cluster-dev}}}\nrollout: {settleTimeout: 0s}\n",
        "clouds/dev/values.yaml": "{}\n",
        "base/objects.yaml": BASE + CHECK,
        "base/kustomization.yaml": "resources: [objects.yaml]\n",
        "shared/addons/objects.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cni, namespace: addons}\n"
        "data: {a: b}\n",
        "README.md": "nobody renders this\n",
    }
    for number in range(REGIONS):
        texts[f"regions/r{number}/region.yaml"] = "cloud: dev\ncredentials: {}\n"
        texts[f"regions/r{number}/shared/notes.yaml"] = (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: region, namespace: r{number}}}\ndata: {{a: b}}\n"
        )
    for number in range(clusters):
        texts.update(cluster_files(number))
    return files | {path: text.encode() for path, text in texts.items()}


def cluster_files(number: int) -> Mapping[str, str]:
    name, home = name_of(number), f"clusters/{region_of(number)}/{name_of(number)}"
    if is_chart(number):
        return {f"{home}/values.yaml": VALUES}
    if number // PER_REGION in OVERLAY_REGIONS:
        health = f"""\
- target: {{kind: MachineHealthCheck}}
  patch: |
    - {{op: replace, path: /metadata/name, value: {name}-health}}
    - {{op: replace, path: /spec/clusterName, value: {name}}}
"""
        return {f"{home}/kustomization.yaml": overlay(number) + health}
    return {f"{home}/objects.yaml": plain(name)}


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
