"""ports.Forge: the same suite on the forge in memory and on a real Gitea."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clusterops.errors import TerminalError
from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus, State
from tests.doors.forge_stage import FakeStage, GiteaStage, Stage, hosted, opened
from tests.gitea.repository import GiteaRepository
from tests.gitea.server import ADMIN, AUTHOR, GiteaServer


@pytest.fixture(scope="module")
def repository(gitea: GiteaServer, tmp_path_factory: pytest.TempPathFactory) -> GiteaRepository:
    return hosted(gitea, tmp_path_factory.mktemp("clones"))


@pytest.fixture(params=["fake", "gitea"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "fake":
        yield FakeStage()
        return
    repository = request.getfixturevalue("repository")
    async with opened(repository) as forge:
        yield GiteaStage(repository=repository, forge=forge)


def _status(context: str, state: State = State.SUCCESS, text: str = "fine") -> CommitStatus:
    return CommitStatus(context=context, state=state, text=text)


async def _standing(stage: Stage, commit: str) -> list[tuple[str, str, str]]:
    return [(each.context, each.state, each.text) for each in await stage.forge.read_statuses(commit)]


async def test_a_commit_has_no_statuses_before_one_is_written(stage: Stage) -> None:
    assert await stage.forge.read_statuses(stage.commit("bare")) == ()


async def test_statuses_are_read_by_context_and_of_each_the_one_written_last(stage: Stage) -> None:
    """Also when all of them are of one second, which is as fine as a forge's clock is."""
    commit = stage.commit("newest")
    for state in (State.PENDING, State.SUCCESS, State.ERROR, State.FAILURE):
        await stage.forge.write_statuses(commit, [_status("clusterops/plan", state, f"was {state}")])
    await stage.forge.write_statuses(commit, [_status("clusterops/apply: eu-west-1"), _status("clusterops/apply")])
    assert await _standing(stage, commit) == [
        ("clusterops/apply", "success", "fine"),
        ("clusterops/apply: eu-west-1", "success", "fine"),
        ("clusterops/plan", "failure", "was failure"),
    ]


async def test_more_statuses_than_fit_a_page_are_all_read(stage: Stage) -> None:
    commit = stage.commit("many")
    contexts = [f"clusterops/apply: region-{number:02}" for number in range(57)]
    await stage.forge.write_statuses(commit, [_status("clusterops/apply: region-03", State.PENDING, "before")])
    await stage.forge.write_statuses(commit, [_status(context) for context in contexts])
    assert await _standing(stage, commit) == [(context, "success", "fine") for context in contexts]


async def test_a_status_keeps_its_text_and_tells_when_it_was_written(stage: Stage) -> None:
    commit = stage.commit("texts")
    text = f"✓ 2 clusters: <b>+1</b>, \"resize\" 1 & 'x' {'é' * TEXT_LIMIT}"
    written = _status("clusterops/plan", text=text)
    await stage.forge.write_statuses(commit, [written])
    [read] = await stage.forge.read_statuses(commit)
    assert read.text == written.text
    assert len(read.text) == TEXT_LIMIT
    assert read.at is not None


async def test_open_requests_are_those_against_the_branch_by_number(stage: Stage) -> None:
    heads = {name: stage.commit(name) for name in ("first", "second", "third", "onto")}
    numbers = {name: stage.propose(name) for name in ("first", "second", "third")}
    elsewhere = stage.propose("onto", base="first")
    stage.close(numbers["second"])
    found = await stage.forge.open_requests("main")
    assert elsewhere not in {each.number for each in found}
    assert [each.number for each in found] == sorted(each.number for each in found)
    mine = {each.number: each for each in found if each.number in numbers.values()}
    assert set(mine) == {numbers["first"], numbers["third"]}
    first = mine[numbers["first"]]
    assert (first.head, first.branch, first.base) == (heads["first"], "first", "main")
    assert (first.author, first.fork) == ("author", False)
    assert first.title
    assert [each.number for each in await stage.forge.open_requests("first")] == [elsewhere]


async def test_the_head_of_a_request_is_the_last_one_pushed(stage: Stage) -> None:
    stage.commit("pushed")
    number = stage.propose("pushed")
    head = stage.commit("pushed")
    assert {each.number: each.head for each in await stage.forge.open_requests("main")}[number] == head


async def test_a_request_from_a_fork_is_told_as_one(stage: Stage) -> None:
    number = stage.propose("theirs", fork=True)
    request = {each.number: each for each in await stage.forge.open_requests("main")}[number]
    assert (request.fork, request.author) == (True, "stranger")


@pytest.mark.parametrize("style", ["merge", "rebase", "squash"])
async def test_a_merged_commit_names_its_request(stage: Stage, style: str) -> None:
    stage.commit(f"to-{style}")
    head = stage.commit(f"to-{style}")
    number = stage.propose(f"to-{style}")
    stage.commit("main")
    made = stage.merge(number, style)
    [request] = await stage.forge.requests_of(made[-1])
    assert (request.number, request.head) == (number, head)


async def test_a_commit_that_nobody_proposed_has_no_requests(stage: Stage) -> None:
    assert await stage.forge.requests_of(stage.commit("main")) == ()
    assert await stage.forge.requests_of("0" * 40) == ()


async def test_comments_come_oldest_first_and_tell_which_are_ours(stage: Stage) -> None:
    stage.commit("talk")
    number = stage.propose("talk")
    mine = await stage.forge.write_comment(number, "one")
    stage.say(number, "two")
    await stage.forge.write_comment(number, "three")
    assert mine.mine
    found = await stage.forge.comments(number)
    assert [(each.body, each.author, each.mine) for each in found] == [
        ("one", "clusterops", True),
        ("two", "author", False),
        ("three", "clusterops", True),
    ]
    assert found[0].id == mine.id
    assert all(each.at is not None for each in found)


async def test_a_comment_is_edited_in_place_and_deleted_twice_without_harm(stage: Stage) -> None:
    stage.commit("edit")
    number = stage.propose("edit")
    first = await stage.forge.write_comment(number, "one")
    await stage.forge.write_comment(number, "two")
    edited = await stage.forge.write_comment(number, "one anew", id=first.id)
    assert (edited.id, edited.body) == (first.id, "one anew")
    assert [each.body for each in await stage.forge.comments(number)] == ["one anew", "two"]
    await stage.forge.delete_comment(number, first.id)
    await stage.forge.delete_comment(number, first.id)
    assert [each.body for each in await stage.forge.comments(number)] == ["two"]


async def test_a_comment_that_is_gone_cannot_be_edited(stage: Stage) -> None:
    stage.commit("gone")
    number = stage.propose("gone")
    comment = await stage.forge.write_comment(number, "one")
    await stage.forge.delete_comment(number, comment.id)
    with pytest.raises(TerminalError, match="forge-missing"):
        await stage.forge.write_comment(number, "anew", id=comment.id)


async def test_a_comment_as_long_as_the_limit_is_kept_word_for_word(stage: Stage) -> None:
    stage.commit("long")
    number = stage.propose("long")
    begin = "<!-- clusterops:plan platform -->\n| **é** → ✅ |\n\n```diff\n- a\n+ b\n```\n<details>\n"
    body = begin + "x" * (stage.forge.comment_limit - len(begin))
    await stage.forge.write_comment(number, body)
    [found] = await stage.forge.comments(number)
    assert found.body == body


async def test_more_comments_than_fit_a_page_are_all_read_in_order(stage: Stage) -> None:
    stage.commit("chatter")
    number = stage.propose("chatter")
    for word in range(54):
        await stage.forge.write_comment(number, f"word {word}")
    assert [each.body for each in await stage.forge.comments(number)] == [f"word {word}" for word in range(54)]


async def test_who_may_write_is_trusted_and_nobody_else(stage: Stage) -> None:
    stage.permit("reader", "read")
    stage.permit("writer", "write")
    trusted = {name: await stage.forge.trusts(name) for name in ("writer", "reader", "stranger", "nobody-at-all")}
    assert trusted == {"writer": True, "reader": False, "stranger": False, "nobody-at-all": False}


async def test_a_request_is_opened_once_for_a_branch(stage: Stage) -> None:
    head = stage.commit("proposal")
    form = {"branch": "proposal", "base": "main", "title": "payments: v1.34.1", "body": "as asked"}
    first = await stage.forge.open_request(**form)
    again = await stage.forge.open_request(**form)
    assert (first.head, first.branch, first.base, first.title) == (head, "proposal", "main", "payments: v1.34.1")
    assert again.number == first.number
    stage.close(first.number)
    stage.commit("proposal")
    assert (await stage.forge.open_request(**form)).number != first.number


async def test_a_branch_that_is_not_there_cannot_be_proposed(stage: Stage) -> None:
    with pytest.raises(TerminalError, match=r"forge-(missing|refused)"):
        await stage.forge.open_request(branch="nowhere", base="main", title="title", body="")


async def test_gitea_trusts_the_owner_of_the_repository(repository: GiteaRepository) -> None:
    async with opened(repository) as forge:
        assert await forge.trusts(ADMIN)
        assert await forge.trusts(AUTHOR)


async def test_gitea_refuses_a_token_that_is_not_valid_by_name(repository: GiteaRepository) -> None:
    async with opened(repository, token="0" * 40) as forge:
        for read in (forge.open_requests("main"), forge.comments(1), forge.trusts("author")):
            with pytest.raises(TerminalError, match="forge-unauthorized"):
                await read


async def test_gitea_tells_a_missing_repository_by_name(repository: GiteaRepository) -> None:
    async with opened(repository, name=f"{ADMIN}/nothing-here") as forge:
        for read in (forge.open_requests("main"), forge.write_comment(1, "text"), forge.read_statuses("0" * 40)):
            with pytest.raises(TerminalError, match="forge-missing"):
                await read


async def test_gitea_refuses_an_account_without_rights_by_name(
    repository: GiteaRepository, gitea: GiteaServer, tmp_path: Path
) -> None:
    repository.invite(AUTHOR, "read")
    try:
        async with opened(repository, token=gitea.tokens[AUTHOR]) as forge:
            with pytest.raises(TerminalError, match="forge-forbidden"):
                await forge.write_statuses(repository.fetch(), [_status("clusterops/plan")])
    finally:
        repository.invite(AUTHOR, "write")


async def test_gitea_tells_who_may_write_to_administrators_of_the_repository_alone(
    repository: GiteaRepository, gitea: GiteaServer
) -> None:
    async with opened(repository, token=gitea.tokens[AUTHOR]) as forge:
        assert not await forge.trusts(ADMIN), "who cannot be asked about is not trusted"
