"""A watch without sockets: bytes go in, events come out. Pure.

**Source:** the contract of Kubernetes' "Efficient detection of changes" (API concepts), and client-go's
tools/cache/reflector.go for what a 410 and a bookmark mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clusterops.errors import TransientError
from clusterops.kube.live.mirror import Mirror, Step
from clusterops.kube.live.packing import Packer, Sign
from clusterops.kube.resources import Resource
from clusterops.model.live import LiveObject
from clusterops.ports import WatchEvent


class LineSplitter:
    """Splits a stream at newlines, however it is cut into chunks. O(bytes), long lines included."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that this chunk completes, without their end; empty ones are left out."""
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            line = b"".join((*self._parts, end)).strip()
            self._parts.clear()
            if line:
                yield line
        if rest:
            self._parts.append(rest)


class Relist(Exception):
    """The resource version is too old to go on from: list again."""


class Follower:
    """Turns a list and what comes after it into steps, and keeps the objects packed.

    A list that follows another yields only the difference. ``resource_version`` is where the next watch starts, empty
    when a list is needed first.
    """

    def __init__(self, resource: Resource, resource_version: str = "", *, sign: Sign | None = None) -> None:
        self.resource = resource
        self.resource_version = resource_version
        self.mirror = Mirror(resource, Packer(sign))

    def finish(self, resource_version: str) -> Iterator[Step]:
        """After the pages of a list were given to the mirror."""
        self.resource_version = resource_version
        return self.mirror.finish(resource_version)

    def listed(self, objects: Iterable[LiveObject], resource_version: str) -> Iterator[WatchEvent]:
        """A whole list: what differs, vanished objects as DELETED with their last known state, then SYNCED."""
        self.mirror.begin()
        self.mirror.page(objects)
        for step in self.finish(resource_version):
            yield WatchEvent(kind=step.kind, object=step.object)
        yield WatchEvent(kind="SYNCED", object=None)

    def received(self, line: bytes) -> Step | None:
        """None for a bookmark and for what is known already.

        Raises Relist, or TransientError ``watch-broken`` for what is no watch event.
        """
        kind, body = _parse(line)
        if kind == "ERROR":
            raise self._failed(body)
        if kind == "BOOKMARK":
            self._reached(body)
            return None
        live = _object(body, self.resource)
        self._reached(body)
        return self.mirror.deleted(live) if kind == "DELETED" else self.mirror.take(live)

    def restart(self) -> None:
        self.resource_version = ""

    def _reached(self, body: Mapping[str, Any]) -> None:
        self.resource_version = str((body.get("metadata") or {}).get("resourceVersion") or self.resource_version)

    def _failed(self, status: Mapping[str, Any]) -> Exception:
        self.restart()
        if status.get("code") == 410 or status.get("reason") in {"Expired", "Gone"}:
            return Relist()
        return _broken(self.resource.kind, str(status.get("message") or "no reason given"))


def _object(body: Mapping[str, Any], resource: Resource) -> LiveObject:
    try:
        return live_of(body, resource)
    except (ValueError, TypeError, AttributeError) as error:
        raise _broken(resource.kind, f"an event holds no object: {error}") from error


def live_of(body: Mapping[str, Any], resource: Resource) -> LiveObject:
    """Items of a built-in kind's list come without apiVersion and kind."""
    whole = body if "kind" in body else {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    return LiveObject.of(whole)


def _parse(line: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        document = json.loads(line)
        kind, body = document["type"], document["object"]
    except (ValueError, KeyError, TypeError) as error:
        raise _broken("watch", "a line is no watch event") from error
    if kind not in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"} or not isinstance(body, dict):
        raise _broken("watch", f"unknown event {kind!r}")
    return kind, body


def _broken(subject: str, words: str) -> TransientError:
    return TransientError("watch-broken", subject, f"watch: {words}")
