"""One kind, followed for ever: list, watch from there, and whatever may go wrong with either.

**Source:** client-go tools/cache/reflector.go for when to list again and when to go on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Final, Protocol

from structlog.stdlib import BoundLogger

from clusterops.errors import ClusterOpsError, TransientError
from clusterops.kube.answers import version_not_served
from clusterops.kube.exchange import backoff_s
from clusterops.kube.listwatch import Page
from clusterops.kube.live.mirror import Mirror, Step
from clusterops.kube.live.packing import signature
from clusterops.kube.live.shelf import parse_selector
from clusterops.kube.resources import Resource
from clusterops.kube.watch import Follower, Relist
from clusterops.model.key import ObjectKey
from clusterops.model.problem import Problem, Retry
from clusterops.ports import Clock, Followed
from clusterops.telemetry import Metrics

BROKEN_S: Final = 3.0
"""A watch that is away for longer is said so, and its kind is read from the server: reconnecting takes less."""
NOT_SERVED_S: Final = 3.0
"""Between two looks for a kind that is not served: its definition may be on its way."""
REFUSED_S: Final = (3.0, 30.0)
"""Between two tries where rights are missing, or something is wrong that no moment's wait mends: first, at most."""
HEALTHY_S: Final = 1.0
"""A watch that lived so long resets the backoff."""
UNTIMELY_S: Final = 200.0
"""A watch that ends sooner did not end by itself: every change of a definition ends the watches of its kinds."""
STUBBORN: Final = 4
"""Answers in a row that are errors of the server, after which the list is made anew: it may not know our place."""
CHUNK: Final = 200
"""Objects of a list that are held unpacked at once."""
BREATH: Final = 25
"""Objects that are packed before others get their turn: about 5 ms."""


class Collections(Protocol):
    """Lists and watches on the wire."""

    def pages(
        self, resource: Resource, namespace: str | None, labels: str, *, limit: int = ...
    ) -> AsyncGenerator[Page | None, None]: ...

    def lines(
        self, resource: Resource, namespace: str | None, labels: str, resource_version: str
    ) -> AsyncGenerator[bytes, None]: ...


class Source(Protocol):
    """What an informer needs of the wire."""

    @property
    def collections(self) -> Collections: ...

    async def find(self, group: str, kind: str, version: str = "") -> Resource | None: ...

    async def versions(self, group: str, kind: str) -> tuple[str, ...]: ...

    def doubt(self, group: str, kind: str) -> None: ...

    def deny(self, resource: Resource) -> None: ...


class Informer:
    """``on_change`` is called with each object that came, went, or changed in more than its status."""

    def __init__(
        self,
        followed: Followed,
        source: Source,
        *,
        on_change: Callable[[ObjectKey], None],
        listing: asyncio.Semaphore,
        logger: BoundLogger,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.followed = followed
        self.selector = parse_selector(followed.labels)
        self.settled = asyncio.Event()
        """Listed once, or it has a problem."""
        self._source = source
        self._on_change = on_change
        self._listing = listing
        self._logger = logger
        self._metrics = metrics
        self._clock = clock
        self._label = f"{followed.kind}.{followed.group}" if followed.group else followed.kind
        self._follower: Follower | None = None
        self._listed = False
        self._away_since_s: float | None = clock.boottime_s()
        self._error: Problem | None = None
        self._stubborn = 0
        self._refused_s = 0.0

    @property
    def mirror(self) -> Mirror | None:
        """None until the kind was found."""
        return self._follower.mirror if self._follower is not None else None

    @property
    def answers(self) -> bool:
        """Whether what is held may be given as an answer."""
        return self._listed and not self._refused and not self._away_long

    @property
    def problem(self) -> Problem | None:
        return self._error if self._refused or self._away_long else None

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            started_s = self._clock.boottime_s()
            why, wait_s = await self._once_more()
            lived_s = self._clock.boottime_s() - started_s
            if self._away_since_s is None:
                self._away_since_s = self._clock.boottime_s()
            if lived_s < UNTIMELY_S and why != "api-forbidden":
                self._source.doubt(self.followed.group, self.followed.kind)
            self._metrics.watch_restarts.labels(kind=self._label, why=why).inc()
            failures = 0 if lived_s >= HEALTHY_S else failures + 1
            await self._clock.sleep(wait_s * random.uniform(0.8, 1.2) if wait_s else backoff_s(failures))

    def applied(self, steps: Iterable[Step | None]) -> None:
        """Tells of what the steps changed."""
        count = False
        for step in steps:
            if step is not None:
                count = count or step.kind != "MODIFIED"
                if step.moved:
                    self._on_change(step.key)
        if count:
            self._metrics.cached_objects.labels(kind=self._label).set(len(self.mirror.shelf) if self.mirror else 0)

    def end(self) -> None:
        self._metrics.cached_objects.labels(kind=self._label).set(0)

    @property
    def _away_long(self) -> bool:
        return self._away_since_s is not None and self._clock.boottime_s() - self._away_since_s >= BROKEN_S

    @property
    def _refused(self) -> bool:
        return self._error is not None and self._error.retry is not Retry.BACKOFF

    async def _once_more(self) -> tuple[str, float]:
        """One list where it is needed and one watch: why it ended, and how long to wait (0: a backoff)."""
        try:
            await self._list_and_watch(await self._resource())
        except Relist:
            self._restart()
            return "resource-version-expired", 0.0
        except ClusterOpsError as error:
            return error.code, self._failed(error)
        except Exception as error:
            self._logger.error("unforeseen error", subject=f"watch of {self._label}", exc_info=error)
            self._restart()
            words = f"{type(error).__name__}: {error}"
            return "internal-error", self._failed(TransientError("internal-error", f"watch of {self._label}", words))
        return "ended", 0.0

    async def _resource(self) -> Resource:
        one = self.followed
        resource = await self._source.find(one.group, one.kind, one.version)
        if resource is None:
            api_version = f"{one.group}/{one.version}" if one.group else one.version
            raise version_not_served(f"{one.kind}s", api_version, await self._source.versions(one.group, one.kind))
        return resource

    async def _list_and_watch(self, resource: Resource) -> None:
        follower = self._follower
        if follower is None or follower.resource != resource:
            self._clear()
            follower = self._follower = Follower(resource, sign=signature)
        if not follower.resource_version:
            async with self._listing:
                await self._list(follower)
            self._listed = True
            self.settled.set()
        labels, version = self.followed.labels, follower.resource_version
        async with aclosing(self._source.collections.lines(resource, None, labels, version)) as lines:
            async for line in lines:
                if line:
                    self.applied((follower.received(line),))
                else:
                    self._accepted()

    def _accepted(self) -> None:
        self._away_since_s, self._error = None, None
        self._stubborn, self._refused_s = 0, 0.0

    async def _list(self, follower: Follower) -> None:
        follower.mirror.begin()
        version = ""
        pages = self._source.collections.pages(follower.resource, None, self.followed.labels, limit=CHUNK)
        async with aclosing(pages):
            async for page in pages:
                if page is None:
                    follower.mirror.begin()
                    continue
                objects, version = page
                for at in range(0, len(objects), BREATH):
                    follower.mirror.page(objects[at : at + BREATH])
                    await asyncio.sleep(0)
        self.applied(follower.finish(version))

    def _failed(self, error: ClusterOpsError) -> float:
        """Notes why; seconds until the next try, 0 for a backoff."""
        self._note(Problem.of(error))
        if error.code == "version-not-served":
            if self._follower is not None:
                self._source.deny(self._follower.resource)
            self._clear()
            return NOT_SERVED_S
        if not isinstance(error, TransientError):
            first_s, most_s = REFUSED_S
            self._refused_s = min(2 * self._refused_s or first_s, most_s)
            return self._refused_s
        self._stubborn += error.code == "api-unavailable"
        if self._stubborn >= STUBBORN:
            self._restart()
        return 0.0

    def _note(self, problem: Problem) -> None:
        if self._error is None or self._error.text != problem.text:
            self._logger.warning("watch interrupted", kind=self._label, code=problem.code, error=problem.text)
        self._error = problem
        if self.problem is not None:
            self.settled.set()

    def _restart(self) -> None:
        self._stubborn = 0
        if self._follower is not None:
            self._follower.restart()

    def _clear(self) -> None:
        """What was held is told to be gone: so says a server that does not serve the kind."""
        if self._follower is not None:
            self.applied(self._follower.mirror.empty())
        self._follower, self._listed = None, False
