"""What opens the forge, and what its webhooks are signed with: of a file, a Secret or a setting, as they stand now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clusterops.errors import TerminalError, TransientError
from clusterops.model.secret import SecretText
from clusterops.model.secret_entry import SecretEntry
from clusterops.ports import Clock, Cluster
from clusterops.settings import ForgeSettings
from clusterops.telemetry import Logger

_SECRET_S: Final = 60.0
"""A Secret's value is used for so long before the Secret is read again."""
_FILE_S: Final = 1.0
_OVERLAP_S: Final = 600.0
"""A webhook secret that was replaced stays valid for so long: a forge is told of the new one by hand."""
_RIGHTS: Final = "the Role clusterops-forge of kustomize/install lets the daemon get it: name the Secret there"


@dataclass(slots=True, kw_only=True)
class Tokens:
    """The token of the forge: of ``token_file``, else of ``token_secret`` in ``namespace``, else ``token`` itself."""

    settings: ForgeSettings
    clock: Clock
    cluster: Cluster | None = None
    """None: no Secret can be read here."""
    namespace: str = ""
    _kept: SecretText = field(default_factory=lambda: SecretText(""))
    _fresh_until_s: float = 0.0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self) -> SecretText:
        """Raises TerminalError ``forge-token`` when what is named cannot be had."""
        if self.settings.token_file is not None:
            return await asyncio.to_thread(_token_in, self.settings.token_file)
        if self.settings.token_secret:
            return await self._of_secret(self.settings.token_secret)
        return self.settings.token

    def refused(self) -> None:
        """The forge took it no longer: the Secret may hold another one by now."""
        self._fresh_until_s = 0.0

    async def _of_secret(self, named: str) -> SecretText:
        """While the API server is away the last one is used on."""
        async with self._reading:
            if self.clock.boottime_s() >= self._fresh_until_s:
                try:
                    self._kept = await self._read(named)
                except TransientError:
                    if not self._kept:
                        raise
                self._fresh_until_s = self.clock.boottime_s() + _SECRET_S
            return self._kept

    async def _read(self, named: str) -> SecretText:
        where = SecretEntry.named(
            named, self.namespace, code="forge-token", setting="forge.token_secret", rights=_RIGHTS
        )
        if self.cluster is None:
            raise TerminalError(
                "forge-token", named, "is read by the daemon alone", hint="set CLUSTEROPS_FORGE_TOKEN or its file here"
            )
        text = where.text((await self.cluster.read([where.key], fresh=True))[where.key])
        if text is None:
            raise TerminalError("forge-token", where.key.label, "is not there", hint="make it, with the token in it")
        token = SecretText(text.reveal().strip())
        if not token:
            hint = "put the token there, or correct `forge.token_secret: NAME/KEY`"
            raise TerminalError("forge-token", where.key.label, f"has nothing under {where.entry}", hint=hint)
        return token


def _token_in(file: Path) -> SecretText:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "cannot be read") if isinstance(error, OSError) else "is not text"
        raise TerminalError("forge-token", str(file), why, hint="mend it, or correct `forge.token_file`") from None
    if not token:
        raise TerminalError("forge-token", str(file), "is empty", hint="put the forge's token into it")
    return SecretText(token)


@dataclass(slots=True, kw_only=True)
class WebhookSecrets:
    """Those that are valid now: the setting, each line of the file, and for ten minutes what the file held before."""

    settings: ForgeSettings
    clock: Clock
    logger: Logger
    _current: frozenset[SecretText] = frozenset()
    _former: dict[SecretText, float] = field(default_factory=dict)
    """With the end of their time."""
    _read_at_s: float = float("-inf")
    _problem: str = ""
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def valid(self) -> tuple[SecretText, ...]:
        """Never raises: a file that cannot be read is told once in the log, and holds none."""
        file, now_s = self.settings.webhook_secret_file, self.clock.boottime_s()
        if file is not None:
            await self._look(file, now_s)
        former = (secret for secret, until_s in self._former.items() if now_s < until_s)
        return tuple(secret for secret in (self.settings.webhook_secret, *self._current, *former) if secret)

    async def _look(self, file: Path, now_s: float) -> None:
        async with self._reading:
            if now_s - self._read_at_s >= _FILE_S:
                self._take(await asyncio.to_thread(self._lines, file), now_s)
                self._read_at_s = now_s

    def _take(self, found: Iterable[SecretText], now_s: float) -> None:
        current = frozenset(found)
        former = {secret: until_s for secret, until_s in self._former.items() if now_s < until_s}
        former |= dict.fromkeys(self._current - current, now_s + _OVERLAP_S)
        self._former = {secret: until_s for secret, until_s in former.items() if secret not in current}
        self._current = current

    def _lines(self, file: Path) -> list[SecretText]:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            self._tell(type(error).__name__, file)
            return []
        self._tell("", file)
        return [SecretText(line.strip()) for line in lines if line.strip()]

    def _tell(self, problem: str, file: Path) -> None:
        if problem and problem != self._problem:
            hint = "polling goes on; correct `forge.webhook_secret_file`, or what may read it"
            self.logger.warning("webhook secrets not read", file=str(file), error=problem, hint=hint)
        self._problem = problem
