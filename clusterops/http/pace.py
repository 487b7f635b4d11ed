"""How many requests may start a second."""

from __future__ import annotations

from clusterops.ports import Clock


class Pace:
    """A token bucket that holds at most one second's worth; ``per_second`` 0 or less means no limit.

    **Source:** the generic cell rate algorithm (ITU-T I.371): one number, the theoretical arrival time, is the bucket.
    Callers are served in the order in which they ask.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval_s = 1.0 / per_second if per_second > 0 else 0.0
        self._clock = clock
        self._due_s = float("-inf")

    async def take(self) -> None:
        """Returns when one more request may start."""
        if not self._interval_s:
            return
        now_s = self._clock.boottime_s()
        burst_s = max(1.0, self._interval_s) - self._interval_s
        starts_s = max(now_s, self._due_s - burst_s)
        self._due_s = max(now_s, self._due_s) + self._interval_s
        if starts_s > now_s:
            await self._clock.sleep(starts_s - now_s)
