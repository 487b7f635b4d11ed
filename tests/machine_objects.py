"""The Machines of ``fleet_objects.cluster_bodies``, and what Cluster API makes them from."""

from __future__ import annotations

from typing import Any

from tests.fleet_objects import reference

CORE, BOOT = "cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
INFRA, PLANE = "infrastructure.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io"
NODE = {"nodeRegistration": {"criSocket": "unix:///c.sock"}}


def made(
    api_version: str, kind: str, name: str, *, owner: tuple[str, str, str], cluster: str = "alpha", **content: Any
) -> dict[str, Any]:
    """An object of a controller; ``owner`` is (group, kind, name)."""
    group, owner_kind, owner_name = owner
    controller = {"apiVersion": f"{group}/v1beta2", "kind": owner_kind, "name": owner_name, "controller": True}
    metadata = {
        "name": name,
        "namespace": "north",
        "labels": {"cluster.x-k8s.io/cluster-name": cluster, **content.pop("labels", {})},
        "annotations": content.pop("annotations", {}),
        "ownerReferences": [{**controller, "uid": "made"}],
        "creationTimestamp": content.pop("created", "2026-11-20T08:00:00Z"),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def machines_of(
    cluster: str = "alpha", *, workers: int = 2, planes: int = 1, version: str = "v1.33.4"
) -> list[dict[str, Any]]:
    """Control-plane Machines with their KubeadmConfigs and infrastructure, one MachineSet with its Machines."""
    found = [one for number in range(planes) for one in plane_machine(f"{cluster}-cp-{number}", cluster, version)]
    found.append(machine_set(f"{cluster}-general-1", cluster, version=version, replicas=workers))
    found.extend(worker(f"{cluster}-general-1-{number}", f"{cluster}-general-1", cluster) for number in range(workers))
    return found


def plane_machine(name: str, cluster: str = "alpha", version: str = "v1.33.4") -> list[dict[str, Any]]:
    gates = {"featureGates": {"ControlPlaneKubeletLocalMode": True}}
    config = {"clusterConfiguration": gates, "initConfiguration": NODE, "format": "cloud-config"}
    cloned = {
        "cluster.x-k8s.io/cloned-from-name": f"{cluster}-cp",
        "cluster.x-k8s.io/cloned-from-groupkind": f"DevMachineTemplate.{INFRA}",
    }
    bootstrap = {"configRef": reference(BOOT, "KubeadmConfig", name)}
    spec = {"clusterName": cluster, "version": version, "bootstrap": bootstrap}
    machine, owner = (CORE, "Machine", name), (PLANE, "KubeadmControlPlane", f"{cluster}-cp")
    return [
        made(f"{CORE}/v1beta2", "Machine", name, owner=owner, cluster=cluster, spec=spec),
        made(f"{BOOT}/v1beta2", "KubeadmConfig", name, owner=machine, cluster=cluster, spec=config),
        made(f"{INFRA}/v1beta2", "DevMachine", name, owner=machine, cluster=cluster, annotations=cloned, spec={}),
    ]


def machine_set(
    name: str,
    cluster: str = "alpha",
    *,
    version: str = "v1.33.4",
    replicas: int = 2,
    machines: str = "",
    created: str = "2026-11-20T08:00:00Z",
) -> dict[str, Any]:
    template = {
        "clusterName": cluster,
        "version": version,
        "bootstrap": {"configRef": reference(BOOT, "KubeadmConfigTemplate", f"{cluster}-general")},
        "infrastructureRef": reference(INFRA, "DevMachineTemplate", machines or f"{cluster}-general"),
    }
    spec = {"clusterName": cluster, "replicas": replicas, "template": {"spec": template}}
    owner = (CORE, "MachineDeployment", f"{cluster}-general")
    return made(f"{CORE}/v1beta2", "MachineSet", name, owner=owner, cluster=cluster, spec=spec, created=created)


def worker(name: str, owner: str, cluster: str = "alpha") -> dict[str, Any]:
    labels = {"cluster.x-k8s.io/deployment-name": f"{cluster}-general"}
    spec = {"clusterName": cluster}
    set_owner = (CORE, "MachineSet", owner)
    return made(f"{CORE}/v1beta2", "Machine", name, owner=set_owner, cluster=cluster, labels=labels, spec=spec)


def topology_objects(
    cluster: str = "alpha", *, class_name: str = "small", workers: int = 2, version: str = "v1.33.4"
) -> list[dict[str, Any]]:
    """What ``fleet_objects.topology_bodies`` is generated into, with Machines."""
    owned = {"topology.cluster.x-k8s.io/owned": ""}
    of_pool = {**owned, "topology.cluster.x-k8s.io/deployment-name": "general"}
    memory: dict[str, Any] = {"template": {"spec": {"backend": {"inMemory": {}}}}}
    joining = {"template": {"spec": {"joinConfiguration": NODE}}}
    plane = {
        "replicas": 1,
        "version": version,
        "machineTemplate": {"spec": {"infrastructureRef": reference(INFRA, "DevMachineTemplate", f"{cluster}-cp")}},
        "kubeadmConfigSpec": {"initConfiguration": NODE, "joinConfiguration": NODE},
    }
    pool = {
        "clusterName": cluster,
        "replicas": workers,
        "template": machine_set("x", cluster, version=version)["spec"]["template"],
    }
    home, general = (CORE, "Cluster", cluster), f"{cluster}-general"
    found = [
        made(
            f"{PLANE}/v1beta2",
            "KubeadmControlPlane",
            f"{cluster}-cp",
            owner=home,
            cluster=cluster,
            labels=owned,
            spec=plane,
        ),
        made(
            f"{INFRA}/v1beta2",
            "DevMachineTemplate",
            f"{cluster}-cp",
            owner=home,
            cluster=cluster,
            labels=owned,
            spec=memory,
        ),
        made(f"{CORE}/v1beta2", "MachineDeployment", general, owner=home, cluster=cluster, labels=of_pool, spec=pool),
        made(
            f"{INFRA}/v1beta2", "DevMachineTemplate", general, owner=home, cluster=cluster, labels=of_pool, spec=memory
        ),
        made(
            f"{BOOT}/v1beta2",
            "KubeadmConfigTemplate",
            general,
            owner=home,
            cluster=cluster,
            labels=of_pool,
            spec=joining,
        ),
    ]
    machines = machines_of(cluster, workers=workers, version=version)
    for one in machines:
        one["metadata"]["labels"].update(
            of_pool if one["kind"] in {"MachineSet", "Machine"} and "general" in one["metadata"]["name"] else owned
        )
    return [*found, *machines]
