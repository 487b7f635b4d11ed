"""A recording as a small file: the states at which the report changes, each as the objects that differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.report import HealthReport
from tests.recorded_cluster import by_type, merge_patch, recorded_health
from tests.shows.health_judged import Replay
from tests.shows.health_phases import Phase
from tests.shows.health_watch import Event, State

Body = dict[str, Any]
_METADATA = ("name", "namespace", "uid", "generation", "deletionTimestamp")
_WORDS_OF = ("cluster.x-k8s.io/", "topology.cluster.x-k8s.io/")
_ANNOTATIONS = {"cluster.x-k8s.io/cloned-from-name", "cluster.x-k8s.io/paused", "cluster.x-k8s.io/remediate-machine"}
_SPEC = {
    "Cluster": ("paused", "topology", "controlPlaneRef", "infrastructureRef"),
    "ClusterClass": ("infrastructure", "controlPlane", "workers"),
    "KubeadmControlPlane": ("replicas", "version", "machineTemplate"),
    "MachineDeployment": ("replicas", "template", "clusterName"),
    "MachineSet": ("replicas", "template", "clusterName"),
}
_STATUS = (
    "observedGeneration",
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "upToDateReplicas",
    "updatedReplicas",
    "unavailableReplicas",
    "initialization",
    "initialized",
    "ready",
)


async def condensed(phases: list[Phase], truth: list[Event], shown: list[Event]) -> list[Body]:
    """The phases with their steps: a revision, what was lacking in truth, what health said, a patch of the state."""
    told, state = Replay(truth), Replay([lean(one) for one in shown if one.live.key.kind != "DevMachine"])
    before: Body = {}
    last: tuple[bool, str] | None = None
    result = []
    for phase in phases:
        steps: list[Body] = []
        revision = phase.edited
        while revision <= phase.ended:
            report = await recorded_health(state.forward(revision).state, phase.keys)
            lacking = phase.lacking(told.forward(revision).state)
            seen = bool(lacking), said(report)
            if not steps or seen != last:
                after = folded(state.state)
                told_now = {"revision": revision, "lacking": lacking, "says": seen[1]}
                steps.append({**told_now, "patch": merge_patch(before, after)})
                before, last = after, seen
            revision = state.next_revision
        result.append(
            {"name": phase.name, "ends": phase.ends, "keys": [str(key) for key in phase.keys], "steps": steps}
        )
    return result


def said(report: HealthReport) -> str:
    """Every objection once, without names that differ from run to run."""
    return "; ".join(sorted({f"{row.key.kind} {row.word} {row.reason}" for row in report.unsettled}))


def folded(state: State) -> Body:
    return {str(key): {**one.body, "status": by_type(one.body.get("status") or {})} for key, one in state.items()}


def lean(event: Event) -> Event:
    """Only what health reads; the revision stays beside it."""
    live = event.live
    body = trimmed(live.key, live.body)
    return Event(revision=event.revision, version=event.version, gone=event.gone, live=LiveObject.of(body))


def trimmed(key: ObjectKey, body: Mapping[str, Any]) -> Body:
    metadata = body["metadata"]
    kept = {name: metadata[name] for name in _METADATA if name in metadata}
    kept["labels"] = {k: v for k, v in (metadata.get("labels") or {}).items() if k.startswith(_WORDS_OF)}
    kept["annotations"] = {k: v for k, v in (metadata.get("annotations") or {}).items() if k in _ANNOTATIONS}
    kept["ownerReferences"] = [{"uid": one["uid"]} for one in metadata.get("ownerReferences") or ()]
    spec = {name: part for name, part in (body.get("spec") or {}).items() if name in _SPEC.get(key.kind, ())}
    result = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {name: part for name, part in kept.items() if part},
        "spec": spec,
        "status": status_of(body.get("status") or {}),
    }
    return {name: part for name, part in result.items() if part}


def status_of(status: Mapping[str, Any]) -> Body:
    kept = {name: status[name] for name in _STATUS if name in status}
    if "conditions" in status:
        kept["conditions"] = [dict(condition(one)) for one in status["conditions"]]
    if "v1beta2" in status:
        kept["v1beta2"] = status_of(status["v1beta2"])
    return kept


def condition(one: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("type", "status", "reason", "observedGeneration"):
        if name in one and not (name == "reason" and one["reason"] == one["type"]):
            yield name, one[name]


def write(path: Path, phases: list[Body]) -> None:
    """One line a step, so that a difference can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for phase in phases:
        steps = ",\n".join(json.dumps(step, separators=(",", ":"), sort_keys=True) for step in phase["steps"])
        head = json.dumps({name: phase[name] for name in ("name", "ends", "keys")})
        lines.append(f'{head[:-1]}, "steps": [\n{steps}]}}')
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
