"""Verified deliveries on their way in: what was seen is not seen again, and a flood is one hint a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from clusterops.model.request import Called, Delivery
from clusterops.ports import Clock

_SEEN: Final = 2000
"""Ids that are remembered: more than a busy repository sends in an hour."""
_PENDING: Final = 100
"""Hints of one pause; beyond it, one that says nothing but: look."""
_PAUSE_S: Final = 1.0


@dataclass(slots=True, kw_only=True)
class Deliveries:
    """``pass_on`` gets each hint at once, and equal ones at most once in a second however many come. Bounded memory."""

    pass_on: Callable[[Delivery], None]
    clock: Clock
    _seen: dict[str, None] = field(default_factory=dict)
    _pending: set[Delivery] = field(default_factory=set)
    _passed: set[Delivery] = field(default_factory=set)
    _pausing: asyncio.Task[None] | None = None

    def take(self, delivery: Delivery) -> bool:
        """False where one of that id came before; without an id none is ever a repetition."""
        if delivery.id:
            if delivery.id in self._seen:
                return False
            self._seen[delivery.id] = None
            if len(self._seen) > _SEEN:
                del self._seen[next(iter(self._seen))]
        if delivery.kind is not Called.OTHER:
            self._hint(replace(delivery, id=""))
        return True

    def _hint(self, hint: Delivery) -> None:
        if self._pausing is None or self._pausing.done():
            self._pausing = asyncio.create_task(self._pause(), name="webhooks")
        if hint in self._passed:
            self._pending.add(hint)
        elif len(self._passed) < _PENDING:
            self._passed.add(hint)
            self.pass_on(hint)
        else:
            self._pending.add(Delivery(kind=Called.REQUEST))

    async def _pause(self) -> None:
        """Until nothing came for a second."""
        while self._passed:
            await self.clock.sleep(_PAUSE_S)
            self._passed, self._pending = self._pending, set()
            for hint in self._passed:
                self.pass_on(hint)

    async def close(self) -> None:
        if self._pausing is not None:
            self._pausing.cancel()
            await asyncio.gather(self._pausing, return_exceptions=True)
