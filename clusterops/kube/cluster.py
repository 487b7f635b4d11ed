"""ports.Cluster on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from structlog.stdlib import BoundLogger

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.kube import wire
from clusterops.kube.answers import version_not_served
from clusterops.kube.connection import Connection
from clusterops.kube.credentials import load_credentials
from clusterops.kube.discovery import DEFINES_KINDS, Discovery
from clusterops.kube.exchange import Exchange, backoff_s
from clusterops.kube.listwatch import ListWatch, continue_of
from clusterops.kube.reads import BatchingReads, ReadPlanner
from clusterops.kube.resources import Resource
from clusterops.kube.watch import Follower, Relist, live_of
from clusterops.model.key import ObjectKey, version_of
from clusterops.model.live import Absent, LiveObject, LiveSet, Manager, Unreadable
from clusterops.model.managers import OURS
from clusterops.model.problem import Problem
from clusterops.ports import Clock, ServerInfo, WatchEvent, WriteGate
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics

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
        self.collections = ListWatch(self._exchange, connection, silence_s=settings.watch_silence_s)
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

    async def read_as(self, versions: Mapping[ObjectKey, str]) -> LiveSet:
        """Objects of another version than the preferred one cost a request each."""
        live = await self.read(versions.keys())
        others = [key for key in sorted(versions) if _other_version(live.found(key), versions[key])]
        got = await asyncio.gather(*(self._read_in(key, version_of(versions[key])) for key in others))
        return LiveSet({**live.objects, **{one.key: one for one in got if one is not None}})

    async def _read_in(self, key: ObjectKey, version: str) -> LiveObject | Absent | Unreadable | None:
        """None where the version is not served."""
        try:
            resource = await self.find(key.group, key.kind, version)
            return None if resource is None else await self.get(resource, key) or Absent(key=key)
        except ClusterOpsError as error:
            return Unreadable(key=key, problem=Problem.of(error))

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        resource = await self.find(group, kind)
        if resource is None:
            return ()
        objects, _ = await self.collections.list(resource, namespace, labels)
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
        await self.remove(key, uid=uid, resource_version=resource_version)

    async def remove(self, key: ObjectKey, *, uid: str, resource_version: str) -> LiveObject | None:
        """As ``delete``; the object where finalizers hold it, None once it is gone."""
        resource = await self._served(key)
        request = wire.delete_request(resource, key, uid=uid, resource_version=resource_version)
        try:
            answer = await self._exchange.send(request)
        except TransientError as error:
            if error.code != "object-gone":
                raise
            answer = {}
        self._note_kinds(resource)
        return live_of(answer, resource) if (answer.get("metadata") or {}).get("uid") else None

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

    async def versions(self, group: str, kind: str) -> tuple[str, ...]:
        return await self._discovery.versions(group, kind)

    def doubt(self, group: str, kind: str) -> None:
        """What is known of the kind's versions may be out of date."""
        self._discovery.doubt(group, kind)

    def deny(self, resource: Resource) -> None:
        """A request for it met a 404."""
        self._discovery.deny(resource)

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
        more = int(answer["metadata"].get("remainingItemCount") or 0) or (1 if continue_of(answer) else 0)
        return [live_of(item, resource) for item in answer.get("items") or ()], more

    async def _follow(self, follower: Follower, namespace: str | None, labels: str) -> AsyncIterator[WatchEvent]:
        """One list where it is needed, and one watch to its end."""
        resource = follower.resource
        if not follower.resource_version:
            for event in follower.listed(*await self.collections.list(resource, namespace, labels)):
                yield event
        async with aclosing(self.collections.lines(resource, namespace, labels, follower.resource_version)) as lines:
            async for line in lines:
                step = follower.received(line) if line else None
                if step is not None:
                    yield WatchEvent(kind=step.kind, object=step.object)

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
        resource = await self._served(key, version_of(str(body["apiVersion"])))
        _check_scope(resource, key)
        return resource

    async def _served(self, key: ObjectKey, version: str = "") -> Resource:
        resource = await self.find(key.group, key.kind, version)
        if resource is None:
            api_version = f"{key.group}/{version}".strip("/") if version else key.group
            raise version_not_served(key.label, api_version, await self._discovery.versions(key.group, key.kind))
        return resource


def _other_version(found: LiveObject | None, api_version: str) -> bool:
    return found is not None and found.body.get("apiVersion") != api_version


def _check_scope(resource: Resource, key: ObjectKey) -> None:
    if resource.namespaced and key.namespace is None:
        raise _misplaced(key, "lives in a namespace and metadata.namespace is missing", "name its namespace")
    if not resource.namespaced and key.namespace is not None:
        raise _misplaced(key, "lives in no namespace, yet metadata.namespace is set", "remove metadata.namespace")


def _misplaced(key: ObjectKey, words: str, hint: str) -> TerminalError:
    return TerminalError("object-invalid", key.label, f"{key.kind} {words}", hint=hint)
