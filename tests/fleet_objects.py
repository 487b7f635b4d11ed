"""Targets, and the objects of small clusters, for tests of plan, apply and health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clusterops.apply import predict, predict_removals
from clusterops.model.deletion import NO_PERMITS, Permits
from clusterops.model.drift import NO_HEALING, Healing
from clusterops.model.fleet import Mode, PlainRecipe, Target
from clusterops.model.inventory import Entry, Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest, Provenance, RenderedSet
from clusterops.model.neighbours import NOBODY, Neighbours
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem
from clusterops.model.secret import NO_SECRETS, SecretValues
from clusterops.plan import (
    also_read,
    bereft,
    build_plan,
    may_differ,
    neighbourhood,
    prepare,
    replaced,
    versions_to_read,
)
from clusterops.plan.classes import NO_CLASSES, Classes
from clusterops.ports import Cluster

NORTH_ALPHA = "north/alpha"


def target(name: str = NORTH_ALPHA) -> Target:
    return Target(
        name=name,
        fleet="demo",
        region=None,
        cluster=name.rpartition("/")[2],
        namespace=name.partition("/")[0],
        mode=Mode.APPLY,
        recipe=PlainRecipe(files=()),
    )


def body(api_version: str, kind: str, name: str, namespace: str | None = "north", **content: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "labels": {"clusterops.io/fleet": "demo"},
        "annotations": {"clusterops.io/target": NORTH_ALPHA},
    }
    if namespace:
        metadata["namespace"] = namespace
    for part, values in dict(content.pop("metadata", {})).items():
        metadata[part] = {**metadata.get(part, {}), **values}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def rendered(
    bodies: Sequence[Mapping[str, Any]],
    *,
    inputs: str = "tree",
    of: str = NORTH_ALPHA,
    secrets: SecretValues = NO_SECRETS,
) -> RenderedSet:
    manifests = tuple(Manifest.of(one) for one in bodies)
    return RenderedSet(manifests=manifests, provenance=Provenance(target=of, inputs=inputs), secrets=secrets)


def reference(group: str, kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": group, "kind": kind, "name": name}


def cluster_bodies(
    name: str = "alpha",
    *,
    workers: int = 2,
    version: str = "v1.33.4",
    infrastructure: str = "DevCluster",
) -> list[dict[str, Any]]:
    """Nine objects: a Secret, a ConfigMap, templates, Cluster, infrastructure, control plane, pool, health check."""
    core, boot = "cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
    infra, plane = "infrastructure.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io"
    machine_template: dict[str, Any] = {"template": {"spec": {"backend": {"inMemory": {}}}}}
    control_plane = {
        "replicas": 1,
        "version": version,
        "machineTemplate": {"spec": {"infrastructureRef": reference(infra, "DevMachineTemplate", f"{name}-cp")}},
        "kubeadmConfigSpec": {"initConfiguration": {"nodeRegistration": {"criSocket": "unix:///c.sock"}}},
    }
    pool = {
        "clusterName": name,
        "replicas": workers,
        "selector": {"matchLabels": {"pool": "general"}},
        "template": {
            "metadata": {"labels": {"pool": "general"}},
            "spec": {
                "clusterName": name,
                "version": version,
                "bootstrap": {"configRef": reference(boot, "KubeadmConfigTemplate", f"{name}-general")},
                "infrastructureRef": reference(infra, "DevMachineTemplate", f"{name}-general"),
            },
        },
    }
    joining = {"template": {"spec": {"joinConfiguration": {"nodeRegistration": {"criSocket": "unix:///c.sock"}}}}}
    spec = {
        "clusterNetwork": {"pods": {"cidrBlocks": ["10.244.0.0/16"]}},
        "controlPlaneRef": reference(plane, "KubeadmControlPlane", f"{name}-cp"),
        "infrastructureRef": reference(infra, infrastructure, name),
    }
    check = {
        "clusterName": name,
        "selector": {"matchLabels": {"pool": "general"}},
        "checks": {"unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 300}]},
    }
    return [
        body("v1", "Secret", f"{name}-cloud", stringData={"token": "CANARY-1"}),
        body("v1", "ConfigMap", f"{name}-notes", data={"text": "hello"}),
        body(f"{infra}/v1beta2", "DevMachineTemplate", f"{name}-cp", spec=machine_template),
        body(f"{infra}/v1beta2", "DevMachineTemplate", f"{name}-general", spec=machine_template),
        body(f"{boot}/v1beta2", "KubeadmConfigTemplate", f"{name}-general", spec=joining),
        body(f"{core}/v1beta2", "Cluster", name, spec=spec),
        body(f"{infra}/v1beta2", infrastructure, name, spec={"backend": {"inMemory": {}}}),
        body(f"{plane}/v1beta2", "KubeadmControlPlane", f"{name}-cp", spec=control_plane),
        body(f"{core}/v1beta2", "MachineDeployment", f"{name}-general", spec=pool),
        body(f"{core}/v1beta2", "MachineHealthCheck", f"{name}-general", spec=check),
    ]


def topology_bodies(
    name: str = "alpha", *, workers: int = 2, version: str = "v1.33.4", class_name: str = "small"
) -> list[dict[str, Any]]:
    """A ClusterClass with its templates, and a Cluster whose topology names it."""
    core, boot = "cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
    infra, plane = "infrastructure.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io"
    memory: dict[str, Any] = {"template": {"spec": {"backend": {"inMemory": {}}}}}
    annotated = {"template": {"metadata": {"annotations": {"made-by": "test"}}, **memory["template"]}}
    node = {"nodeRegistration": {"criSocket": "unix:///c.sock"}}
    kubeadm = {"template": {"spec": {"kubeadmConfigSpec": {"initConfiguration": node, "joinConfiguration": node}}}}

    def template(group: str, kind: str, ending: str) -> dict[str, Any]:
        return {"templateRef": {"apiVersion": f"{group}/v1beta2", "kind": kind, "name": f"{class_name}-{ending}"}}

    spec = {
        "infrastructure": template(infra, "DevClusterTemplate", "cluster"),
        "controlPlane": {
            **template(plane, "KubeadmControlPlaneTemplate", "cp"),
            "machineInfrastructure": template(infra, "DevMachineTemplate", "cp"),
        },
        "workers": {
            "machineDeployments": [
                {
                    "class": "worker",
                    "bootstrap": template(boot, "KubeadmConfigTemplate", "worker"),
                    "infrastructure": template(infra, "DevMachineTemplate", "worker"),
                }
            ]
        },
    }
    topology = {
        "classRef": {"name": class_name},
        "version": version,
        "controlPlane": {"replicas": 1},
        "workers": {"machineDeployments": [{"class": "worker", "name": "general", "replicas": workers}]},
    }
    return [
        body(f"{infra}/v1beta2", "DevClusterTemplate", f"{class_name}-cluster", spec=annotated),
        body(f"{plane}/v1beta2", "KubeadmControlPlaneTemplate", f"{class_name}-cp", spec=kubeadm),
        body(f"{infra}/v1beta2", "DevMachineTemplate", f"{class_name}-cp", spec=memory),
        body(f"{infra}/v1beta2", "DevMachineTemplate", f"{class_name}-worker", spec=memory),
        body(
            f"{boot}/v1beta2",
            "KubeadmConfigTemplate",
            f"{class_name}-worker",
            spec={"template": {"spec": {"joinConfiguration": node}}},
        ),
        body(f"{core}/v1beta2", "ClusterClass", class_name, spec=spec),
        body(f"{core}/v1beta2", "Cluster", name, spec={"topology": topology}),
    ]


class MemoryStore:
    """An inventory store; ``log`` counts its writes."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.log: list[tuple[Entry, ...]] = []

    async def widen(self, entries: Sequence[Entry], *, revision: str) -> None:
        self.log.append(tuple(entries))
        self.inventory = self.inventory.widened(entries, revision=revision)


async def read_and_plan(
    cluster: Cluster,
    bodies: Sequence[Mapping[str, Any]],
    inventory: Inventory,
    *,
    dry_run: bool = True,
    inputs: str = "tree",
    permits: Permits = NO_PERMITS,
    healing: Healing = NO_HEALING,
    classes: Classes = NO_CLASSES,
    secrets: SecretValues = NO_SECRETS,
) -> Plan:
    """What the controller does before a verdict: read, dry-run what may differ, plan. The inventory says whose."""
    wanted = rendered(bodies, inputs=inputs, of=inventory.owner, secrets=secrets)
    live: LiveSet = await cluster.read_as(versions_to_read(wanted, inventory))
    while more := also_read(wanted, live, inventory, classes):
        live = LiveSet({**live.objects, **(await cluster.read(more)).objects})
    prepared = prepare(wanted, live, inventory, healing, classes)
    asked = may_differ(prepared, live) if dry_run else ()
    forced = [key for key, one in prepared.wanted.items() if one.takes]
    predictions: dict[ObjectKey, LiveObject | Problem] = await predict(cluster, asked, live, forced=forced)
    if dry_run:
        predictions |= await predict_removals(cluster, replaced(prepared, live, predictions), live)
    neighbours = NOBODY
    while queries := neighbourhood(prepared, live, inventory, neighbours):
        answers = {
            one: await cluster.list_objects(one.group, one.kind, namespace=one.namespace, labels=one.labels)
            for one in sorted(queries)
        }
        neighbours = Neighbours({**neighbours.answers, **answers})
    return build_plan(
        target=target(inventory.owner),
        revision="c1",
        prepared=prepared,
        live=live,
        inventory=inventory,
        predictions=predictions,
        remainders=await predict_removals(cluster, bereft(prepared, live) if dry_run else (), live),
        neighbours=neighbours,
        permits=permits,
    )
