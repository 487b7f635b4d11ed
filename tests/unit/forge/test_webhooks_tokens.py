"""Tokens and webhook secrets as they stand now, wherever they are kept."""

from __future__ import annotations

import asyncio
import base64
import io
from pathlib import Path
from typing import Any

import pytest

from clusterops.errors import TerminalError, TransientError
from clusterops.forge import Tokens, WebhookSecrets
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveSet, Unreadable
from clusterops.model.problem import Problem, Retry
from clusterops.model.secret import SecretText
from clusterops.settings import ForgeSettings
from clusterops.telemetry import build_logger
from tests.fake_clock import FakeClock
from tests.model_cluster import ModelCluster

KEY = ObjectKey(group="", kind="Secret", namespace="clusterops-system", name="forge")


class Away(ModelCluster):
    """Reads fail with ``problem`` while there is one."""

    problem: Problem | None = None
    reads = 0

    async def read(self, keys: Any, *, fresh: bool = False) -> LiveSet:
        self.reads += 1
        if self.problem is None:
            return await super().read(keys, fresh=fresh)
        return LiveSet({key: Unreadable(key=key, problem=self.problem) for key in keys})


async def secret(cluster: ModelCluster, **entries: str) -> None:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
    metadata = {"name": KEY.name, "namespace": KEY.namespace}
    await cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, force=True)


def tokens(cluster: ModelCluster | None, clock: FakeClock, named: str = "forge/token") -> Tokens:
    settings = ForgeSettings(token_secret=named, token=SecretText("of the environment"))
    return Tokens(settings=settings, clock=clock, cluster=cluster, namespace=str(KEY.namespace))


async def refusal(kept: Tokens) -> TerminalError:
    with pytest.raises(TerminalError) as raised:
        await kept.token()
    assert raised.value.code == "forge-token"
    assert raised.value.hint
    return raised.value


async def test_a_token_of_a_secret_is_kept_a_minute_and_read_anew_once_it_is_refused() -> None:
    cluster, clock = Away(), FakeClock()
    kept = tokens(cluster, clock)
    await secret(cluster, token="first\n")
    assert [(await kept.token()).reveal() for _ in range(3)] == ["first"] * 3
    assert cluster.reads == 1
    await secret(cluster, token="second")
    assert (await kept.token()).reveal() == "first"
    kept.refused()
    assert (await kept.token()).reveal() == "second"
    await secret(cluster, token="third")
    await clock.advance(61)
    assert (await kept.token()).reveal() == "third"


async def test_a_secret_that_cannot_be_used_says_so_in_one_line() -> None:
    cluster, clock = Away(), FakeClock()
    kept = tokens(cluster, clock)
    assert str(await refusal(kept)) == "Secret clusterops-system/forge: is not there (forge-token)"
    await secret(cluster, other="x")
    assert str(await refusal(kept)) == "Secret clusterops-system/forge: has nothing under token (forge-token)"
    assert "NAME/KEY" in (await refusal(tokens(cluster, clock, "forge"))).hint
    assert "daemon alone" in str(await refusal(tokens(None, clock)))


async def test_a_secret_that_may_not_be_read_names_the_role() -> None:
    cluster = Away()
    cluster.problem = Problem(code="api-forbidden", subject=KEY.label, message="get is forbidden")
    error = await refusal(tokens(cluster, FakeClock()))
    assert str(error) == "Secret clusterops-system/forge: get is forbidden (forge-token)"
    assert "clusterops-forge" in error.hint


async def test_while_the_api_server_is_away_the_last_token_is_used_on() -> None:
    cluster, clock = Away(), FakeClock()
    cluster.problem = Problem(code="api-unreachable", subject="api", message="is away", retry=Retry.BACKOFF)
    kept = tokens(cluster, clock)
    with pytest.raises(TransientError, match="api-unreachable"):
        await kept.token()
    cluster.problem, away = None, cluster.problem
    await secret(cluster, token="first")
    assert (await kept.token()).reveal() == "first"
    cluster.problem = away
    await clock.advance(3600)
    assert (await kept.token()).reveal() == "first"


async def test_a_token_file_is_read_each_time_and_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "token"
    kept = Tokens(settings=ForgeSettings(token_file=file, token=SecretText("of the environment")), clock=FakeClock())
    assert "No such file" in str(await refusal(kept))
    file.write_text("first\n")
    assert (await kept.token()).reveal() == "first"
    file.write_text("second\n")
    assert (await kept.token()).reveal() == "second"
    file.write_text("")
    assert "is empty" in str(await refusal(kept))
    file.write_bytes(b"\xff")
    assert "is not text" in str(await refusal(kept))


async def test_without_anything_else_the_setting_is_the_token() -> None:
    kept = Tokens(settings=ForgeSettings(token=SecretText("plain")), clock=FakeClock())
    assert (await kept.token()).reveal() == "plain"
    assert "plain" not in repr(kept)


def webhook_secrets(file: Path | None, clock: FakeClock, log: io.StringIO, setting: str = "") -> WebhookSecrets:
    settings = ForgeSettings(webhook_secret=SecretText(setting), webhook_secret_file=file)
    return WebhookSecrets(settings=settings, clock=clock, logger=build_logger(stream=log))


async def revealed(kept: WebhookSecrets) -> set[str]:
    return {each.reveal() for each in await kept.valid()}


async def test_a_replaced_webhook_secret_stays_valid_for_ten_minutes(tmp_path: Path) -> None:
    file, clock = tmp_path / "secret", FakeClock()
    kept = webhook_secrets(file, clock, io.StringIO())
    file.write_text("old\n")
    assert await revealed(kept) == {"old"}
    file.write_text("new\n")
    await clock.advance(2)
    assert await revealed(kept) == {"old", "new"}
    await clock.advance(590)
    assert await revealed(kept) == {"old", "new"}
    await clock.advance(20)
    assert await revealed(kept) == {"new"}


async def test_the_first_ones_that_come_together_all_wait_for_the_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")
    kept = webhook_secrets(tmp_path / "secret", FakeClock(), io.StringIO())
    assert await asyncio.gather(*(revealed(kept) for _ in range(5))) == [{"one"}] * 5


async def test_a_secret_that_comes_back_is_not_ended(tmp_path: Path) -> None:
    file, clock = tmp_path / "secret", FakeClock()
    kept = webhook_secrets(file, clock, io.StringIO())
    for text in ("a", "b", "a"):
        file.write_text(text)
        await clock.advance(2)
        await kept.valid()
    await clock.advance(700)
    assert await revealed(kept) == {"a"}


async def test_a_file_may_hold_several_secrets_beside_that_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one\n\n two \n")
    assert await revealed(webhook_secrets(file, FakeClock(), io.StringIO(), "three")) == {"one", "two", "three"}


async def test_a_file_that_cannot_be_read_holds_none_and_is_told_once(tmp_path: Path) -> None:
    clock, log = FakeClock(), io.StringIO()
    kept = webhook_secrets(tmp_path / "missing", clock, log)
    for _ in range(3):
        assert await revealed(kept) == set()
        await clock.advance(2)
    assert log.getvalue().count("webhook secrets not read") == 1
