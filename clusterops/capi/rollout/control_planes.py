"""Which Machines of a KubeadmControlPlane match it, each by its own version, KubeadmConfig and infrastructure.

**Source:** Cluster API v1.14.0 controlplane/kubeadm/pkg/filters.go: UpToDate, matchesMachineSpec, matchesInfraMachine;
util/collections/machine_filters.go: ShouldRolloutAfter, ShouldRolloutBefore.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from clusterops.capi.rollout.difference import Body, Difference, at, or_missing
from clusterops.capi.rollout.kubeadm import config_differences
from clusterops.capi.rollout.kubeadm_v1beta1 import in_v1beta2
from clusterops.capi.rollout.spelling import (
    created_at,
    is_old,
    machine_template_of,
    moment,
    named,
    rollout_after,
)
from clusterops.model.live import LiveObject

CLONED_FROM_NAME: Final = "cluster.x-k8s.io/cloned-from-name"
CLONED_FROM_KIND: Final = "cluster.x-k8s.io/cloned-from-groupkind"


def machine_differences(
    control_plane: Body, machine: Body, *, config: LiveObject | None, infrastructure: LiveObject | None
) -> tuple[Difference, ...]:
    """Why a Machine goes; none when it stays. What cannot be found counts as matching, as upstream has it.

    ``rollout.after`` counts as passed.
    """
    return (
        *_version(control_plane, machine),
        *_config(control_plane, config),
        *_infrastructure(control_plane, infrastructure),
        *_after(control_plane, machine),
    )


def config_of(control_plane: Body) -> Body:
    """Its kubeadmConfigSpec in the words of v1beta2, whatever it is written in."""
    spec = at(control_plane, "spec", "kubeadmConfigSpec") or {}
    return in_v1beta2(spec) if is_old(control_plane) else spec


def expiring(control_plane: Body, machine: Body, now: datetime | None) -> tuple[Difference, ...]:
    """Whether ``rollout.before.certificatesExpiryDays`` replaces this Machine at ``now``, if that is known."""
    days = at(control_plane, "spec", "rollout", "before", "certificatesExpiryDays")
    days = days or at(control_plane, "spec", "rolloutBefore", "certificatesExpiryDays")
    expiry = moment(at(machine, "status", "certificatesExpiryDate"))
    if not days or now is None or expiry is None or now + timedelta(days=int(days)) <= expiry:
        return ()
    told = expiry.isoformat().replace("+00:00", "Z")
    pointer = "/spec/rollout/before/certificatesExpiryDays"
    return (Difference(pointer=pointer, before=told, after=days, rule="rollout-before"),)


def _version(control_plane: Body, machine: Body) -> Iterator[Difference]:
    before, after = or_missing(at(machine, "spec", "version")), or_missing(at(control_plane, "spec", "version"))
    if before != after:
        yield Difference(pointer="/spec/version", before=before, after=after, rule="control-plane-version")


def _config(control_plane: Body, config: LiveObject | None) -> Iterator[Difference]:
    if config is None:
        return
    spec, version = config_of(control_plane), str(at(control_plane, "spec", "version"))
    there = config.body.get("spec") or {}
    for pointer, before, after in config_differences(
        spec, version, in_v1beta2(there) if is_old(config.body) else there
    ):
        yield Difference(
            pointer=f"/spec/kubeadmConfigSpec{pointer}", before=before, after=after, rule="control-plane-kubeadm-config"
        )


def _infrastructure(control_plane: Body, infrastructure: LiveObject | None) -> Iterator[Difference]:
    annotations = infrastructure.annotations if infrastructure is not None else {}
    name, kind = annotations.get(CLONED_FROM_NAME), annotations.get(CLONED_FROM_KIND)
    if name is None or kind is None:
        return
    group, wanted_kind, wanted_name = named(machine_template_of(control_plane))
    if (name, kind) != (wanted_name, f"{wanted_kind}.{group}"):
        place = "/spec/machineTemplate/infrastructureRef"
        pointer = place if is_old(control_plane) else "/spec/machineTemplate/spec/infrastructureRef"
        before, after = f"{kind.partition('.')[0]}/{name}", f"{wanted_kind}/{wanted_name}"
        yield Difference(pointer=pointer, before=before, after=after, rule="control-plane-infrastructure-template")


def _after(control_plane: Body, machine: Body) -> Iterator[Difference]:
    after, made = rollout_after(control_plane), created_at(machine)
    if after is not None and made is not None and made < after:
        told = after.isoformat().replace("+00:00", "Z")
        made_text = at(machine, "metadata", "creationTimestamp")
        yield Difference(pointer="/spec/rollout/after", before=made_text, after=told, rule="rollout-after")
