"""Who wrote last, by the API server's audit log where the fleet feeds it in: the only place that knows users.

**Source:** k8s.io/apiserver pkg/apis/audit/v1 Event, as the log backend writes it: one JSON document a line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from clusterops.model.drift import DriftedField, DriftedObject, TargetDrift
from clusterops.model.key import ObjectKey

KEPT: Final = 20_000
"""Writes that are remembered, each by object and manager."""
CHUNK: Final = 16 * 1024 * 1024
_WRITES: Final = frozenset({"create", "update", "patch"})
_Place = tuple[str, str, str, str, str]


@dataclass(slots=True)
class AuditTrail:
    """Reads what was added to ``path`` since it was asked last; what was in it before it was made is not read."""

    path: Path
    _offset: int = -1
    _rest: bytes = b""
    _users: dict[_Place, str] = field(default_factory=dict)

    def begin(self) -> None:
        """From the end of the log as it is now. Blocking, as all of it."""
        self._offset = self.path.stat().st_size if self.path.exists() else 0

    async def named(self, drift: TargetDrift, before: TargetDrift) -> TargetDrift:
        """With the users of its fields, also those known ``before``. A log that cannot be read names nobody."""
        if not drift.drifted:
            return drift
        await asyncio.to_thread(self.catch_up)
        known = {(one.key, each.pointer, each.manager): each.user for one in before.drifted for each in one.fields}
        return replace(drift, drifted=tuple(self._named(one, known) for one in drift.drifted))

    def catch_up(self) -> None:
        """A log that was rotated is read from its start."""
        if self._offset < 0:
            self.begin()
        try:
            if self.path.stat().st_size < self._offset:
                self._offset, self._rest = 0, b""
            with self.path.open("rb") as log:
                log.seek(self._offset)
                while chunk := log.read(CHUNK):
                    self._offset += len(chunk)
                    self._take(chunk)
        except OSError:
            return

    def user(self, key: ObjectKey, manager: str) -> str:
        """Whoever wrote the object last under that field manager's name; "" where the log does not say."""
        return self._users.get(_place(key.group, plural(key.kind), key.namespace, key.name, manager), "")

    def _named(self, one: DriftedObject, known: Mapping[tuple[ObjectKey, str, str], str]) -> DriftedObject:
        def with_user(each: DriftedField) -> DriftedField:
            if not each.manager:
                return each
            return replace(
                each, user=self.user(one.key, each.manager) or known.get((one.key, each.pointer, each.manager), "")
            )

        return replace(one, fields=tuple(with_user(each) for each in one.fields))

    def _take(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            found = _write(line)
            if found is not None:
                place, user = found
                self._users.pop(place, None)
                self._users[place] = user
        while len(self._users) > KEPT:
            self._users.pop(next(iter(self._users)))


def plural(kind: str) -> str:
    """The resource of a kind. **Source:** k8s.io/apimachinery pkg/api/meta UnsafeGuessKindToResource (v0.36)."""
    name = kind.lower()
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _write(line: bytes) -> tuple[_Place, str] | None:
    try:
        event: Mapping[str, Any] = json.loads(line)
        reference = event.get("objectRef") or {}
        manager = (parse_qs(urlsplit(str(event["requestURI"])).query).get("fieldManager") or [""])[0]
        written = event["verb"] in _WRITES and 200 <= int(event["responseStatus"]["code"]) < 300
        user = str(event["user"]["username"])
        group, resource = str(reference.get("apiGroup") or ""), str(reference.get("resource") or "")
        place = _place(group, resource, reference.get("namespace"), str(reference.get("name") or ""), manager)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not written or not manager or reference.get("subresource") or "dryRun" in str(event["requestURI"]):
        return None
    return place, user


def _place(group: str, resource: str, namespace: str | None, name: str, manager: str) -> _Place:
    return group, resource, namespace or "", name, manager
