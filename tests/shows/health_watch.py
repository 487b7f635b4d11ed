"""Every version of every object of Cluster API in a namespace, as both served versions show it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp

from clusterops.kube.watch import LineSplitter
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.sandbox import Sandbox

CORE, BOOT = "cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
INFRA, PLANE = "infrastructure.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io"
WATCHED = (
    (CORE, "clusters"),
    (CORE, "clusterclasses"),
    (CORE, "machinedeployments"),
    (CORE, "machinesets"),
    (CORE, "machines"),
    (CORE, "machinehealthchecks"),
    (PLANE, "kubeadmcontrolplanes"),
    (PLANE, "kubeadmcontrolplanetemplates"),
    (BOOT, "kubeadmconfigtemplates"),
    (INFRA, "devclusters"),
    (INFRA, "devclustertemplates"),
    (INFRA, "devmachines"),
    (INFRA, "devmachinetemplates"),
)
VERSIONS = ("v1beta2", "v1beta1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One object after a write (``gone``: as it was last). ``revision`` is etcd's, so events of all kinds compare."""

    revision: int
    version: str
    gone: bool
    live: LiveObject


State = dict[ObjectKey, LiveObject]


@dataclass(slots=True)
class Recorder:
    """Follows one namespace from when it is entered; ``state`` is the newest v1beta2 one."""

    sandbox: Sandbox
    namespace: str
    events: list[Event] = field(default_factory=list)
    state: State = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Recorder:
        tls = ssl.create_default_context(cafile=str(self.sandbox.ca_file))
        tls.load_cert_chain(self.sandbox.cert_file, self.sandbox.key_file)
        self._session = aiohttp.ClientSession(
            self.sandbox.server, connector=aiohttp.TCPConnector(ssl=tls, limit=0), timeout=aiohttp.ClientTimeout()
        )
        listed = [await self._begin(group, version, plural) for version in VERSIONS for group, plural in WATCHED]
        self._tasks = [asyncio.create_task(self._follow(path, since, version)) for path, since, version in listed]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    @property
    def revision(self) -> int:
        return max((event.revision for event in self.events), default=0)

    def broken(self) -> None:
        """Raises what ended a watch: a recording with holes proves nothing."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise AssertionError("a watch ended")

    async def _begin(self, group: str, version: str, plural: str) -> tuple[str, str, str]:
        path = f"/apis/{group}/{version}/namespaces/{self.namespace}/{plural}"
        async with self._session.get(path) as answer:
            answer.raise_for_status()
            found = await answer.json()
        assert not found["items"], f"{path} has objects already"
        return path, str(found["metadata"]["resourceVersion"]), version

    async def _follow(self, path: str, since: str, version: str) -> None:
        query = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "7200"}
        lines = LineSplitter()
        async with self._session.get(path, params=query) as answer:
            answer.raise_for_status()
            async for chunk in answer.content.iter_any():
                for line in lines.feed(chunk):
                    self._received(version, line)

    def _received(self, version: str, line: bytes) -> None:
        document: Any = json.loads(line)
        assert document["type"] in {"ADDED", "MODIFIED", "DELETED"}, document
        live = LiveObject.of(document["object"])
        event = Event(
            revision=int(live.resource_version), version=version, gone=document["type"] == "DELETED", live=live
        )
        self.events.append(event)
        if version == VERSIONS[0]:
            changed(self.state, event)


def changed(state: State, event: Event) -> None:
    if event.gone:
        state.pop(event.live.key, None)
    else:
        state[event.live.key] = event.live


def states(events: list[Event], version: str) -> Iterator[tuple[int, State]]:
    """(revision, all objects at it) after each event in the order of etcd; the state is the same mapping each time."""
    state: State = {}
    for event in sorted((one for one in events if one.version == version), key=lambda one: one.revision):
        changed(state, event)
        yield event.revision, state
