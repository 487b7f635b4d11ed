"""The keys that open encrypted values: those of a Secret fetched, and a change of any of them noticed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, Unreadable
from clusterops.model.problem import Retry
from clusterops.model.secret import SecretText
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
    _problem: str = field(default="")

    async def look(self) -> bool:
        """Whether others are held than at the last look. Never raises: what cannot be read is told once in the log.

        While the API server is away, or says no, those of the last look are used on.
        """
        if self.keys.secret:
            await self._fetch()
        try:
            now = ",".join(self.keys.public)
        except TerminalError as error:
            now = str(error)
            self._tell(error)
        known, self._seen = self._seen, now
        return known != now

    async def follow(self, changed: Callable[[], None]) -> None:
        """For ever."""
        while True:
            await self.clock.sleep(EVERY_S)
            if await self.look():
                self.logger.info("age keys changed", public=self._seen)
                changed()

    async def _fetch(self) -> None:
        try:
            self.keys.give(await self._read(*self._named()))
            self._problem = ""
        except ClusterOpsError as error:
            self._tell(error)

    def _named(self) -> tuple[str, str]:
        name, _, entry = self.keys.secret.partition("/")
        if not name or not entry:
            hint = "set `render.age_key_secret: NAME/KEY`"
            raise TerminalError("sops-key-secret", self.keys.secret, "does not name a Secret's key", hint=hint)
        return name, entry

    async def _read(self, name: str, entry: str) -> SecretText:
        """Empty where it is gone: a key that was taken away opens nothing more."""
        key = ObjectKey(group="", kind="Secret", namespace=self.namespace, name=name)
        found = (await self.cluster.read([key], fresh=True))[key]
        if isinstance(found, Absent):
            return SecretText("")
        if isinstance(found, Unreadable):
            if found.problem.retry is Retry.BACKOFF:
                raise found.problem.error()
            raise TerminalError("sops-key-secret", key.label, found.problem.message, hint=_RIGHTS)
        return _decoded(key, entry, (found.body.get("data") or {}).get(entry))

    def _tell(self, error: ClusterOpsError) -> None:
        if str(error) != self._problem:
            self.logger.warning("age keys not read", code=error.code, error=str(error), hint=error.hint)
        self._problem = str(error)


def _decoded(key: ObjectKey, entry: str, value: object) -> SecretText:
    try:
        return SecretText(base64.b64decode(str(value or ""), validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        hint = "put what `age-keygen` wrote into it"
        raise TerminalError("sops-key-secret", key.label, f"{entry} in it is no text", hint=hint) from None
