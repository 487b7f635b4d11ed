"""A GitHub App: a JWT that GitHub can verify, a token per hour, and nothing of either in words."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.forge.client import ForgeClient
from clusterops.forge.kinds import open_forge
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.settings import ForgeSettings, NetworkSettings
from clusterops.telemetry import build_logger
from tests.skipping_clock import SkippingClock
from tests.unit.forge.scripted import CANARY, Answered, Asked, Scripted, says, scripted

INSTALLATION = "/api/v3/repos/platform/fleet/installation"
TOKENS = "/api/v3/app/installations/7/access_tokens"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "app.pem"
    file.write_bytes(_pem(key()))
    return file


def _pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


@dataclass(slots=True, kw_only=True)
class Github:
    """Gives out ``token-1``, ``token-2`` …, each for an hour, and takes the newest only."""

    clock: SkippingClock
    given: int = 0

    async def answer(self, asked: Asked) -> Answered:
        if asked.path == INSTALLATION:
            return says({"id": 7})
        if asked.path == TOKENS:
            self.given += 1
            expires = self.clock.now() + timedelta(hours=1)
            return says({"token": f"token-{self.given}", "expires_at": expires.isoformat()}, status=201)
        if asked.path == "/api/v3/app":
            return says({"slug": "clusterops-prod"})
        if asked.headers["authorization"] != f"Bearer token-{self.given}":
            return says({"message": "Bad credentials"}, status=401)
        return says([])


@asynccontextmanager
async def opened(forge: Scripted, clock: SkippingClock, **settings: object) -> AsyncIterator[ForgeClient]:
    file = ForgeFile(kind=ForgeKind.GITHUB, repository="platform/fleet")
    logger = build_logger(level="critical")
    given = ForgeSettings(url=forge.url, app_id="4711", **settings)  # type: ignore[arg-type]
    async with open_forge(file, given, NetworkSettings(), clock=clock, logger=logger) as client:
        yield client


async def test_the_jwt_is_one_that_github_verifies(key_file: Path) -> None:
    clock = SkippingClock()
    async with scripted(by=Github(clock=clock).answer) as forge, opened(forge, clock, app_key_file=key_file) as client:
        await client.open_requests("main")
    word, _, jwt = forge.asked[0].headers["authorization"].partition(" ")
    head, claims, signature = jwt.split(".")
    key().public_key().verify(_decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    now_s = int(clock.now().timestamp())
    assert (word, json.loads(_decoded(head))) == ("Bearer", {"alg": "RS256", "typ": "JWT"})
    assert json.loads(_decoded(claims)) == {"iat": now_s - 60, "exp": now_s + 540, "iss": "4711"}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def test_a_token_is_of_the_one_repository(key_file: Path) -> None:
    clock = SkippingClock()
    async with scripted(by=Github(clock=clock).answer) as forge, opened(forge, clock, app_key_file=key_file) as client:
        await client.open_requests("main")
    [asked] = [each for each in forge.asked if each.path == TOKENS]
    assert asked.json == {"repositories": ["fleet"]}


async def test_a_token_is_used_until_shortly_before_it_expires(key_file: Path) -> None:
    clock = SkippingClock()
    github = Github(clock=clock)
    given = []
    async with scripted(by=github.answer) as forge, opened(forge, clock, app_key_file=key_file) as client:
        for elapsed_s in (0.0, 54 * 60.0, 56 * 60.0, 57 * 60.0):
            clock.elapsed_s = elapsed_s
            await client.open_requests("main")
            given.append(github.given)
    assert given == [1, 1, 2, 2]


async def test_a_token_that_was_revoked_is_replaced_at_once(key_file: Path) -> None:
    clock = SkippingClock()
    github = Github(clock=clock)
    async with scripted(by=github.answer) as forge, opened(forge, clock, app_key_file=key_file) as client:
        await client.open_requests("main")
        github.given += 1
        assert await client.open_requests("main") == ()


async def test_the_app_s_comments_are_ours(key_file: Path) -> None:
    clock = SkippingClock()
    github = Github(clock=clock)
    note = {"id": 1, "body": "x", "created_at": clock.now().isoformat(), "user": {"login": "clusterops-prod[bot]"}}

    async def answer(asked: Asked) -> Answered:
        return says([note]) if "/comments" in asked.path else await github.answer(asked)

    async with scripted(by=answer) as forge, opened(forge, clock, app_key_file=key_file) as client:
        assert [each.mine for each in await client.comments(4)] == [True]
    assert not any(each.path.endswith("/user") for each in forge.asked)


async def test_an_app_that_is_not_installed_says_so(key_file: Path) -> None:
    async with (
        scripted(says({"message": "Not Found"}, status=404)) as forge,
        opened(forge, SkippingClock(), app_key_file=key_file) as client,
    ):
        with pytest.raises(TerminalError, match="4711: is not installed on platform/fleet") as caught:
            await client.open_requests("main")
    assert caught.value.code == "forge-missing"


@pytest.mark.parametrize(
    "held",
    [CANARY.encode(), b"", b"-----BEGIN RSA PRIVATE KEY-----\n" + CANARY.encode(), b"\xff\xfe"],
)
async def test_a_key_that_is_none_is_told_without_its_content(held: bytes, tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_bytes(held)
    async with scripted(says([])) as forge, opened(forge, SkippingClock(), app_key_file=file) as client:
        with pytest.raises(TerminalError) as caught:
            await client.open_requests("main")
    assert caught.value.code == "forge-token"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_key_of_another_kind_and_one_that_is_not_there(tmp_path: Path) -> None:
    elliptic = tmp_path / "ec.pem"
    elliptic.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1())))
    for file, words in ((elliptic, "is not an RSA key"), (tmp_path / "none.pem", "No such file")):
        async with scripted(says([])) as forge, opened(forge, SkippingClock(), app_key_file=file) as client:
            with pytest.raises(TerminalError, match=words):
                await client.open_requests("main")


@pytest.mark.parametrize(
    "answer",
    [
        says({"token": CANARY, "expires_at": "soon"}, status=201),
        says({"token": CANARY}, status=201),
        says([CANARY], status=201),
        says(f"<html>{CANARY}".encode(), status=201),
    ],
)
async def test_a_token_in_an_answer_of_another_shape_stays_out_of_words(answer: Answered, key_file: Path) -> None:
    async def answered(asked: Asked) -> Answered:
        return says({"id": 7}) if asked.path == INSTALLATION else answer

    async with (
        scripted(by=answered) as forge,
        opened(forge, SkippingClock(), app_key_file=key_file) as client,
    ):
        with pytest.raises(TransientError) as caught:
            await client.open_requests("main")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in repr(client)


async def test_an_app_named_by_half_or_for_another_forge_is_refused(key_file: Path) -> None:
    logger, clock = build_logger(level="critical"), SkippingClock()
    halves = [
        (ForgeKind.GITHUB, ForgeSettings(app_id="4711")),
        (ForgeKind.GITHUB, ForgeSettings(app_key_file=key_file)),
        (ForgeKind.GITLAB, ForgeSettings(app_id="4711", app_key_file=key_file)),
    ]
    for kind, settings in halves:
        file = ForgeFile(kind=kind, repository="platform/fleet")
        with pytest.raises(ClusterOpsError) as caught:
            async with open_forge(file, settings, NetworkSettings(), clock=clock, logger=logger):
                pass
        assert caught.value.code == "forge-token"
