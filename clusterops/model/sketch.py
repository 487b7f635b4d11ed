"""What git said of one object when it was last applied: enough to tell whether a field changed, not what it was."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from clusterops.model.canonical import canonical_json

_HALF: Final = 4
"""Bytes of a hash. Two values of one path are taken for equal once in 4 billion times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Leaves by the hash of their path; the hash of a value is empty where values are not to be kept (Secrets)."""

    leaves: Mapping[bytes, bytes]

    @classmethod
    def of(cls, found: Iterable[tuple[Sequence[str], Any]], *, secret: bool = False) -> Self:
        """From (path, JSON value) pairs. With ``secret`` no value leaves a trace."""
        return cls(leaves={_hash(list(path)): b"" if secret else _hash(value) for path, value in found})

    def knows(self, path: Sequence[str]) -> bool:
        """Whether git set that field."""
        return _hash(list(path)) in self.leaves

    def says(self, path: Sequence[str], value: Any) -> bool:
        """Whether git set that field to this value; True for any value of a Secret's field, which nobody can tell."""
        known = self.leaves.get(_hash(list(path)))
        return known is not None and (not known or known == _hash(value))

    def drops(self, before: Sketch) -> bool:
        """Whether a field is set no more that was set ``before``."""
        return not before.leaves.keys() <= self.leaves.keys()

    def __str__(self) -> str:
        """``fields:`` or, of a Secret, ``paths:``, then base64 of the sorted hashes, 8 or 4 bytes each."""
        values = any(self.leaves.values())
        raw = b"".join(path + (value if values else b"") for path, value in sorted(self.leaves.items()))
        return f"{'fields' if values else 'paths'}:{base64.b64encode(raw).decode()}"

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


def _hash(value: Any) -> bytes:
    return hashlib.blake2b(canonical_json(value), digest_size=_HALF).digest()
