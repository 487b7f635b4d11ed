"""The ``sops:`` mapping of a file: for whom it is encrypted, and which of its values are.

**Source:** getsops/sops v3.13.3 stores/stores.go (metadata) and sops.go (shouldBeEncrypted).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from clusterops.errors import TerminalError

KEY: Final = "sops"
_OTHER_KEYS: Final = {
    "pgp": "PGP",
    "kms": "AWS KMS",
    "gcp_kms": "GCP KMS",
    "azure_kv": "Azure Key Vault",
    "hc_vault": "Vault",
    "hckms": "Huawei KMS",
}
_COMMENT_RULES: Final = ("unencrypted_comment_regex", "encrypted_comment_regex")
_ROTATE: Final = "add an age recipient to .sops.yaml, then `sops updatekeys {path}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """The data key, encrypted for one age recipient (``age1…``)."""

    recipient: str
    armored: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which values are encrypted; "" for a rule that the file does not have."""

    unencrypted_suffix: str = ""
    encrypted_suffix: str = ""
    unencrypted_regex: str = ""
    encrypted_regex: str = ""

    def covers(self, path: Sequence[str]) -> bool:
        """Whether the value at these keys is encrypted. In the order of SOPS: a later rule wins."""
        covered = not (self.unencrypted_suffix and any(key.endswith(self.unencrypted_suffix) for key in path))
        if self.encrypted_suffix:
            covered = any(key.endswith(self.encrypted_suffix) for key in path)
        if self.unencrypted_regex and any(re.search(self.unencrypted_regex, key) for key in path):
            covered = False
        if self.encrypted_regex:
            covered = any(re.search(self.encrypted_regex, key) is not None for key in path)
        return covered


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """``mac`` is encrypted as a value is, bound to ``modified`` (RFC 3339); ``narrow``: over encrypted values only."""

    path: str
    stanzas: tuple[Stanza, ...]
    rules: Rules
    mac: str
    modified: str
    narrow: bool

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(stanza.recipient for stanza in self.stanzas)


def read_seal(raw: Any, path: str, *, subject: str) -> Seal:
    """From the value of ``sops:``. Raises TerminalError ``sops-invalid`` or ``sops-unsupported``."""
    if not isinstance(raw, Mapping):
        raise _invalid(path, subject, "`sops:` is no mapping")
    _refuse_unsupported(raw, path, subject)
    groups = raw.get("key_groups")
    group = groups[0] if isinstance(groups, list) and groups and isinstance(groups[0], Mapping) else raw
    stanzas = tuple(_stanzas(group.get("age"), path, subject))
    if not stanzas:
        raise _no_age(group, path, subject)
    return Seal(
        path=path,
        stanzas=stanzas,
        rules=_rules(raw, path, subject),
        mac=_text(raw, "mac", path, subject),
        modified=_rfc3339(_text(raw, "lastmodified", path, subject), path, subject),
        narrow=raw.get("mac_only_encrypted") in {True, "true"},
    )


def _refuse_unsupported(raw: Mapping[str, Any], path: str, subject: str) -> None:
    groups = raw.get("key_groups")
    if isinstance(groups, list) and len(groups) > 1:
        message = f"needs keys of several groups at once (Shamir, {len(groups)} key groups), which ClusterOps does not"
        raise _unsupported(path, subject, f"{message} do", "keep one key group in .sops.yaml, then `sops updatekeys`")
    for rule in _COMMENT_RULES:
        if raw.get(rule):
            hint = "use `encrypted_regex` or `encrypted_suffix`, which name keys"
            raise _unsupported(path, subject, f"is encrypted by comments (`{rule}`)", hint)


def _stanzas(raw: Any, path: str, subject: str) -> list[Stanza]:
    found = []
    for each in raw if isinstance(raw, list) else []:
        if not (isinstance(each, Mapping) and isinstance(each.get("enc"), str)):
            raise _invalid(path, subject, "an entry of `sops.age` has no `enc`")
        found.append(Stanza(recipient=str(each.get("recipient") or ""), armored=each["enc"]))
    return found


def _rules(raw: Mapping[str, Any], path: str, subject: str) -> Rules:
    given = {name: str(raw.get(name) or "") for name in Rules.__dataclass_fields__}
    for name in ("unencrypted_regex", "encrypted_regex"):
        try:
            re.compile(given[name])
        except re.error as error:
            raise _unsupported(
                path, subject, f"`{name}` cannot be read: {error}", "use a simpler expression"
            ) from error
    return Rules(**given)


def _rfc3339(text: str, path: str, subject: str) -> str:
    """As Go formats it again, ``Z`` for no offset, without a fraction."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _invalid(path, subject, "`sops.lastmodified` is no time") from error
    shown = moment.replace(microsecond=0).isoformat()
    return re.sub(r"\+00:00$", "Z", shown)


def _text(raw: Mapping[str, Any], name: str, path: str, subject: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise _invalid(path, subject, f"`sops.{name}` is missing")
    return value


def _no_age(group: Mapping[str, Any], path: str, subject: str) -> TerminalError:
    kinds = [name for key, name in _OTHER_KEYS.items() if group.get(key)]
    if not kinds:
        return _invalid(path, subject, "`sops:` names no recipient")
    message = f"is encrypted for {' and '.join(kinds)} only; ClusterOps decrypts with age keys"
    return _unsupported(path, subject, message, _ROTATE.format(path=path))


def _invalid(path: str, subject: str, message: str) -> TerminalError:
    hint = f"restore it from git, or encrypt it again with `sops encrypt -i {path}`"
    return TerminalError("sops-invalid", subject, message, hint=hint, path=path)


def _unsupported(path: str, subject: str, message: str, hint: str) -> TerminalError:
    return TerminalError("sops-unsupported", subject, message, hint=hint, path=path)
