"""A fleet of small clusters in memory whose commits go through it in steps: real passes, pace and records, no git."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

from clusterops.capi.rollout.spelling import MAX_SIZE, MIN_SIZE
from clusterops.controller.clock import Ticks
from clusterops.controller.commits import Commit
from clusterops.controller.due import Memory, find_due
from clusterops.controller.intake import Intake
from clusterops.controller.pacing import Pacing, is_held
from clusterops.controller.reconcile import reconcile
from clusterops.controller.records import Records
from clusterops.controller.schedule import Schedule
from clusterops.controller.work import Doors
from clusterops.model.fleet import Fleet, FleetFile, Mode, Pace, RolloutPolicy, Target
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import RenderedSet
from clusterops.model.policy import Budget, Limit, Policy
from clusterops.model.problem import Retry
from clusterops.model.revision import Revision, Snapshot
from clusterops.telemetry import Metrics, build_logger
from tests.fake_clock import FakeClock
from tests.fleet_objects import body, cluster_bodies, rendered
from tests.machine_objects import machine_set, worker
from tests.scale.controllers import _status as settled_status
from tests.unit.controller.watched import WatchedCluster
from tests.unit.controller.works import revision, target

_PARTS = ("DevMachineTemplate", "KubeadmConfigTemplate", "Cluster", "DevCluster", "MachineDeployment")


class MortalCluster(WatchedCluster):
    """After ``lives`` writes nothing answers any more, as to a process that was killed then."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: int | None = None
        self.lists: list[str] = []

    async def _live(self) -> None:
        if self.lives == 0:
            await asyncio.Event().wait()

    def _lived(self) -> None:
        if self.lives:
            self.lives -= 1

    async def apply(self, body: Mapping[str, Any], **how: Any) -> LiveObject:
        if how.get("dry_run"):
            return await super().apply(body, **how)
        await self._live()
        found = await super().apply(body, **how)
        self._lived()
        return found

    async def create(self, body: Mapping[str, Any]) -> LiveObject:
        await self._live()
        found = await super().create(body)
        if body["kind"] != "Event":
            self._lived()
        return found

    async def replace(self, body: Mapping[str, Any]) -> LiveObject:
        await self._live()
        found = await super().replace(body)
        self._lived()
        return found

    async def list_objects(self, group: str, kind: str, **how: Any) -> tuple[LiveObject, ...]:
        self.lists.append(kind)
        return await super().list_objects(group, kind, **how)


@dataclass(slots=True)
class Git:
    """Target to content, commit by commit; the renderer and the repository of a process."""

    contents: dict[str, str] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)
    autoscaled: set[str] = field(default_factory=set)
    """Clusters whose pool an autoscaler counts."""

    def commit(self, **changes: str) -> Revision:
        """``a="v1.34.1"`` changes north/a; "" drops it."""
        named = {f"north/{name}": content for name, content in changes.items()}
        self.contents = {name: text for name, text in {**self.contents, **named}.items() if text}
        at = revision("1").committed_at + timedelta(minutes=len(self.revisions))
        self.revisions.append(replace(revision(str(len(self.revisions) + 1)), committed_at=at))
        return self.revisions[-1]

    def shared(self, name: str, content: str) -> None:
        """With the next commit."""
        self.contents[f"shared/{name}"] = content

    def fingerprint(self, snapshot: Snapshot, target: Target) -> str:
        return self.contents[target.name]

    async def render(self, snapshot: Snapshot, target: Target) -> RenderedSet:
        found = objects(target.name, self.contents[target.name])
        for one in found:
            if one["kind"] == "MachineDeployment" and target.cluster in self.autoscaled:
                one["metadata"]["annotations"] |= {MIN_SIZE: "1", MAX_SIZE: "9"}
                one["metadata"]["labels"] |= {"cluster.x-k8s.io/cluster-name": target.cluster}
        return rendered(found, of=target.name)

    async def snapshot(self, commit: str) -> Snapshot:
        found = next(one for one in self.revisions if one.commit.startswith(commit))
        return Snapshot(revision=found, files={}, reader=cast(Any, None))

    async def read_statuses(self, commit: str) -> list[Any]:
        return []


def objects(name: str, content: str) -> list[dict[str, Any]]:
    """``notes:text`` is a ConfigMap with it beside the cluster; anything else is the version of its pool."""
    version, _, text = content.partition("/")
    short = name.partition("/")[2]
    if name.startswith("shared/"):
        return [_of(name, body("v1", "ConfigMap", f"shared-{short}", "shared", data={"text": content}))]
    cluster = [one for one in cluster_bodies(short, version=version) if one["kind"] in _PARTS]
    for one in cluster:
        if one["kind"] == "Cluster":
            del one["spec"]["controlPlaneRef"]
    return [_of(name, one) for one in (*cluster, body("v1", "ConfigMap", f"{short}-notes", data={"text": text}))]


def _of(name: str, one: dict[str, Any]) -> dict[str, Any]:
    one["metadata"]["annotations"]["clusterops.io/target"] = name
    return one


@dataclass(slots=True)
class World:
    """What outlives a process: git, the API server, and Cluster API, which replaces machines when it is played."""

    policy: RolloutPolicy = field(default_factory=lambda: RolloutPolicy(pace=Pace(soak_s=60.0)))
    windows: tuple[Any, ...] = ()
    cluster: MortalCluster = field(default_factory=MortalCluster)
    clock: FakeClock = field(default_factory=FakeClock)
    git: Git = field(default_factory=Git)
    stuck: set[str] = field(default_factory=set)
    """Clusters whose machines never come."""
    surprising: set[str] = field(default_factory=set)
    """Clusters that replace one more machine than they have to."""
    autoscaled: set[str] = field(default_factory=set)
    begun: list[str] = field(default_factory=list)
    """``main@2222222 north/a`` as each begins."""
    most: int = 0
    """The most clusters that were on their way at once."""

    def __post_init__(self) -> None:
        self.cluster.after_write = self._written
        self.git.autoscaled = self.autoscaled

    def _written(self, verb: str, key: ObjectKey) -> None:
        if verb == "apply" and key.kind in {"MachineDeployment", "ConfigMap"}:
            name = f"north/{key.name.rpartition('-')[0]}"
            line = f"{self.git.revisions[-1].text} {name}"
            if line not in self.begun:
                self.begun.append(line)
        self.most = max(self.most, len(self.in_phase("Applying", "Applied")))

    @property
    def fleet(self) -> Fleet:
        unlimited = Policy(budgets=dict.fromkeys(Budget, Limit(count=10_000)))
        file = FleetFile(name="demo", mode=Mode.APPLY, rollout=self.policy, windows=self.windows, policy=unlimited)
        return Fleet(file=file, targets={name: replace(target(name), fleet="demo") for name in self.git.contents})

    def status(self, name: str) -> dict[str, Any]:
        return dict(self._found("FleetTarget", name).get("status") or {})

    def phases(self) -> dict[str, str]:
        found = [one for key, one in self.cluster.objects.items() if key.kind == "FleetTarget"]
        return {one["spec"]["target"]: one.get("status", {}).get("phase", "") for one in found}

    def in_phase(self, *phases: str) -> list[str]:
        return sorted(name for name, phase in self.phases().items() if phase in phases)

    @property
    def fleet_status(self) -> dict[str, Any]:
        return next((one["status"] for key, one in self.cluster.objects.items() if key.kind == "Fleet"), {})

    def events(self) -> list[str]:
        """Reasons of those on the Fleet, in order."""
        found = [one for key, one in self.cluster.objects.items() if key.kind == "Event"]
        return [one["reason"] for one in found if one["regarding"]["kind"] == "Fleet"]

    def _found(self, kind: str, name: str) -> dict[str, Any]:
        short = name.partition("/")[2]
        return next((one for key, one in self.cluster.objects.items() if (key.kind, key.name) == (kind, short)), {})

    def play(self) -> None:
        """Cluster API comes to its end wherever it can."""
        for key, one in list(self.cluster.objects.items()):
            if key.kind in {"DevCluster", "Cluster"} and not one.get("status"):
                self.cluster.set_status(key, settled_status(one))
            if key.kind == "MachineDeployment" and key.name.rpartition("-")[0] not in self.stuck:
                self._roll(key, one)

    def _roll(self, key: ObjectKey, pool: dict[str, Any]) -> None:
        if (pool.get("status") or {}).get("observedGeneration") == pool["metadata"]["generation"]:
            return
        version, cluster = pool["spec"]["template"]["spec"]["version"], key.name.rpartition("-")[0]
        for other in [each for each in self.cluster.objects if each.kind in {"Machine", "MachineSet"}]:
            if other.name.startswith(f"{key.name}-") and not other.name.startswith(f"{key.name}-{version}"):
                del self.cluster.objects[other]
        replicas = pool["spec"].get("replicas", 2)
        members = machine_set(f"{key.name}-{version}", cluster, version=version, replicas=replicas)
        members["metadata"]["ownerReferences"][0]["uid"] = pool["metadata"]["uid"]
        self._make(members, settled_status({**members, "metadata": {"generation": 1}}))
        for number in range(replicas + (cluster in self.surprising)):
            self._make(
                worker(f"{key.name}-{version}-{number}", members["metadata"]["name"], cluster), _machine_status()
            )
        self.cluster.set_status(key, settled_status(pool))

    def _make(self, one: dict[str, Any], status: dict[str, Any]) -> None:
        if ObjectKey.of(one) not in self.cluster.objects:
            self.cluster._store(ObjectKey.of(one), one)
            self.cluster.set_status(ObjectKey.of(one), status)

    def degrade(self, name: str) -> None:
        """The control plane of a cluster stops to answer now."""
        key = next(key for key in self.cluster.objects if (key.kind, key.name) == ("Cluster", name))
        status = dict(self.cluster.objects[key]["status"])
        said = {"type": "ControlPlaneAvailable", "status": "False", "message": "* etcd has lost its quorum"}
        said |= {"reason": "NotAvailable", "lastTransitionTime": f"{self.clock.now():%Y-%m-%dT%H:%M:%SZ}"}
        self.cluster.set_status(key, {**status, "conditions": [*status["conditions"], said]})


def _machine_status() -> dict[str, Any]:
    kinds = (
        "InfrastructureReady",
        "BootstrapConfigReady",
        "NodeReady",
        "NodeHealthy",
        "Ready",
        "Available",
        "UpToDate",
    )
    conditions = [
        {"type": kind, "status": "True", "observedGeneration": 1, "reason": kind} for kind in (*kinds, "UpToDate")
    ]
    return {"observedGeneration": 1, "conditions": conditions}


@dataclass(slots=True)
class Process:
    """One daemon's life, as far as passes, pace and records go."""

    world: World
    doors: Doors = field(init=False)
    pacing: Pacing = field(init=False)
    schedule: Schedule = field(init=False)
    memories: dict[str, Memory] = field(default_factory=dict)
    latest: dict[str, Commit] = field(default_factory=dict)
    passes: list[str] = field(default_factory=list)
    fleet: Fleet | None = None
    _pacer: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        world = self.world
        records = Records(
            cluster=world.cluster, clock=world.clock, namespace="clusterops-system", identity="test", fleet="demo"
        )
        self.doors = Doors(
            renderer=cast(Any, world.git),
            cluster=world.cluster,
            records=records,
            clock=world.clock,
            ticks=Ticks(world.clock, 1.0),
            logger=build_logger(level="critical"),
            metrics=Metrics(),
            slots=asyncio.Semaphore(8),
        )
        self.schedule = Schedule(run=self._pass, clock=world.clock, backoff_max_s=15.0)
        self.pacing = Pacing(doors=self.doors, wake=self.schedule.wake, fleet=lambda: self.fleet)

    async def start(self) -> None:
        records = self.doors.records
        await records.of_fleet.recall()
        await records.of_fleet.introduce()
        self.memories = {stored.target: Memory.of(stored) for stored in await records.every()}
        self._pacer = asyncio.create_task(self.pacing.run())
        if self.world.git.revisions:
            await self.take(first=True)

    async def take(self, *, first: bool = False) -> None:
        """The head, as the daemon takes it."""
        world, snapshot = self.world, await self.world.git.snapshot(self.world.git.revisions[-1].commit)
        self.fleet = world.fleet
        due = find_due(self.fleet, self.fleet.targets, self.memories, snapshot, cast(Any, world.git), gone=())
        intake = Intake(
            snapshot=snapshot,
            fleet=self.fleet,
            memories=self.memories,
            size=len(self.fleet.targets),
            first=first,
            repository=cast(Any, world.git),
            board=cast(Any, world.git),
            doors=self.doors,
            management="default",
            on_change=lambda commit: self.pacing.moved(),
            admit=self.pacing.admit,
        )
        for commit in await intake.commits(due, world.clock.now()):
            self._begin(commit)
        self.pacing.complete()

    def _begin(self, commit: Commit) -> None:
        for name in commit.works:
            if name in self.latest:
                self.latest[name].supersede(name, commit)
            self.latest[name] = commit
            self.memories[name] = self.memories.get(name, Memory()).before(commit.works[name])
        self.pacing.begin(commit)
        for name in sorted(commit.works):
            self.schedule.wake(name)

    async def _pass(self, name: str, interrupted: asyncio.Event) -> bool:
        commit = self.latest[name]
        work = commit.works[name]
        commit.again(name)
        outcome = await reconcile(work, self.doors, commit.view(name), interrupted)
        self.memories[name] = self.memories[name].after(work, outcome)
        self.passes.append(name)
        if is_held(outcome) and outcome.problem is not None:
            commit.hold(name, outcome.problem)
        else:
            commit.finish(name, outcome)
        self.pacing.ended(commit, name)
        return outcome.problem is not None and outcome.problem.retry is Retry.BACKOFF

    def asked(self, name: str) -> None:
        """`clusterops reconcile`"""
        self.pacing.asked(name)
        self.schedule.wake(name)

    async def kill(self) -> None:
        """Nothing of it goes on."""
        tasks = [slot.task for slot in self.schedule._running.values()] + list(self.schedule._delayed.values())
        self.schedule._closed = True
        for task in (*tasks, *([self._pacer] if self._pacer else [])):
            task.cancel()
        await asyncio.gather(*tasks, self._pacer or asyncio.sleep(0), return_exceptions=True)

    async def go_on(self, seconds: float = 10.0, *, plays: bool = True) -> None:
        """Second by second, with Cluster API beside it."""
        for _ in range(int(seconds)):
            if plays:
                self.world.play()
            await self.world.clock.advance(1.0)
            await settle(self.world)


async def settle(world: World) -> None:
    """Threads have a moment as well."""
    for _ in range(2):
        await world.clock.settle()
        await asyncio.sleep(0.0005)


async def begun_fleet(count: int, world: World) -> Process:
    """``count`` settled clusters of v1.33.4: north/a, north/b, …"""
    process = Process(world)
    world.git.commit(**{chr(ord("a") + number): "v1.33.4" for number in range(count)})
    await process.start()
    await process.go_on(8)
    assert set(world.phases().values()) == {"Settled"}, world.phases()
    world.begun.clear()
    world.most = 0
    return process


def upgraded(*names: str, version: str = "v1.34.1") -> dict[str, str]:
    return dict.fromkeys(names, version)
