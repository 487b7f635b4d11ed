"""When a request is planned, and planned again; what is told of it, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from clusterops.controller.board import Board
from clusterops.controller.forges import OPEN_AGAIN_S, Forges
from clusterops.controller.previews import Previews
from clusterops.errors import TerminalError, TransientError
from clusterops.model.fleet import ForgeFile
from clusterops.model.request import ChangeRequest
from tests.fake_forge import BOT, FakeForge
from tests.unit.controller.proposed import FLEET, REGION, Proposals, cluster, fleet_of, proposals, yaml_of
from tests.unit.plan.test_class_generations import class_bodies, cluster_body, patched

ALPHA, BETA = "clusters/north/alpha/objects.yaml", "clusters/north/beta/objects.yaml"
RESIZED = {ALPHA: cluster("alpha", workers=4)}


def rivals_of(previews: Previews, number: int) -> Mapping[str, tuple[int, ...]]:
    """As they are told."""
    told = next(each.told for each in previews.open.values() if each.request.number == number)
    assert told is not None
    return told.rivals


async def test_a_request_is_planned_with_one_render_and_told(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    before = fleet.renders
    request = fleet.propose(7, RESIZED)
    async with fleet.followed():
        assert fleet.states(request) == ["pending", "success"]
        assert "north/alpha" in fleet.plan(request)[1]
        assert fleet.policy(request)[0] == "success"
        assert len(fleet.forge.bodies(7)) == 1
        assert fleet.renders - before == 1


async def test_an_unrelated_merge_costs_no_render_and_leaves_what_stands(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)
    async with fleet.followed():
        posted, written, renders, previewed = (
            len(fleet.forge.posted),
            len(fleet.forge.written),
            fleet.renders,
            fleet.previewed,
        )
        await fleet.merge({BETA: cluster("beta", workers=3)})
        await fleet.look()
        assert (len(fleet.forge.posted), len(fleet.forge.written)) == (posted, written)
        assert (fleet.renders, fleet.previewed) == (renders, previewed)
        assert fleet.plan(request)[0] == "success"


async def test_a_merge_that_changes_its_target_makes_the_plan_again_in_the_same_comment(tmp_path: Path) -> None:
    """Until then the old one is not shown as current."""
    fleet = await proposals(tmp_path)
    two = {**RESIZED, "clusters/north/alpha/more.yaml": cluster("more")}
    request = fleet.propose(7, {"clusters/north/alpha/more.yaml": two["clusters/north/alpha/more.yaml"]})
    async with fleet.followed():
        (before,) = fleet.forge.bodies(7)
        fleet.forge.posted.clear()
        await fleet.merge(RESIZED)
        await fleet.look()
        assert fleet.states(request) == ["pending", "success"]
        (after,) = fleet.forge.bodies(7)
        assert before != after


def scaled(count: int) -> Callable[[dict[str, Any]], None]:
    return lambda raw: raw["spec"].update(replicas=count)


async def test_a_live_object_that_moves_makes_the_plan_again_from_the_same_render(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)
    async with fleet.followed():
        text, renders, previewed = fleet.plan(request)[1], fleet.renders, fleet.previewed
        for count in (5, 6, 7):
            fleet.edit("MachineDeployment", "alpha-general", scaled(count))
            await fleet.settle()
        assert fleet.previewed == previewed
        await fleet.wait(2.0)
        assert (fleet.previewed, fleet.renders) == (previewed + 1, renders)
        assert fleet.plan(request)[1] != text
        assert "7" in fleet.plan(request)[1]


def annotated(raw: dict[str, Any]) -> None:
    raw["metadata"]["annotations"]["example.org/by"] = "somebody"


async def test_what_moves_beside_the_fields_that_are_compared_posts_nothing(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        posted, written, previewed = len(fleet.forge.posted), len(fleet.forge.written), fleet.previewed
        fleet.edit("MachineDeployment", "alpha-general", annotated)
        await fleet.wait(2.0)
        assert fleet.previewed == previewed + 1
        assert (len(fleet.forge.posted), len(fleet.forge.written)) == (posted, written)


async def test_another_clusters_objects_move_nothing(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        previewed = fleet.previewed
        fleet.edit("MachineDeployment", "beta-general", lambda raw: raw["spec"].update(replicas=9))
        await fleet.wait(2.0)
        assert fleet.previewed == previewed


async def test_without_the_api_server_there_is_no_verdict_until_it_is_back(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)
    fleet.cluster.away = True
    async with fleet.followed():
        assert fleet.plan(request) == ("error", "management cluster unreachable since 00:16Z (api-unreachable)")
        assert fleet.policy(request)[0] == "error"
        assert fleet.forge.bodies(7) == []
        posted = len(fleet.forge.posted)
        await fleet.wait(200.0)
        assert len(fleet.forge.posted) == posted
        fleet.cluster.away = False
        await fleet.wait(61.0)
        assert fleet.plan(request)[0] == "success"
        assert len(fleet.forge.bodies(7)) == 1


async def test_a_request_that_breaks_holds_up_no_other(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    broken = fleet.propose(6, {"clusters/north/beta/objects.yaml": cluster("beta", workers=3)})
    request = fleet.propose(7, RESIZED)

    def fails(request: ChangeRequest) -> None:
        if request.number == 6:
            raise RuntimeError("a defect")

    fleet.repository.before_merge = fails
    async with fleet.followed():
        assert fleet.plan(request)[0] == "success"
        assert fleet.plan(broken) == ("error", "request 6: RuntimeError: a defect (internal-error)")
        fleet.repository.before_merge = lambda request: None
        await fleet.wait(61.0)
        assert fleet.plan(broken)[0] == "success"


async def test_a_conflict_is_a_failure_with_its_files_and_ends_with_the_next_push(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)
    await fleet.merge({ALPHA: cluster("alpha", workers=5)})
    async with fleet.followed():
        assert fleet.plan(request)[0] == "failure"
        assert "merge-conflict" in fleet.plan(request)[1]
        assert ALPHA in fleet.forge.bodies(7)[0]
        pushed = fleet.propose(7, RESIZED)
        await fleet.look()
        assert fleet.states(pushed) == ["pending", "success"]
        assert len(fleet.forge.bodies(7)) == 1


async def test_after_a_restart_nothing_is_told_twice(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(6, {ALPHA: cluster("alpha", version="v1.34.1")})
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        posted, written = len(fleet.forge.posted), len(fleet.forge.written)
    await fleet.clock.advance(3600)
    await fleet.merge({BETA: cluster("beta", workers=3)})
    async with fleet.followed():
        assert (len(fleet.forge.posted), len(fleet.forge.written)) == (posted, written)


async def test_what_was_not_told_before_a_restart_is_told_after_it(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)

    def down(method: str) -> None:
        if method.startswith("write"):
            raise TransientError("forge-unavailable", "forge", "answers 503")

    fleet.forge.before = down
    async with fleet.followed():
        assert fleet.forge.posted == []
    fleet.forge.before = lambda method: None
    async with fleet.followed():
        assert fleet.states(request)[-1] == "success"
        assert len(fleet.forge.bodies(7)) == 1


async def test_what_the_forge_does_not_take_is_tried_again(tmp_path: Path) -> None:
    """Statuses stand although comments are forbidden, and no plan is made for a second try."""
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)
    tries: list[str] = []

    def forbidden(method: str) -> None:
        tries.append(method)
        if method == "write_comment":
            raise TerminalError("forge-forbidden", "forge", "answers 403")

    fleet.forge.before = forbidden
    async with fleet.followed():
        assert fleet.plan(request)[0] == "success"
        previewed = fleet.previewed
        await fleet.wait(61.0)
        assert tries.count("write_comment") > 1
        fleet.forge.before = lambda method: None
        await fleet.wait(61.0)
        assert len(fleet.forge.bodies(7)) == 1
        assert fleet.previewed == previewed


async def test_of_several_comments_the_oldest_stays(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    first = fleet.forge.say(7, "<!-- clusterops:plan demo -->\nold", author=BOT)
    fleet.forge.say(7, "<!-- clusterops:plan demo -->\nolder copy", author=BOT)
    strange = fleet.forge.say(7, "<!-- clusterops:plan demo -->\nby somebody else", author="mallory")
    async with fleet.followed():
        left = await fleet.forge.comments(7)
        assert [each.id for each in left] == [first.id, strange.id]
        assert "old" not in left[0].body.splitlines()


async def test_no_changed_target_is_green_by_the_comparison_of_inputs_and_says_nothing_more(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, {"README.md": "words"})
    async with fleet.followed():
        assert fleet.plan(request) == ("success", "no change: inputs of 0 of 2 targets differ")
        assert fleet.policy(request)[0] == "success"
        assert fleet.forge.bodies(7) == []


async def test_changed_files_that_render_the_same_are_green_by_the_render(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, {ALPHA: f"# a remark\n{cluster('alpha')}"})
    async with fleet.followed():
        assert fleet.plan(request) == ("success", "no change: 1 target rendered, 0 objects differ")
        assert fleet.forge.bodies(7) == []


async def test_a_request_that_changes_nothing_any_more_says_so_once_it_is_certainly_open(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)
    async with fleet.followed():
        (before,) = fleet.forge.bodies(7)
        await fleet.merge(RESIZED)
        await fleet.look()
        assert fleet.forge.bodies(7) == [before]
        await fleet.wait(11.0)
        assert fleet.plan(request)[1] == "no change: inputs of 0 of 2 targets differ"
        assert fleet.forge.bodies(7) != [before]


async def test_what_was_merged_keeps_its_last_plan(tmp_path: Path) -> None:
    """The forge's list has it for a moment longer than the branch."""
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, RESIZED)
    async with fleet.followed():
        (before,) = fleet.forge.bodies(7)
        posted = len(fleet.forge.posted)
        merged = await fleet.merge(RESIZED)
        await fleet.look()
        fleet.forge.close(7, merged_as=merged)
        await fleet.wait(60.0)
        assert fleet.forge.bodies(7) == [before]
        assert len(fleet.forge.posted) == posted
        assert fleet.states(request)[-1] == "success"


async def test_requests_that_touch_one_cluster_say_so_as_long_as_both_are_open(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(6, {ALPHA: cluster("alpha", version="v1.34.1")})
    async with fleet.followed() as previews:
        assert not rivals_of(previews, 6)
        fleet.propose(7, RESIZED)
        fleet.propose(8, {BETA: cluster("beta", workers=3)})
        await fleet.look()
        assert rivals_of(previews, 6) == {"north/alpha": (7,)}
        assert rivals_of(previews, 7) == {"north/alpha": (6,)}
        assert not rivals_of(previews, 8)
        previewed = fleet.previewed
        fleet.forge.close(7)
        await fleet.look()
        assert not rivals_of(previews, 6)
        assert fleet.previewed == previewed


async def test_a_fork_is_merged_untrusted_and_shares_no_render(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    mine, theirs = fleet.propose(6, RESIZED), fleet.propose(7, RESIZED, fork=True)
    renders = fleet.renders
    async with fleet.followed() as previews:
        assert fleet.plan(mine) == fleet.plan(theirs)
        assert fleet.renders - renders == 2
        merge = previews.open[theirs.ref].merge
        assert merge is not None
        assert not merge.snapshot.trusted


async def test_a_merge_group_is_told_on_its_commit_and_in_no_comment(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.queued = True
    request = fleet.propose(7, RESIZED)
    fleet.forge.close(7)
    group = replace(request, number=0, ref="refs/heads/gh-readonly-queue/main/pr-7-" + "a" * 40)
    fleet.repository.groups = (group,)
    async with fleet.followed() as previews:
        assert fleet.plan(group)[0] == fleet.policy(group)[0] == "success"
        assert fleet.forge.written == []
        fleet.repository.groups = ()
        await fleet.look()
        assert not previews.open


async def test_a_widened_budget_shows_what_it_lets_go(tmp_path: Path) -> None:
    """No file of the target changes, and the branch would go on with it all the same."""
    fleet = await proposals(tmp_path)
    await fleet.merge(RESIZED)
    fleet.memories["north/alpha"] = replace(fleet.memories["north/alpha"], code="budget-machines-removed")
    request = fleet.propose(7, {"fleet.yaml": f"{FLEET}policy: {{budgets: {{machinesRemoved: 5}}}}\n"})
    async with fleet.followed():
        assert "north/alpha" in fleet.plan(request)[1]


async def test_a_second_key_shows_the_deletion_that_it_is_meant_for(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    await fleet.merge({ALPHA: None})
    key = "target: north/alpha\nuid: 6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10\nreason: CHG-1\nexpires: 2026-11-25\n"
    request = fleet.propose(7, {"deletions/alpha.yaml": key})
    async with fleet.followed():
        state, text = fleet.policy(request)
        assert (state, "north/alpha" in text, "deletion-key-uid" in text) == ("failure", True, True)


async def test_a_new_day_makes_the_plans_again(tmp_path: Path) -> None:
    """A second key or an exception may have expired."""
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        previewed, posted = fleet.previewed, len(fleet.forge.posted)
        await fleet.wait(3600.0)
        assert fleet.previewed == previewed
        await fleet.wait(86400.0)
        assert fleet.previewed > previewed
        assert len(fleet.forge.posted) == posted


async def test_a_region_that_nobody_claims_fails_the_policy(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, {"regions/south/region.yaml": f"{REGION}management: eu\n"})
    async with fleet.followed():
        state, text = fleet.policy(request)
        assert (state, "region-unclaimed" in text) == ("failure", True)
        assert "regions/south/region.yaml:3" in text


async def test_a_request_that_mends_the_branch_is_planned(tmp_path: Path) -> None:
    """While fleet.yaml cannot be read nothing is passed over: what lives counts."""
    fleet = await proposals(tmp_path)
    await fleet.merge({"fleet.yaml": FLEET.replace("mode: apply", "mode: sideways"), **RESIZED})
    request = fleet.propose(7, {"fleet.yaml": FLEET})
    async with fleet.followed():
        assert fleet.plan(request)[0] == "success"
        assert "north/alpha" in fleet.plan(request)[1]


async def test_a_request_that_breaks_fleet_yaml_fails_in_the_same_comment(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        request = fleet.propose(7, {"fleet.yaml": "name: [\n"})
        await fleet.look()
        assert fleet.plan(request)[0] == "failure"
        assert fleet.policy(request)[0] == "error"
        assert len(fleet.forge.bodies(7)) == 1


async def test_a_named_management_cluster_has_its_own_contexts_and_comment(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path, fleet=f"{FLEET}management: [default, eu]\n")
    await fleet.merge({"regions/south/region.yaml": f"{REGION}management: eu\n"})
    request = fleet.propose(7, {"clusters/south/gamma/objects.yaml": cluster("gamma"), **RESIZED})
    async with fleet.followed():
        pass
    fleet.management = "eu"
    async with fleet.followed():
        told = fleet.heard(request)
        assert "south/gamma" in told["clusterops-eu/plan"][1]
        assert "north/alpha" in told["clusterops/plan"][1]
        assert len(fleet.forge.bodies(7)) == 2


async def test_a_request_that_edits_a_shared_class_shows_the_clusters_that_follow_it(tmp_path: Path) -> None:
    """Although their own files are as before."""
    classes = "shared/classes/objects.yaml"
    fleet = Proposals(tmp_path, {**fleet_of("north/beta"), classes: yaml_of(class_bodies())})
    fleet.files["clusters/north/alpha/objects.yaml"] = yaml_of(cluster_body("alpha"))
    await fleet.apply()
    request = fleet.propose(7, {classes: yaml_of(patched(class_bodies()))})
    async with fleet.followed() as previews:
        preview = previews.open[request.ref].told
        assert preview is not None
        assert [outcome.target for outcome in preview.outcomes] == ["north/alpha", "shared/classes"]
        assert {outcome.problem for outcome in preview.outcomes} == {None}
        fleet.propose(8, {"clusters/north/alpha/objects.yaml": yaml_of(cluster_body("alpha", workers=5))})
        await fleet.look()
        assert rivals_of(previews, 8) == {"north/alpha": (7,)}
        assert rivals_of(previews, 7) == {"north/alpha": (8,)}


async def test_a_field_that_is_left_to_its_owner_is_not_told_as_no_difference(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    key = next(key for key in fleet.cluster.objects if (key.kind, key.name) == ("ConfigMap", "alpha-notes"))
    fleet.cluster.edit(key, lambda raw: raw["data"].update(text="theirs"), manager="somebody")
    request = fleet.propose(7, {ALPHA: cluster("alpha", notes="ours")})
    async with fleet.followed():
        assert fleet.plan(request) == ("success", "no change: 1 target rendered, 1 object left as set by others")
        (comment,) = await fleet.forge.comments(request.number)
        assert "left to somebody: /data/text" in comment.body


async def test_requests_are_looked_at_again_after_a_forge_was_away_for_days(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    looks = 0

    def down(method: str) -> None:
        nonlocal looks
        looks += method == "open_requests"
        raise TransientError("forge-unavailable", "forge", "answers 503")

    fleet.forge.before = down
    async with fleet.followed() as previews:
        previews.poll_s = 1.0
        await fleet.wait(1100.0)
        assert looks > 1030
        fleet.forge.before = lambda method: None
        request = fleet.propose(7, RESIZED)
        await fleet.wait(2.0)
        assert fleet.plan(request)[0] == "success"


async def test_a_forge_that_cannot_be_opened_is_opened_again(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request, stands_in_the_way = fleet.propose(7, RESIZED), [TerminalError("tls-file", "ca.pem", "is not there")]

    @asynccontextmanager
    async def opened(file: ForgeFile) -> AsyncIterator[FakeForge]:
        if stands_in_the_way:
            raise stands_in_the_way.pop()
        yield fleet.forge

    forges = Forges(
        open=opened,
        board=Board(repository=fleet.repository, clock=fleet.clock),
        previewer=fleet.previewer(),
        base=lambda: fleet.base,
        branch="main",
        poll_s=60.0,
    )
    assert fleet.base is not None
    async with asyncio.TaskGroup() as group:
        await forges.take(fleet.base.fleet, group)
        assert forges.previews is None
        await fleet.clock.advance(OPEN_AGAIN_S)
        assert forges.previews is not None
        fleet.previews = forges.previews
        await fleet.settle()
        assert fleet.plan(request)[0] == "success"
        await forges.take(replace(fleet.base.fleet, file=replace(fleet.base.fleet.file, forge=None)), group)
