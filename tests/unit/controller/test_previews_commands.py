"""What people ask for in comments, and what they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.controller.commands import Command, Word, commands_of, unknown_text
from clusterops.model.request import Called, Comment, Delivery
from tests.unit.controller.proposed import FLEET, REGION, Proposals, cluster, proposals

ALPHA, BETA = "clusters/north/alpha/objects.yaml", "clusters/north/beta/objects.yaml"
RESIZED = {ALPHA: cluster("alpha", workers=4)}
CALLED = Delivery(kind=Called.COMMENT, number=7)


def answers(fleet: Proposals) -> list[str]:
    return [body for body in fleet.forge.bodies(7) if body.startswith("<!-- clusterops:answer")]


async def say(fleet: Proposals, body: str, *, author: str = "alice") -> None:
    fleet.forge.say(7, body, author=author)
    fleet.previews.called(CALLED)
    await fleet.settle()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("clusterops plan", [Command(word=Word.PLAN)]),
        ("Please:\r\nclusterops  plan  \r\n", [Command(word=Word.PLAN)]),
        ("clusterops explain north/alpha", [Command(word=Word.EXPLAIN, argument="north/alpha")]),
        ("clusterops", [Command(word=Word.HELP)]),
        ("clusterops appply now", [Command(word=Word.UNKNOWN, said="appply now")]),
        ("clusterops explain", [Command(word=Word.UNKNOWN, said="explain")]),
        ("clusterops plan\nclusterops plan\nclusterops help", [Command(word=Word.PLAN), Command(word=Word.HELP)]),
        ("say `clusterops plan`", []),
        ("> clusterops plan", []),
        ("  clusterops plan", []),
        ("clusteropsplan", []),
        ("```\nclusterops plan\n```", []),
        ("~~~\n```\nclusterops plan\n~~~\nclusterops help", [Command(word=Word.HELP)]),
        ("<!-- clusterops:plan demo -->\nclusterops plan", []),
        ("clusterops help\n" * 50, [Command(word=Word.HELP)]),
    ],
)
def test_a_command_stands_at_the_beginning_of_a_line(body: str, found: list[Command]) -> None:
    assert list(commands_of(Comment(id="1", body=body))) == found


def test_what_somebody_wrote_is_no_markup_in_an_answer() -> None:
    hostile = "x` <img src=y> @everyone `\u202e"
    assert unknown_text(hostile).startswith("``clusterops x` <img src=y> @everyone `\\u202e`` is no command.")
    assert len(unknown_text("x" * 100_000)) < 2000


async def test_plan_plans_again_and_says_what_it_found(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        previewed, posted = fleet.previewed, len(fleet.forge.posted)
        await say(fleet, "clusterops plan")
        assert fleet.previewed == previewed + 1
        (answer,) = answers(fleet)
        assert "Planned again" in answer
        assert "north/alpha" in answer
        assert len(fleet.forge.posted) == posted


async def test_a_command_is_answered_once_also_after_a_restart_and_when_it_is_edited(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        asked = fleet.forge.say(7, "clusterops help")
        await say(fleet, "nothing to do with it")
        assert len(answers(fleet)) == 1
        fleet.forge.say(7, "clusterops plan", id=asked.id)
        fleet.previews.called(CALLED)
        await fleet.settle()
    previewed = fleet.previewed
    async with fleet.followed():
        assert len(answers(fleet)) == 1
        assert fleet.previewed == previewed + 1


async def test_a_command_of_before_the_daemon_came_is_answered(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    fleet.forge.say(7, "clusterops help")
    async with fleet.followed():
        assert len(answers(fleet)) == 1


async def test_a_command_without_a_webhook_is_found_by_looking(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        fleet.forge.say(7, "clusterops help")
        await fleet.wait(61.0)
        assert len(answers(fleet)) == 1


async def test_who_may_not_write_is_not_heard(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        previewed = fleet.previewed
        await say(fleet, "clusterops plan", author="mallory")
        assert (answers(fleet), fleet.previewed) == ([], previewed)


async def test_nobody_answers_in_our_name(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        asked = fleet.forge.say(7, "clusterops help")
        await say(fleet, f"<!-- clusterops:answer demo to {asked.id} -->", author="mallory")
        assert len(answers(fleet)) == 1


async def test_an_unknown_command_gets_one_answer_that_helps(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        await say(fleet, "clusterops plam")
        (answer,) = answers(fleet)
        assert "Did you mean `clusterops plan`?" in answer
        assert "clusterops explain TARGET" in answer


async def test_explain_says_where_each_changed_value_comes_from(tmp_path: Path) -> None:
    """Values are not repeated: one of them may be a secret."""
    fleet = await proposals(tmp_path)
    fleet.propose(7, {ALPHA: cluster("alpha", workers=4, notes="CANARY")})
    async with fleet.followed():
        await say(fleet, "clusterops explain north/alpha")
        (answer,) = answers(fleet)
        assert "MachineDeployment north/alpha-general /spec/replicas" in answer
        assert f"{ALPHA}" in answer
        assert "CANARY" not in answer


async def test_explain_of_what_the_request_does_not_change_names_what_it_does(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        await say(fleet, "clusterops explain north/beta")
        (answer,) = answers(fleet)
        assert "does not change `north/beta`" in answer
        assert "`north/alpha`" in answer


async def test_an_answer_that_may_have_arrived_is_not_given_twice(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, RESIZED)
    async with fleet.followed():
        fleet.forge.losing = 1
        await say(fleet, "clusterops help")
        await fleet.wait(61.0)
        assert len(answers(fleet)) == 1


async def test_of_several_daemons_the_one_of_the_region_explains_and_the_first_helps(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path, fleet=f"{FLEET}management: [default, eu]\n")
    await fleet.merge({"regions/south/region.yaml": f"{REGION}management: eu\n"})
    fleet.propose(7, {"clusters/south/gamma/objects.yaml": cluster("gamma"), **RESIZED})
    fleet.forge.say(7, "clusterops explain south/gamma")
    fleet.forge.say(7, "clusterops help")
    async with fleet.followed():
        assert len(answers(fleet)) == 1
        assert "clusterops help" in answers(fleet)[0]
    fleet.management = "eu"
    async with fleet.followed():
        assert len(answers(fleet)) == 2
        assert "south/gamma" in answers(fleet)[1]
