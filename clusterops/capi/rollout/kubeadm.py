"""A KubeadmConfigSpec as the control plane compares it: without what never rolls, empty and missing alike.

**Source:** Cluster API v1.14.0: controlplane/kubeadm/pkg/filters.go (matchesKubeadmConfig,
PrepareKubeadmConfigsForDiff, dropOmittableFields); controlplane/kubeadm/pkg/desiredstate/desired_state.go
(ComputeDesiredKubeadmConfig, DefaultFeatureGates); bootstrap/kubeadm/webhooks/admission/kubeadmconfigtemplate.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.capi.rollout.difference import Body, at, differing

_ZERO_FIELDS: Final = frozenset(
    {"bindPort", "certificateValidityPeriodDays", "caCertificateValidityPeriodDays", "percentage"}
)
"""Numbers that are no pointers in Go: their 0 is the same as none."""

_POINTED_LISTS: Final = frozenset({"taints", "extraEnvs"})
"""Lists whose emptiness means something; an empty ``extraEnvs`` is dropped by its own rule."""

_LOCAL_MODE: Final = "ControlPlaneKubeletLocalMode"
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


def config_differences(spec: Body, version: str, current: Body) -> tuple[tuple[str, Any, Any], ...]:
    """(pointer, before, after) below ``kubeadmConfigSpec`` that make a Machine go; none when it matches.

    ``spec`` and ``version`` are the control plane's, ``current`` is the spec of the Machine's own KubeadmConfig. The
    first Machine was made by ``kubeadm init`` and matches when either reading of its configuration does.
    """
    joined = tuple(_differences(spec, version, current, joins=True))
    if not joined or not _is_init(current):
        return joined
    # The shorter reading says more: the other one tells where both configurations differ.
    return min(joined, tuple(_differences(spec, version, current, joins=False)), key=len)


def _differences(spec: Body, version: str, current: Body, *, joins: bool) -> Iterator[tuple[str, Any, Any]]:
    wanted = _desired(spec, version, joins=joins)
    there = _as_joining(dict(current), wanted) if joins and _is_init(current) else dict(current)
    there["clusterConfiguration"] = {
        **(there.get("clusterConfiguration") or {}),
        "controlPlaneEndpoint": at(wanted, "clusterConfiguration", "controlPlaneEndpoint"),
        "dns": at(wanted, "clusterConfiguration", "dns"),
    }
    yield from differing(_normalised(there), _normalised(wanted))


def _is_init(config: Body) -> bool:
    """A Machine that joined always has ``joinConfiguration.controlPlane``, be it empty."""
    return at(config, "joinConfiguration", "controlPlane") is None


def _desired(spec: Body, version: str, *, joins: bool) -> dict[str, Any]:
    wanted = {**spec, "clusterConfiguration": _with_feature_gates(spec.get("clusterConfiguration") or {}, version)}
    wanted["initConfiguration" if joins else "joinConfiguration"] = {}
    return wanted


def _with_feature_gates(configuration: Body, version: str) -> dict[str, Any]:
    """Kubelets talk to their own API server in v1.31 to v1.35, by a gate that KCP sets."""
    found = _VERSION.match(version)
    number = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (1, 31) <= number < (1, 36):
        return dict(configuration)
    return {**configuration, "featureGates": {_LOCAL_MODE: True, **(configuration.get("featureGates") or {})}}


def _as_joining(current: dict[str, Any], wanted: Body) -> dict[str, Any]:
    init = current.get("initConfiguration") or {}
    moved = {field: init.get(field) for field in ("timeouts", "patches", "skipPhases", "nodeRegistration")}
    current["joinConfiguration"] = {
        **(current.get("joinConfiguration") or {}),
        **moved,
        "controlPlane": {"localAPIEndpoint": init.get("localAPIEndpoint")},
        "caCertPath": at(wanted, "joinConfiguration", "caCertPath"),
    }
    current["initConfiguration"] = {}
    return current


def _normalised(spec: Body) -> Any:
    copied = {**spec, "format": spec.get("format") or "cloud-config"}
    for kind in ("initConfiguration", "joinConfiguration"):
        copied[kind] = _node_configuration(spec.get(kind) or {})
    return _without_empty(copied) or {}


def _node_configuration(configuration: Body) -> dict[str, Any]:
    timeouts = {
        field: value
        for field, value in (configuration.get("timeouts") or {}).items()
        if field != "controlPlaneComponentHealthCheckSeconds"
    }
    node = configuration.get("nodeRegistration") or {}
    return {
        **{field: value for field, value in configuration.items() if field != "discovery"},
        "timeouts": timeouts,
        "nodeRegistration": {**node, "imagePullPolicy": node.get("imagePullPolicy") or "IfNotPresent"},
    }


def _without_empty(value: Any, field: str = "") -> Any:
    """None for what Go's zero value stands for."""
    if isinstance(value, Mapping):
        kept = {name: _without_empty(child, name) for name, child in value.items()}
        return {name: child for name, child in kept.items() if child is not None} or None
    if isinstance(value, list):
        items = [_without_empty(item) for item in value]
        keeps_empty = field in _POINTED_LISTS and field != "extraEnvs"
        return [{} if item is None else item for item in items] if items or keeps_empty else None
    if value == "" or (value == 0 and not isinstance(value, bool) and field in _ZERO_FIELDS):
        return None
    return value
