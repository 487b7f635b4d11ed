"""The contracts between the engine and the doors. One page; the doors' suites in tests/doors hold them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from clusterops.model.commit_status import CommitStatus
from clusterops.model.fleet import Target
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet, Manager
from clusterops.model.manifest import RenderedSet
from clusterops.model.problem import Problem
from clusterops.model.request import ChangeRequest, Comment
from clusterops.model.revision import Revision, Snapshot


class Clock(Protocol):
    """Time as the engine sees it, so that tests need no sleeps."""

    def now(self) -> datetime:
        """Aware UTC."""

    def boottime_s(self) -> float:
        """Monotonic seconds that also count while the machine sleeps."""

    async def sleep(self, seconds: float) -> None: ...


class StatusBoard(Protocol):
    """Where the statuses of commits stand: git notes, or a forge."""

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Sets the given contexts of a commit, and no others."""

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        """The newest of each context, ordered by context."""


class Forge(StatusBoard, Protocol):
    """Where people propose changes. Every method raises TransientError ``forge-unreachable``, ``forge-unavailable``,
    ``forge-throttled``; TerminalError ``forge-unauthorized``, ``forge-forbidden``, ``forge-missing``,
    ``forge-refused``, ``forge-url`` (it answers that it is elsewhere), ``forge-token`` (what holds it cannot be read).
    """

    @property
    def comment_limit(self) -> int:
        """Characters of one comment."""

    async def open_requests(self, branch: str) -> tuple[ChangeRequest, ...]:
        """Against that branch, ordered by number."""

    async def requests_of(self, commit: str) -> tuple[ChangeRequest, ...]:
        """Those whose merge made this commit of the branch, or that have it; empty when there is none."""

    async def comments(self, number: int) -> tuple[Comment, ...]:
        """Of a request, oldest first."""

    async def write_comment(self, number: int, body: str, *, id: str = "") -> Comment:
        """A new one, or with ``id`` the body of that one anew; beyond ``comment_limit`` it is cut, and says so."""

    async def delete_comment(self, number: int, id: str) -> None:
        """Gone already is success."""

    async def trusts(self, author: str) -> bool:
        """Whether the account may write to the repository."""

    async def open_request(self, *, branch: str, base: str, title: str, body: str) -> ChangeRequest:
        """The one of that branch that is open already, or a new one."""


class Repository(Protocol):
    """The fleet repository. All methods raise TransientError ``repository-unreachable`` when it cannot be had."""

    @property
    def url(self) -> str:
        """Without credentials."""

    async def fetch(self) -> Revision:
        """The head of the watched branch, after fetching it.

        Raises TerminalError ``branch-missing`` or ``repository-empty``, TransientError ``repository-unreachable``.
        """

    async def snapshot(self, commit: str) -> Snapshot:
        """Raises TerminalError ``commit-missing``."""

    async def descends(self, commit: str, ancestor: str) -> bool:
        """Whether ``ancestor`` is ``commit`` or one of its ancestors; False when it is not known here."""

    async def merged(self, request: ChangeRequest, base: str) -> Snapshot:
        """The merge of the request with a commit of the branch, made here and pushed nowhere; of a merge group itself.

        Its revision has the request's name as branch and its head as commit; a fork's is not trusted. Raises
        TerminalError ``merge-conflict`` (names the files), TransientError ``request-moved`` when its ref is no longer
        at that head.
        """

    async def merge_groups(self) -> tuple[ChangeRequest, ...]:
        """Of the branch's merge queue, where the repository shows any."""

    async def passed_over(self, commit: str, since: str) -> tuple[Revision, ...]:
        """Merges of the branch between two of its commits, both left out, newest first; with ``since`` "" the last."""

    def moved(self) -> AsyncIterator[None]:
        """Yields whenever the branch may have moved: file events for a local repository, else every poll interval."""

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Sets the given contexts of a commit's note under refs/notes/clusterops, and pushes it where it can."""

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        """The note's lines, ordered by context; empty when there is none."""


class Renderer(Protocol):
    def fingerprint(self, snapshot: Snapshot, target: Target) -> str:
        """Digest of everything a render of the target would read; equal fingerprints render the same.

        Blocking, milliseconds; raises what ``render`` raises when the target's graph cannot be read.
        """

    async def render(self, snapshot: Snapshot, target: Target) -> RenderedSet:
        """Raises TerminalError or TransientError, with file and line where known."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """``identity`` is the uid of the kube-system namespace: another uid is another cluster."""

    version: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """``kind`` is ADDED, MODIFIED, DELETED, or SYNCED (the initial list is complete; ``object`` is None)."""

    kind: str
    object: LiveObject | None


class Cluster(Protocol):
    """A management cluster's API server.

    Raised by every method: TransientError ``api-unreachable``, ``api-throttled``, ``api-unavailable``,
    ``api-unauthorized``; TerminalError ``api-forbidden``, ``version-not-served``. Every write may also raise what the
    write gate raises (lost lease, suspended fleet) before anything is sent.
    """

    async def server(self) -> ServerInfo: ...

    async def read(self, keys: Collection[ObjectKey], *, fresh: bool = False) -> LiveSet:
        """One entry per key; a key that could not be read is Unreadable, nothing is raised for single keys.

        ``fresh``: as of now, whatever a live cache holds. Without it a value may be as old as the watch's delay, but
        never older than our own writes or the last 409.
        """

    async def read_as(self, versions: Mapping[ObjectKey, str]) -> LiveSet:
        """As ``read``, each key in the apiVersion given, or in the server's preferred one where that is not served.

        What was applied can only be compared in the version that it was applied in.
        """

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        """All objects of a kind, ordered by key; empty when the kind is not served. ``fresh`` as in ``read``."""

    async def apply(
        self,
        body: Mapping[str, Any],
        *,
        uid: str = "",
        resource_version: str = "",
        force: bool = False,
        dry_run: bool = False,
        field_manager: str = "clusterops",
    ) -> LiveObject:
        """Server-side apply. With ``uid``, an object that is gone is never created anew (409 instead).

        Raises TerminalError ``field-owner-conflict`` (409 with causes; the message names fields and managers),
        TransientError ``object-changed`` (409 without), TerminalError ``object-invalid`` (422, names the field),
        TerminalError ``namespace-missing`` (404 of the namespace), RefusedError ``namespace-terminating``.
        """

    async def set_managers(self, live: LiveObject, managers: Sequence[Manager]) -> LiveObject:
        """Writes metadata.managedFields alone, pinned to the uid and resourceVersion of ``live``.

        Raises TransientError ``object-changed`` on a 409, also where another object took its name.
        """

    async def create(self, body: Mapping[str, Any]) -> LiveObject:
        """Raises TransientError ``object-exists`` when it is there already."""

    async def rehearse(self, live: LiveObject, body: Mapping[str, Any]) -> LiveObject:
        """What the server would make of ``live`` edited to ``body``: a dry run, with no more rights than an apply."""

    async def replace(self, body: Mapping[str, Any]) -> LiveObject:
        """PUT with the body's resourceVersion. Raises TransientError ``object-changed`` on a 409."""

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        """With preconditions; gone already is success. Raises TransientError ``object-changed``."""

    def watch(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """List, then follow, for ever: relists on 410, reconnects with backoff. Never ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Followed:
    """One kind in use. ``version`` is the one that its objects are applied in; ``labels`` "" means all objects."""

    group: str
    kind: str
    version: str
    labels: str = ""


class LiveCache(Cluster, Protocol):
    """A Cluster that answers reads of followed kinds from watches; everything else goes through to the server.

    What it holds is never older than our own writes through it, nor than the last 409 that they met.
    """

    def follow(self, kinds: Collection[Followed]) -> None:
        """From now on exactly these; watches that are no longer in use end. Returns at once."""

    async def synced(self) -> None:
        """Returns when every followed kind has been listed once, or has a problem."""

    @property
    def problems(self) -> Mapping[Followed, Problem]:
        """Followed kinds that nobody can tell about at the moment: not served, forbidden, or the server is away."""

    def changes(self) -> AsyncIterator[ObjectKey]:
        """Objects that came, went, or changed in more than their status; one reader. A key stands for its latest
        state, so two changes may come as one. After a relist only what differs."""

    def peek(self, key: ObjectKey, version: str = "") -> LiveObject | None:
        """As last seen, in the version that is followed; None where it is not there or not followed.

        With ``version`` only that one counts, where a kind is followed in several.
        """

    def keys(self) -> Iterator[ObjectKey]:
        """All objects that are held, in no order."""


class WriteGate(Protocol):
    """Asked before each mutating request; raises to stop it. See ARCHITECTURE: fencing by boot-time clock."""

    def check(self, key: ObjectKey) -> None: ...
