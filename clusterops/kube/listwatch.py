"""Collections on the wire: lists in chunks, and one watch from its start to its end."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from clusterops.errors import ClusterOpsError, TransientError
from clusterops.kube import wire
from clusterops.kube.answers import error_of
from clusterops.kube.connection import Connection
from clusterops.kube.exchange import Exchange
from clusterops.kube.resources import Resource
from clusterops.kube.watch import LineSplitter, Relist, live_of
from clusterops.model.live import LiveObject

WATCH_S: Final = (240, 480)
"""A watch ends between these, so that not all reconnect together. **Source:** client-go tools/cache/reflector.go."""

Page = tuple[list[LiveObject], str]
"""Some objects; and the collection's resource version with the last of them, "" before."""


class ListWatch:
    def __init__(self, exchange: Exchange, connection: Connection, *, silence_s: float) -> None:
        self._exchange = exchange
        self._connection = connection
        self._silence_s = silence_s

    async def list(self, resource: Resource, namespace: str | None, labels: str) -> tuple[list[LiveObject], str]:
        """All of them as of one resource version, and that version. A list that takes too long begins again, whole."""
        objects: list[LiveObject] = []
        version = ""
        async for page in self.pages(resource, namespace, labels):
            if page is None:
                objects.clear()
            else:
                objects += page[0]
                version = page[1]
        return objects, version

    async def pages(
        self, resource: Resource, namespace: str | None, labels: str, *, limit: int = wire.CHUNK
    ) -> AsyncGenerator[Page | None, None]:
        """The chunks of a list as of one resource version; None when it took too long and begins again, whole."""
        try:
            async for page in self._chunks(resource, namespace, labels, limit):
                yield page
            return
        except TransientError as error:
            if error.code != "resource-version-expired":
                raise
        yield None
        async for page in self._chunks(resource, namespace, labels, 0):
            yield page

    async def lines(
        self, resource: Resource, namespace: str | None, labels: str, resource_version: str
    ) -> AsyncGenerator[bytes, None]:
        """An empty line once the server has accepted the watch, then its events until it ends.

        Raises Relist, and what a request raises.
        """
        request = wire.watch_request(
            resource,
            namespace=namespace,
            labels=labels,
            resource_version=resource_version,
            timeout_s=random.randint(*WATCH_S),
        )
        async with self._connection.stream(request, inactivity_s=self._silence_s) as (head, credentials, chunks):
            if head.status != 200:
                if head.status == 401:
                    await self._connection.renew(credentials)
                raise _watch_error(error_of(request, head))
            yield b""
            splitter = LineSplitter()
            async for chunk in chunks:
                for line in splitter.feed(chunk):
                    yield line

    async def _chunks(
        self, resource: Resource, namespace: str | None, labels: str, limit: int
    ) -> AsyncGenerator[Page, None]:
        following = ""
        while True:
            answer = await self._exchange.send(
                wire.list_request(resource, namespace=namespace, labels=labels, limit=limit, following=following)
            )
            objects = [live_of(item, resource) for item in answer.get("items") or ()]
            following = continue_of(answer)
            yield objects, "" if following else str(answer["metadata"]["resourceVersion"])
            if not following:
                return


def continue_of(answer: Mapping[str, Any]) -> str:
    """The token of the next chunk, "" after the last."""
    return str((answer.get("metadata") or {}).get("continue") or "")


def _watch_error(error: ClusterOpsError) -> Exception:
    return Relist() if error.code == "resource-version-expired" else error
