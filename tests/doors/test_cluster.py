"""ports.Cluster on a real API server, alone and behind a proxy that cuts, throttles and refuses."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterops.controller.clock import SystemClock
from clusterops.errors import ClusterOpsError, FieldConflict, RefusedError, TerminalError, TransientError
from clusterops.kube import CachedCluster, KubeCluster
from clusterops.model.fleet import Mode, PlainRecipe, Target
from clusterops.model.inventory import Entry
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.report import Outcome, Stage
from clusterops.ports import Clock, Cluster, Followed, WatchEvent, WriteGate
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.status import (
    StoredTarget,
    ensure_crds,
    ensure_namespace,
    event_body,
    fleet_target_key,
    list_targets,
    read_target,
    record_event,
    status_after,
    update_target,
    write_target,
)
from clusterops.telemetry import Metrics, build_logger
from tests.doors.flaky_api import CUT_AFTER, CUT_BEFORE, PASS, FlakyApi, Reply, Rule, Seen, flaky_api, status_reply
from tests.skipping_clock import SkippingClock

pytestmark = pytest.mark.apiserver

_NUMBERS = itertools.count(1)
CORE = "cluster.x-k8s.io"
FOLLOWED = (
    Followed(group="", kind="ConfigMap", version="v1"),
    Followed(group="", kind="Namespace", version="v1"),
    Followed(group=CORE, kind="MachineHealthCheck", version="v1beta2"),
    Followed(group="clusterops.io", kind="FleetTarget", version="v1alpha1"),
    Followed(group="nowhere.example.org", kind="Gadget", version="v1"),
)


@asynccontextmanager
async def connected(
    kubeconfig: Path, *, clock: Clock | None = None, gate: WriteGate | None = None, **settings: Any
) -> AsyncIterator[KubeCluster]:
    cluster = KubeCluster.connect(
        ClusterSettings(kubeconfig=kubeconfig, **settings),
        NetworkSettings(),
        logger=build_logger(level="error"),
        metrics=Metrics(),
        clock=clock or SystemClock(),
        gate=gate,
    )
    async with cluster:
        yield cluster


@pytest.fixture
async def cluster(apiserver: Sandbox) -> AsyncIterator[KubeCluster]:
    async with connected(apiserver.kubeconfig) as connection:
        yield connection


@pytest.fixture(params=["wire", "cache"])
async def client(request: pytest.FixtureRequest, cluster: KubeCluster) -> AsyncIterator[Cluster]:
    """The server itself, and a live cache of it that follows what the tests write."""
    if request.param == "wire":
        yield cluster
        return
    async with CachedCluster(
        cluster, logger=build_logger(level="critical"), metrics=Metrics(), clock=SystemClock()
    ) as cache:
        cache.follow(FOLLOWED)
        await cache.synced()
        yield cache


@pytest.fixture
async def namespace(cluster: KubeCluster) -> str:
    """A new one for each test, so that none sees another's objects."""
    name = f"doors-{next(_NUMBERS)}"
    await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
async def flaky(apiserver: Sandbox) -> AsyncIterator[FlakyApi]:
    async with flaky_api(apiserver) as proxy:
        yield proxy


def config_map(namespace: str, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def key_of(namespace: str, name: str, kind: str = "ConfigMap", group: str = "") -> ObjectKey:
    return ObjectKey(group=group, kind=kind, namespace=namespace, name=name)


def health_check(namespace: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": "check"}
    return {"apiVersion": f"{CORE}/v1beta2", "kind": "MachineHealthCheck", "metadata": metadata, "spec": dict(spec)}


async def refused(work: Any) -> ClusterOpsError:
    with pytest.raises(ClusterOpsError) as caught:
        await work
    return caught.value


async def test_the_server_is_known_by_its_version_and_the_uid_of_kube_system(cluster: KubeCluster) -> None:
    info = await cluster.server()
    assert info.version.startswith("v1.")
    assert info.identity == (await cluster.server()).identity != ""


async def test_an_apply_creates_then_updates_and_drops_what_it_no_longer_sends(client: Cluster, namespace: str) -> None:
    first = await client.apply(config_map(namespace, "a", {"x": "1", "y": "1"}))
    second = await client.apply(config_map(namespace, "a", {"x": "2"}), uid=first.uid)
    assert first.managed_by("clusterops")
    assert "managedFields" not in second.body["metadata"]
    assert second.uid == first.uid
    assert second.body["data"] == {"x": "2"}


async def test_a_dry_run_answers_and_writes_nothing(client: Cluster, namespace: str) -> None:
    predicted = await client.apply(config_map(namespace, "a", {"x": "1"}), dry_run=True)
    assert predicted.body["data"] == {"x": "1"}
    key = key_of(namespace, "a")
    assert (await client.read([key]))[key] == Absent(key=key)


async def test_fields_of_others_are_named_with_their_owners_and_not_forced(client: Cluster, namespace: str) -> None:
    await client.apply(config_map(namespace, "a", {"x": "1", "y": "1"}), field_manager="kubectl-edit")
    error = await refused(client.apply(config_map(namespace, "a", {"x": "2", "y": "2"})))
    assert isinstance(error, FieldConflict)
    assert sorted(error.conflicts) == [(".data.x", "kubectl-edit"), (".data.y", "kubectl-edit")]
    assert str(error) == (
        f"ConfigMap {namespace}/a: apply refused: data.x, data.y are owned by kubectl-edit (field-owner-conflict)"
    )
    forced = await client.apply(config_map(namespace, "a", {"x": "2", "y": "2"}), force=True)
    assert forced.body["data"] == {"x": "2", "y": "2"}


async def test_an_apply_to_an_object_that_changed_since_it_was_read_is_not_made(
    client: Cluster, namespace: str
) -> None:
    live = await client.apply(config_map(namespace, "a", {"x": "1"}))
    await client.apply(config_map(namespace, "a", {"other": "1"}), field_manager="someone")
    work = client.apply(config_map(namespace, "a", {"x": "2"}), uid=live.uid, resource_version=live.resource_version)
    error = await refused(work)
    assert (type(error), error.code) == (TransientError, "object-changed")


async def test_an_apply_with_the_uid_of_a_deleted_object_never_creates_it_anew(client: Cluster, namespace: str) -> None:
    live = await client.apply(config_map(namespace, "a", {"x": "1"}))
    await client.delete(live.key, uid=live.uid, resource_version=live.resource_version)
    for resource_version in ("", live.resource_version):
        work = client.apply(config_map(namespace, "a", {"x": "2"}), uid=live.uid, resource_version=resource_version)
        assert (await refused(work)).code == "object-changed"
    assert isinstance((await client.read([live.key]))[live.key], Absent)


async def test_an_apply_with_the_uid_of_a_predecessor_of_the_same_name_is_object_changed(
    client: Cluster, namespace: str
) -> None:
    """The server answers 422 on metadata.uid, which is no fault of the body."""
    live = await client.apply(config_map(namespace, "a", {"x": "1"}))
    await client.delete(live.key, uid=live.uid, resource_version="")
    await client.apply(config_map(namespace, "a", {"x": "1"}))
    error = await refused(client.apply(config_map(namespace, "a", {"x": "2"}), uid=live.uid))
    assert (type(error), error.code) == (TransientError, "object-changed")


async def test_a_body_that_does_not_fit_is_invalid_and_names_the_field(client: Cluster, namespace: str) -> None:
    """422 by validation, and 500 (which says nothing of a failing server) by the schema of an apply."""
    cases = {
        "spec.clusterName": health_check(namespace, {"selector": {}}),
        "spec.clusterNaem: field not declared in schema": health_check(namespace, {"clusterNaem": "x", "selector": {}}),
        "data.x: expected string, got 5": config_map(namespace, "a", {"x": 5}),
    }
    for words, body in cases.items():
        error = await refused(client.apply(body))
        assert (type(error), error.code) == (TerminalError, "object-invalid"), words
        assert words in error.message
        assert "\n" not in error.message


async def test_the_value_of_a_rejected_secret_is_not_repeated(cluster: KubeCluster, namespace: str) -> None:
    body = {**config_map(namespace, "a", {}), "kind": "Secret", "type": "Opaque"}
    for data in ({"password": "canary-not-base64!"}, {"password": 1234567}):
        error = await refused(cluster.apply({**body, "data": data}))
        assert error.code == "object-invalid"
        assert not any(canary in f"{error} {error.hint}" for canary in ("canary", "1234567"))


async def test_a_missing_namespace_is_named(client: Cluster) -> None:
    for work in (client.apply(config_map("nowhere", "a", {})), client.create(config_map("nowhere", "a", {}))):
        error = await refused(work)
        assert (type(error), error.code) == (TerminalError, "namespace-missing")
        assert "Namespace nowhere" in error.message


async def test_a_namespace_that_is_being_deleted_takes_nothing_more(client: Cluster, namespace: str) -> None:
    """No namespace controller runs here, so it stays Terminating."""
    key = ObjectKey(group="", kind="Namespace", namespace=None, name=namespace)
    live = (await client.read([key], fresh=True))[key]
    assert isinstance(live, LiveObject)
    await client.delete(key, uid=live.uid, resource_version="")
    error = await refused(client.apply(config_map(namespace, "a", {})))
    assert (type(error), error.code) == (RefusedError, "namespace-terminating")


async def test_a_kind_in_a_version_that_is_not_served_names_those_that_are(client: Cluster, namespace: str) -> None:
    body = {**health_check(namespace, {"clusterName": "c", "selector": {}}), "apiVersion": f"{CORE}/v1alpha9"}
    error = await refused(client.apply(body))
    assert (type(error), error.code) == (TerminalError, "version-not-served")
    assert f"{CORE}/v1beta2" in error.message


async def test_kinds_that_are_not_served_are_absent_or_empty(client: Cluster, namespace: str) -> None:
    key = key_of(namespace, "a", kind="Gadget", group="nowhere.example.org")
    assert (await client.read([key]))[key] == Absent(key=key, kind_served=False)
    assert await client.list_objects("nowhere.example.org", "Gadget") == ()
    error = await refused(anext(client.watch("nowhere.example.org", "Gadget")))
    assert error.code == "version-not-served"


async def test_a_body_in_the_wrong_scope_is_invalid(client: Cluster, namespace: str) -> None:
    nowhere = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    placed = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": namespace}}
    for body in (nowhere, placed):
        assert (await refused(client.apply(body))).code == "object-invalid"


async def test_create_and_replace_never_overwrite_another_writer(client: Cluster, namespace: str) -> None:
    live = await client.create(config_map(namespace, "a", {"x": "1"}))
    assert (await refused(client.create(config_map(namespace, "a", {"x": "2"})))).code == "object-exists"
    newer = await client.replace({**live.body, "data": {"x": "2"}})
    assert newer.body["data"] == {"x": "2"}
    error = await refused(client.replace({**live.body, "data": {"x": "3"}}))
    assert (type(error), error.code) == (TransientError, "object-changed")


async def test_a_delete_holds_only_for_the_object_that_was_meant(client: Cluster, namespace: str) -> None:
    live = await client.create(config_map(namespace, "a", {}))
    newer = await client.replace({**live.body, "data": {"x": "1"}})
    for uid, resource_version in (("another", ""), (live.uid, live.resource_version)):
        work = client.delete(live.key, uid=uid, resource_version=resource_version)
        assert (await refused(work)).code == "object-changed"
    await client.delete(live.key, uid=live.uid, resource_version=newer.resource_version)
    await client.delete(live.key, uid=live.uid, resource_version=newer.resource_version)
    assert isinstance((await client.read([live.key]))[live.key], Absent)


async def test_a_list_is_whole_and_ordered_whatever_the_chunks(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    names = [f"c{number:03d}" for number in range(620)]
    work = [cluster.create({**config_map(namespace, name, {})}) for name in reversed(names)]
    await asyncio.gather(*work)
    found = await cluster.list_objects("", "ConfigMap", namespace=namespace)
    assert [live.key.name for live in found] == names
    assert {live.body["kind"] for live in found} == {"ConfigMap"}
    flaky.rule = lambda seen: status_reply(410, "Expired", "too old") if "continue=" in seen.path else PASS
    async with connected(flaky.kubeconfig(tmp_path)) as through:
        assert await through.list_objects("", "ConfigMap", namespace=namespace) == found
    await cluster.apply({**config_map(namespace, "c007", {}), "metadata": _labelled(namespace, "c007")})
    assert [live.key.name for live in await cluster.list_objects("", "ConfigMap", labels=f"in={namespace}")] == ["c007"]


def _labelled(namespace: str, name: str) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "labels": {"in": namespace}}


async def test_a_read_has_one_entry_per_key_and_tells_absent_from_unreadable(
    apiserver: Sandbox, cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    await cluster.apply(config_map(namespace, "a", {}))
    keys = [key_of(namespace, "a"), key_of(namespace, "b"), key_of(namespace, "s", kind="Secret")]
    flaky.rule = lambda seen: status_reply(403, "Forbidden", "no") if "/secrets" in seen.path else PASS
    async with connected(flaky.kubeconfig(tmp_path)) as limited:
        live = await limited.read(keys)
    assert isinstance(live[keys[0]], LiveObject)
    assert live[keys[1]] == Absent(key=keys[1])
    secret = live[keys[2]]
    assert isinstance(secret, Unreadable)
    assert secret.problem.code == "api-forbidden"
    assert "'get' on secrets" in secret.problem.hint


async def test_one_target_is_read_by_gets_and_many_at_once_by_lists(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    await asyncio.gather(*(cluster.apply(config_map(namespace, f"c{number}", {})) for number in range(40)))
    async with connected(flaky.kubeconfig(tmp_path)) as through:
        await through.read([key_of(namespace, "warm")])
        flaky.seen.clear()
        keys = [key_of(namespace, "c1"), key_of(namespace, "c2"), key_of(namespace, "none")]
        await through.read(keys)
        assert len(flaky.paths("GET")) == 3
        flaky.seen.clear()
        answers = await asyncio.gather(
            *(
                through.read([key_of(namespace, f"c{number}"), key_of(namespace, f"n{number}"), keys[0]])
                for number in range(40)
            )
        )
        assert len(flaky.paths("GET")) <= 10
    for number, live in enumerate(answers):
        assert isinstance(live[key_of(namespace, f"c{number}")], LiveObject)
        assert isinstance(live[key_of(namespace, f"n{number}")], Absent)


async def test_where_a_list_is_forbidden_the_keys_are_got(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    keys = [key_of(namespace, f"c{number}") for number in range(12)]
    await cluster.apply(config_map(namespace, "c3", {}))
    flaky.rule = lambda seen: status_reply(403, "Forbidden", "no") if "limit=" in seen.path else PASS
    async with connected(flaky.kubeconfig(tmp_path)) as limited:
        live = await limited.read(keys)
        assert [key.name for key in keys if isinstance(live[key], LiveObject)] == ["c3"]
        assert not live.unreadable
        flaky.seen.clear()
        await limited.read(keys)
        assert not any("limit=" in path for path in flaky.paths("GET"))


async def test_with_the_server_away_every_key_is_unreadable_and_none_absent(tmp_path: Path, apiserver: Sandbox) -> None:
    async with flaky_api(apiserver) as gone:
        kubeconfig = gone.kubeconfig(tmp_path)
    async with connected(kubeconfig, clock=SkippingClock()) as cluster:
        keys = [key_of("a", f"c{number}") for number in range(10)]
        live = await cluster.read(keys)
    assert {entry.problem.code for entry in live.unreadable} == {"api-unreachable"}
    assert len(live.unreadable) == 10


def first_n(count: int, action: str | Reply, method: str = "PATCH") -> Rule:
    """The first ``count`` requests of a method meet ``action``."""
    left = iter(range(count))
    return lambda seen: action if seen.method == method and next(left, None) is not None else PASS


@pytest.mark.parametrize(
    "action",
    [
        CUT_BEFORE,
        CUT_AFTER,
        status_reply(429, "TooManyRequests", "slow down"),
        status_reply(503, "ServiceUnavailable", "starting"),
        status_reply(504, "Timeout", "too slow"),
        Reply(status=502, body=b"<html>bad gateway</html>"),
    ],
)
async def test_an_apply_survives_two_bad_answers(
    namespace: str, flaky: FlakyApi, tmp_path: Path, action: str | Reply
) -> None:
    clock = SkippingClock()
    flaky.rule = first_n(2, action)
    async with connected(flaky.kubeconfig(tmp_path), clock=clock) as through:
        live = await through.apply(config_map(namespace, "a", {"x": "1"}))
    assert live.body["data"] == {"x": "1"}
    assert len(flaky.paths("PATCH")) == 3
    assert len(clock.slept) == 2


async def test_the_server_says_how_long_to_wait(namespace: str, flaky: FlakyApi, tmp_path: Path) -> None:
    clock = SkippingClock()
    flaky.rule = first_n(1, status_reply(429, "TooManyRequests", "slow down", **{"retry-after": "7"}))
    async with connected(flaky.kubeconfig(tmp_path), clock=clock) as through:
        await through.apply(config_map(namespace, "a", {}))
    assert 7.0 <= clock.slept[0] <= 7.2


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (CUT_BEFORE, "api-unreachable"),
        (status_reply(429, "TooManyRequests", "slow down"), "api-throttled"),
        (status_reply(500, "InternalError", "etcd is gone"), "api-unavailable"),
    ],
)
async def test_what_does_not_pass_is_transient_after_the_last_attempt(
    namespace: str, flaky: FlakyApi, tmp_path: Path, action: str | Reply, code: str
) -> None:
    flaky.rule = first_n(99, action)
    async with connected(flaky.kubeconfig(tmp_path), clock=SkippingClock(), attempts=4) as through:
        error = await refused(through.apply(config_map(namespace, "a", {})))
    assert (type(error), error.code) == (TransientError, code)
    assert len(flaky.paths("PATCH")) == 4


async def test_a_lease_does_not_wait_behind_writes_that_the_server_leaves_hanging(
    namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    released = asyncio.Event()
    flaky.before = lambda seen: released.wait() if "configmaps" in seen.path else None
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": "me"}}
    async with connected(flaky.kubeconfig(tmp_path), max_in_flight=2) as through:
        writes = [asyncio.create_task(through.apply(config_map(namespace, f"c{number}", {}))) for number in range(9)]
        async with asyncio.timeout(120):
            live = await through.create({**lease, "metadata": {"namespace": namespace, "name": "held"}})
            await through.replace({**live.body, "spec": {"holderIdentity": "still me"}})
        assert not any(write.done() for write in writes)
        assert len(flaky.paths("PATCH")) <= 2
        released.set()
        await asyncio.gather(*writes)


async def test_a_webhook_that_is_down_is_told_at_once_by_its_name(
    namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    words = 'Internal error occurred: failed calling webhook "default.cluster.x-k8s.io": connection refused'
    flaky.rule = first_n(9, status_reply(500, "InternalError", words))
    async with connected(flaky.kubeconfig(tmp_path), clock=SkippingClock()) as through:
        error = await refused(through.apply(config_map(namespace, "a", {})))
    assert (type(error), error.code) == (TransientError, "webhook-unavailable")
    assert "default.cluster.x-k8s.io" in error.message
    assert len(flaky.paths("PATCH")) == 1


async def test_a_write_that_was_done_but_not_answered_makes_the_caller_read_again(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    """The second try meets what the first one wrote, and says so instead of guessing."""
    live = await cluster.apply(config_map(namespace, "a", {"x": "1"}))
    async with connected(flaky.kubeconfig(tmp_path), clock=SkippingClock()) as through:
        flaky.rule = first_n(1, CUT_AFTER)
        body = config_map(namespace, "a", {"x": "2"})
        error = await refused(through.apply(body, uid=live.uid, resource_version=live.resource_version))
        assert error.code == "object-changed"
        flaky.rule = first_n(1, CUT_AFTER, method="POST")
        assert (await refused(through.create(config_map(namespace, "b", {})))).code == "object-exists"
        flaky.rule = first_n(1, CUT_AFTER, method="DELETE")
        now = (await through.read([live.key])).found(live.key)
        assert now is not None
        assert now.body["data"] == {"x": "2"}
        await through.delete(live.key, uid=now.uid, resource_version=now.resource_version)


class Gate:
    """Open for the first ``requests`` writes."""

    def __init__(self, requests: int) -> None:
        self.left = requests
        self.asked: list[ObjectKey] = []

    def check(self, key: ObjectKey) -> None:
        self.asked.append(key)
        self.left -= 1
        if self.left < 0:
            raise TransientError("lease-lost", key.label, "not written")


async def test_the_gate_is_asked_before_every_write_and_every_repeat_of_it(
    namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    gate = Gate(2)
    flaky.rule = first_n(99, CUT_BEFORE)
    async with connected(flaky.kubeconfig(tmp_path), clock=SkippingClock(), gate=gate) as through:
        error = await refused(through.apply(config_map(namespace, "a", {})))
        assert error.code == "lease-lost"
        assert len(flaky.paths("PATCH")) == 2
        assert gate.asked == [key_of(namespace, "a")] * 3
        flaky.rule = lambda seen: PASS
        await through.apply(config_map(namespace, "a", {}), dry_run=True)
        assert len(gate.asked) == 3


def token_user(folder: Path) -> dict[str, object]:
    """An exec plugin that prints token-1 the first time, token-2 the second, and so on."""
    plugin = folder / "plugin.py"
    plugin.write_text(
        "import json, pathlib\n"
        f"count = pathlib.Path({str(folder / 'count')!r})\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',\n"
        "                  'status': {'token': f'token-{number}'}}))\n",
        encoding="utf-8",
    )
    command = {"command": sys.executable, "args": [str(plugin)], "interactiveMode": "Never"}
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", **command}}


def only_token(number: int) -> Callable[[Seen], str | Reply]:
    unauthorized = status_reply(401, "Unauthorized", "Unauthorized")
    return lambda seen: PASS if seen.headers.get("authorization") == f"Bearer token-{number}" else unauthorized


async def test_a_401_reloads_the_credentials_once_for_all_who_met_it(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    flaky.rule = only_token(2)
    async with connected(flaky.kubeconfig(tmp_path, token_user(tmp_path))) as through:
        await asyncio.gather(*(through.apply(config_map(namespace, f"c{number}", {})) for number in range(20)))
    assert (tmp_path / "count").read_text() == "2"
    assert len(await cluster.list_objects("", "ConfigMap", namespace=namespace)) == 20


async def test_a_401_that_stays_is_transient_and_does_not_call_the_plugin_in_a_loop(
    namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    flaky.rule = only_token(99)
    async with connected(flaky.kubeconfig(tmp_path, token_user(tmp_path))) as through:
        errors = await asyncio.gather(*(refused(through.apply(config_map(namespace, "a", {}))) for _ in range(5)))
    assert {error.code for error in errors} == {"api-unauthorized"}
    # The wait between two doubles: a slow minute has not more, a loop one for each of fifteen requests.
    assert int((tmp_path / "count").read_text()) <= 6


async def test_a_forbidden_verb_is_named_with_its_resource(namespace: str, flaky: FlakyApi, tmp_path: Path) -> None:
    flaky.extra = {"impersonate-user": "nobody"}
    async with connected(flaky.kubeconfig(tmp_path)) as through:
        body = health_check(namespace, {"clusterName": "c", "selector": {}})
        error = await refused(through.apply(body))
    assert (type(error), error.code) == (TerminalError, "api-forbidden")
    assert error.hint.endswith(f"'patch' on machinehealthchecks.{CORE} in namespace {namespace}")


async def test_discovery_falls_back_to_the_old_form(namespace: str, flaky: FlakyApi, tmp_path: Path) -> None:
    """An API server that knows no aggregated discovery ignores what we accept."""
    groups = {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": CORE,
                "versions": [{"version": "v1beta1"}, {"version": "v1beta2"}],
                "preferredVersion": {"version": "v1beta2"},
            }
        ],
    }
    old = {"/api": {"kind": "APIVersions", "versions": ["v1"]}, "/apis": groups}
    flaky.rule = lambda seen: Reply(status=200, body=json.dumps(old[seen.path]).encode()) if seen.path in old else PASS
    async with connected(flaky.kubeconfig(tmp_path)) as through:
        live = await through.apply(
            health_check(namespace, {"clusterName": "c", "selector": {"matchLabels": {"a": "b"}}})
        )
        found = (await through.read([live.key])).found(live.key)
    assert found is not None
    assert found.body["apiVersion"] == f"{CORE}/v1beta2"


class Watching:
    """Collects a watch's events in a task, for tests that act meanwhile."""

    def __init__(self, events: AsyncIterator[WatchEvent]) -> None:
        self._queue: asyncio.Queue[WatchEvent] = asyncio.Queue()
        self._task = asyncio.create_task(self._collect(events))

    async def _collect(self, events: AsyncIterator[WatchEvent]) -> None:
        async for event in events:
            self._queue.put_nowait(event)

    async def next(self, count: int) -> list[tuple[str, str]]:
        async with asyncio.timeout(120):
            events = [await self._queue.get() for _ in range(count)]
        return [(event.kind, event.object.key.name if event.object else "") for event in events]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_a_watch_lists_says_so_and_follows(cluster: KubeCluster, namespace: str) -> None:
    live = await cluster.create(config_map(namespace, "a", {}))
    watching = Watching(cluster.watch("", "ConfigMap", namespace=namespace))
    try:
        assert await watching.next(2) == [("ADDED", "a"), ("SYNCED", "")]
        await cluster.create(config_map(namespace, "b", {}))
        newer = await cluster.replace({**live.body, "data": {"x": "1"}})
        await cluster.delete(newer.key, uid=newer.uid, resource_version="")
        assert await watching.next(3) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a")]
    finally:
        await watching.stop()


async def test_a_cut_watch_goes_on_where_it_was_without_listing_again(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    async with connected(flaky.kubeconfig(tmp_path), clock=SkippingClock()) as through:
        watching = Watching(through.watch("", "ConfigMap", namespace=namespace))
        assert await watching.next(1) == [("SYNCED", "")]
        await cluster.create(config_map(namespace, "a", {}))
        assert await watching.next(1) == [("ADDED", "a")]
        flaky.cut_all()
        await cluster.create(config_map(namespace, "b", {}))
        assert await watching.next(1) == [("ADDED", "b")]
        assert sum("limit=" in path for path in flaky.paths("GET")) == 1
        await watching.stop()


async def test_after_a_410_it_lists_again_and_tells_what_vanished_meanwhile(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    first = await cluster.create(config_map(namespace, "a", {}))
    await cluster.create(config_map(namespace, "b", {}))
    async with connected(flaky.kubeconfig(tmp_path), clock=SkippingClock()) as through:
        watching = Watching(through.watch("", "ConfigMap", namespace=namespace))
        assert await watching.next(3) == [("ADDED", "a"), ("ADDED", "b"), ("SYNCED", "")]
        expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
        answers: Iterator[str | Reply] = iter(
            [CUT_BEFORE, Reply(status=200, body=json.dumps(expired).encode() + b"\n"), status_reply(410, "Expired", "")]
        )
        flaky.rule = lambda seen: next(answers, PASS) if "watch=true" in seen.path else PASS
        await cluster.delete(first.key, uid=first.uid, resource_version="")
        assert await watching.next(1) == [("DELETED", "a")]
        flaky.cut_all()
        assert await watching.next(2) == [("SYNCED", ""), ("SYNCED", "")]
        await cluster.create(config_map(namespace, "c", {}))
        assert await watching.next(1) == [("ADDED", "c")]
        await watching.stop()


async def test_a_watch_renews_its_credentials(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    async with connected(flaky.kubeconfig(tmp_path, token_user(tmp_path)), clock=SkippingClock()) as through:
        watching = Watching(through.watch("", "ConfigMap", namespace=namespace))
        assert await watching.next(1) == [("SYNCED", "")]
        flaky.rule = only_token(2)
        flaky.cut_all()
        await cluster.create(config_map(namespace, "a", {}))
        assert await watching.next(1) == [("ADDED", "a")]
        await watching.stop()


def target_in(namespace: str) -> Target:
    return Target(
        name=f"{namespace}/alpha",
        fleet=f"fleet-{namespace}",
        region=None,
        cluster="alpha",
        namespace=namespace,
        mode=Mode.APPLY,
        recipe=PlainRecipe(files=()),
    )


async def test_a_fleet_target_is_stored_whole_and_keeps_what_people_wrote(client: Cluster, namespace: str) -> None:
    await ensure_crds(client, SystemClock())
    target = target_in(namespace)
    stored = await read_target(client, target)
    assert not stored.stored
    entry = Entry(key=key_of(namespace, "a"), api_version="v1")
    stored = await write_target(client, stored, inventory=stored.inventory.widened([entry], revision="main@1"))
    assert (await read_target(client, target)).inventory.keys == {entry.key}
    paused = {**stored.body, "spec": {**stored.body["spec"], "suspend": True}}
    await client.replace(paused)
    outcome = Outcome(target=target.name, revision="main@1", stage=Stage.DONE)
    stored = await update_target(client, stored, _with_status(outcome))
    assert stored.suspend
    assert stored.status.phase == "Settled"
    assert stored == (await list_targets(client, target.fleet))[0]


def _with_status(outcome: Outcome) -> Callable[[StoredTarget], StoredTarget]:
    now = SystemClock().now()
    return lambda stored: replace(stored, status=status_after(stored.status, outcome, inputs="i", now=now))


async def test_an_unchanged_fleet_target_is_not_written(
    cluster: KubeCluster, namespace: str, flaky: FlakyApi, tmp_path: Path
) -> None:
    await ensure_crds(cluster, SystemClock())
    target = target_in(namespace)
    change = _with_status(Outcome(target=target.name, revision="main@1", stage=Stage.DONE))
    async with connected(flaky.kubeconfig(tmp_path)) as through:
        stored = await update_target(through, await read_target(through, target), change)
        flaky.seen.clear()
        assert await update_target(through, stored, change) == stored
        assert not flaky.seen


async def test_a_status_is_never_written_over_another_writers_inventory(client: Cluster, namespace: str) -> None:
    await ensure_crds(client, SystemClock())
    target = target_in(namespace)
    stored = await write_target(client, await read_target(client, target))
    entry = Entry(key=key_of(namespace, "a"), api_version="v1")
    await write_target(client, stored, inventory=stored.inventory.widened([entry], revision="main@2"))
    late = _with_status(Outcome(target=target.name, revision="main@1", stage=Stage.DONE))(stored)
    assert (await refused(write_target(client, stored, status=late.status))).code == "object-changed"


async def test_a_fleet_target_that_was_deleted_is_made_anew_with_the_inventory_known_here(
    client: Cluster, namespace: str
) -> None:
    await ensure_crds(client, SystemClock())
    target = target_in(namespace)
    stored = await read_target(client, target)
    entry = Entry(key=key_of(namespace, "a"), api_version="v1")
    stored = await write_target(client, stored, inventory=stored.inventory.widened([entry], revision="main@2"))
    await client.delete(stored.key, uid=stored.uid, resource_version="")
    change = _with_status(Outcome(target=target.name, revision="main@2", stage=Stage.DONE))
    again = await update_target(client, stored, change)
    assert again.uid != stored.uid
    assert again.inventory.keys == {entry.key}


async def test_a_newer_inventory_is_refused_and_another_targets_too(client: Cluster, namespace: str) -> None:
    await ensure_crds(client, SystemClock())
    target = target_in(namespace)
    stored = await write_target(client, await read_target(client, target))
    newer = await client.replace({**stored.body, "inventory": {"format": 99}})
    assert (await refused(read_target(client, target))).code == "inventory-too-new"
    taken = {**newer.body, "inventory": {"format": 1}, "spec": {"fleet": "another", "target": target.name}}
    await client.replace(taken)
    assert (await refused(read_target(client, target))).code == "target-taken"


async def test_an_event_said_twice_is_one_event(cluster: KubeCluster, namespace: str) -> None:
    body = event_body(
        fleet_target_key(target_in(namespace)),
        reason="Settled",
        note="ä" * 2000,
        revision="main@1",
        now=SystemClock().now(),
        instance="test",
    )
    assert [await record_event(cluster, body), await record_event(cluster, body)] == [True, False]
    events = await cluster.list_objects("events.k8s.io", "Event", namespace=namespace)
    assert [event.body["reason"] for event in events] == ["Settled"]


async def test_our_namespace_is_made_once_and_a_foreign_one_is_left_alone(client: Cluster, namespace: str) -> None:
    key = ObjectKey(group="", kind="Namespace", namespace=None, name=f"{namespace}-new")
    for _ in range(2):
        await ensure_namespace(client, key.name, fleet="platform")
    made = (await client.read([key])).found(key)
    assert made is not None
    assert made.managed_by("clusterops")
    await ensure_namespace(client, namespace, fleet="platform")
    foreign = ObjectKey(group="", kind="Namespace", namespace=None, name=namespace)
    left = (await client.read([foreign], fresh=True)).found(foreign)
    assert left is not None
    assert "clusterops.io/fleet" not in left.labels
