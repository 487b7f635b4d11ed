"""The keys of a Secret: read before anything is rendered, followed, and kept while nobody can say."""

from __future__ import annotations

import asyncio
import base64

import pytest
import structlog

from clusterops.controller.key_watch import EVERY_S, KeyWatch
from clusterops.errors import TransientError
from clusterops.model.key import ObjectKey
from clusterops.render.sops import AgeKeys
from tests.fake_clock import FakeClock
from tests.model_cluster import ModelCluster
from tests.sealed import AgeKey

SECRET = ObjectKey(group="", kind="Secret", namespace="ops", name="age")


class Bench:
    def __init__(self, named: str = "age/keys.txt") -> None:
        self.cluster = ModelCluster()
        self.clock = FakeClock()
        self.keys = AgeKeys(secret=named)
        self.watch = KeyWatch(
            keys=self.keys, cluster=self.cluster, clock=self.clock, logger=structlog.get_logger(), namespace="ops"
        )

    async def put(self, *keys: AgeKey) -> None:
        data = {"keys.txt": base64.b64encode("\n".join(key.text for key in keys).encode()).decode()}
        await self.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "age", "namespace": "ops"}, "data": data}
        )


async def test_what_the_secret_holds_counts_as_long_as_it_does() -> None:
    bench, first, second = Bench(), AgeKey(), AgeKey()
    assert not await bench.watch.look()
    await bench.put(first)
    assert await bench.watch.look()
    assert bench.keys.public == (first.public,)
    assert not await bench.watch.look()
    await bench.put(first, second)
    assert await bench.watch.look()
    assert bench.keys.public == tuple(sorted((first.public, second.public)))
    del bench.cluster.objects[SECRET]
    assert await bench.watch.look()
    assert len(bench.keys.public) == 0


async def test_while_the_api_server_is_away_the_last_keys_are_used_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, key = Bench(), AgeKey()
    await bench.put(key)
    await bench.watch.look()

    async def away(*_: object, **__: object) -> None:
        raise TransientError("api-unreachable", "", "away")

    monkeypatch.setattr(bench.cluster, "read", away)
    with structlog.testing.capture_logs() as said:
        assert not await bench.watch.look()
        assert not await bench.watch.look()
    assert bench.keys.public == (key.public,)
    assert [line["code"] for line in said] == ["api-unreachable"]


@pytest.mark.parametrize("named", ["age", "age/", "/keys.txt"])
async def test_a_setting_that_names_no_key_of_a_secret_is_told(named: str) -> None:
    with structlog.testing.capture_logs() as said:
        await Bench(named).watch.look()
    assert [line["code"] for line in said] == ["sops-key-secret"]


async def test_garbage_in_the_secret_is_told_without_a_word_of_it() -> None:
    bench = Bench()
    await bench.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "age", "namespace": "ops"},
            "data": {"keys.txt": base64.b64encode(b"hunter2").decode()},
        }
    )
    with structlog.testing.capture_logs() as said:
        assert await bench.watch.look()
        assert not await bench.watch.look()
    assert [line["code"] for line in said] == ["sops-key-invalid"]
    assert "hunter2" not in str(said)


async def test_a_change_is_told_once_within_seconds() -> None:
    bench = Bench()
    told: list[int] = []
    following = asyncio.create_task(bench.watch.follow(lambda: told.append(1)))
    try:
        await bench.clock.advance(EVERY_S)
        assert told == []
        await bench.put(AgeKey())
        await bench.clock.advance(EVERY_S)
        await bench.clock.advance(EVERY_S)
        assert told == [1]
    finally:
        following.cancel()
