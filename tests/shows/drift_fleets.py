"""A fleet of twenty small clusters in four styles, as git has it, whose clusters can be edited."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from clusterops.cli.shipped import shipped
from clusterops.model.bodies import with_leaf
from tests.fleet_objects import body
from tests.shows.impact_clusters import BOOT, CORE, INFRA, PLANE, VERSION, Bodies, cluster_class, plain, with_class

FLEET: Final = "steady"
STYLES: Final = ("plain", "older", "class", "chart")
"""Regions, and so namespaces; each is called by how its clusters are written."""
HEALING: Final = ("class", "chart")
"""Regions whose drift is healed; the others' is reported."""
CLASS: Final = "small"
BOUNDS: Final = (1, 3)
_MIN: Final = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
_MAX: Final = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
_BY_AUTOSCALER: Final = {_MIN: str(BOUNDS[0]), _MAX: str(BOUNDS[1])}


@dataclass(slots=True)
class Wish:
    """One cluster. ``note`` is a label of the Cluster; another ``seconds`` makes other machines of the workers.

    ``autoscaled`` gives it a pool ``batch`` that counts itself, beside ``general``.
    """

    region: str
    name: str
    autoscaled: bool
    minor: int = 33
    patch: int = 4
    planes: int = 1
    workers: int = 1
    note: str = "first"
    seconds: int = 1

    @property
    def target(self) -> str:
        return f"{self.region}/{self.name}"

    @property
    def version(self) -> str:
        return f"v1.{self.minor}.{self.patch}"

    def files(self) -> dict[str, bytes]:
        directory = f"clusters/{self.target}"
        if self.region == "chart":
            return {f"{directory}/values.yaml": yaml.safe_dump(_values(self)).encode()}
        return {f"{directory}/objects.yaml": yaml.safe_dump_all(_bare(_STYLES[self.region](self))).encode()}


def wishes(each: int = 5) -> list[Wish]:
    """So many of each style in turn, of three machines; every other one of a style has a pool for the autoscaler."""
    return [
        Wish(style, f"{style}-{number}", autoscaled=number % 2 == 0, workers=1 + number % 2)
        for number in range(each)
        for style in STYLES
    ]


def ground(shared: Bodies | None = None) -> dict[str, bytes]:
    """Everything but the clusters. Budgets and pace are wide open: it is drift that is looked for."""
    files = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {FLEET}\nmode: apply\n"
        "clouds: {dev: {chart: {path: charts/cluster-dev}}}\n"
        "policy: {budgets: {machinesRemoved: 100%, machinesReplaced: 100%}}\n"
        "rollout: {soak: 0s, maxConcurrentClusters: 100, maxMachinesInFlight: 1000}\n",
        "clouds/dev/values.yaml": "sizes: {s1: 1s, s2: 2s, s3: 3s}\ncontrolPlane: {size: s1}\n",
        "regions/class/shared/class.yaml": yaml.safe_dump_all(_bare(shared or cluster_class(CLASS))),
    }
    for style in STYLES:
        files[f"regions/{style}/region.yaml"] = "cloud: dev\ncredentials: {}\n"
        policy = "heal" if style in HEALING else "report"
        files[f"regions/{style}/values.yaml"] = f"clusterops: {{drift: {{policy: {policy}}}}}\n"
    return {path: text.encode() for path, text in files.items()} | _chart(shipped("charts"))


def _chart(charts: Path) -> dict[str, bytes]:
    home = charts / "cluster-dev"
    return {f"charts/cluster-dev/{each.relative_to(home)}": each.read_bytes() for each in home.rglob("*.*")}


def _values(wish: Wish) -> dict[str, Any]:
    pools: dict[str, Any] = {"general": {"replicas": wish.workers, "size": f"s{wish.seconds}"}}
    if wish.autoscaled:
        pools["batch"] = {"size": "s1", "autoscale": dict(zip(("min", "max"), BOUNDS, strict=True))}
    return {
        "version": wish.version,
        "controlPlane": {"replicas": wish.planes},
        "pools": pools,
        "clusterops": {"labels": {"note": wish.note}},
    }


def _plain(wish: Wish) -> Bodies:
    """All in v1beta2; the counts of autoscaled pools stand in git as well, as charts are prone to write them."""
    pools = {"general": wish.workers, **({"batch": BOUNDS[0]} if wish.autoscaled else {})}
    bodies = _versioned(plain(wish.name, planes=wish.planes, pools=pools), wish.version)
    bodies = [*bodies, _check(wish)]
    for one in bodies:
        metadata, kind = one["metadata"], one["kind"]
        if kind == "Cluster":
            metadata["labels"]["note"] = wish.note
        elif kind == "MachineDeployment" and metadata["name"].endswith("-batch"):
            metadata["annotations"].update(_BY_AUTOSCALER)
        elif kind == "DevMachineTemplate" and metadata["name"].endswith("-workers"):
            one["spec"]["template"]["metadata"] = {"labels": {"note": f"s{wish.seconds}"}}
    return bodies


def _older(wish: Wish) -> Bodies:
    """All in v1beta1, with what its conversion rewrites: durations, references, maps of arguments."""
    found = [_OLDER[one["kind"]](one) for one in _plain(wish)]
    for one in found:
        if one["kind"] == "MachineDeployment" and _MIN in one["metadata"]["annotations"]:
            del one["spec"]["replicas"]
    return found


def _class(wish: Wish) -> Bodies:
    found = with_class(wish.name, CLASS, planes=wish.planes, pools={"general": wish.workers})
    found["metadata"]["labels"]["note"] = wish.note
    topology = found["spec"]["topology"]
    topology["version"] = wish.version
    topology["variables"] = [{"name": "motd", "value": f"s{wish.seconds}"}]
    if wish.autoscaled:
        batch = {"class": "spare", "name": "batch", "metadata": {"annotations": _BY_AUTOSCALER}}
        topology["workers"]["machineDeployments"].append(batch)
    return [found]


_STYLES: Final[Mapping[str, Callable[[Wish], Bodies]]] = {"plain": _plain, "older": _older, "class": _class}


def _check(wish: Wish) -> dict[str, Any]:
    spec = {
        "clusterName": wish.name,
        "selector": {"matchLabels": {"pool": "general"}},
        "checks": {"unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 300}]},
    }
    return body(f"{CORE}/v1beta2", "MachineHealthCheck", f"{wish.name}-general", spec=spec)


def _versioned(bodies: Bodies, version: str) -> Bodies:
    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: changed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [changed(each) for each in value]
        return version if value == VERSION else value

    return [changed(one) for one in bodies]


def _bare(bodies: Bodies) -> Bodies:
    """As people write them: the tests' own marks are gone."""
    found = []
    for one in copy.deepcopy(bodies):
        metadata = one["metadata"]
        metadata.pop("namespace", None)
        metadata["labels"] = {key: text for key, text in metadata["labels"].items() if "clusterops" not in key}
        metadata["annotations"] = {key: text for key, text in metadata["annotations"].items() if "ops.io" not in key}
        one["metadata"] = {key: value for key, value in metadata.items() if value}
        found.append(one)
    return found


def _old(group: str, spec: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def converted(one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "apiVersion": f"{group}/v1beta1", "spec": spec(copy.deepcopy(one["spec"]))}

    return converted


def _reference(new: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{new['apiGroup']}/v1beta1", "kind": new["kind"], "name": new["name"]}


def _old_cluster(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, **{each: _reference(spec[each]) for each in ("controlPlaneRef", "infrastructureRef")}}


def _old_plane(spec: dict[str, Any]) -> dict[str, Any]:
    reference = _reference(spec["machineTemplate"]["spec"]["infrastructureRef"])
    arguments = {"audit-log-maxage": "30"}
    spec["machineTemplate"] = {"infrastructureRef": reference, "nodeDrainTimeout": "10m"}
    return with_leaf(spec, "/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs", arguments)


def _old_pool(spec: dict[str, Any]) -> dict[str, Any]:
    of_machines = spec["template"]["spec"]
    of_machines["bootstrap"] = {"configRef": _reference(of_machines["bootstrap"]["configRef"])}
    of_machines["infrastructureRef"] = _reference(of_machines["infrastructureRef"])
    of_machines["nodeDrainTimeout"] = "90s"
    rolling = {"maxSurge": 1, "maxUnavailable": 0, "deletePolicy": "Oldest"}
    return {**spec, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}, "minReadySeconds": 1}


def _old_check(spec: dict[str, Any]) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "Unknown", "timeout": "300s"}]
    return {
        **{key: value for key, value in spec.items() if key != "checks"},
        "unhealthyConditions": conditions,
        "maxUnhealthy": "40%",
        "nodeStartupTimeout": "20m",
    }


def _old_config(spec: dict[str, Any]) -> dict[str, Any]:
    return with_leaf(spec, "/template/spec/joinConfiguration/nodeRegistration/kubeletExtraArgs", {"v": "2"})


def _same(spec: dict[str, Any]) -> dict[str, Any]:
    return spec


_OLDER: Final = {
    "Cluster": _old(CORE, _old_cluster),
    "MachineDeployment": _old(CORE, _old_pool),
    "MachineHealthCheck": _old(CORE, _old_check),
    "KubeadmControlPlane": _old(PLANE, _old_plane),
    "KubeadmConfigTemplate": _old(BOOT, _old_config),
    "DevCluster": _old(INFRA, _same),
    "DevMachineTemplate": _old(INFRA, _same),
}
