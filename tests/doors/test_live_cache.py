"""ports.LiveCache on a real API server, alone and behind a proxy that cuts and refuses."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.errors import TransientError
from clusterops.kube import CachedCluster, KubeCluster
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.ports import Clock, Followed, LiveCache
from clusterops.sandbox import Sandbox
from clusterops.telemetry import Metrics, build_logger
from tests.cutting_api import HOWS, Harm, cutting_api
from tests.doors.flaky_api import CUT_BEFORE, PASS, FlakyApi, Reply, Rule, flaky_api, status_reply
from tests.doors.test_cluster import CORE, config_map, connected, health_check, key_of, only_token, token_user
from tests.stage import Api

pytestmark = pytest.mark.apiserver

CONFIG_MAPS = Followed(group="", kind="ConfigMap", version="v1")
CHECKS = Followed(group=CORE, kind="MachineHealthCheck", version="v1beta2")


@asynccontextmanager
async def cached(
    kubeconfig: Path, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[tuple[CachedCluster, KubeCluster]]:
    async with connected(kubeconfig, clock=clock, **settings) as plain:
        logger = build_logger(level="critical")
        async with CachedCluster(plain, logger=logger, metrics=Metrics(), clock=clock or SystemClock()) as cache:
            yield cache, plain


class Changes:
    """Collects what a cache tells, for tests that act meanwhile."""

    def __init__(self, cache: LiveCache) -> None:
        self.told: list[ObjectKey] = []
        self._task = asyncio.create_task(self._collect(cache))

    async def _collect(self, cache: LiveCache) -> None:
        async for key in cache.changes():
            self.told.append(key)

    def of(self, namespace: str) -> list[str]:
        return [key.name for key in self.told if key.namespace == namespace]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def until(probe: Callable[[], object], what: str = "it") -> None:
    async with asyncio.timeout(120):
        while not probe():  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.02)


class HastyClock(SystemClock):
    """Waits a twentieth of what it is asked to."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)


def asked(proxy: FlakyApi) -> list[str]:
    """Requests that are no watch."""
    return [f"{seen.method} {seen.path}" for seen in proxy.seen if "watch=true" not in seen.path]


@pytest.fixture
async def other(apiserver: Sandbox) -> AsyncIterator[KubeCluster]:
    """Another client."""
    async with connected(apiserver.kubeconfig) as connection:
        yield connection


@pytest.fixture
async def flaky(apiserver: Sandbox) -> AsyncIterator[FlakyApi]:
    async with flaky_api(apiserver) as proxy:
        yield proxy


_COUNT = iter(range(1, 1000))


@pytest.fixture
async def namespace(other: KubeCluster) -> str:
    name = f"live-{next(_COUNT)}"
    await other.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


async def test_a_followed_kind_is_answered_without_a_request_and_told_of(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    await other.create(config_map(namespace, "a", {"x": "1"}))
    async with cached(flaky.kubeconfig(tmp_path)) as (cache, plain):
        cache.follow([CONFIG_MAPS])
        await cache.synced()
        changes = Changes(cache)
        await until(lambda: changes.of(namespace) == ["a"])
        await plain.find("", "ConfigMap")
        flaky.seen.clear()
        keys = [key_of(namespace, "a"), key_of(namespace, "b")]
        live = await cache.read(keys)
        assert live.found(keys[0]) == (await other.read(keys)).found(keys[0])
        assert live[keys[1]] == Absent(key=keys[1])
        assert [each.key.name for each in await cache.list_objects("", "ConfigMap", namespace=namespace)] == ["a"]
        assert not asked(flaky)
        await other.create(config_map(namespace, "b", {}))
        await until(lambda: changes.of(namespace) == ["a", "b"])
        assert isinstance((await cache.read(keys))[keys[1]], LiveObject)
        await changes.stop()


async def test_status_wakes_nobody_and_is_held_all_the_same(
    apiserver: Sandbox, other: KubeCluster, namespace: str
) -> None:
    check = await other.apply(health_check(namespace, {"clusterName": "c", "selector": {"matchLabels": {"a": "b"}}}))
    async with cached(apiserver.kubeconfig) as (cache, _):
        cache.follow([CHECKS])
        await cache.synced()
        changes = Changes(cache)
        await until(lambda: changes.of(namespace) == ["check"])
        path = f"/apis/{CORE}/v1beta2/namespaces/{namespace}/machinehealthchecks/check/status"
        status = {"status": {"expectedMachines": 3}}
        await asyncio.to_thread(Api(apiserver).send, "PATCH", path, status, content_type="application/merge-patch+json")
        await until(lambda: status_of(cache, check.key) == status["status"])
        assert changes.of(namespace) == ["check"]
        await other.apply(
            health_check(namespace, {"clusterName": "d", "selector": {"matchLabels": {"a": "c"}}}), force=True
        )
        await until(lambda: changes.of(namespace) == ["check", "check"])
        await changes.stop()


def status_of(cache: LiveCache, key: ObjectKey) -> Any:
    live = cache.peek(key)
    return live.body.get("status") if live else None


async def test_what_we_write_is_read_back_at_once_though_the_watch_is_silent(
    apiserver: Sandbox, other: KubeCluster, namespace: str, tmp_path: Path
) -> None:
    await other.create(config_map(namespace, "old", {"x": "1"}))
    async with (
        cutting_api(apiserver) as proxy,
        cached(proxy.kubeconfig(tmp_path)) as (cache, plain),
    ):
        proxy.harm = lambda seen: Harm("silence", 0)
        cache.follow([CONFIG_MAPS])
        await cache.synced()
        await until(lambda: any("watch=true" in seen.path for seen in proxy.seen))
        await plain.find("", "ConfigMap")
        made = await cache.apply(config_map(namespace, "a", {"x": "1"}))
        proxy.seen.clear()
        assert (await cache.read([made.key])).found(made.key) == made
        assert names(await cache.list_objects("", "ConfigMap", namespace=namespace)) == ["a", "old"]
        assert not asked(proxy)
        old = (await cache.read([key_of(namespace, "old")])).found(key_of(namespace, "old"))
        assert old is not None
        newer = await other.replace({**old.body, "data": {"x": "2"}})
        with pytest.raises(TransientError, match="object-changed"):
            await cache.apply(config_map(namespace, "old", {}), uid=old.uid, resource_version=old.resource_version)
        assert (await cache.read([old.key])).found(old.key) == newer
        proxy.seen.clear()
        assert (await cache.read([old.key])).found(old.key) == newer
        assert not asked(proxy)
        await cache.delete(made.key, uid=made.uid, resource_version="")
        assert (await cache.read([made.key]))[made.key] == Absent(key=made.key)
        assert names(await cache.list_objects("", "ConfigMap", namespace=namespace)) == ["old"]
        stranger = await other.create(config_map(namespace, "b", {}))
        with pytest.raises(TransientError, match="object-exists"):
            await cache.create(config_map(namespace, "b", {}))
        assert (await cache.read([stranger.key])).found(stranger.key) == stranger
        changes = Changes(cache)
        proxy.harm = lambda seen: None
        proxy.cut_all()
        await other.create(config_map(namespace, "last", {}))
        await until(lambda: "last" in changes.of(namespace))
        assert held(cache, namespace) == versions(await other.list_objects("", "ConfigMap", namespace=namespace))
        await changes.stop()


def names(objects: Iterable[LiveObject]) -> list[str]:
    return [live.key.name for live in objects]


def versions(objects: Iterable[LiveObject]) -> dict[str, str]:
    return {live.key.name: live.resource_version for live in objects}


def held(cache: LiveCache, namespace: str) -> dict[str, str]:
    lives = [cache.peek(key) for key in tuple(cache.keys()) if key.namespace == namespace]
    return versions(live for live in lives if live is not None)


async def test_however_watches_are_harmed_the_same_is_held_and_told(
    apiserver: Sandbox, other: KubeCluster, namespace: str, tmp_path: Path
) -> None:
    """Cut at any byte, ended in the middle of a line, silenced, 410 in mid-stream: beside a watch that nobody harms."""
    dice = random.Random(5)
    hows = itertools.cycle(HOWS)
    async with (
        cutting_api(apiserver) as proxy,
        cached(proxy.kubeconfig(tmp_path), clock=HastyClock(), watch_silence_s=1.0) as (harmed, _),
        cached(apiserver.kubeconfig) as (clean, _),
    ):
        proxy.harm = lambda seen: Harm(next(hows), dice.randrange(3000))
        told = []
        for cache in (harmed, clean):
            cache.follow([CONFIG_MAPS])
            await cache.synced()
            told.append(Told(cache, namespace))
        for number in range(150):
            await disturb(other, namespace, dice)
            if number % 10 == 0:
                await asyncio.sleep(0.1)
        await until(lambda: {harm.how for _, harm in proxy.harmed} == set(HOWS))
        fresh = versions(await other.list_objects("", "ConfigMap", namespace=namespace))
        for cache, heard in zip((harmed, clean), told, strict=True):
            await until(lambda cache=cache: held(cache, namespace) == fresh)  # type: ignore[misc]
            await until(lambda heard=heard: heard.now == told[1].now)  # type: ignore[misc]
            await heard.stop()
        assert told[0].names == told[1].names
        assert set(told[0].now) == set(fresh)


class Told(Changes):
    """What somebody knows who only looks at what is told of: name to content."""

    def __init__(self, cache: LiveCache, namespace: str) -> None:
        self.now: dict[str, Any] = {}
        self.names: set[str] = set()
        self._namespace = namespace
        super().__init__(cache)

    async def _collect(self, cache: LiveCache) -> None:
        async for key in cache.changes():
            if key.namespace == self._namespace:
                self.names.add(key.name)
                live = cache.peek(key)
                self.now.pop(key.name, None)
                if live is not None:
                    self.now[key.name] = live.uid, live.body["data"]


async def disturb(cluster: KubeCluster, namespace: str, dice: random.Random) -> None:
    """One write that somebody else makes."""
    key = key_of(namespace, f"c{dice.randrange(12)}")
    live = (await cluster.read([key])).found(key)
    if live is None or dice.random() < 0.7:
        data = {"x": str(dice.random()), "y": "ä" * dice.randrange(400)}
        await cluster.apply(config_map(namespace, key.name, data))
    else:
        await cluster.delete(key, uid=live.uid, resource_version="")


async def test_a_kind_that_is_forbidden_is_a_problem_of_its_own_until_it_is_allowed(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    flaky.rule = lambda seen: status_reply(403, "Forbidden", "no") if "machinehealthchecks?" in seen.path else PASS
    await other.apply(health_check(namespace, {"clusterName": "c", "selector": {"matchLabels": {"a": "b"}}}))
    async with cached(flaky.kubeconfig(tmp_path), clock=HastyClock()) as (cache, _):
        cache.follow([CONFIG_MAPS, CHECKS])
        await cache.synced()
        assert {each: problem.code for each, problem in cache.problems.items()} == {CHECKS: "api-forbidden"}
        assert (await cache.read([check_in(namespace)])).found(check_in(namespace)) is not None
        await other.create(config_map(namespace, "a", {}))
        await until(lambda: cache.peek(key_of(namespace, "a")))
        flaky.rule = lambda seen: PASS
        await until(lambda: not cache.problems)
        await until(lambda: cache.peek(check_in(namespace)))


def check_in(namespace: str) -> ObjectKey:
    return key_of(namespace, "check", kind="MachineHealthCheck", group=CORE)


async def test_a_server_that_is_away_is_a_problem_and_reads_show_it(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    kept = await other.create(config_map(namespace, "kept", {}))
    lost = await other.create(config_map(namespace, "lost", {}))
    async with cached(flaky.kubeconfig(tmp_path), clock=HastyClock()) as (cache, _):
        cache.follow([CONFIG_MAPS])
        await cache.synced()
        changes = Changes(cache)
        await until(lambda: set(changes.of(namespace)) == {"kept", "lost"})
        flaky.rule = lambda seen: CUT_BEFORE
        flaky.cut_all()
        await until(lambda: cache.problems)
        assert cache.problems[CONFIG_MAPS].code == "api-unreachable"
        assert isinstance((await cache.read([kept.key]))[kept.key], Unreadable)
        assert cache.peek(kept.key) == kept
        await other.delete(lost.key, uid=lost.uid, resource_version="")
        changes.told.clear()
        flaky.rule = first_watch_is_expired()
        await until(lambda: not cache.problems)
        await until(lambda: changes.of(namespace) == ["lost"])
        assert (await cache.read([lost.key]))[lost.key] == Absent(key=lost.key)
        await changes.stop()


def first_watch_is_expired() -> Rule:
    answers = iter([status_reply(410, "Expired", "too old")])
    return lambda seen: next(answers, PASS) if "watch=true" in seen.path else PASS


async def test_a_watch_of_the_cache_renews_its_credentials(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    async with connected(flaky.kubeconfig(tmp_path, token_user(tmp_path)), clock=HastyClock()) as plain:
        logger = build_logger(level="critical")
        async with CachedCluster(plain, logger=logger, metrics=Metrics(), clock=HastyClock()) as cache:
            cache.follow([CONFIG_MAPS])
            await cache.synced()
            flaky.rule = only_token(2)
            flaky.cut_all()
            made = await other.create(config_map(namespace, "a", {}))
            await until(lambda: cache.peek(made.key))
            assert not cache.problems


async def test_a_definition_comes_changes_its_versions_and_goes(apiserver: Sandbox, other: KubeCluster) -> None:
    group, one = "live.example.org", {"name": "v1", "served": True, "storage": True, "schema": OPEN}
    two = {**one, "name": "v2", "storage": False}
    first, second = (Followed(group=group, kind="Gadget", version=version) for version in ("v1", "v2"))
    gadget = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"namespace": "default", "name": "g"}}
    key = ObjectKey.of(gadget)
    async with cached(apiserver.kubeconfig, clock=HastyClock()) as (cache, _):
        cache.follow([first, second])
        await cache.synced()
        assert {problem.code for problem in cache.problems.values()} == {"version-not-served"}
        changes = Changes(cache)
        definition = await other.apply(crd(group, [one]))
        await until(lambda: first not in cache.problems)
        await cache.apply(gadget)
        await until(lambda: changes.told == [key])
        await other.apply(crd(group, [one, two]))
        await until(lambda: cache.peek(key, "v2"))
        await other.apply(crd(group, [{**one, "served": False}, two]))
        await until(lambda: first in cache.problems and f"{group}/v2" in cache.problems[first].message)
        await until(lambda: second not in cache.problems)
        assert cache.peek(key, "v1") is None
        assert cache.peek(key, "v2") is not None
        changes.told.clear()
        await other.delete(definition.key, uid=definition.uid, resource_version="")
        await until(lambda: cache.problems.keys() == {first, second})
        assert changes.told == [key]
        assert cache.peek(key) is None
        async with asyncio.timeout(120):
            while (await cache.read([key]))[key] != Absent(key=key, kind_served=False):  # noqa: ASYNC110 - a server's state
                await asyncio.sleep(0.1)
        await changes.stop()


OPEN: dict[str, Any] = {
    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}


def crd(group: str, served: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"},
            "versions": served,
        },
    }


async def test_who_follows_by_label_tells_only_of_what_is_there(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    ours = {"namespace": namespace, "name": "ours", "labels": {"clusterops.io/fleet": namespace}}
    await other.create({**config_map(namespace, "ours", {}), "metadata": ours})
    foreign = await other.create(config_map(namespace, "foreign", {}))
    async with cached(flaky.kubeconfig(tmp_path)) as (cache, plain):
        cache.follow([replace(CONFIG_MAPS, labels=f"clusterops.io/fleet={namespace}")])
        await cache.synced()
        assert [key.name for key in tuple(cache.keys())] == ["ours"]
        await plain.find("", "ConfigMap")
        flaky.seen.clear()
        live = await cache.read([key_of(namespace, "ours"), foreign.key])
        assert live.found(foreign.key) == foreign
        assert asked(flaky) == [f"GET /api/v1/namespaces/{namespace}/configmaps/foreign"]
        assert names(await cache.list_objects("", "ConfigMap", namespace=namespace)) == ["foreign", "ours"]
        assert [key.name for key in tuple(cache.keys())] == ["ours"]


async def test_following_the_same_again_restarts_nothing_and_what_is_dropped_ends(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    await other.create(config_map(namespace, "a", {}))
    async with cached(flaky.kubeconfig(tmp_path)) as (cache, _):
        for _ in range(5):
            cache.follow([CONFIG_MAPS, CHECKS])
            await cache.synced()
        await until(lambda: sum("watch=true" in seen.path for seen in flaky.seen) == 2)
        cache.follow([CHECKS])
        assert key_of(namespace, "a") not in list(cache.keys())
        await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("watch:ConfigMap")])
        lists = [seen.path for seen in flaky.seen if "limit=" in seen.path and "continue=" not in seen.path]
        assert len(lists) == 2, lists


async def test_a_server_that_has_just_begun_and_tells_of_few_kinds_takes_none_away(
    other: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    """As one does that was killed: its definitions are known to it a moment after it answers."""
    check = await other.apply(health_check(namespace, {"clusterName": "c", "selector": {"matchLabels": {"a": "b"}}}))
    few = Reply(status=200, body=json.dumps({"kind": "APIGroupDiscoveryList", "items": []}).encode())
    async with cached(flaky.kubeconfig(tmp_path), clock=HastyClock()) as (cache, _):
        cache.follow([CHECKS])
        await cache.synced()
        changes = Changes(cache)
        await until(lambda: changes.of(namespace) == ["check"])
        flaky.seen.clear()
        flaky.rule = lambda seen: few if seen.path == "/apis" else PASS
        flaky.cut_all()
        async with asyncio.timeout(120):
            while "/apis" not in flaky.paths("GET"):
                assert (await cache.read([check.key])).found(check.key) == check
                await asyncio.sleep(0.1)
        assert (await cache.read([check.key])).found(check.key) == check
        assert (await cache.read([check.key], fresh=True)).found(check.key) == check
        assert changes.of(namespace) == ["check"]
        assert not cache.problems
        await changes.stop()
