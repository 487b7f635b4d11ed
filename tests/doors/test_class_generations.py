"""A class that a cluster of another namespace uses, edited on the real controllers: who moves when, and how far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from clusterops.errors import ClusterOpsError
from clusterops.kube import KubeCluster
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest, Provenance, RenderedSet
from clusterops.model.plan import Plan
from clusterops.plan import versions_to_read
from clusterops.plan.classes import Classes, Shared, concerns_classes
from clusterops.plan.naming import named_after
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics
from tests.shows.impact_clusters import Bodies, cluster_class, with_class
from tests.shows.impact_lane import CLOCK, LOGGER, Lane, each_of, one_of, set_at

Change = Callable[[Bodies], None]
HOME = "generations-classes"


def on_class(name: str) -> Bodies:
    one = with_class(name, "web", pools={"general": 1})
    one["spec"]["topology"]["classRef"]["namespace"] = HOME
    return [one]


@dataclass(slots=True)
class Scene:
    """A shared target with one class, and one with a cluster."""

    shared: Lane
    lane: Lane

    async def classes(self, *, comes: bool) -> Classes:
        manifests = [one for one in map(Manifest.of, self.shared.wanted) if concerns_classes(one.key)]
        known = RenderedSet(manifests=tuple(manifests), provenance=Provenance(target=self.shared.target, inputs="x"))
        live = await self.shared.cluster.read_as(versions_to_read(known, self.shared.inventory))
        while more := named_after(manifests, live, self.shared.inventory) - live.objects.keys():
            live = LiveSet({**live.objects, **(await self.shared.cluster.read(more)).objects})
        return Classes.of([Shared(manifests=manifests, inventory=self.shared.inventory, live=live, comes=comes)])

    async def plan(self, *, comes: bool) -> Plan:
        self.lane.classes = await self.classes(comes=comes)
        return await self.lane.plan()

    async def live_classes(self) -> list[LiveObject]:
        return list(await self.shared.cluster.list_objects("cluster.x-k8s.io", "ClusterClass", namespace=HOME))

    async def edit(self, change: Change, *, rolls: int) -> None:
        """Told before the class is there, told once it is, and done: three times the same."""
        change(self.shared.bodies)
        early = going(await self.plan(comes=True))
        assert not going(await self.shared.plan())
        before = uids(await self.lane.machines())
        await self.shared.create()
        assert len(await self.live_classes()) == 2
        assert uids(await self.lane.machines()) == before, "nothing moves before its own turn"
        await self.keeps_the_old_class()
        late = going(await self.plan(comes=False))
        await self.lane.create()
        gone = before - uids(await self.lane.machines())
        assert early == late == gone
        assert len(gone) == rolls
        await self.shared.create()
        assert len(await self.live_classes()) == 1
        assert not (await self.plan(comes=False)).writes

    async def keeps_the_old_class(self) -> None:
        """Cluster API itself lets no class go that a Cluster names, in whatever namespace."""
        rows = {one.key: one for one in (await self.shared.plan()).changes if one.key.kind == "ClusterClass"}
        old = next(one for one in rows.values() if one.desired is None)
        assert old.reason is not None
        assert old.reason.code == "generation-in-use"
        assert old.live is not None
        with pytest.raises(ClusterOpsError, match="used by Cluster"):
            await self.shared.cluster.delete(old.key, uid=old.live.uid, resource_version=old.live.resource_version)


def going(plan: Plan) -> frozenset[str]:
    pools = [pool for change in plan.changes if change.impact for pool in change.impact.pools]
    assert not [pool.note for pool in pools if pool.note]
    return frozenset(uid for pool in pools for uid in pool.going)


def uids(found: tuple[LiveObject, ...]) -> frozenset[str]:
    return frozenset(one.uid for one in found)


def more_variables(bodies: Bodies) -> None:
    string = {"openAPIV3Schema": {"type": "string", "default": "x"}}
    one_of(bodies, "ClusterClass")["spec"]["variables"].append({"name": "more", "required": False, "schema": string})


OTHER_WORKERS = set_at({"labels": {"note": "b"}}, "DevMachineTemplate", "web-worker", "spec", "template", "metadata")


@pytest.mark.capi
async def test_a_cluster_follows_a_class_in_its_own_turn_and_replaces_what_its_plan_says(capi_sandbox: Sandbox) -> None:
    """The edit itself moves nothing; the old class stays as long as it is used, and goes then."""
    settings = ClusterSettings(kubeconfig=capi_sandbox.kubeconfig)
    async with KubeCluster.connect(
        settings, NetworkSettings(), logger=LOGGER, metrics=Metrics(), clock=CLOCK
    ) as cluster:
        shared = Lane(name=HOME, cluster=cluster, bodies=cluster_class("web"), target="shared/classes")
        lane = Lane(name="generations", cluster=cluster, bodies=on_class("web"), target="generations/web")
        scene = Scene(shared, lane)
        try:
            await shared.create()
            await lane.create()
            await scene.edit(each_of(more_variables, OTHER_WORKERS), rolls=1)
        finally:
            await lane.delete()
