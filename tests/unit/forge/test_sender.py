"""What is sent again and when, what a forge's limits cost, and that no odd answer does harm."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime

import pytest

from clusterops.errors import TerminalError, TransientError
from clusterops.forge.github import Github
from clusterops.forge.gitlab import Gitlab
from clusterops.forge.wire import Wire
from clusterops.model.commit_status import CommitStatus, State
from tests.skipping_clock import SkippingClock
from tests.unit.forge.scripted import CUT, ME, Answered, Asked, opened, says, scripted

SHA = "9d03be1c5b4f0a7e6d2c1b0a9f8e7d6c5b4a3f2e"
PENDING = CommitStatus(context="clusterops/plan", state=State.PENDING, text="planning 1 of 300 clusters")
NOTE = {"id": 9, "body": "x", "user": ME, "author": ME, "created_at": "2026-11-21T14:02:11Z"}
PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"
NOTHING = says([])
DEEP = b'{"message": ' + b'[{"a": ' * 300 + b"1" + b"}]" * 300 + b"}"
DEEPER = b'{"message": ' * 200_000


def gitlab(url: str) -> Wire:
    return Gitlab(url=url, repository="platform/fleet")


def github(url: str) -> Wire:
    return Github(url=url, repository="platform/fleet")


@pytest.mark.parametrize("answer", [says(status=502), says(PAGE, status=503), says(status=500), says(status=408), CUT])
async def test_reading_is_tried_again(answer: Answered) -> None:
    async with scripted(answer, answer, NOTHING) as forge, opened(forge) as room:
        assert await room.client.open_requests("main") == ()
    assert len(forge.asked) == 3
    assert all(0 <= pause_s <= 60 for pause_s in room.clock.slept)


@pytest.mark.parametrize("answer", [says(status=502), says(status=500), CUT])
async def test_a_comment_that_may_have_been_written_is_not_written_again(answer: Answered) -> None:
    async with scripted(says(ME), answer) as forge, opened(forge) as room:
        with pytest.raises(TransientError):
            await room.client.write_comment(4, "x")
    assert [each.method for each in forge.asked] == ["GET", "POST"]


@pytest.mark.parametrize("answer", [says(status=502), CUT])
async def test_a_status_may_be_set_again(answer: Answered) -> None:
    async with scripted(answer, says({}, status=201)) as forge, opened(forge) as room:
        await room.client.write_statuses(SHA, [PENDING])
    assert len(forge.asked) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        says(status=429),
        says({"message": "You have exceeded a secondary rate limit."}, status=403),
        says({"message": "quota"}, status=403, x_ratelimit_remaining="0", x_ratelimit_reset="1"),
    ],
)
async def test_a_comment_that_was_refused_for_the_pace_was_not_written_and_is_sent_again(refusal: Answered) -> None:
    async with scripted(says(ME), refusal, says(NOTE, status=201)) as forge, opened(forge, github) as room:
        assert (await room.client.write_comment(4, "x")).id == "9"
    assert len(forge.asked) == 3


@pytest.mark.parametrize(
    ("headers", "waits_s"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": format_datetime(SkippingClock().now() + timedelta(seconds=9), usegmt=True)}, 9),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(SkippingClock().now().timestamp()) + 30)}, 30),
        ({"ratelimit_remaining": "0", "ratelimit_reset": str(int(SkippingClock().now().timestamp()) + 20)}, 20),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "12"}, 12),
    ],
)
async def test_a_forge_is_given_the_time_that_it_asks_for(headers: dict[str, str], waits_s: int) -> None:
    async with scripted(says(status=429, **headers), NOTHING) as forge, opened(forge) as room:
        await room.client.open_requests("main")
    assert sum(room.clock.slept) == pytest.approx(waits_s, abs=1)


@pytest.mark.parametrize(
    "headers", [{"retry_after": "\u00b2"}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "\u00b2"}]
)
async def test_a_time_that_is_no_number_is_no_time(headers: dict[str, str]) -> None:
    async with scripted(says(status=429, **headers), NOTHING) as forge, opened(forge) as room:
        assert await room.client.open_requests("main") == ()


async def test_a_secondary_limit_that_names_no_time_is_a_minute() -> None:
    """**Source:** GitHub, "Exceeding the rate limit"."""
    refusal = says({"message": "You have exceeded a secondary rate limit"}, status=403)
    async with scripted(refusal, NOTHING) as forge, opened(forge, github) as room:
        await room.client.open_requests("main")
    assert sum(room.clock.slept) == pytest.approx(60)


@pytest.mark.parametrize("status", [200, 403])
async def test_a_quota_that_is_used_up_for_long_is_told_at_once_and_nothing_more_is_sent(status: int) -> None:
    reset = str(int(SkippingClock().now().timestamp()) + 2400)
    spent = says([], status=status, x_ratelimit_remaining="0", x_ratelimit_reset=reset)
    async with scripted(spent, NOTHING) as forge, opened(forge, github) as room:
        if status == 200:
            await room.client.open_requests("main")
        for _ in range(3):
            with pytest.raises(TransientError) as caught:
                await room.client.open_requests("main")
            assert caught.value.code == "forge-throttled"
        assert len(forge.asked) == 1
        room.clock.elapsed_s += 2401
        assert await room.client.open_requests("main") == ()
    assert room.clock.slept == []


async def test_a_server_that_is_away_for_a_day_is_no_quota() -> None:
    away = says(status=503, retry_after="86400")
    async with scripted(away, NOTHING) as forge, opened(forge) as room:
        with pytest.raises(TransientError) as caught:
            await room.client.open_requests("main")
        assert caught.value.code == "forge-unavailable"
        assert await room.client.open_requests("main") == ()


async def test_no_quota_holds_for_longer_than_an_hour() -> None:
    async with scripted(says(status=429, retry_after="999999"), NOTHING) as forge, opened(forge) as room:
        with pytest.raises(TransientError):
            await room.client.open_requests("main")
        room.clock.elapsed_s += 3901
        assert await room.client.open_requests("main") == ()


async def test_a_403_with_quota_left_is_a_refusal() -> None:
    refusal = says({"message": "Resource not accessible"}, status=403, x_ratelimit_remaining="4999")
    async with scripted(refusal) as forge, opened(forge, github) as room:
        with pytest.raises(TerminalError, match="Resource not accessible") as caught:
            await room.client.open_requests("main")
    assert (caught.value.code, len(forge.asked)) == ("forge-forbidden", 1)


@pytest.mark.parametrize("answer", [says(status=503, retry_after="50"), says(status=503, retry_after="86400"), CUT])
async def test_a_forge_that_stays_away_is_not_waited_for_beyond_the_deadline(answer: Answered) -> None:
    async with scripted(answer) as forge, opened(forge) as room:
        with pytest.raises(TransientError) as caught:
            await room.client.open_requests("main")
    assert caught.value.code in {"forge-unavailable", "forge-unreachable"}
    assert len(forge.asked) <= room.client.attempts
    assert sum(room.clock.slept) <= 120


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "forge-refused"),
        (401, "forge-unauthorized"),
        (403, "forge-forbidden"),
        (404, "forge-missing"),
        (409, "forge-refused"),
        (410, "forge-missing"),
        (422, "forge-refused"),
        (301, "forge-url"),
    ],
)
async def test_what_will_not_pass_by_itself_is_asked_once(status: int, code: str) -> None:
    async with scripted(says({"message": "no"}, status=status)) as forge, opened(forge) as room:
        with pytest.raises(TerminalError) as caught:
            await room.client.open_requests("main")
    assert (caught.value.code, len(forge.asked)) == (code, 1)
    assert caught.value.hint


async def test_a_race_of_gitlabs_pipelines_passes() -> None:
    async with scripted(says(status=409), says({}, status=201)) as forge, opened(forge, gitlab) as room:
        await room.client.write_statuses(SHA, [PENDING])
    assert len(forge.asked) == 2


async def test_a_state_that_gitlab_has_already_is_no_failure() -> None:
    refusal = says({"message": "Cannot transition status via :run from :running"}, status=400)
    async with scripted(refusal) as forge, opened(forge, gitlab) as room:
        await room.client.write_statuses(SHA, [PENDING])
    assert len(forge.asked) == 1


async def test_another_400_of_gitlab_is_one() -> None:
    refusal = says({"message": {"name": ["is too long (maximum is 255 characters)"]}}, status=400)
    async with scripted(refusal) as forge, opened(forge, gitlab) as room:
        with pytest.raises(TerminalError, match="is too long"):
            await room.client.write_statuses(SHA, [PENDING])


async def test_a_redirect_is_told_and_not_followed() -> None:
    there = "https://git.example.org/moved/fleet"
    async with scripted(says(status=301, location=there)) as forge, opened(forge) as room:
        with pytest.raises(TerminalError) as caught:
            await room.client.open_requests("main")
    assert there in caught.value.message
    assert len(forge.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        PAGE,
        b"",
        b"\xff\xfe",
        b"null",
        b"42",
        b'{"message": "no list"}',
        b'[{"number": "x"}]',
        b"[" * 100_000,
        b'[{"id":1',
        b'[{"number": Infinity, "head": {"repo_id": 1, "ref": "b"}, "base": {"repo_id": 1, "ref": "main"}}]',
    ],
)
async def test_an_answer_of_another_shape_is_told_as_such(body: bytes) -> None:
    async with scripted(says(body)) as forge, opened(forge) as room:
        with pytest.raises(TransientError, match="not understood") as caught:
            await room.client.open_requests("main")
    assert caught.value.code == "forge-unavailable"
    assert "fleet.yaml" in caught.value.hint
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "body", [b'{"message": [{"a": {"b": ["c"]}}]}', b'{"errors": [1, {"x": null}]}', PAGE, b"[]", DEEP, DEEPER]
)
async def test_a_refusal_of_any_shape_is_one_line(body: bytes) -> None:
    async with scripted(says(body, status=422)) as forge, opened(forge) as room:
        with pytest.raises(TerminalError) as caught:
            await room.client.open_requests("main")
    assert "\n" not in str(caught.value)
    assert "DOCTYPE" not in str(caught.value)


async def test_githubs_reason_is_told() -> None:
    body = {"message": "Validation Failed", "errors": [{"resource": "Status", "code": "custom", "message": "too many"}]}
    async with scripted(says(body, status=422)) as forge, opened(forge, github) as room:
        with pytest.raises(TerminalError, match="Validation Failed: too many"):
            await room.client.write_statuses(SHA, [PENDING])


async def test_an_answer_that_is_too_long_is_not_read() -> None:
    async with scripted(says(b"x" * 2_000_000)) as forge, opened(forge, max_bytes=1_000_000) as room:
        with pytest.raises(TransientError, match="longer than") as caught:
            await room.client.open_requests("main")
    assert caught.value.code == "forge-unreachable"


async def test_what_did_not_change_is_asked_for_by_its_etag() -> None:
    """A 304 costs no quota at GitHub."""
    first = says([_request(1)], etag='W/"1"', link='<http://x/?page=2>; rel="next"')
    second = says([_request(2)], etag='W/"2"')
    unchanged = Answered(status=304)
    async with scripted(first, second, unchanged, unchanged) as forge, opened(forge, github) as room:
        found = await room.client.open_requests("main")
        assert await room.client.open_requests("main") == found
    assert [request.number for request in found] == [1, 2]
    assert [each.headers.get("if-none-match") for each in forge.asked] == [None, None, 'W/"1"', 'W/"2"']


async def test_what_is_kept_for_its_etag_has_a_bound() -> None:
    long = b"[" + b" " * 6_000_000 + b"]"
    async with scripted(says(long, etag="x")) as forge, opened(forge, github) as room:
        for branch in ("a", "b", "c", "c", "a"):
            await room.client.open_requests(branch)
    assert ["if-none-match" in each.headers for each in forge.asked] == [False, False, False, True, False]


async def test_writes_go_one_by_one_and_reads_beside_them() -> None:
    under_way, most = 0, 0

    async def slow(asked: Asked) -> Answered:
        nonlocal under_way, most
        under_way += asked.method == "POST"
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= asked.method == "POST"
        return says({}, status=201)

    async with scripted(by=slow) as forge, opened(forge) as room:
        await asyncio.gather(*(room.client.write_statuses(SHA, [PENDING]) for _ in range(6)))
    assert (most, len(forge.asked)) == (1, 6)


def _request(number: int) -> dict[str, object]:
    side = {"ref": "main", "sha": SHA, "repo": {"id": 1}, "repo_id": 1}
    return {"number": number, "head": {**side, "ref": f"b{number}"}, "base": side, "user": {"login": "ada"}}
