"""A fleet of N clusters in ten regions, each a Kustomize overlay over one base of seven Cluster API objects."""

from __future__ import annotations

BASE = """\
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: c}
spec:
  clusterNetwork:
    pods: {cidrBlocks: ["192.168.0.0/16"]}
    services: {cidrBlocks: ["10.128.0.0/12"]}
    serviceDomain: cluster.local
  controlPlaneRef: {apiGroup: controlplane.cluster.x-k8s.io, kind: KubeadmControlPlane, name: c-cp}
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevCluster, name: c}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: DevCluster
metadata: {name: c, annotations: {fleet: scale}}
spec: {backend: {inMemory: {}}}
---
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: KubeadmControlPlane
metadata: {name: c-cp}
spec:
  replicas: 1
  version: v1.34.0
  machineTemplate:
    spec:
      infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevMachineTemplate, name: c-cp}
  kubeadmConfigSpec:
    initConfiguration:
      nodeRegistration: {criSocket: "unix:///var/run/containerd/containerd.sock"}
    joinConfiguration:
      nodeRegistration: {criSocket: "unix:///var/run/containerd/containerd.sock"}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: DevMachineTemplate
metadata: {name: c-cp}
spec: {template: {spec: {backend: {inMemory: {}}}}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: DevMachineTemplate
metadata: {name: c-md-0}
spec: {template: {spec: {backend: {inMemory: {}}}}}
---
apiVersion: bootstrap.cluster.x-k8s.io/v1beta2
kind: KubeadmConfigTemplate
metadata: {name: c-md-0}
spec:
  template:
    spec:
      joinConfiguration:
        nodeRegistration: {criSocket: "unix:///var/run/containerd/containerd.sock"}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata: {name: c-md-0}
spec:
  clusterName: c
  replicas: 2
  selector: {matchLabels: {}}
  template:
    spec:
      clusterName: c
      version: v1.34.0
      bootstrap:
        configRef: {apiGroup: bootstrap.cluster.x-k8s.io, kind: KubeadmConfigTemplate, name: c-md-0}
      infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevMachineTemplate, name: c-md-0}
"""

_PATCHES = (
    ("Cluster", "", {"/metadata/name": "", "/spec/controlPlaneRef/name": "-cp", "/spec/infrastructureRef/name": ""}),
    ("DevCluster", "", {"/metadata/name": ""}),
    (
        "KubeadmControlPlane",
        "",
        {"/metadata/name": "-cp", "/spec/machineTemplate/spec/infrastructureRef/name": "-cp"},
    ),
    ("DevMachineTemplate", "c-cp", {"/metadata/name": "-cp"}),
    ("DevMachineTemplate", "c-md-0", {"/metadata/name": "-md-0"}),
    ("KubeadmConfigTemplate", "", {"/metadata/name": "-md-0"}),
    (
        "MachineDeployment",
        "",
        {
            "/metadata/name": "-md-0",
            "/spec/clusterName": "",
            "/spec/template/spec/clusterName": "",
            "/spec/template/spec/bootstrap/configRef/name": "-md-0",
            "/spec/template/spec/infrastructureRef/name": "-md-0",
        },
    ),
)


def fleet_files(clusters: int, *, regions: int = 10) -> dict[str, bytes]:
    """Path to content of the whole repository."""
    files = {
        "fleet.yaml": "apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: scale\nmode: apply\n"
        "clouds: {dev: {chart: {path: charts/unused}}}\n",
        "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
        "base/objects.yaml": BASE,
        "base/kustomization.yaml": "resources: [objects.yaml]\n",
        "README.md": "nobody renders this\n",
    }
    for number in range(regions):
        files[f"regions/r{number}/region.yaml"] = "cloud: dev\ncredentials: {secret: none, cloud: dev}\n"
    for number in range(clusters):
        files[overlay_path(number, regions=regions)] = overlay(number)
    return {path: text.encode() for path, text in files.items()}


def overlay_path(number: int, *, regions: int = 10) -> str:
    return f"clusters/r{number % regions}/c{number:04d}/kustomization.yaml"


def overlay(number: int, *, replicas: int = 2) -> str:
    """The kustomization of one cluster."""
    name = f"c{number:04d}"
    lines = ["resources: [../../../base]", "patches:"]
    for kind, base_name, changes in _PATCHES:
        selector = f"{{kind: {kind}, name: {base_name}}}" if base_name else f"{{kind: {kind}}}"
        lines += [f"- target: {selector}", "  patch: |"]
        lines += [f"    - {{op: replace, path: {path}, value: {name}{suffix}}}" for path, suffix in changes.items()]
        if kind == "MachineDeployment":
            lines.append(f"    - {{op: replace, path: /spec/replicas, value: {replicas}}}")
    return "\n".join(lines) + "\n"
