"""Edits of clusters of plain objects, each lane one target edited in this order."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from tests.fleet_objects import reference
from tests.shows.impact_clusters import (
    BOOT,
    INFRA,
    Bodies,
    config_template,
    in_v1beta1,
    machine_template,
    plain,
    pool,
)
from tests.shows.impact_lane import Edit, each_of, one_of, set_at
from tests.shows.impact_script import Change, Script, begins, content_of, new, nothing, rolls

KCP, MD = "KubeadmControlPlane", "MachineDeployment"


def plain_scripts() -> tuple[Script, ...]:
    return (
        Script(name="in-place", bodies=plain("one", pools={"general": 2}), edits=_in_place()),
        Script(name="pools", bodies=plain("two", pools={"general": 2, "batch": 1}), edits=_pools()),
        Script(name="more-pools", bodies=plain("three", pools={"general": 2}), edits=_more_pools()),
        Script(name="planes", bodies=plain("eight", pools={"general": 1}), edits=_planes()),
        Script(name="more-planes", bodies=plain("seven", pools={"general": 1}), edits=_more_planes()),
        Script(name="older-words", bodies=in_v1beta1(plain("nine", pools={"general": 1})), edits=_older()),
        Script(name="three-planes", bodies=plain("four", planes=3, pools={"general": 1}), edits=_three_planes()),
        Script(name="unfinished", bodies=plain("five", pools={"general": 3}, seconds=3), edits=_unfinished()),
        Script(name="held", bodies=plain("six", pools={"general": 2}), edits=_held()),
    )


def _kcp(value: Any, *path: str | int) -> Change:
    return set_at(value, KCP, "", *path)


def _config(value: Any, *path: str | int) -> Change:
    return set_at(value, KCP, "", "spec", "kubeadmConfigSpec", *path)


def _md(value: Any, *path: str | int, name: str = "general") -> Change:
    return set_at(value, MD, name, *path)


def _template(value: Any, *path: str | int, name: str = "general") -> Change:
    return _md(value, "spec", "template", "spec", *path, name=name)


def _drop(kind: str, name: str) -> Change:
    return lambda bodies: bodies.remove(one_of(bodies, kind, name))


def _machines(name: str, pool_name: str = "general", *, same: bool = False) -> Change:
    """Another infrastructure template, and the pool refers to it; ``same``: only its name is another."""
    template = machine_template(name, note="" if same else name)
    return each_of(
        new(template), _template(reference(INFRA, "DevMachineTemplate", name), "infrastructureRef", name=pool_name)
    )


def _configs(name: str, pool_name: str = "general", *, same: bool = False) -> Change:
    template = config_template(name) if same else config_template(name, postKubeadmCommands=[f"echo {name}"])
    ref = reference(BOOT, "KubeadmConfigTemplate", name)
    return each_of(new(template), _template(ref, "bootstrap", "configRef", name=pool_name))


def _plane_machines(name: str) -> Change:
    ref = reference(INFRA, "DevMachineTemplate", name)
    path = ("spec", "machineTemplate", "spec", "infrastructureRef")
    return each_of(new(machine_template(name, note=name)), _kcp(ref, *path))


def _same_planes(name: str) -> Change:
    """The content that the control plane has now, under another name."""

    def change(bodies: Bodies) -> None:
        reference_now = one_of(bodies, KCP)["spec"]["machineTemplate"]["spec"]["infrastructureRef"]
        made = copy.deepcopy(one_of(bodies, "DevMachineTemplate", reference_now["name"]))
        made["metadata"]["name"] = reference_now["name"] = name
        bodies.append(made)

    return change


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
        nothing("minReadySeconds of the pool", "in-place-fields", _template(1, "minReadySeconds")),
        nothing(
            "readiness gate of the pool's machines",
            "in-place-fields",
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
            "in-place-fields",
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
            "the content of a template in place",
            "rotation",
            content_of("DevMachineTemplate", "two-workers-2", "edited"),
        ),
        rolls(
            "another bootstrap template",
            "pool-bootstrap-template",
            _configs("two-configs-2"),
        ),
        nothing(
            "the same bootstrap content under another name", "rotation", _configs("two-configs-3", batch, same=True)
        ),
        rolls("a bootstrap template of the other pool", "pool-bootstrap-template", _configs("two-configs-6", batch)),
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
    )


def _more_pools() -> tuple[Edit, ...]:
    return (
        rolls("failure domain set", "pool-failure-domain", _template("a", "failureDomain")),
        rolls("failure domain changed", "pool-failure-domain", _template("b", "failureDomain")),
        rolls("failure domain removed", "pool-failure-domain", _template(None, "failureDomain")),
        rolls("rollout after now", "rollout-after", _now(MD, "general")),
        nothing("one more worker", "replicas", _md(3, "spec", "replicas")),
        nothing("two fewer workers", "replicas", _md(1, "spec", "replicas")),
        rolls(
            "rolled and scaled at once", "replicas", each_of(_machines("three-workers-2"), _md(3, "spec", "replicas"))
        ),
        rolls(
            "rolled and scaled down at once",
            "replicas",
            each_of(_machines("three-workers-3"), _md(1, "spec", "replicas")),
        ),
        nothing("another pool", "pools-come-and-go", new(pool("three", "extra", 2))),
        rolls("that pool dropped", "pools-come-and-go", _drop(MD, "extra")),
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


def _more_planes() -> tuple[Edit, ...]:
    return (
        rolls(
            "another infrastructure template",
            "control-plane-infrastructure-template",
            _plane_machines("seven-planes-2"),
        ),
        rolls("a third", "control-plane-infrastructure-template", _plane_machines("seven-planes-3")),
        nothing("the same content under another name", "rotation", _same_planes("seven-planes-4")),
        rolls(
            "the content of the template in place",
            "control-plane-infrastructure-template",
            content_of("DevMachineTemplate", "seven-planes-4", "edited"),
        ),
        rolls("rollout after now", "rollout-after", _now(KCP)),
        rolls("minor version of the control plane", "control-plane-version", _kcp("v1.34.1", "spec", "version")),
        rolls("its pool follows", "pool-version", _template("v1.34.1", "version")),
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


def _older() -> tuple[Edit, ...]:
    """Control plane and pool written in v1beta1, Machines stored in v1beta2."""
    return (
        nothing("drain timeout of the pool", "v1beta1", _template("30s", "nodeDrainTimeout")),
        nothing("one more worker", "v1beta1", _md(2, "spec", "replicas")),
        rolls(
            "API server arguments as a map",
            "v1beta1",
            _config({"v": "2", "audit-log-maxage": "7"}, "clusterConfiguration", "apiServer", "extraArgs"),
        ),
        nothing(
            "drain timeout of the control plane", "v1beta1", _kcp("30s", "spec", "machineTemplate", "nodeDrainTimeout")
        ),
        rolls("failure domain", "v1beta1", _template("a", "failureDomain")),
        rolls("version", "v1beta1", each_of(_kcp("v1.33.5", "spec", "version"), _template("v1.33.5", "version"))),
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
