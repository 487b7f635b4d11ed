"""Two clusters as git would hold them, one of plain objects and one of a ClusterClass, that can be edited."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fleet_objects import body, reference
from tests.shows.health_watch import BOOT, CORE, INFRA, PLANE

NODE = {"nodeRegistration": {"criSocket": "unix:///c.sock"}}


@dataclass(slots=True)
class Wish:
    """What the objects say, in one place. A template's number is its generation: another one rolls."""

    namespace: str
    version: str = "v1.33.4"
    control_plane: int = 1
    control_plane_template: int = 1
    pools: dict[str, int] = field(default_factory=lambda: {"general": 2})
    pool_template: int = 1
    pool_template_word: str = "pool"
    paused: bool = False

    @property
    def control_plane_template_name(self) -> str:
        return f"cp-{self.control_plane_template}"

    @property
    def pool_template_name(self) -> str:
        return f"{self.pool_template_word}-{self.pool_template}"


class Style(Protocol):
    def __call__(self, wish: Wish) -> list[dict[str, Any]]: ...


def plain(wish: Wish) -> list[dict[str, Any]]:
    plane = {
        "replicas": wish.control_plane,
        "version": wish.version,
        "machineTemplate": {
            "spec": {"infrastructureRef": reference(INFRA, "DevMachineTemplate", wish.control_plane_template_name)}
        },
        "kubeadmConfigSpec": {"initConfiguration": NODE, "joinConfiguration": NODE},
    }
    spec = {
        "paused": wish.paused,
        "clusterNetwork": {"pods": {"cidrBlocks": ["10.244.0.0/16"]}},
        "controlPlaneRef": reference(PLANE, "KubeadmControlPlane", "alpha"),
        "infrastructureRef": reference(INFRA, "DevCluster", "alpha"),
    }
    return placed(
        wish,
        [
            *templates(wish),
            one(CORE, "Cluster", "alpha", spec),
            one(INFRA, "DevCluster", "alpha", {"backend": {"inMemory": {}}}),
            one(PLANE, "KubeadmControlPlane", "alpha", plane),
            *(pool(wish, name, count) for name, count in wish.pools.items()),
            *checks(),
        ],
    )


def pool(wish: Wish, name: str, count: int) -> dict[str, Any]:
    spec = {
        "clusterName": "alpha",
        "version": wish.version,
        "bootstrap": {"configRef": reference(BOOT, "KubeadmConfigTemplate", "pool")},
        "infrastructureRef": reference(INFRA, "DevMachineTemplate", wish.pool_template_name),
    }
    labels = {"labels": {"pool": name}}
    content = {
        "clusterName": "alpha",
        "replicas": count,
        "selector": {"matchLabels": {"pool": name}},
        "template": {"metadata": labels, "spec": spec},
    }
    return one(CORE, "MachineDeployment", f"alpha-{name}", content)


def classed(wish: Wish) -> list[dict[str, Any]]:
    topology = {
        "classRef": {"name": "small"},
        "version": wish.version,
        "controlPlane": {"replicas": wish.control_plane},
        "workers": {
            "machineDeployments": [
                {"class": "worker", "name": name, "replicas": count, "metadata": {"labels": {"pool": name}}}
                for name, count in wish.pools.items()
            ]
        },
    }
    return placed(
        wish,
        [
            *templates(wish),
            one(
                INFRA,
                "DevClusterTemplate",
                "cluster",
                {"template": {"metadata": {"annotations": {"made-by": "show"}}, "spec": {"backend": {"inMemory": {}}}}},
            ),
            one(
                PLANE,
                "KubeadmControlPlaneTemplate",
                "plane",
                {"template": {"spec": {"kubeadmConfigSpec": {"initConfiguration": NODE, "joinConfiguration": NODE}}}},
            ),
            one(CORE, "ClusterClass", "small", cluster_class(wish)),
            one(CORE, "Cluster", "alpha", {"paused": wish.paused, "topology": topology}),
            *checks(),
        ],
    )


def cluster_class(wish: Wish) -> dict[str, Any]:
    def used(group: str, kind: str, name: str) -> dict[str, Any]:
        return {"templateRef": {"apiVersion": f"{group}/v1beta2", "kind": kind, "name": name}}

    worker = {
        "class": "worker",
        "bootstrap": used(BOOT, "KubeadmConfigTemplate", "pool"),
        "infrastructure": used(INFRA, "DevMachineTemplate", wish.pool_template_name),
    }
    return {
        "infrastructure": used(INFRA, "DevClusterTemplate", "cluster"),
        "controlPlane": {
            **used(PLANE, "KubeadmControlPlaneTemplate", "plane"),
            "machineInfrastructure": used(INFRA, "DevMachineTemplate", wish.control_plane_template_name),
        },
        "workers": {"machineDeployments": [worker]},
    }


def templates(wish: Wish) -> list[dict[str, Any]]:
    return [
        machine_template(wish.control_plane_template_name, wish.control_plane_template),
        machine_template(wish.pool_template_name, wish.pool_template),
        one(BOOT, "KubeadmConfigTemplate", "pool", {"template": {"spec": {"joinConfiguration": NODE}}}),
    ]


def machine_template(name: str, number: int) -> dict[str, Any]:
    def after(text: str) -> dict[str, Any]:
        return {"provisioning": {"startupDuration": text, "startupJitter": "0.1"}}

    memory = {"vm": after(f"1{number}00ms"), "node": after("1s"), "apiServer": after("1s"), "etcd": after("1s")}
    return one(INFRA, "DevMachineTemplate", name, {"template": {"spec": {"backend": {"inMemory": memory}}}})


def checks() -> list[dict[str, Any]]:
    """One for pool general and one for the control plane: both remediate a Machine that is marked for it."""
    silent = {"unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 300}]}

    def check(name: str, labels: dict[str, str]) -> dict[str, Any]:
        content = {"clusterName": "alpha", "selector": {"matchLabels": labels}, "checks": silent}
        return one(CORE, "MachineHealthCheck", name, content)

    return [
        check("alpha-general", {"pool": "general"}),
        check("alpha-control-plane", {"cluster.x-k8s.io/control-plane": ""}),
    ]


def one(group: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return body(f"{group}/v1beta2", kind, name, spec=spec)


def placed(wish: Wish, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for each in bodies:
        each["metadata"]["namespace"] = wish.namespace
    return bodies
