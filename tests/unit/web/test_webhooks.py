"""POST /webhooks/KIND on a real server: what is answered, and what is passed on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiohttp import ClientSession

from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.model.request import Called, Delivery
from tests.unit.web.webhook_calls import PUSH, REPOSITORY, Writing, encoded, gitea, github, gitlab, taking

BODY = encoded(PUSH)
MAIN = Delivery(kind=Called.PUSH, branch="main")


async def post(port: int, kind: str, headers: Mapping[str, str], body: bytes = BODY) -> tuple[int, str]:
    async with (
        ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/webhooks/{kind}", data=body, headers=headers) as answer,
    ):
        return answer.status, (await answer.text()).strip()


async def test_a_signed_push_is_answered_and_passed_on_as_a_hint() -> None:
    listener = Writing()
    async with taking(listener) as port:
        assert await post(port, "github", github(BODY, id="1")) == (202, "ok")
    assert listener.heard == [MAIN]


async def test_a_repeated_delivery_is_answered_and_ignored() -> None:
    listener = Writing()
    async with taking(listener) as port:
        for _ in range(3):
            assert (await post(port, "github", github(BODY, id="1")))[0] == 202
    assert listener.heard == [MAIN]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-github-event": "push"},
        github(BODY, secret="another"),
        github(BODY + b" "),
        github(BODY) | {"x-hub-signature-256": "sha256="},
        github(BODY) | {"x-hub-signature-256": "sha1=" + "0" * 40},
        gitlab(),
        {name: value for name, value in gitea(BODY).items() if name != "x-hub-signature-256"},
    ],
)
async def test_all_that_is_wrong_with_a_signature_reads_the_same(headers: Mapping[str, str]) -> None:
    listener = Writing()
    async with taking(listener) as port:
        assert await post(port, "github", headers) == (401, "the signature is missing or wrong")
        assert await post(port, "github", headers, b"no json") == (401, "the signature is missing or wrong")
    assert listener.heard == []


@pytest.mark.parametrize("body", [b"", b"payload=%7B%7D", b"[]", b"1", b'{"ref": 1}', b"\xff", b"[" * 100_000])
async def test_what_is_signed_and_not_understood_is_400(body: bytes) -> None:
    async with taking(Writing()) as port:
        status, _ = await post(port, "github", github(body), body)
    assert status == 400


@pytest.mark.parametrize(
    ("listener", "secret", "status"),
    [
        (Writing(taken=False, file=None), "s", 503),
        (Writing(file=None), "s", 404),
        (Writing(file=ForgeFile(kind=ForgeKind.GITEA, repository=REPOSITORY)), "s", 404),
        (Writing(), "", 404),
    ],
    ids=["before the first look", "no forge", "another forge", "no secret"],
)
async def test_no_webhook_is_taken(listener: Writing, secret: str, status: int) -> None:
    async with taking(listener, secret=secret) as port:
        assert (await post(port, "github", github(BODY, secret=secret)))[0] == status
    assert listener.heard == []


async def test_only_post_and_only_forges_that_we_know() -> None:
    async with taking(Writing()) as port, ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/webhooks/github") as answer:
            assert answer.status == 405
        assert (await post(port, "bitbucket", github(BODY)))[0] == 404
