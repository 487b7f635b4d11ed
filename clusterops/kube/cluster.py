"""ports.Cluster on a real API server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from structlog.stdlib import BoundLogger

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.kube import wire
from clusterops.kube.answers import error_of, version_not_served
from clusterops.kube.connection import Connection
from clusterops.kube.credentials import load_credentials
from clusterops.kube.discovery import DEFINES_KINDS, Discovery
from clusterops.kube.exchange import Exchange, backoff_s
from clusterops.kube.reads import BatchingReads, ReadPlanner
from clusterops.kube.resources import Resource
from clusterops.kube.watch import Follower, LineSplitter, Relist, live_of
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet, Manager
from clusterops.model.managers import OURS
from clusterops.ports import Clock, ServerInfo, WatchEvent, WriteGate
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics

INACTIVITY_S: Final = 90.0
"""A watch without a byte for so long is taken for dead: bookmarks come once a minute. **Source:** k8s.io/apiserver
pkg/storage/cacher, defaultBookmarkFrequency."""
WATCH_S: Final = (240, 480)
"""A watch ends between these, so that not all reconnect together. **Source:** client-go tools/cache/reflector.go."""
HEALTHY_S: Final = 1.0
"""A watch that lived so long resets the backoff."""


class KubeCluster:
    """One API server. Made by ``connect``; use it as a context manager, or call ``close``.

    Credentials are loaded by the first request, so it may be made while the server is away.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        settings: ClusterSettings,
        logger: BoundLogger,
        metrics: Metrics,
        clock: Clock,
        gate: WriteGate | None = None,
    ) -> None:
        self._connection = connection
        self._exchange = Exchange(connection, attempts=settings.attempts, clock=clock, metrics=metrics, gate=gate)
        self._discovery = Discovery(self._exchange, clock)
        self._planner = ReadPlanner(self)
        self._reads = BatchingReads(self._planner.read)
        self._logger = logger
        self._clock = clock

    @classmethod
    def connect(
        cls,
        settings: ClusterSettings,
        network: NetworkSettings,
        *,
        logger: BoundLogger,
        metrics: Metrics,
        clock: Clock,
        gate: WriteGate | None = None,
    ) -> Self:
        """``gate`` is asked before each request that may change something, repeats included, dry runs excluded."""
        load = partial(load_credentials, settings, network)
        connection = Connection(load, settings=settings, network=network, logger=logger, clock=clock)
        return cls(connection, settings=settings, logger=logger, metrics=metrics, clock=clock, gate=gate)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._reads.close()
        await self._connection.close()

    async def server(self) -> ServerInfo:
        key = ObjectKey(group="", kind="Namespace", namespace=None, name="kube-system")
        version, live = await asyncio.gather(
            self._exchange.send(wire.plain_request("/version")), self.get(await self._served(key), key)
        )
        if live is None:
            raise TerminalError("kube-system-missing", "API server", "has no Namespace kube-system to know it by")
        return ServerInfo(version=str(version.get("gitVersion") or ""), identity=live.uid)

    async def read(self, keys: Collection[ObjectKey], *, fresh: bool = False) -> LiveSet:
        return LiveSet(await self._reads.read(frozenset(keys)))

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        resource = await self.find(group, kind)
        if resource is None:
            return ()
        objects, _ = await self._list(resource, namespace, labels)
        return tuple(sorted(objects, key=lambda live: live.key))

    async def apply(
        self,
        body: Mapping[str, Any],
        *,
        uid: str = "",
        resource_version: str = "",
        force: bool = False,
        dry_run: bool = False,
        field_manager: str = OURS,
    ) -> LiveObject:
        resource = await self._resource_of(body)
        request = wire.apply_request(
            resource,
            body,
            uid=uid,
            resource_version=resource_version,
            force=force,
            dry_run=dry_run,
            field_manager=field_manager,
        )
        return await self._write(request, resource)

    async def set_managers(self, live: LiveObject, managers: Sequence[Manager]) -> LiveObject:
        resource = await self._resource_of(live.body)
        return await self._write(wire.managers_request(resource, live, managers, field_manager=OURS), resource)

    async def create(self, body: Mapping[str, Any]) -> LiveObject:
        resource = await self._resource_of(body)
        return await self._write(wire.create_request(resource, body, field_manager=OURS), resource)

    async def rehearse(self, live: LiveObject, body: Mapping[str, Any]) -> LiveObject:
        resource = await self._resource_of(live.body)
        return await self._write(wire.rehearsal_request(resource, live, body, field_manager=OURS), resource)

    async def replace(self, body: Mapping[str, Any]) -> LiveObject:
        resource = await self._resource_of(body)
        return await self._write(wire.replace_request(resource, body, field_manager=OURS), resource)

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        resource = await self._served(key)
        request = wire.delete_request(resource, key, uid=uid, resource_version=resource_version)
        try:
            await self._exchange.send(request)
        except TransientError as error:
            if error.code != "object-gone":
                raise
        self._note_kinds(resource)

    async def watch(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Raises TerminalError ``version-not-served`` or ``api-forbidden``; everything transient is waited out."""
        resource = await self.find(group, kind)
        if resource is None:
            raise version_not_served(kind, group or "v1", ())
        follower = Follower(resource)
        failures = 0
        while True:
            started_s = self._clock.boottime_s()
            try:
                async for event in self._follow(follower, namespace, labels):
                    yield event
            except Relist:
                follower.restart()
            except TransientError as error:
                self._logger.debug("watch interrupted", kind=kind, namespace=namespace, code=error.code)
            failures = 0 if self._clock.boottime_s() - started_s >= HEALTHY_S else failures + 1
            await self._clock.sleep(backoff_s(failures))

    async def find(self, group: str, kind: str, version: str = "") -> Resource | None:
        return await self._discovery.find(group, kind, version)

    async def get(self, resource: Resource, key: ObjectKey) -> LiveObject | None:
        _check_scope(resource, key)
        try:
            return live_of(await self._exchange.send(wire.get_request(resource, key)), resource)
        except TransientError as error:
            if error.code == "object-gone":
                return None
            raise

    async def list_some(self, resource: Resource, namespace: str | None, limit: int) -> tuple[list[LiveObject], int]:
        answer = await self._exchange.send(wire.list_request(resource, namespace=namespace, limit=limit))
        more = int(answer["metadata"].get("remainingItemCount") or 0) or (1 if _following(answer) else 0)
        return [live_of(item, resource) for item in answer.get("items") or ()], more

    async def _list(self, resource: Resource, namespace: str | None, labels: str) -> tuple[list[LiveObject], str]:
        """All of them as of one resource version, and that version. A list that takes too long begins again, whole."""
        try:
            return await self._list_chunks(resource, namespace, labels, wire.CHUNK)
        except TransientError as error:
            if error.code != "resource-version-expired":
                raise
            return await self._list_chunks(resource, namespace, labels, 0)

    async def _list_chunks(
        self, resource: Resource, namespace: str | None, labels: str, limit: int
    ) -> tuple[list[LiveObject], str]:
        objects: list[LiveObject] = []
        following = ""
        while True:
            answer = await self._exchange.send(
                wire.list_request(resource, namespace=namespace, labels=labels, limit=limit, following=following)
            )
            objects.extend(live_of(item, resource) for item in answer.get("items") or ())
            following = _following(answer)
            if not following:
                return objects, str(answer["metadata"]["resourceVersion"])

    async def _follow(self, follower: Follower, namespace: str | None, labels: str) -> AsyncIterator[WatchEvent]:
        """One list where it is needed, and one watch to its end."""
        if not follower.resource_version:
            for event in follower.listed(*await self._list(follower.resource, namespace, labels)):
                yield event
        request = wire.watch_request(
            follower.resource,
            namespace=namespace,
            labels=labels,
            resource_version=follower.resource_version,
            timeout_s=random.randint(*WATCH_S),
        )
        async with self._connection.stream(request, inactivity_s=INACTIVITY_S) as (head, credentials, chunks):
            if head.status != 200:
                if head.status == 401:
                    await self._connection.renew(credentials)
                raise _watch_error(error_of(request, head))
            splitter = LineSplitter()
            async for chunk in chunks:
                for line in splitter.feed(chunk):
                    received = follower.received(line)
                    if received is not None:
                        yield received

    async def _write(self, request: wire.Request, resource: Resource) -> LiveObject:
        live = live_of(await self._exchange.send(request), resource)
        if request.writes:
            self._note_kinds(resource)
        return live

    def _note_kinds(self, resource: Resource) -> None:
        if resource.kind in DEFINES_KINDS:
            self._discovery.forget()

    async def _resource_of(self, body: Mapping[str, Any]) -> Resource:
        """In the body's own version."""
        key = ObjectKey.of(body)
        resource = await self._served(key, str(body["apiVersion"]).rpartition("/")[2])
        _check_scope(resource, key)
        return resource

    async def _served(self, key: ObjectKey, version: str = "") -> Resource:
        resource = await self.find(key.group, key.kind, version)
        if resource is None:
            api_version = f"{key.group}/{version}".strip("/") if version else key.group
            raise version_not_served(key.label, api_version, await self._discovery.versions(key.group, key.kind))
        return resource


def _watch_error(error: ClusterOpsError) -> Exception:
    return Relist() if error.code == "resource-version-expired" else error


def _following(answer: Mapping[str, Any]) -> str:
    return str((answer.get("metadata") or {}).get("continue") or "")


def _check_scope(resource: Resource, key: ObjectKey) -> None:
    if resource.namespaced and key.namespace is None:
        raise _misplaced(key, "lives in a namespace and metadata.namespace is missing", "name its namespace")
    if not resource.namespaced and key.namespace is not None:
        raise _misplaced(key, "lives in no namespace, yet metadata.namespace is set", "remove metadata.namespace")


def _misplaced(key: ObjectKey, words: str, hint: str) -> TerminalError:
    return TerminalError("object-invalid", key.label, f"{key.kind} {words}", hint=hint)
