"""A field of a plan's row found again in git's object and in the live one, and addressed as sketches address it.

A row's pointers carry the list indexes of the body that they were told from, which another body need not share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clusterops.model.bodies import comparable, same
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import Leaf, Path, leaves
from clusterops.model.live import LiveObject
from clusterops.model.plan import MISSING, Change, FieldChange
from clusterops.model.secret import MASK, shown
from clusterops.model.sketch import NOTHING, Sketch

Leaves = Mapping[Path, Leaf]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The leaves of one object as git has it and, last, as it is sent, and as it lives; lists by convention.

    ``secret`` are those that hold, or held, what git has only encrypted.
    """

    key: ObjectKey
    git: tuple[Leaves, ...]
    live: Leaves
    secret: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, row: Change, live: LiveObject, held: Sketch = NOTHING) -> Places:
        """``held`` is the measure of drift: it knows what was a secret, and the row what is one."""
        said = {one.digest: one for one in (row.written, row.desired) if one is not None}
        git = tuple(leaves(comparable(one.body), {}) for one in said.values())
        lives = leaves(comparable(live.body), {})
        every = {path for one in (*git, lives) for path in one}
        secret = held.withholding(every) | (row.applied or NOTHING).withholding(every)
        return cls(key=row.key, git=git, live=lives, secret=secret)

    def paths(self, change: FieldChange) -> frozenset[Path]:
        """Of the leaves that a row's field is, lies in, or is made of: where its values tell, of that body alone."""
        exact = [_exactly(one, change.pointer, change.after) for one in self.git]
        exact.append(_exactly(self.live, change.pointer, change.before))
        found = frozenset(path for paths in exact for path in paths)
        return found or frozenset(path for one in (*self.git, self.live) for path in _around(one, change.pointer))

    def live_pointers(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """Where these leaves are in the live object; those that are gone have no place."""
        return tuple(self.live[path].pointer for path in paths if path in self.live)

    def differences(self) -> Iterator[tuple[Path, FieldChange]]:
        """Leaves that git sends and that live otherwise, as a row would tell them, secrets masked."""
        for path, leaf in (self.git[-1] if self.git else {}).items():
            there = self.live.get(path)
            before = MISSING if there is None else there.value
            if before is MISSING or not same(before, leaf.value):
                git, live = (
                    one if one is MISSING else self.shown(path, leaf.pointer, one) for one in (leaf.value, before)
                )
                yield path, FieldChange(pointer=leaf.pointer, before=live, after=git)

    def shown(self, path: Path, pointer: str, value: Any) -> Any:
        """Secrets hidden."""
        return MASK if path in self.secret else shown(self.key, pointer, value)


def _exactly(found: Leaves, pointer: str, value: Any) -> list[Path]:
    return [path for path, leaf in found.items() if leaf.pointer == pointer and same(leaf.value, value)]


def _around(found: Leaves, pointer: str) -> list[Path]:
    return [path for path, leaf in found.items() if meets(leaf.pointer, pointer)]


def meets(pointer: str, other: str) -> bool:
    """Whether one is the other, or lies below it."""
    return pointer == other or pointer.startswith(f"{other}/") or other.startswith(f"{pointer}/")
