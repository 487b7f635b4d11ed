"""A plan in a few words for people: what is created, upgraded, scaled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clusterops.capi.kinds import is_cluster, is_control_plane, is_pool
from clusterops.capi.references import cluster_of
from clusterops.model.plan import MISSING, Action, Change, Plan
from clusterops.model.policy import KEY_CODES


def phrases(plan: Plan) -> tuple[str, ...]:
    """Each thing that happens, most important first, no two alike: ``upgrade v1.33.4 -> v1.34.1``."""
    changes = plan.changes
    found = [
        *_refused_deletions(changes),
        *_creations(changes),
        *_adoptions(changes),
        *_upgrades(changes),
        *_scalings(changes),
        *_others(changes),
    ]
    return tuple(dict.fromkeys(found))


def pool_name(change: Change) -> str:
    """``general`` for MachineDeployment ``alpha-general`` of Cluster ``alpha``."""
    body = change.desired.body if change.desired else (change.live.body if change.live else {})
    cluster = cluster_of(body)
    prefix = f"{cluster.name}-" if cluster else ""
    return change.key.name.removeprefix(prefix) or change.key.name


def _refused_deletions(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        if change.reason is not None and change.reason.code in KEY_CODES:
            yield f"deletion of Cluster {change.key.name} refused"


def _creations(changes: Iterable[Change]) -> Iterator[str]:
    created = [change for change in changes if change.action is Action.CREATE and change.desired is not None]
    control = sum(_replicas(change) for change in created if is_control_plane(change.key))
    workers = sum(_replicas(change) for change in created if is_pool(change.key)) + _topology_workers(created)
    control += _topology_control_planes(created)
    if control or workers:
        parts = [f"{control} control-plane"] * bool(control) + [f"{workers} worker"] * bool(workers)
        yield f"creates {' and '.join(parts)} machine{'s' if control + workers != 1 else ''}"


def _adoptions(changes: Iterable[Change]) -> Iterator[str]:
    adopted = [change for change in changes if change.action is Action.ADOPT]
    if adopted:
        fields = sum(len(change.fields) for change in adopted)
        yield f"adopts {_counted(len(adopted), 'object')}, changes {_counted(fields, 'field')}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def _replicas(change: Change) -> int:
    spec = (change.desired.body.get("spec") or {}) if change.desired else {}
    return _count(spec.get("replicas"))


def _count(value: Any) -> int:
    """Cluster API makes one machine where no count is given."""
    return value if isinstance(value, int) else 1


def _topologies(created: Iterable[Change]) -> Iterator[Mapping[str, Any]]:
    for change in created:
        topology = ((change.desired.body.get("spec") or {}).get("topology")) if change.desired else None
        if is_cluster(change.key) and isinstance(topology, Mapping):
            yield topology


def _topology_control_planes(created: Iterable[Change]) -> int:
    return sum(_count((one.get("controlPlane") or {}).get("replicas")) for one in _topologies(created))


def _topology_workers(created: Iterable[Change]) -> int:
    workers = [one.get("workers") or {} for one in _topologies(created)]
    pools = [pool for one in workers for kind in ("machineDeployments", "machinePools") for pool in one.get(kind) or ()]
    return sum(_count(pool.get("replicas")) for pool in pools)


def _upgrades(changes: Iterable[Change]) -> Iterator[str]:
    pointers = {"/spec/version", "/spec/template/spec/version", "/spec/topology/version"}
    for change in sorted(changes, key=lambda change: not is_control_plane(change.key)):
        for field in change.fields:
            if (
                change.action is Action.UPDATE
                and field.pointer in pointers
                and MISSING not in (field.before, field.after)
            ):
                yield f"upgrade {field.before} -> {field.after}"


def _scalings(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        if change.action is Action.UPDATE and (is_control_plane(change.key) or is_pool(change.key)):
            name = "control plane" if is_control_plane(change.key) else pool_name(change)
            for field in change.fields:
                if field.pointer == "/spec/replicas" and MISSING not in (field.before, field.after):
                    yield f"{name} scales {field.before} -> {field.after}"


def _others(changes: Iterable[Change]) -> Iterator[str]:
    counts: dict[Action, int] = {}
    for change in changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    for action, word in _WORDS.items():
        if counts.get(action):
            yield f"{counts[action]} {word}"


_WORDS: Mapping[Action, str] = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.PRUNE: "to prune",
    Action.REFUSE: "refused",
    Action.HOLD: "held",
}
