"""What could not be read is never taken for empty."""

from __future__ import annotations

from typing import NoReturn

from clusterops.model.live import Unreadable


def raise_unreadable(found: Unreadable) -> NoReturn:
    """An inventory that cannot be read is never taken for an empty one."""
    raise found.problem.error()
