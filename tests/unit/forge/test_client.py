"""ports.Forge over the wire: pages, whose comments are ours, whom the repository trusts, and a token that rotates."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.forge.client import ForgeClient
from clusterops.forge.github import Github
from clusterops.forge.gitlab import Gitlab
from clusterops.forge.wire import Wire
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.secret import SecretText
from tests.unit.forge.scripted import CANARY, CUT, ME, Answered, Asked, opened, says, scripted

SHA = "9d03be1c5b4f0a7e6d2c1b0a9f8e7d6c5b4a3f2e"
PENDING = CommitStatus(context="clusterops/plan", state=State.PENDING, text="planning 1 of 300 clusters")


def github(url: str) -> Wire:
    return Github(url=url, repository="platform/fleet")


def gitlab(url: str) -> Wire:
    return Gitlab(url=url, repository="platform/fleet")


def request(number: int, **changed: Any) -> dict[str, Any]:
    side = {"ref": "main", "sha": SHA, "repo": {"id": 1}, "repo_id": 1}
    head = {**side, "ref": f"b{number}"}
    return {"number": number, "head": head, "base": side, "user": {"login": "ada"}, **changed}


def comment(id: int, login: str = "clusterops") -> dict[str, Any]:
    return {"id": id, "body": f"body {id}", "user": {"login": login}, "created_at": "2026-11-21T14:02:11Z"}


async def test_pages_are_followed_by_their_query_alone() -> None:
    """The host of a link is not believed."""
    there = '<https://elsewhere.example/x?state=open&page=2>; rel="next", <https://x/?page=9>; rel="last"'
    async with scripted(says([request(2)], link=there), says([request(1)])) as forge, opened(forge, github) as room:
        found = await room.client.open_requests("main")
    assert [each.number for each in found] == [1, 2]
    assert forge.asked[1].path == "/api/v3/repos/platform/fleet/pulls?state=open&page=2"


async def test_a_page_that_leads_to_itself_ends_in_an_error() -> None:
    async def again(asked: Asked) -> Answered:
        return says([request(1)], link='<http://x/?page=2>; rel="next"')

    async with scripted(by=again) as forge, opened(forge, github) as room:
        with pytest.raises(TransientError, match="leads to itself"):
            await room.client.open_requests("main")
    assert len(forge.asked) == 2


async def test_a_link_that_is_no_address_is_followed_by_its_query_all_the_same() -> None:
    there = says([request(1)], link='<http://[half?page=2>; rel="next"')
    async with scripted(there, says([request(2)])) as forge, opened(forge, github) as room:
        assert len(await room.client.open_requests("main")) == 2


async def test_a_list_without_an_end_is_cut_and_said() -> None:
    async def more(asked: Asked) -> Answered:
        return says([], link=f'<http://x/?page={len(forge.asked) + 1}>; rel="next"')

    async with scripted(by=more) as forge, opened(forge, github) as room:
        assert await room.client.open_requests("main") == ()
    assert len(forge.asked) == 40
    assert "forge list cut" in room.log.getvalue()


async def test_a_list_that_grows_while_it_is_read_shows_each_once() -> None:
    link = '<http://x/?page=2>; rel="next"'
    pages = (says(ME), says([comment(1), comment(2)], link=link), says([comment(2), comment(3)]))
    async with scripted(*pages) as forge, opened(forge, github) as room:
        found = await room.client.comments(4)
    assert [each.id for each in found] == ["1", "2", "3"]


async def test_requests_of_another_branch_and_of_forks_are_told_apart() -> None:
    other = request(3, base={"ref": "release", "sha": SHA, "repo": {"id": 1}})
    fork = request(2, head={"ref": "b", "sha": SHA, "repo": {"id": 7}})
    deleted = request(1, head={"ref": "b", "sha": SHA, "repo": None}, user=None)
    async with scripted(says([other, fork, deleted, request(4)])) as forge, opened(forge, github) as room:
        found = await room.client.open_requests("main")
    assert [(each.number, each.fork) for each in found] == [(1, True), (2, True), (4, False)]


async def test_whose_comment_is_ours_is_asked_once_per_token() -> None:
    tokens = iter([CANARY] * 6 + ["another"] * 20)

    async def token() -> SecretText:
        return SecretText(next(tokens))

    async def answer(asked: Asked) -> Answered:
        login = "clusterops" if asked.headers["authorization"].endswith(CANARY) else "successor"
        return says({"login": login} if asked.path.endswith("/user") else [comment(1), comment(2, "successor")])

    async with scripted(by=answer) as forge, opened(forge, github, token=token) as room:
        whose = [[each.mine for each in await room.client.comments(4)] for _ in range(4)]
    assert whose[0] == [True, False]
    assert whose[-1] == [False, True]
    assert sum(each.path.endswith("/user") for each in forge.asked) == 2


async def test_another_token_is_tried_once_where_the_first_is_refused() -> None:
    held = [CANARY]

    async def token() -> SecretText:
        return SecretText(held[0])

    async def answer(asked: Asked) -> Answered:
        return says([]) if asked.headers["authorization"] == "Bearer fresh" else says({"message": "Bad"}, status=401)

    def refused() -> None:
        held[0] = "fresh"

    async with scripted(by=answer) as forge, opened(forge, github, token=token, refused=refused) as room:
        assert await room.client.open_requests("main") == ()
    assert len(forge.asked) == 2


async def test_without_a_token_nothing_is_sent() -> None:
    async def none() -> SecretText:
        return SecretText("")

    async with scripted(says([])) as forge, opened(forge, token=none) as room:
        with pytest.raises(TerminalError) as caught:
            await room.client.open_requests("main")
    assert (caught.value.code, forge.asked) == ("forge-unauthorized", [])


@pytest.mark.parametrize("held", [f"{CANARY}\nX-Other: 1", f"{CANARY}\x00", "clé-canary-5b1e0f7d"])
async def test_a_token_that_is_no_header_is_told_without_it(held: str) -> None:
    async def token() -> SecretText:
        return SecretText(held)

    async with scripted(says([])) as forge, opened(forge, token=token) as room:
        with pytest.raises(TerminalError, match="odd character") as caught:
            await room.client.open_requests("main")
    assert forge.asked == []
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("wire", "answer", "trusted"),
    [
        (github, says({"permission": "admin"}), True),
        (github, says({"permission": "write"}), True),
        (github, says({"permission": "read"}), False),
        (github, says({"permission": "none"}), False),
        (github, says({"message": "Not Found"}, status=404), False),
        (github, says({"message": "Must have push access"}, status=403), False),
        (gitlab, says([{"username": "ada", "access_level": 30, "state": "active"}]), True),
        (gitlab, says([{"username": "ada", "access_level": 20, "state": "active"}]), False),
        (gitlab, says([{"username": "ada", "access_level": 40, "state": "blocked"}]), False),
        (gitlab, says([{"username": "ada.l", "access_level": 50, "state": "active"}]), False),
        (gitlab, says([]), False),
        (None, says({"permission": "owner"}), True),
        (None, says({"permission": "read"}), False),
    ],
)
async def test_only_who_may_write_is_trusted(
    wire: Callable[[str], Wire] | None, answer: Answered, trusted: bool
) -> None:
    async with scripted(answer) as forge, opened(forge, wire) as room:
        assert await room.client.trusts("ada") is trusted
        assert await room.client.trusts("") is False


async def test_that_we_may_not_ask_whom_to_trust_is_said_in_the_log() -> None:
    async with scripted(says({"message": "Only admins"}, status=403)) as forge, opened(forge) as room:
        assert not await room.client.trusts("ada")
    assert "forge-forbidden" in room.log.getvalue()


async def test_a_comment_that_is_gone_is_deleted() -> None:
    async with scripted(says({"message": "gone"}, status=404)) as forge, opened(forge) as room:
        await room.client.delete_comment(4, "9")
    assert forge.asked[0].method == "DELETE"


async def test_a_request_that_is_open_for_the_branch_is_not_opened_twice() -> None:
    async with scripted(says([request(4)])) as forge, opened(forge, github) as room:
        found = await room.client.open_request(branch="b4", base="main", title="t", body="")
    assert (found.number, [each.method for each in forge.asked]) == (4, ["GET"])


async def test_a_fork_s_branch_of_the_same_name_is_another_one() -> None:
    fork = request(4, head={"ref": "b5", "sha": SHA, "repo": {"id": 7}})
    async with scripted(says([fork]), says(request(5), status=201)) as forge, opened(forge, github) as room:
        found = await room.client.open_request(branch="b5", base="main", title="t", body="")
    assert found.number == 5
    assert forge.asked[1].json == {"head": "b5", "base": "main", "title": "t", "body": ""}


Deed = Callable[[ForgeClient], Awaitable[object]]
DEEDS: dict[str, Deed] = {
    "read": lambda client: client.open_requests("main"),
    "whoami": lambda client: client.comments(4),
    "status": lambda client: client.write_statuses(SHA, [PENDING]),
    "comment": lambda client: client.write_comment(4, "x"),
    "trust": lambda client: client.trusts("ada"),
}
ECHO = {"message": f"bad Authorization: Bearer {CANARY}", "errors": [f"token {CANARY}"], CANARY: CANARY}
BAD = [
    *(says(ECHO, status=status, location=f"https://x/?t={CANARY}", x_echo=CANARY) for status in (301, 400, 401, 403)),
    *(says(ECHO, status=status, retry_after=CANARY) for status in (404, 409, 422, 429, 500, 503)),
    says(ECHO),
    says([ECHO, {"number": CANARY}]),
    says(f"<html>{CANARY}</html>".encode()),
    says([], link=f'<http://x/?{CANARY}=1>; rel="next"'),
    CUT,
]


@pytest.mark.parametrize("wire", [github, gitlab, None])
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
async def test_no_error_repr_or_log_line_holds_the_token(
    bad: Answered, deed: str, wire: Callable[[str], Wire] | None
) -> None:
    """Also where the forge, or a proxy before it, repeats it in its answer."""
    words = []
    async with scripted(bad) as forge, opened(forge, wire) as room:
        try:
            words.append(repr(await DEEDS[deed](room.client)))
        except ClusterOpsError as error:
            words += [str(error), repr(error), error.hint, "".join(traceback.format_exception(error))]
        words += [repr(room.client), repr(room.client.__getattribute__("_sender")), room.log.getvalue()]
    assert forge.asked
    assert CANARY in forge.asked[0].headers["authorization"]
    assert [text for text in words if CANARY in text] == []
