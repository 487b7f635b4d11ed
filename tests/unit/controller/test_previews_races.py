"""What moves while a plan is being made: an old plan is never shown as current."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from clusterops.controller.preview import Merge, Previewer
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet
from clusterops.model.preview import Preview
from clusterops.model.request import ChangeRequest
from clusterops.source.git.merge import request_moved
from tests.unit.controller.proposed import Proposals, cluster, proposals

ALPHA, BETA = "clusters/north/alpha/objects.yaml", "clusters/north/beta/objects.yaml"
RESIZED = {ALPHA: cluster("alpha", workers=4)}


class Gate:
    """Holds up reads of live objects until ``open``."""

    def __init__(self, fleet: Proposals) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        fleet.cluster.held_up = self._hold

    async def _hold(self) -> None:
        self.reached.set()
        await self.opened.wait()


async def planning(fleet: Proposals) -> Gate:
    """Returns when a plan is being made, and has not read what lives."""
    gate = Gate(fleet)
    fleet.previews.look_now()
    await gate.reached.wait()
    return gate


async def ended(fleet: Proposals, gate: Gate) -> None:
    fleet.cluster.held_up = None
    gate.opened.set()
    await fleet.settle()


async def test_the_branch_moves(tmp_path: Path) -> None:
    """What is shown is of the branch as it is then, and the plan of before is shown at no time."""
    fleet = await proposals(tmp_path)
    async with fleet.followed() as previews:
        request = fleet.propose(7, {"clusters/north/alpha/more.yaml": cluster("more")})
        gate = await planning(fleet)
        await fleet.merge(RESIZED)
        previews.look_now()
        await ended(fleet, gate)
        assert fleet.states(request) == ["pending", "success"]
        told = previews.open[request.ref].told
        assert told is not None
        assert fleet.base is not None
        assert told.base.commit == fleet.base.commit
        assert len(fleet.forge.written) == 1


async def test_the_branch_moves_beside_it(tmp_path: Path) -> None:
    """One plan is enough."""
    fleet = await proposals(tmp_path)
    async with fleet.followed() as previews:
        request = fleet.propose(7, RESIZED)
        previewed = fleet.previewed
        gate = await planning(fleet)
        await fleet.merge({BETA: cluster("beta", workers=3)})
        previews.look_now()
        await ended(fleet, gate)
        assert fleet.states(request) == ["pending", "success"]
        assert fleet.previewed == previewed + 1


async def test_a_live_object_moves(tmp_path: Path) -> None:
    """It is planned once more, as soon as it rests."""
    fleet = await proposals(tmp_path)
    async with fleet.followed() as previews:
        request = fleet.propose(7, RESIZED)
        moved = fleet.cluster.read_as

        async def moves(versions: Mapping[ObjectKey, str]) -> LiveSet:
            found = await moved(versions)
            fleet.cluster.read_as = moved  # type: ignore[method-assign]
            fleet.edit("MachineDeployment", "alpha-general", lambda raw: raw["spec"].update(replicas=9))
            await asyncio.sleep(0.01)
            return found

        fleet.cluster.read_as = moves  # type: ignore[method-assign]
        previews.look_now()
        await fleet.settle()
        assert "9" not in fleet.plan(request)[1]
        await fleet.wait(2.0)
        assert "9" in fleet.plan(request)[1]


async def test_the_request_is_closed(tmp_path: Path) -> None:
    """Nothing is told of it any more."""
    fleet = await proposals(tmp_path)
    async with fleet.followed() as previews:
        request = fleet.propose(7, RESIZED)
        gate = await planning(fleet)
        fleet.forge.close(7)
        previews.look_now()
        await ended(fleet, gate)
        assert fleet.states(request) == ["pending"]
        assert fleet.forge.written == []


async def test_the_head_moves(tmp_path: Path) -> None:
    """The old head stays without a verdict, the new one has its own."""
    fleet = await proposals(tmp_path)
    async with fleet.followed() as previews:
        old = fleet.propose(7, RESIZED)
        gate = await planning(fleet)
        new = fleet.propose(7, {ALPHA: cluster("alpha", workers=5)})
        previews.look_now()
        await ended(fleet, gate)
        assert fleet.states(old) == ["pending"]
        assert fleet.states(new) == ["pending", "success"]
        assert len(fleet.forge.written) == 1


async def test_the_title_moves(tmp_path: Path) -> None:
    """The plan that is under way is of the same head."""
    fleet = await proposals(tmp_path)
    async with fleet.followed() as previews:
        request = fleet.propose(7, RESIZED)
        gate = await planning(fleet)
        fleet.forge.open(replace(request, title="Another title"))
        previews.look_now()
        await ended(fleet, gate)
        assert fleet.states(request) == ["pending", "success"]
        assert len(fleet.forge.written) == 1


async def test_the_forges_list_is_behind_the_reference(tmp_path: Path) -> None:
    """Nothing is told of a head that is not there any more; where it stays so, that is told."""
    fleet = await proposals(tmp_path)
    lists: list[str] = []

    def is_gone(request: ChangeRequest) -> None:
        lists.append(request.head)
        raise request_moved(request)

    fleet.repository.before_merge = is_gone
    async with fleet.followed():
        request = fleet.propose(7, RESIZED)
        fleet.previews.look_now()
        await fleet.settle()
        assert fleet.forge.posted == []
        await fleet.wait(10.0)
        assert fleet.plan(request)[0] == "error"
        fleet.repository.before_merge = lambda request: None
        await fleet.wait(61.0)
        assert fleet.plan(request)[0] == "success"


async def test_two_requests_for_one_cluster_come_at_once(tmp_path: Path) -> None:
    """Each comment is written once, and knows of the other."""
    fleet = await proposals(tmp_path)
    async with fleet.followed() as previews:
        fleet.propose(6, {ALPHA: cluster("alpha", version="v1.34.1")})
        fleet.propose(7, RESIZED)
        await fleet.look()
        rivals = {each.request.number: each.told.rivals for each in previews.open.values() if each.told is not None}
        assert rivals == {6: {"north/alpha": (7,)}, 7: {"north/alpha": (6,)}}
        assert len(fleet.forge.written) == 2


@dataclass(slots=True, kw_only=True)
class Counting(Previewer):
    now: int = 0
    most: int = 0

    async def preview(self, merge: Merge) -> Preview:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.005)
        found = await Previewer.preview(self, merge)
        self.now -= 1
        return found


async def test_no_more_than_two_plans_are_made_at_once(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path, *(f"north/c{number}" for number in range(5)))
    async with fleet.followed() as previews:
        counted = Counting(**{each.name: getattr(previews.previewer, each.name) for each in fields(Previewer)})
        previews.previewer = counted
        for number in range(5):
            fleet.propose(number + 1, {f"clusters/north/c{number}/objects.yaml": cluster(f"c{number}", workers=3)})
        await fleet.look()
        assert counted.most == 2
        assert all(each.told is not None for each in previews.open.values())
