"""The age identities that we hold, read anew whenever they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyrage

from clusterops.errors import TerminalError
from clusterops.model.secret import SecretText
from clusterops.render.sops.seal import Seal

_SUBJECT: Final = "age key"
_OTHER_KINDS: Final = ("AGE-PLUGIN-", "AGE-SECRET-KEY-PQ-")
"""Identities that open nothing here, in a file that sops at the same desk uses too."""
_Identities = dict[str, pyrage.x25519.Identity]


class AgeKeys:
    """Identities by their public key, from a text, a file and, once somebody gives it, a Secret.

    Safe from any thread; its repr holds no key.
    """

    def __init__(self, *, text: SecretText | None = None, file: Path | None = None, secret: str = "") -> None:
        self._text = text or SecretText("")
        self._file = file
        self._secret = secret
        self._given = SecretText("")
        self._parsed: _Identities | None = None
        self._seen: tuple[int, ...] = ()
        self._from_file: _Identities = {}

    @property
    def secret(self) -> str:
        """``NAME/KEY`` of the Secret that somebody has to read for us; "" for none."""
        return self._secret

    def give(self, text: SecretText) -> bool:
        """What the Secret holds now; "" when it is gone. Whether that is news."""
        known, self._given, self._parsed = self._given, text, None
        return known != text

    @property
    def public(self) -> tuple[str, ...]:
        """Public keys, sorted. Raises TerminalError ``sops-key-invalid``, ``sops-key-unreadable``."""
        return tuple(sorted(self._identities()))

    def data_key(self, seal: Seal, *, subject: str) -> bytes:
        """32 bytes. Raises TerminalError ``sops-key-missing``, ``sops-invalid``, and as ``public``."""
        held = self._identities()
        stanza = next((one for one in seal.stanzas if one.recipient in held), None)
        if stanza is None:
            raise _missing(seal, tuple(held), subject)
        try:
            key = pyrage.decrypt(stanza.armored.encode(), [held[stanza.recipient]])
        except pyrage.DecryptError as error:
            raise _broken(seal, stanza.recipient, subject) from error
        if len(key) != 32:
            raise _broken(seal, stanza.recipient, subject)
        return bytes(key)

    def opens(self, seal: Seal) -> str:
        """The recipient as whom we could open it; "" for none. Raises as ``public``."""
        held = self._identities()
        return next((one for one in seal.recipients if one in held), "")

    def _identities(self) -> _Identities:
        if self._parsed is None:
            own = _parse(self._text.reveal(), "the setting render.age_key")
            self._parsed = own | _parse(self._given.reveal(), f"Secret {self._secret}")
        return self._parsed | self._file_identities()

    def _file_identities(self) -> _Identities:
        if self._file is None:
            return {}
        try:
            found = self._file.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._from_file, self._seen = _parse(self._file.read_text(), str(self._file)), seen
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror or "cannot be read") if isinstance(error, OSError) else "is no text"
            hint = "write it with `age-keygen -o FILE`, or correct render.age_key_file"
            raise TerminalError("sops-key-unreadable", _SUBJECT, f"{self._file}: {reason}", hint=hint) from None
        return self._from_file

    def __repr__(self) -> str:
        return "AgeKeys(…)"


def _parse(text: str, source: str) -> _Identities:
    found = {}
    for number, line in _lines(text):
        try:
            identity = pyrage.x25519.Identity.from_str(line)
        except pyrage.IdentityError:
            hint = "one identity a line, as `age-keygen` writes it"
            message = f"{source}: line {number} is no X25519 identity (AGE-SECRET-KEY-1…)"
            raise TerminalError("sops-key-invalid", _SUBJECT, message, hint=hint) from None
        found[str(identity.to_public())] = identity
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.lstrip().startswith("#"):
            yield from ((number, word) for word in line.split() if not word.startswith(_OTHER_KINDS))


def _missing(seal: Seal, held: Iterable[str], subject: str) -> TerminalError:
    mine = ", ".join(sorted(held))
    wanted = ", ".join(seal.recipients)
    if not mine:
        message = f"is encrypted for {wanted}, and there is no X25519 age key here"
        hint = "set CLUSTEROPS_RENDER_AGE_KEY_FILE (or SOPS_AGE_KEY_FILE at a desk) to a file with its identity"
    else:
        message = f"is encrypted for {wanted}, and the key here is {mine}: one of the two was rotated"
        hint = f"add {mine} to .sops.yaml and `sops updatekeys {seal.path}`, or configure the identity of its recipient"
    return TerminalError("sops-key-missing", subject, message, hint=hint, path=seal.path)


def _broken(seal: Seal, recipient: str, subject: str) -> TerminalError:
    message = f"its data key for {recipient} was changed and opens nothing"
    hint = f"restore `sops:` from git, or `sops updatekeys {seal.path}` where another key still opens it"
    return TerminalError("sops-invalid", subject, message, hint=hint, path=seal.path)
