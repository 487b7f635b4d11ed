"""One text per JSON value, so that equal content has equal digests."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
"""Made once: ``json.dumps`` makes one for each call."""


def canonical_json(value: Any) -> bytes:
    """UTF-8, keys sorted, no white space. Raises TypeError or ValueError for what JSON cannot say (NaN included)."""
    return _encode(value).encode()


def digest_of(value: Any) -> str:
    """sha256 of the canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
