"""The objects of one kind as several sources tell of them: lists, a watch, and the answers to our own requests. Pure.

**Source:** KEP-5504: resource versions of one kind are ordered integers. A source that lags never undoes a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from clusterops.kube.live.packing import Packed, Packer
from clusterops.kube.live.shelf import Shelf
from clusterops.kube.resources import Resource
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to an object. ``kind`` as in a WatchEvent; ``before`` None when it came, ``after`` when it went."""

    kind: str
    key: ObjectKey
    before: Packed | None
    after: Packed | None
    live: LiveObject | None = None
    """Where it is at hand unpacked."""

    @property
    def object(self) -> LiveObject:
        """As it is now, or as it was last."""
        packed = self.after or self.before
        assert packed is not None
        return self.live or packed.unpack(self.key)

    @property
    def moved(self) -> bool:
        """Whether it came, went, or changed in more than its status."""
        return self.before is None or self.after is None or self.before.signature != self.after.signature


@dataclass(slots=True)
class _Listing:
    """A list under way. ``learned`` and ``gone`` is what our own requests told since it began."""

    shelf: Shelf
    learned: set[ObjectKey] = field(default_factory=set)
    gone: set[ObjectKey] = field(default_factory=set)


class Mirror:
    """Newest state wins, whoever tells it."""

    def __init__(self, resource: Resource, packer: Packer) -> None:
        self._resource = resource
        self._packer = packer
        self._listing: _Listing | None = None
        self._condemned: dict[ObjectKey, set[str]] = {}
        """uid of objects that a server said are gone, until the watch says so too."""
        self.shelf = Shelf(resource.group, resource.kind)

    def take(self, live: LiveObject) -> Step | None:
        """A state that somebody saw; None when it is not news."""
        before = self.shelf.get(live.key)
        if self._is_condemned(live.key, live.uid) or not _newer(live.resource_version, before):
            return None
        after = self._packer.pack(live)
        self.shelf.put(live.key, after)
        return Step("ADDED" if before is None else "MODIFIED", live.key, before, after, live)

    def learn(self, live: LiveObject) -> Step | None:
        """As ``take``, of an answer to our own request: a list that began earlier does not undo it."""
        if self._listing is not None:
            self._listing.learned.add(live.key)
        return self.take(live)

    def deleted(self, live: LiveObject) -> Step | None:
        """The watch says that it went; None when that is known, or something newer is."""
        self._pardon(live.key, live.uid)
        before = self.shelf.get(live.key)
        if before is None or _newer(before.resource_version, live.resource_version, sure=True):
            return None
        self.shelf.pop(live.key)
        return Step("DELETED", live.key, before, None, live)

    def gone(self, key: ObjectKey, uid: str, *, unseen: bool = False) -> Step | None:
        """A server said that the object of this uid is gone: nothing that lags brings it back.

        ``unseen``: nor has the watch told of it yet.
        """
        before = self.shelf.get(key)
        held = before is not None and before.uid == uid
        if held or (before is None and unseen):
            self._condemned.setdefault(key, set()).add(uid)
            if self._listing is not None:
                self._listing.gone.add(key)
        return Step("DELETED", key, self.shelf.pop(key), None) if held else None

    def begin(self) -> None:
        """A list begins."""
        self._listing = _Listing(Shelf(self._resource.group, self._resource.kind))

    def page(self, objects: Iterable[LiveObject]) -> None:
        """A part of it. What is known already is not packed again."""
        assert self._listing is not None
        for live in objects:
            known = self.shelf.get(live.key)
            same = known is not None and (known.uid, known.resource_version) == (live.uid, live.resource_version)
            self._listing.shelf.put(live.key, known if known is not None and same else self._packer.pack(live))

    def finish(self, resource_version: str) -> Iterator[Step]:
        """The list is whole, as of this version. What differs from before, vanished objects first, each by key."""
        assert self._listing is not None
        listing, self._listing = self._listing, None
        before, self.shelf = self.shelf, self._merged(listing, resource_version)
        self._condemned = {key: uids for key, uids in self._condemned.items() if key in listing.gone}
        now = self.shelf
        for key in sorted(key for key in before if key not in now):
            yield Step("DELETED", key, before.get(key), None)
        for key in sorted(now):
            yield from _difference(key, before.get(key), now.get(key))

    def empty(self) -> Iterator[Step]:
        """The kind is not served any more."""
        self.begin()
        yield from self.finish("")

    def _is_condemned(self, key: ObjectKey, uid: str) -> bool:
        return uid in self._condemned.get(key, ())

    def _pardon(self, key: ObjectKey, uid: str) -> None:
        uids = self._condemned.get(key, set())
        uids.discard(uid)
        if not uids:
            self._condemned.pop(key, None)

    def _merged(self, listing: _Listing, resource_version: str) -> Shelf:
        shelf = listing.shelf
        for key in listing.learned:
            known = self.shelf.get(key)
            if known is not None and _newer(known.resource_version, resource_version):
                shelf.put(key, known)
        for key in listing.gone:
            listed = shelf.get(key)
            if listed is not None and self._is_condemned(key, listed.uid):
                shelf.pop(key)
        return shelf


def _difference(key: ObjectKey, before: Packed | None, now: Packed | None) -> Iterator[Step]:
    if before is None:
        yield Step("ADDED", key, None, now)
    elif now is not None and before.uid != now.uid:
        yield Step("DELETED", key, before, None)
        yield Step("ADDED", key, None, now)
    elif now is not None and before.resource_version != now.resource_version:
        yield Step("MODIFIED", key, before, now)


def _newer(resource_version: str, than: Packed | str | None, *, sure: bool = False) -> bool:
    """Anything that is no integer counts as news unless it is the same, and is never ``sure`` to be."""
    known = than.resource_version if isinstance(than, Packed) else than
    if known is None:
        return True
    if resource_version.isdecimal() and known.isdecimal():
        return int(resource_version) > int(known)
    return not sure and resource_version != known
