"""One encrypted value: ``ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]``.

**Source:** getsops/sops v3.13.3 aes/cipher.go.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORM: Final = re.compile(r"ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]", re.DOTALL)
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""**Source:** Go strconv.ParseBool."""


class NotDecryptable(ValueError):
    """Why, in words that hold nothing of the value."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that stands among the items of a list."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A decrypted value, and the bytes that stand for it in the MAC."""

    value: Any = field(repr=False)
    content: bytes = field(repr=False)


def decrypt(text: str, key: bytes, *, bound_to: str) -> Plain:
    """``bound_to`` is the place that the value was encrypted for. Raises NotDecryptable."""
    if not text:
        return Plain("", b"")
    found = _FORM.match(text)
    if found is None:
        raise NotDecryptable("is not encrypted, though the file's own rules say that it is")
    try:
        data, nonce, tag = (base64.b64decode(part, validate=True) for part in found.groups()[:3])
        content = AESGCM(key).decrypt(nonce, data + tag, bound_to.encode())
    except (binascii.Error, ValueError) as error:
        raise NotDecryptable("is no encrypted value of SOPS any more") from error
    except InvalidTag as error:
        raise NotDecryptable("was changed, or moved here from another place, after it was encrypted") from error
    return _typed(content, found.group(4))


def _typed(content: bytes, kind: str) -> Plain:
    try:
        text = content.decode()
        match kind:
            case "str" | "bytes" | "time":
                return Plain(text, content)
            case "int":
                return Plain(int(text), str(int(text)).encode())
            case "float":
                return _number(float(text))
            case "bool" if text in _TRUE | _FALSE:
                return Plain(text in _TRUE, b"True" if text in _TRUE else b"False")
            case "comment":
                return Plain(Comment(), b"")
    except ValueError:
        raise NotDecryptable(f"is no {kind} once it is decrypted") from None
    raise NotDecryptable(f"has a type that ClusterOps does not know: {kind[:20]}")


def _number(value: float) -> Plain:
    if not math.isfinite(value):
        raise ValueError
    return Plain(int(value) if value.is_integer() and abs(value) < 1e21 else value, float_text(value).encode())


def float_text(value: float) -> str:
    """**Source:** Go strconv.FormatFloat(value, 'f', -1, 64): the shortest, never with an exponent."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
