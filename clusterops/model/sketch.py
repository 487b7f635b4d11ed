"""What git said of one object when it was last applied, and what the server made of that.

Enough to tell whether a field changed since, not what it was.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

from clusterops.model.bodies import comparable
from clusterops.model.canonical import canonical_json
from clusterops.model.leaves import Leaf, Path, leaves, sole
from clusterops.model.live import LiveObject
from clusterops.model.managers import our_tree
from clusterops.model.manifest import Manifest
from clusterops.model.secret import NO_SECRETS, SecretValues

_HALF: Final = 4
"""Bytes of a hash. Two values of one path are taken for equal once in 4 billion times."""
_WITHHELD: Final = bytes(_HALF)
"""In place of the hash of a value that is a secret: from a hash, a short one can be guessed."""


class Sketch:
    """Leaves by the hash of their path; the hash of a value is empty where it is not to be kept (all of a Secret).

    Frozen. A fleet keeps two for each object, so they are held as one string of bytes: a tenth of a dict.
    """

    __slots__ = ("_packed", "_step")

    def __init__(self, *, leaves: Mapping[bytes, bytes]) -> None:
        values = any(leaves.values())
        self._step = 2 * _HALF if values else _HALF
        self._packed = b"".join(
            path + ((value or _WITHHELD) if values else b"") for path, value in sorted(leaves.items())
        )

    @property
    def leaves(self) -> dict[bytes, bytes]:
        packed, step = self._packed, self._step
        found = ((packed[at : at + _HALF], packed[at + _HALF : at + step]) for at in range(0, len(packed), step))
        return {path: b"" if value == _WITHHELD else value for path, value in found}

    @classmethod
    def of(
        cls,
        found: Iterable[tuple[Sequence[str], Any]],
        *,
        secret: bool = False,
        secrets: SecretValues = NO_SECRETS,
        withheld: Container[bytes] = (),
    ) -> Self:
        """From (path, JSON value) pairs.

        No value leaves a trace with ``secret``, nor one that holds any of ``secrets`` or whose path's hash is among
        ``withheld``.
        """
        leaves = {}
        for path, value in found:
            place = _path_hash(tuple(path))
            hidden = secret or place in withheld or (secrets and secrets.within(value))
            leaves[place] = b"" if hidden else _hash(value)
        return cls(leaves=leaves)

    @property
    def withheld(self) -> frozenset[bytes]:
        """Hashes of the paths whose values it does not tell."""
        return frozenset(path for path, value in self.leaves.items() if not value)

    def withholding(self, paths: Iterable[Path]) -> frozenset[Path]:
        """Those of the paths whose values it does not tell."""
        withheld = self.withheld
        return frozenset(path for path in paths if _path_hash(path) in withheld) if withheld else frozenset()

    def tells(self, path: Sequence[str]) -> bool:
        """Whether it remembers a value there."""
        return bool(self.leaves.get(_path_hash(tuple(path))))

    def knows(self, path: Sequence[str]) -> bool:
        """Whether git set that field."""
        return _path_hash(tuple(path)) in self.leaves

    def says(self, path: Sequence[str], value: Any) -> bool:
        """Whether git set that field to this value; True for any value of a secret field, which nobody can tell."""
        known = self.leaves.get(_path_hash(tuple(path)))
        return known is not None and (not known or known == _hash(value))

    def beyond(self, other: Sketch) -> Sketch:
        """What it knows of paths that the other does not know."""
        known = other.leaves
        return Sketch(leaves={path: value for path, value in self.leaves.items() if path not in known})

    def __bool__(self) -> bool:
        return bool(self._packed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        return (self._packed, self._step) == (other._packed, other._step)

    def __hash__(self) -> int:
        return hash(self._packed)

    def __repr__(self) -> str:
        return f"Sketch({self})"

    def only(self, paths: Iterable[Path]) -> Sketch:
        """What it knows of these paths."""
        wanted = {_path_hash(path) for path in paths}
        return Sketch(leaves={path: value for path, value in self.leaves.items() if path in wanted})

    def __or__(self, other: Sketch) -> Sketch:
        """Both; where they differ, the other."""
        return Sketch(leaves={**self.leaves, **other.leaves}) if other else self

    def drops(self, before: Sketch) -> bool:
        """Whether a field is set no more that was set ``before``."""
        return not before.leaves.keys() <= self.leaves.keys()

    def __str__(self) -> str:
        """``fields:`` or, where no value is told, ``paths:``, then base64 of the sorted hashes, 8 or 4 bytes each."""
        kind = "fields" if self._step > _HALF else "paths"
        return f"{kind}:{base64.b64encode(self._packed).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything that no sketch's text is."""
        kind, colon, encoded = text.partition(":")
        if not colon or kind not in {"fields", "paths"}:
            raise ValueError(f"not a sketch: {text[:20]!r}")
        raw, step = base64.b64decode(encoded, validate=True), 2 * _HALF if kind == "fields" else _HALF
        if len(raw) % step:
            raise ValueError(f"a sketch of {len(raw)} bytes is not whole")
        return cls(leaves={raw[at : at + _HALF]: raw[at + _HALF : at + step] for at in range(0, len(raw), step)})


def said_of(manifest: Manifest, secrets: SecretValues = NO_SECRETS) -> Sketch:
    """Of what git says. Lists are addressed as git has them, whatever the server makes of them."""
    found = ((path, leaf.value) for path, leaf in leaves(comparable(manifest.body), {}).items())
    return Sketch.of(found, secret=manifest.key.is_secret, secrets=secrets)


def addressed(pointer: str, manifest: Manifest) -> Iterator[tuple[Path, Any]]:
    """The leaves, as a sketch addresses them, that a pointer into git's object means: itself, below, or above."""
    for path, leaf in leaves(comparable(manifest.body), {}).items():
        if leaf.pointer == pointer or leaf.pointer.startswith(f"{pointer}/") or pointer.startswith(f"{leaf.pointer}/"):
            yield path, leaf.value


def held_of(live: LiveObject, applied: Sketch | None = None) -> Sketch:
    """Of the fields that our applies own in a live object, with the values that the server gave them.

    Addressed as ``said_of`` does, so that a change of owners does not move a field; what ``applied`` withholds is not
    kept either.
    """
    body = comparable(live.body)
    ours = {leaf.pointer for leaf in sole(body, our_tree(live.managers)).values()}
    found = ((path, leaf.value) for path, leaf in leaves(body, {}).items() if _within(leaf.pointer, ours))
    withheld = applied.withheld if applied is not None else frozenset()
    return Sketch.of(found, secret=live.key.is_secret, withheld=withheld)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """How a live object departs from what was held of it: hashes of paths.

    ``changed`` have another value, or none; ``lost`` have the same one, and our applies own them no more (of a
    Secret: whatever its value is).
    """

    changed: frozenset[bytes] = frozenset()
    lost: frozenset[bytes] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.changed or self.lost)


def departure(held: Sketch, live: LiveObject) -> Departure:
    """O(leaves). Defaults that the server adds later and fields of others are no part of what was held."""
    body = comparable(live.body)
    found = leaves(body, {})
    now = {_path_hash(path): leaf for path, leaf in found.items()}
    was = held.leaves
    changed = {path for path, value in was.items() if not _still(value, now.get(path))}
    if any(was[path] == _EMPTY for path in changed):
        changed -= {path for path in _above(found) if was.get(path) == _EMPTY}
    ours = {leaf.pointer for leaf in sole(body, our_tree(live.managers)).values()}
    kept = was.keys() & now.keys() - changed
    return Departure(
        changed=frozenset(changed), lost=frozenset(path for path in kept if not _within(now[path].pointer, ours))
    )


def _still(value: bytes, leaf: Leaf | None) -> bool:
    return leaf is not None and (not value or value == _hash(leaf.value))


def _above(found: Iterable[Path]) -> frozenset[bytes]:
    """An empty map asks only that the field is there, whatever others put into it."""
    return frozenset(_path_hash(path[:length]) for path in found for length in range(1, len(path)))


def _within(pointer: str, places: frozenset[str] | set[str]) -> bool:
    """Whether a pointer is one of ``places`` or lies below one."""
    end = len(pointer)
    while end > 0:
        if pointer[:end] in places:
            return True
        end = pointer.rfind("/", 0, end)
    return False


@lru_cache(maxsize=16384)
def _path_hash(path: Path) -> bytes:
    """The fields of a fleet's clusters are the same few hundred."""
    return _hash(list(path))


def _hash(value: Any) -> bytes:
    return hashlib.blake2b(canonical_json(value), digest_size=_HALF).digest()


_EMPTY: Final = _hash({})
NOTHING: Final = Sketch(leaves={})
