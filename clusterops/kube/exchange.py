"""One request to the API server, sent until it has an answer that counts."""

from __future__ import annotations

import random
from typing import Any, Final

from clusterops.errors import TransientError
from clusterops.kube.answers import decode, error_of, may_pass, retry_after_s
from clusterops.kube.connection import Connection
from clusterops.kube.wire import Request
from clusterops.ports import Clock, WriteGate
from clusterops.telemetry import Metrics

BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
_DOUBLED: Final = 16
"""How often it is doubled, at the most: watches count on through an outage of days."""
RETRY_AFTER_MAX_S: Final = 30.0
"""A longer wish of the server is left to the caller's own backoff."""
UNAUTHORIZED_ATTEMPTS: Final = 3
"""Of one request: a 401 stays until somebody logs in, and no target should hang over it."""


class Exchange:
    """Sends, retries and translates.

    A write is sent again after a cut connection too, without knowing whether the first try arrived. That is safe: an
    apply is idempotent; with uid and resourceVersion a second one that finds its own first meets a 409 and becomes
    ``object-changed``, so that the caller reads again; a create becomes ``object-exists``; a delete finds nothing.
    """

    def __init__(
        self, connection: Connection, *, attempts: int, clock: Clock, metrics: Metrics, gate: WriteGate | None = None
    ) -> None:
        self.connection = connection
        self._attempts = max(1, attempts)
        self._clock = clock
        self._metrics = metrics
        self._gate = gate

    async def send(self, request: Request) -> dict[str, Any]:
        """The answer's JSON object. Raises what answers.error_of and the write gate say, and ``api-unreachable``."""
        last = self._attempts - 1
        unauthorized = 0
        for attempt in range(self._attempts):
            self._check(request)
            wait_s = 0.0
            try:
                answer, credentials = await self.connection.send(request)
            except TransientError as error:
                self._count(request, error.code)
                if attempt == last or error.code != "api-unreachable":
                    raise
            else:
                self._count(request, str(answer.status))
                if answer.status < 300:
                    return decode(request, answer)
                refusal, wait_s = error_of(request, answer), retry_after_s(answer)
                if answer.status == 401:
                    unauthorized += 1
                    if unauthorized == UNAUTHORIZED_ATTEMPTS or attempt == last:
                        raise refusal
                    await self.connection.renew(credentials)
                elif attempt == last or wait_s > RETRY_AFTER_MAX_S or not may_pass(answer, refusal):
                    raise refusal
            await self._clock.sleep(max(wait_s, 0.0) + backoff_s(attempt))
        raise AssertionError("the last attempt returns or raises")

    def _check(self, request: Request) -> None:
        if self._gate is not None and request.writes and request.key is not None:
            self._gate.check(request.key)

    def _count(self, request: Request, code: str) -> None:
        self._metrics.api_requests.labels(verb=request.verb, code=code).inc()


def backoff_s(attempt: int) -> float:
    """Full jitter. **Source:** M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015."""
    return random.uniform(0.0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt, _DOUBLED)))
