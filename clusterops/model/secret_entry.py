"""One entry of a Secret of the cluster, as a setting names it: ``NAME/KEY``."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from clusterops.errors import TerminalError
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.problem import Retry
from clusterops.model.secret import SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEntry:
    """``code`` is that of all that is wrong with it; ``setting`` names it, ``rights`` says who lets us read it."""

    key: ObjectKey
    entry: str
    code: str
    setting: str
    rights: str

    @classmethod
    def named(cls, text: str, namespace: str, *, code: str, setting: str, rights: str) -> SecretEntry:
        """Raises TerminalError ``code``."""
        name, _, entry = text.partition("/")
        if not name or not entry:
            raise TerminalError(code, text, "does not name a Secret's key", hint=f"set `{setting}: NAME/KEY`")
        key = ObjectKey(group="", kind="Secret", namespace=namespace, name=name)
        return cls(key=key, entry=entry, code=code, setting=setting, rights=rights)

    def text(self, found: LiveObject | Absent | Unreadable) -> SecretText | None:
        """None where there is no such Secret, "" where it has no such entry.

        Raises TerminalError ``code``, and the TransientError for which it cannot be read now.
        """
        if isinstance(found, Absent):
            return None
        if isinstance(found, Unreadable):
            if found.problem.retry is Retry.BACKOFF:
                raise found.problem.error()
            raise TerminalError(self.code, self.key.label, found.problem.message, hint=self.rights)
        value = (found.body.get("data") or {}).get(self.entry)
        try:
            return SecretText(base64.b64decode(str(value or ""), validate=True).decode())
        except ValueError:
            # What the decoder says may quote the value.
            hint = f"put text under {self.entry}, or correct `{self.setting}: NAME/KEY`"
            raise TerminalError(self.code, self.key.label, f"{self.entry} in it is not text", hint=hint) from None
