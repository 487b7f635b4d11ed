"""Asks the API server which kinds it serves, and remembers the answer until an unknown one is wanted."""

from __future__ import annotations

import asyncio
from typing import Final

from clusterops.errors import ClusterOpsError
from clusterops.kube.exchange import Exchange
from clusterops.kube.resources import (
    AGGREGATED,
    Resource,
    ServedKinds,
    parse_aggregated,
    parse_group_versions,
    parse_legacy,
)
from clusterops.kube.wire import plain_request
from clusterops.ports import Clock

REFRESH_EVERY_S: Final = 2.0
"""At most: a kind that is not served is asked for by every pass over its target."""
EAGER_EVERY_S: Final = 0.1
EAGER_S: Final = 10.0
"""So long after a definition was written, an unknown kind is looked for more often: the server takes about a second."""
DEFINES_KINDS: Final = frozenset({"CustomResourceDefinition", "APIService"})


class Discovery:
    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._kinds: ServedKinds | None = None
        self._read_at_s = float("-inf")
        self._eager_until_s = float("-inf")
        self._denied: set[Resource] = set()
        self._doubted_until_s: dict[tuple[str, str], float] = {}
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """After a write that may change what is served: the next unknown kind is looked for at once."""
        self._read_at_s = float("-inf")
        self._eager_until_s = self._clock.boottime_s() + EAGER_S

    def doubt(self, group: str, kind: str) -> None:
        """A watch of it was cut: its definition may be changing. Its versions are looked at again for a while."""
        self._doubted_until_s[group, kind] = self._clock.boottime_s() + EAGER_S

    def deny(self, resource: Resource) -> None:
        """A request for it met a 404. Nothing less does: a server that has just begun tells of a few kinds only."""
        self._denied.add(resource)
        self._doubted_until_s[resource.group, resource.kind] = self._clock.boottime_s() + EAGER_S

    async def find(self, group: str, kind: str, version: str = "") -> Resource | None:
        """None when the server does not serve it. Raises what a request raises."""
        sure = self._clock.boottime_s() >= self._doubted_until_s.get((group, kind), float("-inf"))
        known = self._kinds.find(group, kind, version) if self._kinds and sure else None
        if known is not None and known not in self._denied:
            return known
        found = (await self._current()).find(group, kind, version)
        return found if found not in self._denied else None

    async def versions(self, group: str, kind: str) -> tuple[str, ...]:
        """``("cluster.x-k8s.io/v1beta2", …)``, the preferred one first."""
        prefix = f"{group}/" if group else ""
        return tuple(f"{prefix}{version}" for version in (await self._current()).versions(group, kind))

    async def _current(self) -> ServedKinds:
        async with self._lock:
            now_s = self._clock.boottime_s()
            every_s = EAGER_EVERY_S if now_s < self._eager_until_s else REFRESH_EVERY_S
            if self._kinds is None or now_s - self._read_at_s >= every_s:
                found = await self._read()
                self._denied = {one for one in self._denied if found.find(one.group, one.kind, one.version) is None}
                self._kinds = found.beside(self._kinds, self._denied) if self._kinds else found
                self._read_at_s = now_s
            return self._kinds

    async def _read(self) -> ServedKinds:
        core, groups = await asyncio.gather(
            self._exchange.send(plain_request("/api", AGGREGATED)),
            self._exchange.send(plain_request("/apis", AGGREGATED)),
        )
        if {core.get("kind"), groups.get("kind")} == {"APIGroupDiscoveryList"}:
            return ServedKinds.of([*parse_aggregated(core), *parse_aggregated(groups)])
        pairs = parse_group_versions(core, groups)
        return ServedKinds.of(
            [resource for found in await asyncio.gather(*map(self._legacy, pairs)) for resource in found]
        )

    async def _legacy(self, pair: tuple[str, str]) -> list[Resource]:
        """Empty when this group cannot be read: a broken aggregated API must not hide the others."""
        group, version = pair
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            return list(parse_legacy(group, version, await self._exchange.send(plain_request(path))))
        except ClusterOpsError:
            return []
