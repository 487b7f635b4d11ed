"""How many there are now, of what a share is taken of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Need:
    """Objects of a core kind (``Machine``) to be counted in a region, "" for the whole fleet."""

    region: str
    kind: str


Census = Mapping[Need, int]
