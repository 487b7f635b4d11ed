"""A fleet repository and an API server in memory, fast enough for hundreds of commits on hundreds of clusters."""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from clusterops.errors import TerminalError, TransientError
from clusterops.model.commit_status import CommitStatus
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.request import ChangeRequest
from clusterops.model.revision import FileEntry, Revision, Snapshot
from clusterops.ports import WatchEvent
from tests.model_cluster import ModelCluster

Files = Mapping[str, bytes]


class Blobs:
    """Contents by id, shared by all commits."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def add(self, content: bytes) -> str:
        found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        self.contents[found] = content
        return found

    def read(self, entries: Sequence[tuple[str, str]]) -> list[bytes]:
        return [self.contents[each] for _, each in entries]


@dataclass(slots=True)
class MemoryRepository:
    """ports.Repository; ``push`` moves the branch and wakes nobody: the one who drives the daemon does."""

    url: str = "memory"
    head: str = ""
    statuses: dict[str, dict[str, CommitStatus]] = field(default_factory=dict)
    groups: tuple[ChangeRequest, ...] = ()
    """Of a merge queue."""
    _snapshots: dict[str, Snapshot] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)
    _blobs: Blobs = field(default_factory=Blobs)

    def push(self, files: Files, subject: str, *, parent: str | None = None) -> str:
        """On top of ``parent``, the head unless told; "" begins a history of its own."""
        parent = self.head if parent is None else parent
        commit = hashlib.sha1(f"{parent}{len(self._snapshots)}".encode()).hexdigest()
        entries = {path: FileEntry(self._blobs.add(content)) for path, content in files.items()}
        revision = Revision(
            repository=self.url, branch="main", commit=commit, committed_at=datetime.now(UTC), subject=subject
        )
        self._snapshots[commit] = Snapshot(revision=revision, files=entries, reader=self._blobs)
        self._parents[commit] = parent
        self.head = commit
        return commit

    async def fetch(self) -> Revision:
        return self._snapshots[self.head].revision

    async def snapshot(self, commit: str) -> Snapshot:
        if commit not in self._snapshots:
            raise TerminalError("commit-missing", commit, "is not there")
        return self._snapshots[commit]

    async def descends(self, commit: str, ancestor: str) -> bool:
        while commit and commit != ancestor:
            commit = self._parents.get(commit, "")
        return bool(commit)

    def propose(self, files: Files, *, parent: str | None = None) -> str:
        """A commit that the branch does not have."""
        head = self.head
        commit = self.push(files, "proposed", parent=parent)
        self.head = head
        return commit

    async def merged(self, request: ChangeRequest, base: str) -> Snapshot:
        """File by file: what the request changed since it left the branch, over the base."""
        ours, theirs = self._snapshots[base], self._snapshots[request.head]
        history = set(self._line(base))
        left = next(each for each in self._line(request.head) if each in history)
        before = self._snapshots[left].files
        changed = {path for path in {**before, **theirs.files} if before.get(path) != theirs.files.get(path)}
        both = {path for path in changed if ours.files.get(path) not in {before.get(path), theirs.files.get(path)}}
        if both:
            raise TerminalError("merge-conflict", request.name, f"both changed {', '.join(sorted(both))}")
        files = {path: entry for path, entry in ours.files.items() if path not in changed}
        files |= {path: theirs.files[path] for path in changed if path in theirs.files}
        revision = replace(theirs.revision, branch=request.name)
        return Snapshot(revision=revision, files=files, reader=self._blobs, trusted=not request.fork)

    async def merge_groups(self) -> tuple[ChangeRequest, ...]:
        return self.groups

    async def passed_over(self, commit: str, since: str) -> tuple[Revision, ...]:
        line = [each for each in self._line(commit) if each != commit]
        upto = line.index(since) if since in line else 0 if since else len(line)
        return tuple(self._snapshots[each].revision for each in line[:upto][:20])

    def _line(self, commit: str) -> Iterator[str]:
        while commit:
            yield commit
            commit = self._parents.get(commit, "")

    async def moved(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        self.statuses.setdefault(commit, {}).update({status.context: status for status in statuses})

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        return tuple(status for _, status in sorted(self.statuses.get(commit, {}).items()))


class ServingCluster(ModelCluster):
    """The model with what a daemon needs of its own objects. Events are not kept, and watches see nothing new."""

    async def create(self, body: Mapping[str, Any]) -> LiveObject:
        if body.get("kind") == "Event":
            return LiveObject.of(body)
        return await super().create(body)

    async def replace(self, body: Mapping[str, Any]) -> LiveObject:
        key = ObjectKey.of(body)
        before = self.objects.get(key)
        if before is None or before["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            raise TransientError("object-changed", key.label, "was changed by somebody else")
        wanted = copy.deepcopy(dict(body))
        wanted["metadata"] = {**before["metadata"], **wanted["metadata"]}
        self._store(key, wanted)
        return LiveObject.of(copy.deepcopy(self.objects[key]))

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        keys = [key for key in self.objects if (key.group, key.kind) == (group, kind)]
        here = (self.objects[key] for key in sorted(keys) if namespace in {None, key.namespace})
        found = (body for body in here if wanted.items() <= (body["metadata"].get("labels") or {}).items())
        return tuple(LiveObject.of(copy.deepcopy(body)) for body in found)

    async def watch(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> AsyncIterator[WatchEvent]:
        yield WatchEvent(kind="SYNCED", object=None)
        await asyncio.Event().wait()
