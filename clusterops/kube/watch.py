"""A watch without sockets: bytes go in, events come out. Pure.

**Source:** the contract of Kubernetes' "Efficient detection of changes" (API concepts), and client-go's
tools/cache/reflector.go for what a 410 and a bookmark mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterops.errors import TransientError
from clusterops.kube.resources import Resource
from clusterops.model.key import ObjectKey
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


@dataclass(slots=True)
class Follower:
    """Knows the objects of one list and turns what comes after it into events.

    A list that follows another yields only the difference, vanished objects as DELETED with their last known state,
    then SYNCED. ``resource_version`` is where the next watch starts, empty when a list is needed first.
    """

    resource: Resource
    resource_version: str = ""
    _known: dict[ObjectKey, LiveObject] = field(default_factory=dict)

    def listed(self, objects: Iterable[LiveObject], resource_version: str) -> Iterator[WatchEvent]:
        now = {live.key: live for live in objects}
        before, self._known, self.resource_version = self._known, now, resource_version
        for key in sorted(before.keys() - now.keys()):
            yield WatchEvent(kind="DELETED", object=before[key])
        for key in sorted(now):
            yield from _difference(before.get(key), now[key])
        yield WatchEvent(kind="SYNCED", object=None)

    def received(self, line: bytes) -> WatchEvent | None:
        """None for a bookmark. Raises Relist, or TransientError ``watch-broken`` for what is no watch event."""
        kind, body = _parse(line)
        if kind == "ERROR":
            raise self._failed(body)
        self.resource_version = str((body.get("metadata") or {}).get("resourceVersion") or self.resource_version)
        if kind == "BOOKMARK":
            return None
        return self._changed(kind, live_of(body, self.resource))

    def restart(self) -> None:
        self.resource_version = ""

    def _changed(self, kind: str, live: LiveObject) -> WatchEvent:
        if kind == "DELETED":
            self._known.pop(live.key, None)
            return WatchEvent(kind=kind, object=live)
        known = self._known.get(live.key)
        self._known[live.key] = live
        return WatchEvent(kind="ADDED" if known is None else "MODIFIED", object=live)

    def _failed(self, status: Mapping[str, Any]) -> Exception:
        self.restart()
        if status.get("code") == 410 or status.get("reason") in {"Expired", "Gone"}:
            return Relist()
        return _broken(self.resource.kind, str(status.get("message") or "no reason given"))


def live_of(body: Mapping[str, Any], resource: Resource) -> LiveObject:
    """Items of a built-in kind's list come without apiVersion and kind."""
    whole = body if "kind" in body else {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    return LiveObject.of(whole)


def _difference(before: LiveObject | None, now: LiveObject) -> Iterator[WatchEvent]:
    if before is None:
        yield WatchEvent(kind="ADDED", object=now)
    elif before.uid != now.uid:
        yield WatchEvent(kind="DELETED", object=before)
        yield WatchEvent(kind="ADDED", object=now)
    elif before.resource_version != now.resource_version:
        yield WatchEvent(kind="MODIFIED", object=now)


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
