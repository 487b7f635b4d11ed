"""Small clusters of the in-memory provider, as git would have them: plain, or of a ClusterClass."""

from __future__ import annotations

from typing import Any

from tests.fleet_objects import body, reference

CORE, BOOT = "cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
INFRA, PLANE = "infrastructure.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io"
VERSION = "v1.33.4"
Bodies = list[dict[str, Any]]


def machine_template(
    name: str, *, seconds: int = 1, note: str = "", kind: str = "DevMachineTemplate"
) -> dict[str, Any]:
    """``seconds`` is how long each part of a machine takes to come up; ``note`` makes the content another one."""
    part = {"provisioning": {"startupDuration": f"{seconds}s", "startupJitter": "0.1"}}
    backend = {"inMemory": {"vm": part, "node": part, "apiServer": part, "etcd": part}}
    template: dict[str, Any] = {"spec": {"backend": backend}}
    if note:
        template["metadata"] = {"labels": {"note": note}}
    return body(f"{INFRA}/v1beta2", kind, name, spec={"template": template})


def config_template(name: str, **spec: Any) -> dict[str, Any]:
    joining = {"joinConfiguration": {"nodeRegistration": {"criSocket": "unix:///c.sock"}}, **spec}
    return body(f"{BOOT}/v1beta2", "KubeadmConfigTemplate", name, spec={"template": {"spec": joining}})


def pool(cluster: str, name: str, workers: int, *, template: str = "", config: str = "") -> dict[str, Any]:
    spec = {
        "clusterName": cluster,
        "replicas": workers,
        "selector": {"matchLabels": {"pool": name}},
        "template": {
            "metadata": {"labels": {"pool": name}},
            "spec": {
                "clusterName": cluster,
                "version": VERSION,
                "bootstrap": {"configRef": reference(BOOT, "KubeadmConfigTemplate", config or f"{cluster}-workers")},
                "infrastructureRef": reference(INFRA, "DevMachineTemplate", template or f"{cluster}-workers"),
            },
        },
    }
    return body(f"{CORE}/v1beta2", "MachineDeployment", f"{cluster}-{name}", spec=spec)


def plain(name: str, *, planes: int = 1, pools: dict[str, int] | None = None, seconds: int = 1) -> Bodies:
    control_plane = {
        "replicas": planes,
        "version": VERSION,
        "machineTemplate": {"spec": {"infrastructureRef": reference(INFRA, "DevMachineTemplate", f"{name}-planes")}},
        "kubeadmConfigSpec": {
            "clusterConfiguration": {"apiServer": {"certSANs": ["localhost"]}},
            "initConfiguration": {"nodeRegistration": {"criSocket": "unix:///c.sock"}},
            "joinConfiguration": {"nodeRegistration": {"criSocket": "unix:///c.sock"}},
        },
    }
    spec = {
        "clusterNetwork": {"pods": {"cidrBlocks": ["10.244.0.0/16"]}, "services": {"cidrBlocks": ["10.96.0.0/16"]}},
        "controlPlaneRef": reference(PLANE, "KubeadmControlPlane", f"{name}-planes"),
        "infrastructureRef": reference(INFRA, "DevCluster", name),
    }
    return [
        machine_template(f"{name}-planes", seconds=seconds),
        machine_template(f"{name}-workers", seconds=seconds),
        config_template(f"{name}-workers"),
        body(f"{CORE}/v1beta2", "Cluster", name, spec=spec),
        body(f"{INFRA}/v1beta2", "DevCluster", name, spec={"backend": {"inMemory": {}}}),
        body(f"{PLANE}/v1beta2", "KubeadmControlPlane", f"{name}-planes", spec=control_plane),
        *(pool(name, each, workers) for each, workers in (pools or {"general": 2}).items()),
    ]


def cluster_class(name: str, *, seconds: int = 1) -> Bodies:
    """A class with two worker classes, variables, and inline patches: a value, a variable, a template, a condition."""
    annotated = {"metadata": {"annotations": {"made-by": "show"}}, "spec": {"backend": {"inMemory": {}}}}
    node = {"nodeRegistration": {"criSocket": "unix:///c.sock"}}
    kubeadm = {
        "clusterConfiguration": {"apiServer": {"certSANs": ["localhost"]}},
        "initConfiguration": node,
        "joinConfiguration": node,
    }
    planes = {"template": {"spec": {"kubeadmConfigSpec": kubeadm}}}

    def template(group: str, kind: str, ending: str) -> dict[str, Any]:
        return {"templateRef": {"apiVersion": f"{group}/v1beta2", "kind": kind, "name": f"{name}-{ending}"}}

    def workers(kind: str) -> dict[str, Any]:
        return {
            "class": kind,
            "bootstrap": template(BOOT, "KubeadmConfigTemplate", kind),
            "infrastructure": template(INFRA, "DevMachineTemplate", kind),
        }

    string = {"openAPIV3Schema": {"type": "string"}}
    spec = {
        "infrastructure": template(INFRA, "DevClusterTemplate", "cluster"),
        "controlPlane": {
            **template(PLANE, "KubeadmControlPlaneTemplate", "planes"),
            "machineInfrastructure": template(INFRA, "DevMachineTemplate", "planes"),
        },
        "workers": {"machineDeployments": [workers("worker"), workers("spare")]},
        "variables": [
            {"name": "audit", "required": False, "schema": string},
            {"name": "motd", "required": False, "schema": {"openAPIV3Schema": {"type": "string", "default": "hello"}}},
            {"name": "unused", "required": False, "schema": string},
            {"name": "strict", "required": False, "schema": {"openAPIV3Schema": {"type": "boolean", "default": False}}},
        ],
        "patches": [_audit(), _motd(), _strict()],
    }
    return [
        body(f"{INFRA}/v1beta2", "DevClusterTemplate", f"{name}-cluster", spec={"template": annotated}),
        body(f"{PLANE}/v1beta2", "KubeadmControlPlaneTemplate", f"{name}-planes", spec=planes),
        machine_template(f"{name}-planes", seconds=seconds),
        machine_template(f"{name}-worker", seconds=seconds),
        machine_template(f"{name}-spare", seconds=seconds),
        config_template(f"{name}-worker"),
        config_template(f"{name}-spare"),
        body(f"{CORE}/v1beta2", "ClusterClass", name, spec=spec),
    ]


def with_class(name: str, class_name: str, *, planes: int = 1, pools: dict[str, int] | None = None) -> dict[str, Any]:
    """A Cluster with a topology of that class; all pools are of class ``worker``."""
    deployments = [
        {"class": "worker", "name": each, "replicas": count} for each, count in (pools or {"general": 2}).items()
    ]
    topology = {
        "classRef": {"name": class_name},
        "version": VERSION,
        "controlPlane": {"replicas": planes},
        "workers": {"machineDeployments": deployments},
    }
    network = {"pods": {"cidrBlocks": ["10.244.0.0/16"]}, "services": {"cidrBlocks": ["10.96.0.0/16"]}}
    return body(f"{CORE}/v1beta2", "Cluster", name, spec={"clusterNetwork": network, "topology": topology})


def _selector(kind: str, **match: Any) -> dict[str, Any]:
    group = {"KubeadmControlPlaneTemplate": PLANE, "KubeadmConfigTemplate": BOOT}.get(kind, INFRA)
    return {"apiVersion": f"{group}/v1beta2", "kind": kind, "matchResources": match}


def _audit() -> dict[str, Any]:
    """A variable becomes an argument of the API server, where it is set."""
    path = "/spec/template/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs"
    value = {"template": '[{"name": "audit-log-maxage", "value": "{{ .audit }}"}]'}
    definition = {
        "selector": _selector("KubeadmControlPlaneTemplate", controlPlane=True),
        "jsonPatches": [{"op": "add", "path": path, "valueFrom": value}],
    }
    return {"name": "audit", "enabledIf": "{{ if .audit }}true{{ end }}", "definitions": [definition]}


def _motd() -> dict[str, Any]:
    """A variable becomes a command of the workers."""
    definition = {
        "selector": _selector("KubeadmConfigTemplate", machineDeploymentClass={"names": ["worker"]}),
        "jsonPatches": [
            {"op": "add", "path": "/spec/template/spec/preKubeadmCommands", "value": []},
            {"op": "add", "path": "/spec/template/spec/preKubeadmCommands/-", "valueFrom": {"variable": "motd"}},
        ],
    }
    return {"name": "motd", "definitions": [definition]}


def _strict() -> dict[str, Any]:
    """A condition, and the builtin name of the cluster, for the control plane's machines."""
    value = {"template": '{"strict": "{{ .builtin.cluster.name }}"}'}
    definition = {
        "selector": _selector("DevMachineTemplate", controlPlane=True),
        "jsonPatches": [
            {"op": "add", "path": "/spec/template/metadata", "value": {}},
            {"op": "add", "path": "/spec/template/metadata/labels", "valueFrom": value},
        ],
    }
    return {"name": "strict", "enabledIf": "{{ .strict }}", "definitions": [definition]}


def in_v1beta1(bodies: Bodies) -> Bodies:
    """Control plane and pools of ``plain`` as older charts write them."""
    return [_OLDER.get(one["kind"], lambda body: body)(one) for one in bodies]


def _old_reference(reference: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{reference['apiGroup']}/v1beta1", "kind": reference["kind"], "name": reference["name"]}


def _old_plane(one: dict[str, Any]) -> dict[str, Any]:
    spec = dict(one["spec"])
    spec["machineTemplate"] = {
        "infrastructureRef": _old_reference(spec["machineTemplate"]["spec"]["infrastructureRef"])
    }
    return {**one, "apiVersion": f"{PLANE}/v1beta1", "spec": spec}


def _old_pool(one: dict[str, Any]) -> dict[str, Any]:
    template = dict(one["spec"]["template"]["spec"])
    template["bootstrap"] = {"configRef": _old_reference(template["bootstrap"]["configRef"])}
    template["infrastructureRef"] = _old_reference(template["infrastructureRef"])
    return {
        **one,
        "apiVersion": f"{CORE}/v1beta1",
        "spec": {**one["spec"], "template": {**one["spec"]["template"], "spec": template}},
    }


_OLDER = {"KubeadmControlPlane": _old_plane, "MachineDeployment": _old_pool}
