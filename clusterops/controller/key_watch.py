"""The keys that open encrypted values: those of a Secret fetched, and a change of any of them noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from clusterops.controller.reconcile import unforeseen
from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.model.secret import SecretText
from clusterops.model.secret_entry import SecretEntry
from clusterops.ports import Clock, Cluster
from clusterops.telemetry import Logger

EVERY_S: Final = 15.0
_RIGHTS: Final = "the Role clusterops-sops of kustomize/install lets the daemon get it: name the Secret there"


class HeldKeys(Protocol):
    """What a renderer opens files with."""

    @property
    def secret(self) -> str:
        """``NAME/KEY`` of the Secret that more of them are in; "" for none."""

    def give(self, text: SecretText) -> bool:
        """What that Secret holds; whether it is news."""

    @property
    def public(self) -> tuple[str, ...]:
        """Raises TerminalError where they cannot be read."""


@dataclass(slots=True, kw_only=True)
class KeyWatch:
    """``look`` once before anything is rendered, then ``follow``."""

    keys: HeldKeys
    cluster: Cluster
    clock: Clock
    logger: Logger
    namespace: str
    _seen: str = ""
    _problem: str = ""

    async def look(self) -> bool:
        """Whether others are held than at the last look. What cannot be read is told in the log once while it lasts.

        While the API server is away, or says no, those of the last look are used on.
        """
        problem: ClusterOpsError | None = None
        try:
            if self.keys.secret:
                await self._fetch()
        except ClusterOpsError as error:
            problem = error
        try:
            now = ",".join(self.keys.public)
        except TerminalError as error:
            now, problem = str(error), problem or error
        self._tell(problem)
        known, self._seen = self._seen, now
        return known != now

    async def follow(self, changed: Callable[[], None]) -> None:
        """For ever."""
        while True:
            await self.clock.sleep(EVERY_S)
            try:
                if await self.look():
                    self.logger.info("age keys changed", public=self._seen)
                    changed()
            except Exception as error:
                unforeseen(error, "age keys", self.logger)

    async def _fetch(self) -> None:
        """Gives nothing where the Secret is gone: a key that was taken away opens nothing more."""
        where = SecretEntry.named(
            self.keys.secret,
            self.namespace,
            code="sops-key-secret",
            setting="render.age_key_secret",
            rights=_RIGHTS,
        )
        found = await self.cluster.read([where.key], fresh=True)
        self.keys.give(where.text(found[where.key]) or SecretText(""))

    def _tell(self, error: ClusterOpsError | None) -> None:
        problem = str(error) if error is not None else ""
        if error is not None and problem != self._problem:
            self.logger.warning("age keys not read", code=error.code, error=problem, hint=error.hint)
        self._problem = problem
