"""A KubeadmConfigSpec of v1beta1 as the API server stores it, so that it compares with those of Machines.

**Source:** Cluster API v1.14.0 api/bootstrap/kubeadm/v1beta1/conversion.go, v1beta2/conversion.go (ConvertToArgs sorts
by name). ``timeoutForControlPlane`` becomes a field that never rolls anything, so it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clusterops.capi.rollout.difference import Body, at

_DROPPED: Final = frozenset({"apiVersion", "kind", "networking", "kubernetesVersion", "clusterName"})
_COMPONENTS: Final = ("apiServer", "controllerManager", "scheduler")


def in_v1beta2(spec: Body) -> dict[str, Any]:
    """The same configuration in the words of v1beta2."""
    converted = {field: value for field, value in spec.items() if field != "useExperimentalRetryJoin"}
    converted["clusterConfiguration"] = _cluster(spec.get("clusterConfiguration") or {})
    for field in ("initConfiguration", "joinConfiguration"):
        converted[field] = _node(spec.get(field) or {})
    return converted


def _cluster(configuration: Body) -> dict[str, Any]:
    converted = {field: value for field, value in configuration.items() if field not in _DROPPED}
    for component in _COMPONENTS:
        if component in converted:
            kept = converted[component] or {}
            plain = {field: value for field, value in kept.items() if field != "timeoutForControlPlane"}
            converted[component] = _with_args(plain, "extraArgs")
    local = at(converted, "etcd", "local")
    if local:
        converted["etcd"] = {**converted["etcd"], "local": _with_args(local, "extraArgs")}
    return converted


def _node(configuration: Body) -> dict[str, Any]:
    converted = {field: value for field, value in configuration.items() if field not in {"apiVersion", "kind"}}
    if converted.get("nodeRegistration"):
        converted["nodeRegistration"] = _with_args(converted["nodeRegistration"], "kubeletExtraArgs")
    if converted.get("bootstrapTokens"):
        converted["bootstrapTokens"] = [_without(token, "ttl") for token in converted["bootstrapTokens"]]
    return converted


def _without(value: Body, field: str) -> dict[str, Any]:
    return {name: child for name, child in value.items() if name != field}


def _with_args(holder: Body, field: str) -> dict[str, Any]:
    arguments = holder.get(field)
    if not isinstance(arguments, Mapping):
        return dict(holder)
    return {**holder, field: [{"name": name, "value": arguments[name]} for name in sorted(arguments)]}
