"""Previews of requests, as the planning of a merge would leave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from clusterops.model.deletion import Permits
from clusterops.model.fleet import Fleet, FleetFile, Mode, Pace, PlainRecipe, RolloutPolicy, Target
from clusterops.model.impact import Cause, Impact, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, FieldChange, Plan
from clusterops.model.policy import Budget, Weight
from clusterops.model.preview import Place, Preview
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Stage
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import Revision
from clusterops.plan.keys import refused_for_key

CORE, INFRA = "cluster.x-k8s.io", "infrastructure.cluster.x-k8s.io"
PLANE, BOOT = "controlplane.cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
AT = datetime(2026, 11, 21, 14, 2, 11, tzinfo=UTC)
VALUES = "clusters/eu-west-1/payments/values.yaml"
OLD, NEW = "v1.33.4", "v1.34.1"


def key(group: str, kind: str, target: str, name: str) -> ObjectKey:
    return ObjectKey(group=group, kind=kind, namespace=target.partition("/")[0], name=name)


def fleet(*names: str, **rollout: Any) -> Fleet:
    policy = RolloutPolicy(**{"source": "fleet.yaml:16", **rollout})
    return Fleet(
        file=FleetFile(name="platform", rollout=policy), targets={name: _target(name) for name in (*names, "x/y")}
    )


def _target(name: str) -> Target:
    region, _, cluster = name.partition("/")
    labels = {"ring": "canary"} if cluster == "sandbox" else {}
    return Target(
        name=name,
        fleet="platform",
        region=None,
        cluster=cluster,
        namespace=region,
        mode=Mode.APPLY,
        recipe=PlainRecipe(files=()),
        labels=labels,
    )


def preview(*outcomes: Outcome, **facts: Any) -> Preview:
    number = facts.pop("number", 412)
    request = ChangeRequest(
        number=number,
        head="9d03be1" + "0" * 33,
        ref=f"refs/pull/{number}/head",
        base="main",
        fork=facts.pop("fork", False),
    )
    known: dict[str, Any] = {
        "request": request,
        "base": Revision(repository="fleet", branch="main", commit="4f1c2a9" + "0" * 33, committed_at=AT),
        "fleet": fleet(*(outcome.target for outcome in outcomes)),
        "planned_at": AT,
        "outcomes": outcomes,
        "rendered": sum(outcome.plan is not None for outcome in outcomes),
        "total": 300,
    }
    return Preview(**{**known, **facts})


def outcome(target: str, *changes: Change, problem: Problem | None = None, **facts: Any) -> Outcome:
    refusals = tuple(one.reason for one in changes if one.action is Action.REFUSE and one.reason)
    plan = Plan(target=target, revision="c1", waves=(changes,), refusals=refusals, id="7c1f9e2a" * 8, **facts)
    return Outcome(target=target, revision="c1", stage=Stage.VERDICT, plan=plan, problem=problem)


def broken(target: str, problem: Problem) -> Outcome:
    return Outcome(target=target, revision="c1", stage=Stage.RENDER, problem=problem)


def field(pointer: str, before: Any, after: Any) -> FieldChange:
    return FieldChange(pointer=pointer, before=before, after=after)


def pool(target: str, name: str, **facts: Any) -> PoolImpact:
    cluster = key(CORE, "Cluster", target, target.partition("/")[2])
    plane = name == "control-plane"
    kind = ("KubeadmControlPlane", PLANE) if plane else ("MachineDeployment", CORE)
    known: dict[str, Any] = {
        "cluster": cluster,
        "owner": key(kind[1], kind[0], target, f"{cluster.name}-{name}"),
        "role": Role.CONTROL_PLANE if plane else Role.WORKER,
        "pool": name,
        "kind": ImpactClass.ROLLING,
        "surge": 1,
    }
    return PoolImpact(**{**known, **facts})


def updated(one: PoolImpact, *fields: FieldChange, **facts: Any) -> Change:
    return Change(key=one.owner, action=Action.UPDATE, fields=fields, impact=Impact.of([one], least=one.kind), **facts)


def rotated(target: str, kind: str, name: str, *fields: FieldChange) -> Change:
    return Change(
        key=key(INFRA, kind, target, name),
        action=Action.ROTATE,
        fields=fields,
        impact=Impact(kind=ImpactClass.IN_PLACE),
    )


def body(api: str, kind: str, target: str, name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    namespace = target.partition("/")[0]
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


def upgrade(target: str = "eu-west-1/payments", *, general: int = 5) -> Outcome:
    """JOURNEY section 2: an upgrade, a resize, and a pool that is autoscaled."""
    name, version = target.partition("/")[2], "/spec/template/spec/version"
    because = Cause(object=key(PLANE, "K", target, name), pointer="/spec/version", before=OLD, after=NEW, rule="v")
    plane = pool(target, "control-plane", replaced=3, now=3, then=3, causes=(because,))
    web = pool(target, "general", replaced=3, added=general - 3, now=3, then=general, causes=(because,))
    batch = pool(target, "batch", replaced=6, now=6, then=6, causes=(because,))
    sizes = {f"{CORE}/cluster-api-autoscaler-node-group-{end}-size": str(n) for end, n in (("min", 3), ("max", 20))}
    said = body(
        f"{CORE}/v1beta2", "MachineDeployment", target, f"{name}-batch", {"clusterName": name}, annotations=sizes
    )
    live = LiveObject.of({**said, "spec": {"clusterName": name, "replicas": 6}})
    ami = field("/spec/template/spec/ami/id", "ami-07b2d8e90c1f2a344", "ami-0a41c7f3b5e6d7788")
    resized = [field("/spec/replicas", 3, general)] if general != 3 else []
    return outcome(
        target,
        rotated(target, "AWSMachineTemplate", f"{name}-control-plane", ami),
        rotated(target, "AWSMachineTemplate", f"{name}-general", ami),
        rotated(target, "AWSMachineTemplate", f"{name}-batch", ami),
        updated(plane, field("/spec/version", OLD, NEW)),
        updated(web, *resized, field(version, OLD, NEW)),
        updated(batch, field(version, OLD, NEW), desired=Manifest.of(said), live=live),
    )


def upgrade_origins(target: str = "eu-west-1/payments") -> Mapping[Place, str]:
    planned = upgrade(target).plan
    assert planned is not None
    known = {"/spec/replicas": f"{VALUES}:6", "/spec/template/spec/ami/id": "regions/eu-west-1/values.yaml:3"}
    return {
        (target, change.key, one.pointer): known.get(one.pointer, f"{VALUES}:1")
        for change in planned.changes
        for one in change.fields
    }


def replaced_weight(spent: int = 12, limit: int = 122, **facts: Any) -> Weight:
    known: dict[str, Any] = {"region": "eu-west-1", "targets": ("eu-west-1/payments",), "total": 612}
    return Weight(**{"budget": Budget.MACHINES_REPLACED, "spent": spent, "limit": limit, **known, **facts})


def deletion(target: str = "fra1/search", *, permitted: bool = False) -> Outcome:
    """JOURNEY section 3."""
    name, uid = target.partition("/")[2], "6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10"
    found = LiveObject.of(
        body(f"{CORE}/v1beta2", "Cluster", target, name, {}, uid=uid, creationTimestamp="2025-10-05T09:00:00Z")
    )
    there = LiveObject.of(
        body(f"{PLANE}/v1beta2", "KubeadmControlPlane", target, f"{name}-control-plane", {"version": NEW})
    )
    gone = [
        pool(target, pool_name, kind=ImpactClass.DELETE, removed=count, now=count, surge=0)
        for pool_name, count in (("control-plane", 3), ("general", 4))
    ]
    refused = refused_for_key(found, target, Permits(now=AT))
    reason = None if permitted else refused
    held = Problem(code="goes-after-cluster", subject=there.key.label, message="goes after it", retry=Retry.BACKOFF)
    return outcome(
        target,
        Change(
            key=found.key,
            action=Action.PRUNE if permitted else Action.REFUSE,
            live=found,
            impact=Impact.of(gone, least=ImpactClass.DELETE),
            reason=reason,
        ),
        Change(key=there.key, action=Action.HOLD, live=there, reason=held),
        problem=reason,
    )


def created(target: str = "eu-west-1/fresh") -> Outcome:
    name = target.partition("/")[2]
    made = [
        pool(target, pool_name, kind=ImpactClass.SCALING, added=count, then=count, surge=0)
        for pool_name, count in (("control-plane", 3), ("general", 2))
    ]
    cluster = Manifest.of(body(f"{CORE}/v1beta2", "Cluster", target, name, {}))
    plane = Manifest.of(
        body(f"{PLANE}/v1beta2", "KubeadmControlPlane", target, f"{name}-control-plane", {"version": NEW})
    )
    return outcome(
        target,
        Change(key=cluster.key, action=Action.CREATE, desired=cluster, impact=Impact(kind=ImpactClass.NONE)),
        Change(key=plane.key, action=Action.CREATE, desired=plane, impact=Impact.of([made[0]])),
        Change(key=made[1].owner, action=Action.CREATE, desired=plane, impact=Impact.of([made[1]])),
    )


def many() -> Preview:
    """JOURNEY section 2: a request that changes 41 clusters."""
    names = ["eu-west-1/sandbox", *(f"eu-west-1/c{number:02}" for number in range(40))]
    paced = fleet(*names, pace=Pace(canaries={"ring": "canary"}))
    living = [_living(upgrade(name, general=3)) for name in names]
    weight = replaced_weight(492, 500, targets=tuple(names), exception="CHG-2310", source="fleet.yaml:13")
    return preview(*living, fleet=paced, weights=(weight,))


def _living(one: Outcome) -> Outcome:
    """With its Cluster, which stays."""
    assert one.plan is not None
    name = one.target.partition("/")[2]
    there = body(f"{CORE}/v1beta2", "Cluster", one.target, name, {})
    row = Change(
        key=key(CORE, "Cluster", one.target, name),
        action=Action.UNCHANGED,
        desired=Manifest.of(there),
        live=LiveObject.of(there),
    )
    return replace(one, plan=replace(one.plan, waves=(*one.plan.waves, (row,))))


def problems(*found: Problem) -> Preview:
    return preview(problems=tuple(found), rendered=0)
