"""Drift reports as values, for tests of how they are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clusterops.model.drift import (
    Author,
    Departed,
    DriftedField,
    DriftedObject,
    DriftRecord,
    DriftReport,
    Ignored,
    Remedy,
    TargetDrift,
)
from clusterops.model.key import ObjectKey
from clusterops.model.machines import MachineCounts
from clusterops.model.plan import MISSING
from clusterops.model.problem import Problem, Retry

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
CORE = "cluster.x-k8s.io"


def key(kind: str, name: str, *, namespace: str = "fra1", group: str = CORE) -> ObjectKey:
    return ObjectKey(group=group, kind=kind, namespace=namespace, name=name)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def field_of(pointer: str, git: Any, live: Any, manager: str = "kubectl-edit", **changes: Any) -> DriftedField:
    given: dict[str, Any] = (
        {"operation": "Update", "changed_at": ago(hours=2), "author": Author.PERSON} if manager else {}
    )
    return DriftedField(pointer=pointer, git=git, live=live, manager=manager, **(given | changes))


def scaled() -> DriftedObject:
    return DriftedObject(
        key=key("MachineDeployment", "ledger-general", namespace="eu-west-1"),
        what=Departed.CHANGED,
        fields=(field_of("/spec/replicas", 4, 5, "kubectl-scale"),),
        cost=MachineCounts(removed=1),
        author=Author.PERSON,
        seen_at=ago(hours=2),
    )


def edited() -> DriftedObject:
    pointer = "/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs/audit-log-maxage"
    return DriftedObject(
        key=key("KubeadmControlPlane", "billing-control-plane", group=f"controlplane.{CORE}"),
        what=Departed.CHANGED,
        fields=(field_of(pointer, 30, 7, changed_at=ago(days=3)),),
        cost=MachineCounts(replaced=3),
        author=Author.PERSON,
        seen_at=ago(days=3),
    )


def deleted() -> DriftedObject:
    return DriftedObject(
        key=key("MachineHealthCheck", "search-general"),
        what=Departed.DELETED,
        remedy=Remedy.HEAL,
        why="recreated in 0.3 s",
        seen_at=ago(minutes=6),
    )


def fleet_of(*targets: TargetDrift) -> DriftReport:
    return DriftReport(fleet="platform", revision="main@c81e77d", taken_at=NOW, targets=targets)


def agreed() -> DriftReport:
    """What JOURNEY.md shows."""
    drifted = [
        TargetDrift(target="eu-west-1/ledger", objects=13, drifted=(scaled(),), left={Author.AUTOSCALER: 14}),
        TargetDrift(target="fra1/billing", objects=12, drifted=(edited(),), left={Author.CONTROLLER: 3}),
        TargetDrift(target="fra1/search", objects=12, drifted=(deleted(),)),
    ]
    rest = [
        TargetDrift(target=f"fra2/c{number:03}", objects=13 if number < 9 else 12, in_sync_since=ago(days=6))
        for number in range(297)
    ]
    return fleet_of(*drifted, *rest)


def nothing() -> DriftReport:
    return fleet_of(TargetDrift(target="fra1/search", objects=12, in_sync_since=ago(days=6)))


def every_kind() -> DriftReport:
    """Each thing that can happen, each remedy, each author; something that could not be compared; a history."""
    config = ObjectKey(group="", kind="ConfigMap", namespace="fra1", name="settings")
    secret = ObjectKey(group="", kind="Secret", namespace="fra1", name="cloud-config")
    ledger = key("MachineDeployment", "ledger-general", namespace="eu-west-1")
    several = DriftedObject(
        key=config,
        what=Departed.CHANGED,
        fields=(
            field_of("/data/a", "1", "2", changed_at=ago(seconds=12), user="ada@example.org"),
            field_of("/data/b", "x\ny", "", changed_at=ago(seconds=12), user="ada@example.org"),
            field_of("/data/c", "kept", MISSING, ""),
            field_of("/data/list/0/name", "same", "same"),
            field_of("/data/d", {"k": [1, None]}, True, "tilt", author=Author.UNKNOWN),
        ),
        remedy=Remedy.HOLD,
        why="the window opens Mon 08:00",
        author=Author.PERSON,
        seen_at=ago(seconds=12),
    )
    lost = DriftedObject(
        key=key("Cluster", "billing"),
        what=Departed.OWNERSHIP_LOST,
        fields=(field_of("/spec/paused", False, False, "helm", operation="Apply", author=Author.TOOL),),
        remedy=Remedy.REPORT,
    )
    replaced = DriftedObject(
        key=key("MachineDeployment", "billing-batch"),
        what=Departed.REPLACED,
        fields=(field_of("/spec/replicas", 3, 1, "kubectl", changed_at=None),),
        remedy=Remedy.ASK,
        unknown_cost=True,
        why="another uid",
        seen_at=NOW,
    )
    foreign = DriftedObject(
        key=key("MachineHealthCheck", "billing"),
        what=Departed.FOREIGN,
        fields=(field_of("/spec/clusterName", "billing", "billing", "kustomize-controller", author=Author.TOOL),),
        remedy=Remedy.LEAVE,
        why="Flux applies it",
        author=Author.TOOL,
        seen_at=ago(days=9),
    )
    extra = DriftedObject(
        key=key("MachineDeployment", "billing-by-hand"),
        what=Departed.EXTRA,
        remedy=Remedy.LEAVE,
        why="add it to git, or delete it",
        author=Author.PERSON,
        seen_at=ago(hours=30),
    )
    fight = DriftedObject(
        key=secret,
        what=Departed.CHANGED,
        fields=(field_of("/data/token", "(secret)", "(secret, changed)", "vault", author=Author.CONTROLLER),),
        remedy=Remedy.FIGHT,
        why="changed back 3 times by vault",
    )
    forbidden = Problem(
        code="api-forbidden",
        subject="ConfigMap",
        message="may not be listed",
        hint="grant list and watch of configmaps",
        retry=Retry.HUMAN,
    )
    history = tuple(
        DriftRecord(at=ago(days=day), what="changed", object=ledger, pointer="/spec/replicas", author=author)
        for day, author in ((25, Author.TOOL), (9, Author.PERSON), (9, Author.PERSON), (2, Author.AUTOSCALER))
    )
    ignored = Ignored(
        key=ledger, field=field_of("/spec/replicas", 3, 7, "autoscaler", author=Author.AUTOSCALER), rule="fleet.yaml:25"
    )
    return fleet_of(
        TargetDrift(
            target="eu-west-1/ledger",
            objects=13,
            drifted=(scaled(),),
            ignored=(ignored, ignored),
            left={Author.AUTOSCALER: 1},
            history=history,
        ),
        TargetDrift(
            target="fra1/billing",
            objects=12,
            drifted=(several, fight, lost, replaced, foreign, extra, edited()),
            history=tuple(
                DriftRecord(at=ago(days=20 - each), what="changed", object=config, author=Author.PERSON)
                for each in range(20)
            ),
        ),
        TargetDrift(target="fra1/closed", objects=3, unknown=(forbidden,)),
        TargetDrift(target="fra1/search", objects=12, drifted=(deleted(),)),
        TargetDrift(target="fra2/calm", objects=12, in_sync_since=ago(days=6)),
        TargetDrift(target="shared/class", objects=2),
    )


def hostile() -> DriftReport:
    """Names and values that try to leave the place that they stand in."""
    name = "<script>alert(1)</script>|`\"'&]]>\n```"
    drifted = DriftedObject(
        key=ObjectKey(group=name, kind=name, namespace=name, name=name),
        what=Departed.CHANGED,
        fields=(
            field_of(f"/{name}", name, f"</td>{name}", name, operation=name, user=name),
            field_of(f"/{name}/2", MISSING, {name: name}, name),
        ),
        why=name,
    )
    ignored = Ignored(key=drifted.key, field=drifted.fields[0], rule=name)
    problem = Problem(code="api-forbidden", subject=name, message=name, hint=name)
    record = DriftRecord(at=NOW, what=name, object=drifted.key, pointer=name, manager=name)
    target = TargetDrift(
        target=f"{name}/{name}", drifted=(drifted,), ignored=(ignored,), unknown=(problem,), history=(record,)
    )
    return DriftReport(fleet=name, revision=f"main@{name}", taken_at=NOW, targets=(target,))
