"""Which Machines of a MachineDeployment match its template: those of the one MachineSet that it would use.

**Source:** Cluster API v1.14.0 core/reconcilers/machinedeployment/mdutil/util.go: MachineTemplateUpToDate,
FindNewAndOldMachineSets, MachineSetsByDecreasingReplicas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clusterops.capi.rollout.difference import Body, Difference, at, or_missing
from clusterops.capi.rollout.spelling import created_at, named, replicas_of, rollout_after, shown
from clusterops.model.live import LiveObject
from clusterops.model.plan import MISSING

_TEMPLATE = "/spec/template/spec"


def template_differences(current: Body, desired: Body) -> tuple[Difference, ...]:
    """Between ``spec.template.spec`` of a MachineSet and of its MachineDeployment; nothing else ever rolls a pool."""
    found = [
        _difference("version", current.get("version"), desired.get("version"), "pool-version"),
        _reference("bootstrap/configRef", current, desired, ("bootstrap", "configRef"), "pool-bootstrap-template"),
        _difference(
            "bootstrap/dataSecretName",
            at(current, "bootstrap", "dataSecretName"),
            at(desired, "bootstrap", "dataSecretName"),
            "pool-bootstrap-secret",
        ),
        _reference("infrastructureRef", current, desired, ("infrastructureRef",), "pool-infrastructure-template"),
        _difference("failureDomain", current.get("failureDomain"), desired.get("failureDomain"), "pool-failure-domain"),
    ]
    return tuple(one for one in found if one is not None)


def used_set(pool: Body, machine_sets: Iterable[LiveObject]) -> LiveObject | None:
    """The MachineSet that the MachineDeployment would scale up; None when it would make a new one.

    ``rollout.after`` counts as passed: what was made before it goes, now or then.
    """
    wanted = _template(pool)
    ordered = sorted(machine_sets, key=_order)
    matching = [one for one in ordered if not template_differences(_template(one.body), wanted)]
    return next((one for one in matching if not _made_before(one, pool)), None)


def outdated(
    pool: Body, machine_sets: Mapping[str, LiveObject], machines: Iterable[tuple[str, LiveObject]]
) -> dict[str, tuple[Difference, ...]]:
    """By uid, the Machines that do not match: ``machines`` come with the name of their MachineSet."""
    used = used_set(pool, machine_sets.values())
    gone: dict[str, tuple[Difference, ...]] = {}
    for name, machine in machines:
        if used is None or name != used.key.name:
            gone[machine.uid] = _why(pool, machine_sets.get(name))
    return gone


def _why(pool: Body, machine_set: LiveObject | None) -> tuple[Difference, ...]:
    if machine_set is None:
        return (Difference(pointer="/spec/template", before=MISSING, after=MISSING, rule="pool-machine-set-gone"),)
    differences = template_differences(_template(machine_set.body), _template(pool))
    if differences:
        return differences
    if _made_before(machine_set, pool):
        made = at(machine_set.body, "metadata", "creationTimestamp")
        after = rollout_after(pool)
        told = after.isoformat().replace("+00:00", "Z") if after else MISSING
        return (Difference(pointer="/spec/rollout/after", before=made, after=told, rule="rollout-after"),)
    return (Difference(pointer="/spec/template", before=MISSING, after=MISSING, rule="pool-other-machine-set"),)


def _template(owner: Body) -> Body:
    return at(owner, "spec", "template", "spec") or {}


def _order(machine_set: LiveObject) -> tuple[int, str, str]:
    made = str(at(machine_set.body, "metadata", "creationTimestamp") or "")
    return -replicas_of(machine_set.body), made, machine_set.key.name


def _made_before(machine_set: LiveObject, pool: Body) -> bool:
    after, made = rollout_after(pool), created_at(machine_set.body)
    return after is not None and made is not None and made < after


def _difference(field: str, before: Any, after: Any, rule: str) -> Difference | None:
    before, after = or_missing(before), or_missing(after)
    return None if before == after else _told(field, before, after, rule)


def _reference(field: str, current: Body, desired: Body, path: tuple[str, ...], rule: str) -> Difference | None:
    before, after = named(at(current, *path)), named(at(desired, *path))
    return None if before == after else _told(field, or_missing(shown(before)), or_missing(shown(after)), rule)


def _told(field: str, before: Any, after: Any, rule: str) -> Difference:
    return Difference(pointer=f"{_TEMPLATE}/{field}", before=before, after=after, rule=rule)
