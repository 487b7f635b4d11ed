"""Whose field it is now: the newest managedFields entry that owns it, which is all that the API server tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Final

from clusterops.capi.managers import Kin, kin
from clusterops.model.bodies import comparable
from clusterops.model.drift import Author, DriftedField
from clusterops.model.leaves import Path, Tree, owned, sole
from clusterops.model.live import LiveObject, Manager
from clusterops.model.managers import is_our_apply
from clusterops.model.pointer import tokens_of

Names = tuple[str, ...]
_AUTHORS: Final[Mapping[Kin, Author]] = {
    Kin.AUTOSCALER: Author.AUTOSCALER,
    Kin.CONTROLLER: Author.CONTROLLER,
    Kin.TOOL: Author.TOOL,
    Kin.PERSON: Author.PERSON,
}


def author_of(manager: str) -> Author:
    """By the name of a field manager; ours, none and one that nobody knows are UNKNOWN."""
    return _AUTHORS.get(kin(manager), Author.UNKNOWN) if manager else Author.UNKNOWN


def latest(fields: Sequence[DriftedField]) -> DriftedField | None:
    """The field that changed last; of those of the same second, and where nobody says, the first."""
    dated = [one for one in fields if one.changed_at is not None]
    return max(dated, key=_moment) if dated else next(iter(fields), None)


def author_among(fields: Sequence[DriftedField]) -> Author:
    """Who changed an object last."""
    field = latest(fields)
    return field.author if field is not None else Author.UNKNOWN


@dataclass(frozen=True, slots=True)
class Writers:
    """The managers of one object but our applies, newest first, each with the pointers of the leaves that it owns."""

    entries: tuple[tuple[Manager, frozenset[str]], ...]
    unread: tuple[tuple[Manager, frozenset[Names]], ...] = ()
    """What entries of another version own under names that this one does not have."""

    def newest(self, pointer: str) -> Manager | None:
        """Who wrote last of those that own the leaf at a pointer into the live object, what is below it or above."""
        found = next((one for one, places in self.entries if _meets(pointer, places)), None)
        return found or self._renamed(pointer)

    def _renamed(self, pointer: str) -> Manager | None:
        """A value that nobody owns is somebody's in another version: of the nearest one, if there is only one."""
        names = tokens_of(pointer)
        near = [(max(_shared(names, path) for path in paths), one) for one, paths in self.unread if paths]
        most = max((shared for shared, _ in near), default=0)
        found = [one for shared, one in near if shared == most]
        return found[0] if most and len({one.name for one in found}) == 1 else None

    def above(self, pointer: str) -> Manager | None:
        """Who wrote last of those that own as a whole what a leaf was part of that is gone."""
        return next((one for one, places in self.entries if _lies_below(pointer, places)), None)

    @property
    def oldest(self) -> Manager | None:
        """Who was there first: of an object that we did not make, most likely its maker."""
        return self.entries[-1][0] if self.entries else None


def writers(live: LiveObject) -> Writers:
    """Writers of status are left out. O(leaves * managers)."""
    body = comparable(live.body)
    others = [one for one in live.managers if one.subresource != "status" and not is_our_apply(one)]
    newest_first = sorted(others, key=lambda one: one.time, reverse=True)
    version = str(live.body.get("apiVersion", ""))
    foreign = [one for one in newest_first if one.api_version not in {"", version}]
    return Writers(
        tuple((one, frozenset(leaf.pointer for leaf in sole(body, one.fields).values())) for one in newest_first),
        tuple((one, frozenset(_names(one.fields, frozenset(owned(body, one.fields))))) for one in foreign),
    )


def time_of(manager: Manager | None) -> datetime | None:
    """Of its last write to any of its fields; None where managedFields does not say."""
    if manager is None or not manager.time:
        return None
    try:
        found = datetime.fromisoformat(manager.time)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _names(tree: Tree, read: frozenset[Path], above: Path = ()) -> Iterator[Names]:
    """Of the leaves of a fieldsV1 that are not ``read``."""
    for step, below in tree.items():
        path = (*above, step)
        if step != "." and below and set(below) != {"."}:
            yield from _names(below, read, path)
        elif step != "." and path not in read:
            yield tuple(part[2:] for part in path)


def _shared(one: Names, other: Names) -> int:
    """How many names they begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _moment(one: DriftedField) -> datetime:
    return one.changed_at or datetime.min.replace(tzinfo=UTC)


def _meets(pointer: str, places: frozenset[str]) -> bool:
    if pointer in places or _lies_below(pointer, places):
        return True
    return any(place.startswith(f"{pointer}/") for place in places)


def _lies_below(pointer: str, places: frozenset[str]) -> bool:
    end = pointer.rfind("/")
    while end > 0:
        if pointer[:end] in places:
            return True
        end = pointer.rfind("/", 0, end)
    return False
