"""The edits of show 7, in lanes: each lane is one target, edited in this order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.fleet_objects import reference
from tests.shows.impact_clusters import (
    BOOT,
    INFRA,
    Bodies,
    cluster_class,
    config_template,
    machine_template,
    plain,
    pool,
    with_class,
)
from tests.shows.impact_lane import Edit, each_of, one_of, set_at

KCP, MD = "KubeadmControlPlane", "MachineDeployment"
Change = Callable[[Bodies], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A lane before it runs: what git has at first, and what is done to it."""

    name: str
    bodies: Bodies
    edits: Sequence[Edit]


def scripts() -> tuple[Script, ...]:
    return (*plain_scripts(), *class_scripts())


def plain_scripts() -> tuple[Script, ...]:
    return (
        Script(name="in-place", bodies=plain("one", pools={"general": 2}), edits=_in_place()),
        Script(name="pools", bodies=plain("two", pools={"general": 2, "batch": 1}), edits=_pools()),
        Script(name="planes", bodies=plain("three", pools={"general": 1}), edits=_planes()),
        Script(name="three-planes", bodies=plain("four", planes=3, pools={"general": 1}), edits=_three_planes()),
        Script(name="unfinished", bodies=plain("five", pools={"general": 3}, seconds=3), edits=_unfinished()),
        Script(name="held", bodies=plain("six", pools={"general": 2}), edits=_held()),
    )


def class_scripts() -> tuple[Script, ...]:
    one, two = cluster_class("small"), cluster_class("shared")
    slow = cluster_class("slow", seconds=3)
    return (
        Script(name="topology", bodies=[*one, with_class("seven", "small")], edits=_topology()),
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


def nothing(name: str, rule: str, change: Change, **more: Any) -> Edit:
    return Edit(name=name, rule=rule, change=change, expects="nothing", **more)


def rolls(name: str, rule: str, change: Change, **more: Any) -> Edit:
    return Edit(name=name, rule=rule, change=change, expects="rolls", **more)


def begins(name: str, rule: str, change: Change) -> Edit:
    """A rollout that the next edit meets half-way."""
    return Edit(name=name, rule=rule, change=change, until_begun=True)


def _kcp(value: Any, *path: str | int) -> Change:
    return set_at(value, KCP, "", *path)


def _config(value: Any, *path: str | int) -> Change:
    return set_at(value, KCP, "", "spec", "kubeadmConfigSpec", *path)


def _md(value: Any, *path: str | int, name: str = "general") -> Change:
    return set_at(value, MD, name, *path)


def _template(value: Any, *path: str | int, name: str = "general") -> Change:
    return _md(value, "spec", "template", "spec", *path, name=name)


def _new(*made: Mapping[str, Any]) -> Change:
    """Objects that git has from now on."""
    return lambda bodies: bodies.extend(copy.deepcopy(dict(one)) for one in made)


def _drop(kind: str, name: str) -> Change:
    return lambda bodies: bodies.remove(one_of(bodies, kind, name))


def _machines(name: str, pool_name: str = "general", *, same: bool = False) -> Change:
    """Another infrastructure template, and the pool refers to it; ``same``: only its name is another."""
    template = machine_template(name, note="" if same else name)
    return each_of(
        _new(template), _template(reference(INFRA, "DevMachineTemplate", name), "infrastructureRef", name=pool_name)
    )


def _configs(name: str, pool_name: str = "general", *, same: bool = False) -> Change:
    template = config_template(name) if same else config_template(name, postKubeadmCommands=[f"echo {name}"])
    ref = reference(BOOT, "KubeadmConfigTemplate", name)
    return each_of(_new(template), _template(ref, "bootstrap", "configRef", name=pool_name))


def _plane_machines(name: str) -> Change:
    ref = reference(INFRA, "DevMachineTemplate", name)
    path = ("spec", "machineTemplate", "spec", "infrastructureRef")
    return each_of(_new(machine_template(name, note=name)), _kcp(ref, *path))


def _content(kind: str, name: str, note: str) -> Change:
    """Other content under the same name in git."""
    return set_at({"labels": {"note": note}}, kind, name, "spec", "template", "metadata")


def _same_planes(name: str) -> Change:
    """The content that the control plane has now, under another name."""

    def change(bodies: Bodies) -> None:
        reference_now = one_of(bodies, KCP)["spec"]["machineTemplate"]["spec"]["infrastructureRef"]
        made = copy.deepcopy(one_of(bodies, "DevMachineTemplate", reference_now["name"]))
        made["metadata"]["name"] = reference_now["name"] = name
        bodies.append(made)

    return change


def _version(version: str) -> Change:
    return each_of(_kcp(version, "spec", "version"), _template(version, "version"))


def _now(kind: str, name: str = "") -> Change:
    """``rollout.after`` this very second."""

    def change(bodies: Bodies) -> None:
        text = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        one_of(bodies, kind, name)["spec"].setdefault("rollout", {})["after"] = text

    return change


def _in_place() -> tuple[Edit, ...]:
    template, deletion = ("spec", "template"), ("spec", "machineTemplate", "spec", "deletion")
    timeouts = {"controlPlaneComponentHealthCheckSeconds": 300}
    discovery = {"bootstrapToken": {"unsafeSkipCAVerification": True}}
    return (
        nothing("label of the pool's machines", "metadata", _md("x", *template, "metadata", "labels", "tier")),
        nothing(
            "annotation of the pool's machines", "metadata", _md({"a/b": "c"}, *template, "metadata", "annotations")
        ),
        nothing(
            "label of the control plane's machines",
            "metadata",
            _kcp({"labels": {"tier": "x"}}, "spec", "machineTemplate", "metadata"),
        ),
        nothing("drain timeout of the pool", "timeouts", _template({"nodeDrainTimeoutSeconds": 30}, "deletion")),
        nothing(
            "deletion timeout of the control plane", "timeouts", _kcp({"nodeDeletionTimeoutSeconds": 40}, *deletion)
        ),
        nothing("drain timeout of the control plane", "timeouts", _kcp(50, *deletion, "nodeDrainTimeoutSeconds")),
        nothing("minReadySeconds of the pool", "readiness", _template(1, "minReadySeconds")),
        nothing(
            "readiness gate of the pool's machines",
            "readiness",
            _template([{"conditionType": "InfrastructureReady"}], "readinessGates"),
        ),
        nothing(
            "discovery of joining machines", "kubeadm-ignored", _config(discovery, "joinConfiguration", "discovery")
        ),
        nothing(
            "health check seconds",
            "kubeadm-ignored",
            each_of(
                _config(timeouts, "initConfiguration", "timeouts"), _config(timeouts, "joinConfiguration", "timeouts")
            ),
        ),
        nothing("the default format, said", "kubeadm-normalised", _config("cloud-config", "format")),
        nothing(
            "image pull policy as it was",
            "kubeadm-normalised",
            _config("IfNotPresent", "joinConfiguration", "nodeRegistration", "imagePullPolicy"),
        ),
        nothing(
            "the gate that KCP sets anyway",
            "kubeadm-normalised",
            _config({"ControlPlaneKubeletLocalMode": True}, "clusterConfiguration", "featureGates"),
        ),
        nothing(
            "strategy of the pool",
            "strategy",
            _md(
                {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}},
                "spec",
                "rollout",
            ),
        ),
        # Last, since the in-memory workload has no CoreDNS to update, and KCP says so for ever after.
        nothing(
            "dns image",
            "kubeadm-ignored",
            _config({"imageTag": "v1.12.1"}, "clusterConfiguration", "dns"),
            settles=False,
        ),
    )


def _pools() -> tuple[Edit, ...]:
    batch = "batch"
    return (
        rolls("another infrastructure template", "pool-infrastructure-template", _machines("two-workers-2")),
        nothing("the same content under another name", "rotation", _machines("two-workers-3", batch, same=True)),
        rolls(
            "the content of a template in place", "rotation", _content("DevMachineTemplate", "two-workers-2", "edited")
        ),
        rolls(
            "another bootstrap template",
            "pool-bootstrap-template",
            _configs("two-configs-2"),
        ),
        nothing(
            "the same bootstrap content under another name", "rotation", _configs("two-configs-3", batch, same=True)
        ),
        rolls(
            "both templates of both pools",
            "pool-bootstrap-template",
            each_of(
                _machines("two-workers-4"),
                _configs("two-configs-4"),
                _machines("two-workers-5", batch),
                _configs("two-configs-5", batch),
            ),
        ),
        rolls("failure domain set", "pool-failure-domain", _template("a", "failureDomain")),
        rolls("failure domain changed", "pool-failure-domain", _template("b", "failureDomain")),
        rolls("failure domain removed", "pool-failure-domain", _template(None, "failureDomain")),
        rolls("rollout after now", "rollout-after", _now(MD, "general")),
        nothing("one more worker", "replicas", _md(3, "spec", "replicas")),
        nothing("two fewer workers", "replicas", _md(1, "spec", "replicas")),
        rolls("rolled and scaled at once", "replicas", each_of(_machines("two-workers-6"), _md(3, "spec", "replicas"))),
        rolls(
            "rolled and scaled down at once",
            "replicas",
            each_of(_machines("two-workers-7"), _md(1, "spec", "replicas")),
        ),
        nothing("another pool", "create", _new(pool("two", "extra", 2))),
        rolls("that pool dropped", "delete", _drop(MD, "extra")),
    )


def _planes() -> tuple[Edit, ...]:
    args = [{"name": "audit-log-maxage", "value": "7"}]
    files = [{"path": "/etc/motd", "content": "hello", "owner": "root:root", "permissions": "0644"}]
    node = "nodeRegistration"
    return (
        rolls("patch version of the control plane", "control-plane-version", _kcp("v1.33.6", "spec", "version")),
        rolls("pool follows", "pool-version", _template("v1.33.5", "version")),
        rolls("pool follows again", "pool-version", _template("v1.33.6", "version")),
        rolls(
            "API server argument",
            "control-plane-kubeadm-config",
            _config(args, "clusterConfiguration", "apiServer", "extraArgs"),
        ),
        rolls("a file", "control-plane-kubeadm-config", _config(files, "files")),
        rolls("a command", "control-plane-kubeadm-config", _config(["true"], "preKubeadmCommands")),
        rolls(
            "another infrastructure template",
            "control-plane-infrastructure-template",
            _plane_machines("three-planes-2"),
        ),
        nothing("the same content under another name", "rotation", _same_planes("three-planes-3")),
        rolls(
            "the content of the template in place",
            "rotation",
            _content("DevMachineTemplate", "three-planes-3", "edited"),
        ),
        rolls("rollout after now", "rollout-after", _now(KCP)),
        rolls("minor version of all", "control-plane-version", _version("v1.34.1")),
        rolls(
            "kubelet argument of joining and first machines",
            "control-plane-kubeadm-config",
            each_of(
                _config([{"name": "v", "value": "2"}], "initConfiguration", node, "kubeletExtraArgs"),
                _config([{"name": "v", "value": "2"}], "joinConfiguration", node, "kubeletExtraArgs"),
            ),
        ),
        nothing(
            "kubelet argument of first machines, which are gone",
            "kubeadm-ignored",
            _config([{"name": "v", "value": "3"}], "initConfiguration", node, "kubeletExtraArgs"),
        ),
    )


def _three_planes() -> tuple[Edit, ...]:
    return (
        rolls(
            "certificate names",
            "control-plane-kubeadm-config",
            _config(["localhost", "one.example"], "clusterConfiguration", "apiServer", "certSANs"),
        ),
        begins(
            "certificate names again",
            "control-plane-kubeadm-config",
            _config(["localhost", "two.example"], "clusterConfiguration", "apiServer", "certSANs"),
        ),
        rolls(
            "taken back half-way",
            "control-plane-kubeadm-config",
            _config(["localhost", "one.example"], "clusterConfiguration", "apiServer", "certSANs"),
        ),
        begins("another template", "control-plane-infrastructure-template", _plane_machines("four-planes-2")),
        rolls("a version half-way", "control-plane-version", _kcp("v1.33.6", "spec", "version")),
        nothing("from three to one", "replicas", _kcp(1, "spec", "replicas")),
    )


def _unfinished() -> tuple[Edit, ...]:
    return (
        begins("another template", "pool-infrastructure-template", _machines("five-workers-2")),
        rolls(
            "taken back half-way",
            "pool-infrastructure-template",
            _template(reference(INFRA, "DevMachineTemplate", "five-workers"), "infrastructureRef"),
        ),
        begins("a bootstrap template", "pool-bootstrap-template", _configs("five-configs-2")),
        rolls("a label half-way", "metadata", _md("x", "spec", "template", "metadata", "labels", "tier")),
        begins("a third template", "pool-infrastructure-template", _machines("five-workers-3")),
        rolls("a fourth half-way", "pool-infrastructure-template", _machines("five-workers-4")),
        begins("a failure domain", "pool-failure-domain", _template("a", "failureDomain")),
        rolls("scaled half-way", "replicas", _md(4, "spec", "replicas")),
        begins("a fifth template", "pool-infrastructure-template", _machines("five-workers-5")),
        rolls("scaled down half-way", "replicas", _md(2, "spec", "replicas")),
    )


def _held() -> tuple[Edit, ...]:
    on_delete = {"strategy": {"type": "OnDelete"}}
    return (
        nothing("strategy OnDelete", "on-delete", _md(on_delete, "spec", "rollout")),
        nothing("a template under OnDelete", "on-delete", _machines("six-workers-2"), settles=False),
        nothing("a failure domain under OnDelete", "on-delete", _template("a", "failureDomain"), settles=False),
        rolls("OnDelete ended", "on-delete", _md({"strategy": {"type": "RollingUpdate"}}, "spec", "rollout")),
        nothing("paused", "paused", set_at(True, "Cluster", "", "spec", "paused"), settles=False),
        nothing("a template while paused", "paused", _machines("six-workers-3"), settles=False),
        nothing(
            "a command of the control plane while paused",
            "paused",
            _config(["true"], "preKubeadmCommands"),
            settles=False,
        ),
        rolls("no longer paused", "paused", set_at(False, "Cluster", "", "spec", "paused")),
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
    return each_of(_new(made), _class(made["metadata"]["name"], *path, "templateRef", "name"))


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
    workers = ("workers", "machineDeployments", 0)
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
        rolls("failure domain of the pool", "topology-failure-domain", _of_pool("a", "failureDomain")),
        rolls("version", "topology-version", _topo("v1.34.1", "version")),
        nothing("one more worker", "topology-replicas", _of_pool(3, "replicas")),
        nothing("two fewer workers", "topology-replicas", _of_pool(1, "replicas")),
        nothing(
            "another pool",
            "topology-replicas",
            lambda bodies: one_of(bodies, "Cluster")["spec"]["topology"]["workers"]["machineDeployments"].append(
                {"class": "spare", "name": "extra", "replicas": 1}
            ),
        ),
        nothing(
            "the same template under another name",
            "topology-template",
            _class_template(machine_template("small-worker-2"), *workers, "infrastructure"),
        ),
        rolls(
            "another template",
            "topology-template",
            _class_template(machine_template("small-worker-3", note="b"), *workers, "infrastructure"),
        ),
        rolls(
            "the content of a template of the class in place",
            "rotation",
            _content("DevMachineTemplate", "small-worker-3", "edited"),
        ),
        rolls(
            "that pool dropped",
            "delete",
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
            "class-variable",
            lambda bodies: one_of(bodies, "ClusterClass")["spec"]["variables"].append(
                {"name": "more", "required": False, "schema": string}
            ),
        ),
        rolls("a command by the patch itself", "class-patch", _class(["date"], *motd, "jsonPatches", 0, "value")),
        rolls(
            "another bootstrap template",
            "class-template",
            _class_template(config_template("shared-worker-2", postKubeadmCommands=["true"]), *workers, "bootstrap"),
        ),
        rolls(
            "another control plane template",
            "class-template",
            _plane_template("shared-planes-2", ["localhost", "one.example"]),
        ),
        rolls(
            "another machine template for control planes",
            "class-template",
            _class_template(machine_template("shared-planes-3", note="b"), "controlPlane", "machineInfrastructure"),
        ),
        nothing(
            "a template for a class that nobody uses",
            "class-template",
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
        rolls("failure domain of a class", "class-failure-domain", _class("a", *workers, "failureDomain")),
        nothing("timeouts of a class", "class-timeouts", _class({"nodeDrainTimeoutSeconds": 30}, *workers, "deletion")),
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
        rolls("a command half-way", "topology-variable", _variable("motd", "two")),
    )


__all__ = ["Script", "cluster_class", "scripts", "with_class"]
