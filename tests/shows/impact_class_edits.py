"""Edits of clusters with a ClusterClass: of their topologies, and of the class itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.shows.impact_clusters import (
    Bodies,
    cluster_class,
    config_template,
    machine_template,
    with_class,
)
from tests.shows.impact_lane import Edit, each_of, one_of, set_at
from tests.shows.impact_script import Change, Script, begins, content_of, new, nothing, rolls


def class_scripts() -> tuple[Script, ...]:
    one, two, large = cluster_class("small"), cluster_class("shared"), cluster_class("large")
    slow = cluster_class("slow", seconds=3)
    return (
        Script(name="topology", bodies=[*one, with_class("seven", "small")], edits=_topology()),
        Script(name="more-topology", bodies=[*large, with_class("twelve", "large")], edits=_more_topology()),
        Script(
            name="fan-out",
            bodies=[
                *two,
                with_class("eight", "shared", pools={"general": 1}),
                with_class("nine", "shared", pools={"general": 1}),
            ],
            edits=_fan_out(),
        ),
        Script(
            name="topology-unfinished",
            bodies=[*slow, with_class("ten", "slow", pools={"general": 3})],
            edits=_topology_unfinished(),
        ),
    )


TOPOLOGY = ("spec", "topology")


def _topo(value: Any, *path: str | int, name: str = "") -> Change:
    return set_at(value, "Cluster", name, *TOPOLOGY, *path)


def _of_pool(value: Any, *path: str | int, place: int = 0, name: str = "") -> Change:
    return _topo(value, "workers", "machineDeployments", place, *path, name=name)


def _variable(name: str, value: Any) -> Change:
    def change(bodies: Bodies) -> None:
        topology = one_of(bodies, "Cluster")["spec"]["topology"]
        others = [one for one in topology.get("variables", []) if one["name"] != name]
        topology["variables"] = [*others, {"name": name, "value": value}]

    return change


def _class(value: Any, *path: str | int) -> Change:
    return set_at(value, "ClusterClass", "", "spec", *path)


def _class_template(made: Mapping[str, Any], *path: str | int) -> Change:
    """A template of the class under a new name; the class refers to it."""
    return each_of(new(made), _class(made["metadata"]["name"], *path, "templateRef", "name"))


def _pool_now(bodies: Bodies) -> None:
    after = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    pools = one_of(bodies, "Cluster")["spec"]["topology"]["workers"]["machineDeployments"]
    pools[0]["rollout"] = {"after": after}


def _plane_template(name: str, names: Sequence[str]) -> Change:
    def change(bodies: Bodies) -> None:
        made = copy.deepcopy(one_of(bodies, "KubeadmControlPlaneTemplate"))
        made["metadata"]["name"] = name
        kubeadm = made["spec"]["template"]["spec"]["kubeadmConfigSpec"]
        kubeadm["clusterConfiguration"]["apiServer"]["certSANs"] = list(names)
        bodies.remove(one_of(bodies, "KubeadmControlPlaneTemplate"))
        bodies.append(made)
        one_of(bodies, "ClusterClass")["spec"]["controlPlane"]["templateRef"]["name"] = name

    return change


def _topology() -> tuple[Edit, ...]:
    return (
        nothing("a variable that no patch reads", "topology-variable", _variable("unused", "x")),
        nothing("label of the pool", "topology-metadata", _of_pool({"labels": {"tier": "x"}}, "metadata")),
        nothing(
            "label of the control plane",
            "topology-metadata",
            _topo({"labels": {"tier": "x"}}, "controlPlane", "metadata"),
        ),
        nothing(
            "drain timeout of the control plane",
            "topology-timeouts",
            _topo({"nodeDrainTimeoutSeconds": 30}, "controlPlane", "deletion"),
        ),
        nothing(
            "drain timeout of the pool", "topology-timeouts", _of_pool({"nodeDrainTimeoutSeconds": 30}, "deletion")
        ),
        nothing("the default of a variable, said", "topology-variable", _variable("motd", "hello")),
        rolls("a variable that becomes an argument", "topology-variable", _variable("audit", "7")),
        rolls("another value of it", "topology-variable", _variable("audit", "8")),
        rolls("a variable that becomes a command", "topology-variable", _variable("motd", "other")),
        rolls(
            "the pool's own value of it",
            "topology-variable",
            _of_pool({"overrides": [{"name": "motd", "value": "own"}]}, "variables"),
        ),
        nothing("that variable for all, whose only pool has its own", "topology-variable", _variable("motd", "third")),
        rolls("a condition for the control plane's machines", "topology-variable", _variable("strict", True)),
    )


def _more_topology() -> tuple[Edit, ...]:
    workers = ("workers", "machineDeployments", 0)
    return (
        nothing("annotation of the pool", "topology-metadata", _of_pool({"annotations": {"a/b": "c"}}, "metadata")),
        rolls("failure domain of the pool", "topology-failure-domain", _of_pool("a", "failureDomain")),
        rolls("rollout after now", "rollout-after", _pool_now),
        rolls("version", "topology-version", _topo("v1.34.1", "version")),
        nothing("one more worker", "topology-replicas", _of_pool(3, "replicas")),
        nothing("two fewer workers", "topology-replicas", _of_pool(1, "replicas")),
        nothing(
            "another pool",
            "pools-come-and-go",
            lambda bodies: one_of(bodies, "Cluster")["spec"]["topology"]["workers"]["machineDeployments"].append(
                {"class": "spare", "name": "extra", "replicas": 1}
            ),
        ),
        nothing(
            "the same template under another name",
            "topology-template",
            _class_template(machine_template("large-worker-2"), *workers, "infrastructure"),
        ),
        rolls(
            "another template",
            "topology-template",
            _class_template(machine_template("large-worker-3", note="b"), *workers, "infrastructure"),
        ),
        rolls(
            "the content of a template of the class in place",
            "rotation",
            content_of("DevMachineTemplate", "large-worker-3", "edited"),
        ),
        rolls(
            "that pool dropped",
            "pools-come-and-go",
            lambda bodies: one_of(bodies, "Cluster")["spec"]["topology"]["workers"]["machineDeployments"].pop(),
        ),
    )


def _fan_out() -> tuple[Edit, ...]:
    string = {"openAPIV3Schema": {"type": "string"}}
    motd = ("patches", 1, "definitions", 0)
    workers = ("workers", "machineDeployments", 0)
    return (
        nothing(
            "a variable more",
            "topology-variable",
            lambda bodies: one_of(bodies, "ClusterClass")["spec"]["variables"].append(
                {"name": "more", "required": False, "schema": string}
            ),
        ),
        rolls("a command by the patch itself", "class-patch", _class(["date"], *motd, "jsonPatches", 0, "value")),
        rolls(
            "another bootstrap template",
            "topology-template",
            _class_template(config_template("shared-worker-2", postKubeadmCommands=["true"]), *workers, "bootstrap"),
        ),
        rolls(
            "another control plane template",
            "topology-template",
            _plane_template("shared-planes-2", ["localhost", "one.example"]),
        ),
        rolls(
            "another machine template for control planes",
            "topology-template",
            _class_template(machine_template("shared-planes-3", note="b"), "controlPlane", "machineInfrastructure"),
        ),
        nothing(
            "a template for a class that nobody uses",
            "topology-template",
            _class_template(
                machine_template("shared-spare-2", note="b"), "workers", "machineDeployments", 1, "infrastructure"
            ),
        ),
        nothing(
            "another condition of a patch that stays off",
            "class-patch",
            _class('{{ if eq .audit "never" }}true{{ end }}', "patches", 0, "enabledIf"),
        ),
        rolls("a patch for everybody", "class-patch", _class("true", "patches", 2, "enabledIf")),
        rolls("failure domain of a class", "topology-failure-domain", _class("a", *workers, "failureDomain")),
        nothing(
            "timeouts of a class", "topology-timeouts", _class({"nodeDrainTimeoutSeconds": 30}, *workers, "deletion")
        ),
        nothing("one more worker in one of both", "topology-replicas", _of_pool(2, "replicas", name="nine")),
        rolls("one of both clusters", "topology-version", _topo("v1.33.6", "version", name="eight")),
    )


def _topology_unfinished() -> tuple[Edit, ...]:
    workers = ("workers", "machineDeployments", 0)
    return (
        begins("another command", "topology-variable", _variable("motd", "one")),
        rolls("taken back half-way", "topology-variable", _variable("motd", "hello")),
        begins(
            "another template",
            "topology-template",
            _class_template(machine_template("slow-worker-2", seconds=3, note="b"), *workers, "infrastructure"),
        ),
        rolls("a failure domain half-way", "topology-failure-domain", _of_pool("a", "failureDomain")),
        begins("a version", "topology-version", _topo("v1.33.6", "version")),
        rolls("a command half-way", "topology-version", _variable("motd", "two")),
    )
