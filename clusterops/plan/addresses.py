"""Which range of addresses a new cluster takes from those of its region."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

Range = ipaddress.IPv4Network | ipaddress.IPv6Network
LENGTHS: Final = {4: 24, 6: 64}
"""Prefix length of one cluster's nodes, by IP version."""


def next_free(within: Range, taken: Iterable[Range]) -> Range | None:
    """The range behind the highest that is taken, else the lowest gap; None where nothing is left.

    Behind the highest first: the range of a cluster that is just being deleted is still in use, and is no gap to fill
    before there has to be one. Ranges of any length may be taken. O(n log n).
    """
    length = max(LENGTHS[within.version], within.prefixlen)
    size = 1 << (within.max_prefixlen - length)
    gaps = list(_gaps(within, sorted(_spans(within, taken))))
    for first, last in (*gaps[-1:], *gaps[:-1]):
        aligned = -(-first // size) * size
        if aligned + size - 1 <= last:
            return ipaddress.ip_network((aligned, length))
    return None


def overlapping(one: Range, taken: Iterable[Range]) -> Range | None:
    """The first of ``taken`` that shares an address with ``one``."""
    return next((each for each in taken if each.version == one.version and each.overlaps(one)), None)


def _spans(within: Range, taken: Iterable[Range]) -> Iterator[tuple[int, int]]:
    for each in taken:
        if each.version == within.version and each.overlaps(within):
            yield int(each.network_address), int(each.broadcast_address)


def _gaps(within: Range, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What lies between the spans (sorted, perhaps overlapping), the one behind the last span at the end."""
    first, last = int(within.network_address), int(within.broadcast_address)
    reach, ends = first - 1, [(0, first - 1)]
    for begin, end in spans:
        reach = max(reach, end)
        ends.append((begin, reach))
    for (_, before), (begin, _) in pairwise([*ends, (last + 1, last)]):
        yield before + 1, begin - 1
