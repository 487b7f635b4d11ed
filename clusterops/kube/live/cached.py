"""ports.LiveCache: reads from watches where they can tell, everything else on the wire."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from structlog.stdlib import BoundLogger

from clusterops.errors import ClusterOpsError
from clusterops.kube.cluster import KubeCluster
from clusterops.kube.live.informer import Informer
from clusterops.kube.live.shelf import matches, parse_selector
from clusterops.model.key import ObjectKey, version_of
from clusterops.model.live import Absent, LiveObject, LiveSet, Manager, Unreadable
from clusterops.model.managers import OURS
from clusterops.model.problem import Problem
from clusterops.ports import Clock, Followed, ServerInfo, WatchEvent
from clusterops.telemetry import Metrics

LISTS: Final = 3
"""Kinds that are listed at once: what a list holds unpacked is the peak of our memory."""

Kind = tuple[str, str]


class CachedCluster:
    """A context manager over a KubeCluster, which stays its owner's to close.

    What a write answers is taken over at once. A write that failed, in whatever way, makes its key doubtful: reads of
    it go to the server until one that was sent later is answered.
    """

    def __init__(self, inner: KubeCluster, *, logger: BoundLogger, metrics: Metrics, clock: Clock) -> None:
        self._inner = inner
        self._logger = logger
        self._metrics = metrics
        self._clock = clock
        self._informers: dict[Followed, Informer] = {}
        self._of_kind: dict[Kind, list[Informer]] = {}
        self._tasks: dict[Followed, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._listing = asyncio.Semaphore(LISTS)
        self._changed: dict[ObjectKey, None] = {}
        self._news = asyncio.Event()
        self._doubts: dict[ObjectKey, int] = {}
        self._count = itertools.count()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every watch."""
        self.follow(())
        await asyncio.gather(*self._ending, return_exceptions=True)

    def follow(self, kinds: Collection[Followed]) -> None:
        wanted = frozenset(kinds)
        for followed in [each for each in self._informers if each not in wanted]:
            self._end(followed)
        for followed in sorted(wanted - self._informers.keys()):
            self._begin(followed)
        self._of_kind = {}
        for followed, informer in sorted(self._informers.items()):
            self._of_kind.setdefault((followed.group, followed.kind), []).append(informer)

    async def synced(self) -> None:
        while waiting := [each for each in self._informers.values() if not each.settled.is_set()]:
            await waiting[0].settled.wait()

    @property
    def problems(self) -> Mapping[Followed, Problem]:
        found = {followed: informer.problem for followed, informer in self._informers.items()}
        return {followed: problem for followed, problem in found.items() if problem is not None}

    async def changes(self) -> AsyncIterator[ObjectKey]:
        while True:
            while self._changed:
                key = next(iter(self._changed))
                del self._changed[key]
                yield key
            self._news.clear()
            await self._news.wait()

    def peek(self, key: ObjectKey, version: str = "") -> LiveObject | None:
        for informer in self._of_kind.get((key.group, key.kind), ()):
            if version not in {"", informer.followed.version}:
                continue
            packed = informer.mirror.shelf.get(key) if informer.mirror else None
            if packed is not None:
                return packed.unpack(key)
        return None

    def stamp(self, keys: Collection[ObjectKey]) -> tuple[str, ...] | None:
        """Their resource versions, "" of what is not there; None where that has to be asked for."""
        found: list[str] = []
        for key in keys:
            informers = [each for each in self._of_kind.get((key.group, key.kind), ()) if each.answers and each.mirror]
            if key in self._doubts or not informers:
                return None
            packed = [each.mirror.shelf.get(key) for each in informers if each.mirror]
            if not any(packed) and all(each.followed.labels for each in informers):
                return None
            found.append(next((each.resource_version for each in packed if each is not None), ""))
        return tuple(found)

    def keys(self) -> Iterator[ObjectKey]:
        for informers in tuple(self._of_kind.values()):
            shelves = [each.mirror.shelf for each in informers if each.mirror]
            yield from shelves[0] if len(shelves) == 1 else {key for shelf in shelves for key in shelf}

    async def server(self) -> ServerInfo:
        return await self._inner.server()

    async def read(self, keys: Collection[ObjectKey], *, fresh: bool = False) -> LiveSet:
        known = {} if fresh else await self._known(keys)
        rest = [key for key in keys if key not in known]
        if not rest:
            return LiveSet(known)
        return LiveSet({**known, **(await self._ask(rest)).objects})

    async def read_as(self, versions: Mapping[ObjectKey, str]) -> LiveSet:
        known = {key: live for key, version in versions.items() if (live := self._known_in(key, version)) is not None}
        rest = {key: version for key, version in versions.items() if key not in known}
        told = {} if not rest else {**(await self.read(rest)).objects}
        others = {key: rest[key] for key, one in told.items() if _is_other(one, rest[key])}
        asked = (await self._inner.read_as(others)).objects if others else {}
        return LiveSet({**known, **told, **asked})

    def _known_in(self, key: ObjectKey, api_version: str) -> LiveObject | None:
        if key in self._doubts:
            return None
        for informer in self._of_kind.get((key.group, key.kind), ()):
            if informer.answers and informer.mirror and informer.followed.version == version_of(api_version):
                packed = informer.mirror.shelf.get(key)
                return packed.unpack(key) if packed is not None else None
        return None

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        if not fresh:
            found = await self._select(group, kind, namespace, labels)
            if found is not None:
                return found
        objects = await self._inner.list_objects(group, kind, namespace=namespace, labels=labels, fresh=fresh)
        if (group, kind) in self._of_kind:
            for live in objects:
                self._learn(live)
        return objects

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
        work = self._inner.apply(
            body,
            uid=uid,
            resource_version=resource_version,
            force=force,
            dry_run=dry_run,
            field_manager=field_manager,
        )
        return await self._written(ObjectKey.of(body), work, rehearsed=dry_run)

    async def set_managers(self, live: LiveObject, managers: Sequence[Manager]) -> LiveObject:
        return await self._written(live.key, self._inner.set_managers(live, managers))

    async def create(self, body: Mapping[str, Any]) -> LiveObject:
        return await self._written(ObjectKey.of(body), self._inner.create(body))

    async def rehearse(self, live: LiveObject, body: Mapping[str, Any]) -> LiveObject:
        return await self._written(live.key, self._inner.rehearse(live, body), rehearsed=True)

    async def replace(self, body: Mapping[str, Any]) -> LiveObject:
        return await self._written(ObjectKey.of(body), self._inner.replace(body))

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        before = self._uids(key)
        try:
            left = await self._inner.remove(key, uid=uid, resource_version=resource_version)
        except BaseException:
            self._doubt(key)
            raise
        if left is not None:
            self._learn(left)
        else:
            self._gone(key, uid, unseen=uid not in before)
            if self._uids(key):
                self._doubt(key)

    def watch(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = ""
    ) -> AsyncIterator[WatchEvent]:
        return self._inner.watch(group, kind, namespace=namespace, labels=labels)

    def _begin(self, followed: Followed) -> None:
        informer = Informer(
            followed,
            self._inner,
            on_change=self._note,
            listing=self._listing,
            logger=self._logger,
            metrics=self._metrics,
            clock=self._clock,
        )
        self._informers[followed] = informer
        name = f"watch:{followed.kind}.{followed.group}/{followed.version}"
        self._tasks[followed] = asyncio.create_task(informer.run(), name=name)

    def _end(self, followed: Followed) -> None:
        informer, task = self._informers.pop(followed), self._tasks.pop(followed)
        informer.end()
        informer.settled.set()
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _note(self, key: ObjectKey) -> None:
        self._changed[key] = None
        self._news.set()

    async def _known(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, LiveObject | Absent]:
        """What can be told without asking."""
        kinds: dict[Kind, list[ObjectKey]] = {}
        for key in keys:
            if (key.group, key.kind) in self._of_kind and key not in self._doubts:
                kinds.setdefault((key.group, key.kind), []).append(key)
        known: dict[ObjectKey, LiveObject | Absent] = {}
        for kind, wanted in kinds.items():
            for informer in await self._answering(kind):
                known.update(_told(informer, [key for key in wanted if key not in known]))
        return known

    async def _answering(self, kind: Kind) -> list[Informer]:
        """Those that follow the version that the server would answer in; whole kinds first."""
        informers = [each for each in self._of_kind.get(kind, ()) if each.answers]
        if not informers:
            return []
        try:
            resource = await self._inner.find(*kind)
        except ClusterOpsError:
            return []
        return [each for each in informers if resource is not None and each.followed.version == resource.version]

    async def _select(self, group: str, kind: str, namespace: str | None, labels: str) -> tuple[LiveObject, ...] | None:
        """None where it has to be asked for."""
        selector = parse_selector(labels)
        if selector is None or (group, kind) not in self._of_kind:
            return None
        doubtful = [key for key in self._doubts if (key.group, key.kind) == (group, kind)]
        if doubtful:
            await self._ask(doubtful)
        if any(key in self._doubts for key in doubtful):
            return None
        for informer in await self._answering((group, kind)):
            if not informer.followed.labels and informer.mirror is not None:
                found = informer.mirror.shelf.select(namespace, selector)
                return tuple(sorted(found, key=lambda live: live.key))
        return None

    async def _ask(self, keys: Collection[ObjectKey]) -> LiveSet:
        """The server, whose answers are taken over."""
        doubts = {key: self._doubts[key] for key in keys if key in self._doubts}
        uids = {key: self._uids(key) for key in keys if (key.group, key.kind) in self._of_kind}
        live = await self._inner.read(keys, fresh=True)
        for key, before in uids.items():
            value = live[key]
            if isinstance(value, LiveObject):
                settled = self._learn(value)
            elif isinstance(value, Absent):
                settled = True
                for uid in before:
                    self._gone(key, uid)
            else:
                settled = False
            if settled and key in doubts and self._doubts.get(key) == doubts[key]:
                del self._doubts[key]
        return live

    async def _written(self, key: ObjectKey, work: Awaitable[LiveObject], *, rehearsed: bool = False) -> LiveObject:
        try:
            live = await work
        except BaseException:
            self._doubt(key)
            raise
        if not rehearsed and not self._learn(live):
            self._doubt(key)
        return live

    def _doubt(self, key: ObjectKey) -> None:
        if (key.group, key.kind) in self._of_kind:
            self._doubts[key] = next(self._count)

    def _learn(self, live: LiveObject) -> bool:
        """Whether all who follow its kind have it now, or have never to have it."""
        version = version_of(str(live.body["apiVersion"]))
        whole = True
        for informer in self._of_kind.get((live.key.group, live.key.kind), ()):
            if informer.mirror is None:
                continue
            if informer.selector is not None and matches(live.labels, informer.selector):
                if informer.followed.version == version:
                    informer.applied((informer.mirror.learn(live),))
                else:
                    whole = False
            elif live.key in informer.mirror.shelf:
                whole = False
        return whole

    def _gone(self, key: ObjectKey, uid: str, *, unseen: bool = False) -> None:
        for informer in self._of_kind.get((key.group, key.kind), ()):
            if informer.mirror is not None:
                informer.applied((informer.mirror.gone(key, uid, unseen=unseen),))

    def _uids(self, key: ObjectKey) -> list[str]:
        shelves = [each.mirror.shelf for each in self._of_kind.get((key.group, key.kind), ()) if each.mirror]
        return [packed.uid for shelf in shelves if (packed := shelf.get(key)) is not None]


def _is_other(one: LiveObject | Absent | Unreadable, api_version: str) -> bool:
    return isinstance(one, LiveObject) and one.body.get("apiVersion") != api_version


def _told(informer: Informer, keys: Iterable[ObjectKey]) -> dict[ObjectKey, LiveObject | Absent]:
    """Who follows by label cannot tell what is not there from what has no such label."""
    told: dict[ObjectKey, LiveObject | Absent] = {}
    if informer.mirror is None:
        return told
    for key in keys:
        packed = informer.mirror.shelf.get(key)
        if packed is not None:
            told[key] = packed.unpack(key)
        elif not informer.followed.labels:
            told[key] = Absent(key=key)
    return told
